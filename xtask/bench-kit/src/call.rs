//! What a call from component to component on one host costs, next to what an instance costs.
//!
//! `bench-kit call CALLER.wasm CALLEE.wasm ROUNDS CALLS` runs two pairs of components on one host, one pair with
//! instances that are kept and one with a fresh instance for each call. The caller makes a batch of calls and takes
//! the time itself, inside the sandbox, so what is measured is what a call adds to a component. Batches of all kinds
//! take turns, so that a disturbance hits all of them alike. It prints one JSON object: for each kind its batches, in
//! nanoseconds for each call.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use wasmcloud_capability::{Caller, Invocation};
use wasmcloud_core::{ComponentId, InstanceMode, Link, LinkName, Route};
use wasmcloud_engine::{Engine, EngineConfig, Flavor, Prepared, call_export};
use wasmcloud_host::Host;
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, Val};

const DRIVER: &str = "test:calls/driver@0.1.0";
const MATH: &str = "test:calls/math@0.1.0";

/// Longest time for one batch.
const LIMIT: Duration = Duration::from_secs(60);

/// A small text, as an argument and as a result.
const TEXT: &str = "sixteen bytes ok";

/// Measures, and prints what it found.
pub(crate) async fn main(args: &[String]) -> Result<()> {
    let [caller, callee, rounds, calls] = args else {
        bail!("usage: bench-kit call CALLER.wasm CALLEE.wasm ROUNDS CALLS");
    };
    let (rounds, calls) = (rounds.parse().context("ROUNDS")?, calls.parse().context("CALLS")?);
    let files = (Path::new(caller).to_owned(), Path::new(callee).to_owned());
    // On a worker thread, where calls run in a host. The main thread is none.
    let measured = tokio::spawn(async move { run(&files.0, &files.1, rounds, calls).await });
    let batches = measured.await.context("the measurement panicked")??;
    println!("{}", json!(batches));
    Ok(())
}

async fn run(
    caller: &Path,
    callee: &Path,
    rounds: u32,
    calls: u32,
) -> Result<BTreeMap<&'static str, Vec<f64>>> {
    let host = crate::host()?;
    let reused = Pair::start(&host, "reused", InstanceMode::Reuse, caller, callee).await?;
    let fresh = Pair::start(&host, "fresh", InstanceMode::Fresh, caller, callee).await?;
    let bare = Bare::load(callee)?;

    let mut batches: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    // The first round fills caches and is not counted.
    for round in 0..=rounds {
        let measured = [
            ("reused_add", reused.add(calls).await?),
            ("reused_echo", reused.echo(calls).await?),
            ("fresh_add", fresh.add(calls).await?),
            ("fresh_echo", fresh.echo(calls).await?),
            ("bare_fresh_add", bare.add(calls).await?),
            ("instantiate", instantiate(&fresh.callee, calls).await?),
            ("host_reused_add", add_from_host(&reused.callee, calls).await?),
            ("host_fresh_add", add_from_host(&fresh.callee, calls).await?),
        ];
        if round > 0 {
            for (kind, nanoseconds) in measured {
                batches.entry(kind).or_default().push(nanoseconds);
            }
        }
    }
    host.stop().await;
    Ok(batches)
}

/// A caller, and the callee that it is linked to.
struct Pair {
    caller: Arc<Prepared>,
    callee: Arc<Prepared>,
}

impl Pair {
    async fn start(
        host: &Host,
        name: &str,
        mode: InstanceMode,
        caller: &Path,
        callee: &Path,
    ) -> Result<Self> {
        let source: ComponentId = format!("caller-{name}").parse()?;
        let target: ComponentId = format!("callee-{name}").parse()?;
        let link = Link {
            source: source.clone(),
            target: target.clone(),
            name: LinkName::default_name(),
            namespace: "test".to_owned(),
            package: "calls".to_owned(),
            interfaces: vec!["math".to_owned()],
            source_config: Vec::new(),
            target_config: Vec::new(),
            route: Route::Auto,
        };
        host.put_link(link).await.context("link the components")?;
        let callee = start(host, target, callee, mode).await?;
        // Only what the callee costs is of interest.
        let caller = start(host, source, caller, InstanceMode::Reuse).await?;
        Ok(Self { caller, callee })
    }

    async fn add(&self, calls: u32) -> Result<f64> {
        self.drive("run-add", &[Val::U32(calls)]).await
    }

    async fn echo(&self, calls: u32) -> Result<f64> {
        self.drive("run-echo", &[Val::U32(calls), Val::String(TEXT.to_owned())])
            .await
    }

    async fn drive(&self, function: &str, params: &[Val]) -> Result<f64> {
        let mut results = [Val::U64(0)];
        call_export(&self.caller, invocation(), DRIVER, function, params, &mut results)
            .await
            .with_context(|| format!("call {function}"))?;
        match results {
            [Val::U64(nanoseconds)] => Ok(nanoseconds as f64),
            other => bail!("{function} returned {other:?}, not a time"),
        }
    }
}

async fn start(host: &Host, id: ComponentId, file: &Path, mode: InstanceMode) -> Result<Arc<Prepared>> {
    let spec = crate::component(id.clone(), file, mode, LIMIT);
    host.scale_component(spec)
        .await
        .with_context(|| format!("start {id}"))?;
    let target = host
        .target(&id)
        .with_context(|| format!("find {id}, which was started"))?;
    Ok(target.get()?)
}

fn invocation() -> Invocation {
    Invocation::new(Caller::Host, LIMIT)
}

/// An instance comes and goes, and nothing is called in it.
async fn instantiate(callee: &Arc<Prepared>, times: u32) -> Result<f64> {
    let begun = Instant::now();
    for _ in 0..times {
        drop(black_box(
            callee.begin(invocation()).await.context("instantiate")?,
        ));
    }
    Ok(begun.elapsed().as_nanos() as f64 / f64::from(times.max(1)))
}

/// The component and wasmtime, and nothing in between: what a fresh call costs whoever hosts it.
struct Bare {
    _engine: Engine,
    pre: InstancePre<()>,
    add: ComponentExportIndex,
}

impl Bare {
    fn load(file: &Path) -> Result<Self> {
        let engine = Engine::new(EngineConfig::default()).context("make an engine")?;
        let wasmtime = engine.wasmtime(Flavor::Plain)?;
        let component = Component::from_file(wasmtime, file)?;
        let mut linker = Linker::new(wasmtime);
        // What it imports is never called here, so there is no WASI to set up either.
        linker.define_unknown_imports_as_traps(&component)?;
        let math = component.get_export_index(None, MATH).context(MATH)?;
        let add = component.get_export_index(Some(&math), "add").context("add")?;
        let pre = linker.instantiate_pre(&component)?;
        Ok(Self {
            _engine: engine,
            pre,
            add,
        })
    }

    async fn add(&self, times: u32) -> Result<f64> {
        let begun = Instant::now();
        for _ in 0..times {
            let mut store = Store::new(self.pre.engine(), ());
            store.set_epoch_deadline(1);
            store.epoch_deadline_async_yield_and_update(1);
            let instance = self.pre.instantiate_async(&mut store).await?;
            let add = instance.get_typed_func::<(u32, u32), (u32,)>(&mut store, self.add)?;
            let (sum,) = add.call_async(&mut store, (1, 2)).await?;
            ensure!(sum == 3, "1 + 2 is {sum}");
        }
        Ok(begun.elapsed().as_nanos() as f64 / f64::from(times.max(1)))
    }
}

/// A call as the host makes it, without another component around it.
async fn add_from_host(callee: &Arc<Prepared>, times: u32) -> Result<f64> {
    let mut results = [Val::U32(0)];
    let begun = Instant::now();
    for _ in 0..times {
        call_export(
            callee,
            invocation(),
            MATH,
            "add",
            &[Val::U32(1), Val::U32(2)],
            &mut results,
        )
        .await
        .context("call add")?;
    }
    let taken = begun.elapsed();
    if results != [Val::U32(3)] {
        bail!("1 + 2 is {results:?}");
    }
    Ok(taken.as_nanos() as f64 / f64::from(times.max(1)))
}
