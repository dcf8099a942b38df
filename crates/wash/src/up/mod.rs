//! `wash up`: a host in the foreground, with an application on it.

mod apply;
pub(crate) mod dirs;
mod probe;
mod signals;
mod watch;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::json;
use wasmcloud_engine::EngineConfig;
use wasmcloud_host::{Host, HostOptions};
use wasmcloud_telemetry::LogOptions;

use crate::app::{self, Loaded};
use crate::cli::{Switch, UpArgs};
use crate::exit::{self, FAILURE, Failure, NOT_STARTED};
use crate::output::Output;
use crate::up::apply::Applied;
use crate::up::signals::Signals;
use crate::up::watch::Snapshot;

pub(crate) fn run(args: UpArgs, output: &Output) -> Result<(), Failure> {
    let begun = Instant::now();
    // Before anything is set up: a wrong manifest is the most likely mistake and needs no host to be found.
    let mut before = Snapshot::default();
    before.add(args.manifest.as_deref());
    let loaded = match &args.manifest {
        Some(path) => Some(app::load(path, args.builtin_providers == Switch::On)?),
        None => None,
    };
    before.add(loaded.iter().flat_map(Loaded::files));
    let options = LogOptions {
        filter: args.log_level.clone(),
        json: args.enable_structured_logging,
        color: None,
    };
    let logs =
        wasmcloud_telemetry::init_logs(&options).map_err(|error| Failure::new(FAILURE, "logs", error))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    // Fails only if one is installed already, which is then the same.
    let _ = provider.install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the async runtime")
        .map_err(|error| Failure::new(FAILURE, "runtime", error))?;
    let outcome = runtime.block_on(serve(args, loaded, before, begun, output));
    if logs.dropped_lines() > 0 {
        output.note(&format!(
            "{} log lines were dropped, they came too fast",
            logs.dropped_lines()
        ));
    }
    // Whatever still runs had its time to drain.
    runtime.shutdown_background();
    outcome
}

async fn serve(
    args: UpArgs,
    loaded: Option<Loaded>,
    before: Snapshot,
    begun: Instant,
    output: &Output,
) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::new(FAILURE, "signals", error))?;
    let host = Host::new(options(&args)?).map_err(|error| Failure::new(FAILURE, "host", error))?;
    let labels = apply::labels(&args.label);

    let mut applied = Applied::default();
    if let Some(loaded) = loaded {
        loaded.warnings.iter().for_each(|warning| output.warning(warning));
        output.note(&apply::title(&loaded.desired, output));
        let started = tokio::select! {
            started = apply::apply(&host, &mut applied, loaded, &labels, output) => started,
            () = signals.first() => Err(Failure::new(NOT_STARTED, "interrupted", anyhow::anyhow!("interrupted"))),
        };
        if let Err(failure) = started {
            drain(&host, &mut signals, output).await?;
            return Err(failure);
        }
        probe::ready(&host).await?;
        announce(&host, begun, output);
    } else {
        let text = format!(
            "host is up after {} ms, nothing runs on it",
            begun.elapsed().as_millis()
        );
        output.event(&text, &json!({ "event": "ready", "urls": [] }));
    }

    match (args.watch, &args.manifest) {
        (true, Some(manifest)) => {
            let builtin = args.builtin_providers == Switch::On;
            let watching = watch::run(&host, manifest, builtin, &labels, &mut applied, before, output);
            tokio::select! {
                ended = watching => ended?,
                () = signals.first() => {}
            }
        }
        _ => signals.first().await,
    }
    drain(&host, &mut signals, output).await
}

fn options(args: &UpArgs) -> Result<HostOptions, Failure> {
    let cache_dir = match (&args.cache_dir, args.no_cache) {
        (_, true) => None,
        (Some(dir), _) => Some(dir.clone()),
        (None, _) => dirs::cache(),
    };
    Ok(HostOptions {
        artifacts: args.registry.options(None, cache_dir.clone())?,
        data_dir: args.data_dir.clone().unwrap_or_else(dirs::data),
        engine: EngineConfig {
            cache_dir: cache_dir.map(|dir| dir.join("compiled")),
            max_component_size: args.max_component_size_bytes,
            max_instances: args.max_instances,
            max_memory: args.max_linear_memory_bytes,
            ..EngineConfig::default()
        },
        drain: args.drain,
        ingress: wasmcloud_host::IngressOptions {
            drain: args.drain,
            ..Default::default()
        },
    })
}

/// Says that the application answers, where, and how to try it.
fn announce(host: &Host, begun: Instant, output: &Output) {
    let took = begun.elapsed();
    let urls: Vec<String> = host
        .inventory()
        .providers
        .into_iter()
        .flat_map(|provider| provider.urls)
        .collect();
    let value = json!({ "event": "ready", "urls": urls, "ms": took.as_millis() as u64 });
    output.event(
        &output.paint("1;32", &format!("ready in {} ms", took.as_millis())),
        &value,
    );
    if !output.is_json() {
        for url in &urls {
            output.data(url, &json!(url));
        }
        if let Some(url) = urls.first() {
            output.note(&format!("try: curl {url}"));
        }
        output.note("Ctrl-C stops it");
    }
}

/// Stops everything within the drain time; a second signal leaves at once.
async fn drain(host: &Host, signals: &mut Signals, output: &Output) -> Result<(), Failure> {
    output.event(
        "stopping, Ctrl-C again to leave at once",
        &json!({ "event": "stopping" }),
    );
    tokio::select! {
        () = host.stop() => {
            output.event("stopped", &json!({ "event": "stopped" }));
            Ok(())
        }
        () = signals.next() => {
            let forced = Failure::new(exit::FORCED, "forced", anyhow::anyhow!("left before everything had stopped"));
            Err(Failure { code: ExitCode::from(exit::FORCED), ..forced })
        }
    }
}
