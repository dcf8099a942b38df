//! What a call from host to host costs, next to a bare request and reply over the same NATS server.
//!
//! `bench-kit lattice measure URL CALLER.wasm CALLEE.wasm HELLO.wasm PROVIDER ROUNDS CALLS [KIND]…` is one host and starts
//! `bench-kit lattice peer …`, the other, as a process of its own. All kinds take turns in each round, so that a
//! disturbance hits all of them alike, and each makes its calls of a round one after another, as `bench call` does: what
//! else is measured does not empty the caches for it. It prints one JSON object: for each kind the time of every call in
//! microseconds.

use std::collections::BTreeMap;
use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use futures::StreamExt as _;
use nkeys::KeyPair;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use wasmcloud_artifacts::claims::{ProviderMetadata, Validity};
use wasmcloud_artifacts::par::{ProviderArchiveBuilder, Target};
use wasmcloud_capability::{Caller, Invocation};
use wasmcloud_client::DEFAULT_TIMEOUT;
use wasmcloud_core::{ImageRef, InstanceMode, Link, LinkName, Route};
use wasmcloud_engine::{Prepared, call_export};
use wasmcloud_host::{JoinOptions, LatticeHost, ProviderSpec};
use wasmcloud_lattice::{HeaderMap, LatticeOptions, NatsOptions};
use wasmcloud_wire::control::Request;
use wasmcloud_wire::rpc::header;
use wasmcloud_wire::state::Config;
use wasmtime::component::Val;

const DRIVER: &str = "test:calls/driver@0.1.0";

/// What answers bare requests.
const RAW: &str = "bench.raw";

/// Longest time for one call.
const LIMIT: Duration = Duration::from_secs(60);

type Times = BTreeMap<&'static str, Vec<f64>>;

/// Measures, and prints what it found; or is the other host.
pub(crate) async fn main(args: &[String]) -> Result<()> {
    // On a worker thread, where calls run in a host. The main thread is none.
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["peer", url, callee, hello] => {
            let args = (url.to_string(), callee.to_string(), hello.to_string());
            tokio::spawn(async move { peer(&args.0, &args.1, &args.2).await }).await?
        }
        [
            "measure",
            url,
            caller,
            callee,
            hello,
            provider,
            rounds,
            calls,
            kinds @ ..,
        ] => {
            let plan = Plan {
                url: url.to_string(),
                caller: caller.to_string(),
                callee: callee.to_string(),
                hello: hello.to_string(),
                provider: provider.to_string(),
                rounds: rounds.parse().context("ROUNDS")?,
                calls: calls.parse().context("CALLS")?,
                kinds: kinds.iter().map(ToString::to_string).collect(),
            };
            let times = tokio::spawn(async move { measure(&plan).await }).await??;
            println!("{}", json!(times));
            Ok(())
        }
        _ => bail!("usage: bench-kit lattice measure URL CALLER CALLEE HELLO PROVIDER ROUNDS CALLS [KIND]…"),
    }
}

async fn join(url: &str) -> Result<LatticeHost> {
    let host = crate::host()?;
    let lattice = LatticeOptions::new("bench".parse()?, NatsOptions::new(url)?);
    LatticeHost::join(host, JoinOptions::new(lattice))
        .await
        .context("join the lattice")
}

async fn start(host: &LatticeHost, id: &str, file: &str, instance: InstanceMode) -> Result<()> {
    let spec = crate::component(id.parse()?, Path::new(file), instance, LIMIT);
    host.scale_component(spec)
        .await
        .with_context(|| format!("start {id}"))?;
    Ok(())
}

fn link(source: &str, target: &str, package: (&str, &str), interface: &str, route: Route) -> Result<Link> {
    Ok(Link {
        source: source.parse()?,
        target: target.parse()?,
        name: LinkName::default_name(),
        namespace: package.0.to_owned(),
        package: package.1.to_owned(),
        interfaces: vec![interface.to_owned()],
        source_config: Vec::new(),
        target_config: Vec::new(),
        route,
    })
}

async fn put(host: &LatticeHost, link: Link) -> Result<()> {
    ask(host, &Request::PutLink((&link).into())).await?;
    match host.refusal(&link) {
        Some(error) => Err(error).context("put a link"),
        None => Ok(()),
    }
}

/// Asks the lattice, and waits until what was asked for is in effect on this host.
async fn ask(host: &LatticeHost, request: &Request) -> Result<()> {
    let (connection, lattice) = (host.connection().clone(), host.lattice().clone());
    let client = wasmcloud_client::Client::new(connection, lattice, host.control_prefix(), DEFAULT_TIMEOUT);
    client.send(request).await?;
    Ok(host.caught_up().await?)
}

/// Serves a component over HTTP here.
async fn serve(host: &LatticeHost, id: &str, target: &str) -> Result<SocketAddr> {
    let spec = ProviderSpec {
        id: id.parse()?,
        image: ImageRef::Builtin("http-server".to_owned()),
        reference: "wasmcloud+builtin://http-server".to_owned(),
        config: vec![id.parse()?],
        annotations: BTreeMap::new(),
    };
    let config = BTreeMap::from([("default_address".to_owned(), "127.0.0.1:0".to_owned())]);
    ask(host, &Request::PutConfig(id.parse()?, Config(config))).await?;
    host.start_provider(spec).await.context("start the HTTP server")?;
    put(
        host,
        link(id, target, ("wasi", "http"), "incoming-handler", Route::Auto)?,
    )
    .await?;
    let listening = host.host().listening().await;
    listening
        .first()
        .copied()
        .context("the HTTP server does not listen")
}

/// Packs a program and starts it as a provider.
async fn start_external(host: &LatticeHost, id: &str, program: &str) -> Result<()> {
    let metadata = ProviderMetadata {
        name: Some(id.to_owned()),
        vendor: "bench".to_owned(),
        ..ProviderMetadata::default()
    };
    let archive = ProviderArchiveBuilder::new(metadata)
        .program(
            Target::here(),
            std::fs::read(program).context("read the provider")?.into(),
        )
        .build(
            &KeyPair::new_service().public_key(),
            &KeyPair::new_account(),
            Validity::from(SystemTime::now()),
        )
        .context("pack the provider")?;
    let dir = tempfile::tempdir().context("make a folder for the provider")?;
    let file = dir.path().join("provider.par");
    std::fs::write(&file, archive).context("write the archive")?;
    let spec = ProviderSpec {
        id: id.parse()?,
        reference: file.display().to_string(),
        image: ImageRef::File(file),
        config: Vec::new(),
        annotations: BTreeMap::new(),
    };
    host.start_provider(spec).await.context("start the provider")?;
    Ok(())
}

/// The other host: it runs what is called, until its standard input ends.
async fn peer(url: &str, callee: &str, hello: &str) -> Result<()> {
    let host = join(url).await?;
    start(&host, "callee-reused", callee, InstanceMode::Reuse).await?;
    start(&host, "callee-fresh", callee, InstanceMode::Fresh).await?;
    start(&host, "web", hello, InstanceMode::Fresh).await?;
    let address = serve(&host, "http-there", "web").await?;
    let connection = host.connection().clone();
    let mut raw = connection.subscribe(RAW).await?;
    connection.barrier(connection.default_deadline()).await?;
    let answer = said(
        "1; window=1048576; host=NAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        [(header::STATUS, "ok")],
    );
    let echo = tokio::spawn(async move {
        while let Some(message) = raw.next().await {
            if let Some(reply) = message.reply {
                let headers = message.headers.map(|_| answer.clone());
                connection.publish(&reply, headers, message.payload).await?;
            }
        }
        Ok::<_, anyhow::Error>(())
    });
    println!("ready {address}");
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    echo.abort();
    host.leave(&[], &[]).await;
    Ok(())
}

/// The headers of one message of a call.
fn said<const N: usize>(terms: &str, others: [(&'static str, &str); N]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::TERMS, terms);
    for (name, value) in others {
        headers.insert(name, value);
    }
    headers
}

struct Plan {
    url: String,
    caller: String,
    callee: String,
    hello: String,
    provider: String,
    rounds: u32,
    calls: u32,
    /// What is measured; everything, if nothing is named.
    kinds: Vec<String>,
}

impl Plan {
    fn has(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|known| known == kind)
    }
}

async fn measure(plan: &Plan) -> Result<Times> {
    let mut child = tokio::process::Command::new(env::current_exe()?)
        .args(["lattice", "peer", &plan.url, &plan.callee, &plan.hello])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start the other host")?;
    let stdout = child.stdout.take().context("its output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await?;
    let there: SocketAddr = match line.trim().strip_prefix("ready ") {
        Some(address) => address.parse()?,
        None => bail!("the other host did not start: {line}"),
    };
    let host = join(&plan.url).await?;
    for mode in ["reused", "fresh"] {
        let (source, target) = (format!("caller-{mode}"), format!("callee-{mode}"));
        start(&host, &source, &plan.caller, InstanceMode::Reuse).await?;
        put(
            &host,
            link(&source, &target, ("test", "calls"), "math", Route::Auto)?,
        )
        .await?;
    }
    start_external(&host, "provider", &plan.provider).await?;
    start(&host, "caller-provider", &plan.caller, InstanceMode::Reuse).await?;
    put(
        &host,
        link(
            "caller-provider",
            "provider",
            ("test", "calls"),
            "math",
            Route::Auto,
        )?,
    )
    .await?;
    let here = serve(&host, "http-here", "web").await?;
    let reused = driver(&host, "caller-reused")?;
    let fresh = driver(&host, "caller-fresh")?;
    let provider = driver(&host, "caller-provider")?;
    let mut here = Client::connect(here).await?;
    let mut there = Client::connect(there).await?;
    let connection = host.connection().clone();
    let headers = said(
        "1; window=1048576; deadline-ms=60000; depth=1; type=0123456789abcdef",
        [
            (header::SOURCE_ID, "caller-reused"),
            (header::LINK_NAME, "default"),
        ],
    );
    let request = |size: usize, headers: Option<HeaderMap>| {
        let (connection, payload) = (connection.clone(), Bytes::from(vec![7; size]));
        async move {
            let deadline = connection.default_deadline();
            let answer = connection.request(RAW, headers, payload, deadline).await?;
            ensure!(
                answer.payload.len() == size,
                "{} bytes came back",
                answer.payload.len()
            );
            Ok(())
        }
    };

    let raw = |size: usize| request(size, None);

    let mut clock = Clock::new(plan);
    // The first round fills caches and is not counted.
    for round in 0..=plan.rounds {
        clock.counts = round > 0;
        let (calls, long) = (plan.calls, plan.calls.div_ceil(20));
        let one = [Val::U32(1)];
        for _ in 0..calls {
            clock.time("raw", raw(16)).await?;
        }
        for _ in 0..calls {
            clock.take("reused", drive(&reused, "run-add", &one)).await?;
        }
        for _ in 0..calls {
            let headers = Some(headers.clone());
            clock.time("raw_headers", request(16, headers)).await?;
        }
        for _ in 0..calls {
            clock.take("fresh", drive(&fresh, "run-add", &one)).await?;
        }
        for _ in 0..calls {
            clock.take("provider", drive(&provider, "run-add", &one)).await?;
        }
        for _ in 0..calls {
            clock.time("http_there", there.get()).await?;
        }
        for _ in 0..calls {
            clock.time("http_here", here.get()).await?;
        }
        for _ in 0..long {
            clock.time("raw_64k", raw(64 << 10)).await?;
        }
        let bytes = [Val::U32(1), Val::U32(64 << 10)];
        for _ in 0..long {
            let call = drive(&reused, "run-echo-bytes", &bytes);
            clock.take("bytes_64k", call).await?;
        }
    }
    for _ in 0..5 {
        let bytes = [Val::U32(1), Val::U32(16 << 20)];
        let pieces = async {
            for _ in 0..16 {
                // As much as one message takes, headers left out.
                raw((1 << 20) - 64).await?;
            }
            Ok(())
        };
        clock.time("raw_16m", pieces).await?;
        clock
            .take("bytes_16m", drive(&reused, "run-echo-bytes", &bytes))
            .await?;
    }
    drop(child.stdin.take());
    host.leave(&[], &[]).await;
    tokio::time::timeout(LIMIT, child.wait()).await??;
    Ok(clock.times)
}

/// Takes the times of calls.
struct Clock<'a> {
    plan: &'a Plan,
    times: Times,
    /// Whether what is timed now is kept.
    counts: bool,
}

impl<'a> Clock<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            times: Times::new(),
            counts: true,
        }
    }

    /// Does the work if this kind is wanted, and takes the time for it.
    async fn time(&mut self, kind: &'static str, work: impl Future<Output = Result<()>>) -> Result<()> {
        let timed = async {
            let begun = Instant::now();
            work.await?;
            Ok(begun.elapsed())
        };
        self.take(kind, timed).await
    }

    /// Does the work if this kind is wanted, which says itself how long it took.
    async fn take(&mut self, kind: &'static str, work: impl Future<Output = Result<Duration>>) -> Result<()> {
        if !self.plan.has(kind) {
            return Ok(());
        }
        let taken = work.await.with_context(|| format!("measure {kind}"))?;
        if self.counts {
            let taken = taken.as_nanos() as f64 / 1e3;
            self.times.entry(kind).or_default().push(taken);
        }
        Ok(())
    }
}

fn driver(host: &LatticeHost, id: &str) -> Result<Arc<Prepared>> {
    let target = host.host().target(&id.parse()?).context("find the caller")?;
    Ok(target.get()?)
}

/// Has the caller make a call, which takes the time of it as `bench call` does: from before the call to its results,
/// without what it takes to enter the caller.
async fn drive(caller: &Arc<Prepared>, function: &str, params: &[Val]) -> Result<Duration> {
    let mut results = [Val::U64(0)];
    let invocation = Invocation::new(Caller::Host, LIMIT);
    call_export(caller, invocation, DRIVER, function, params, &mut results).await?;
    match results {
        [Val::U64(nanoseconds)] => Ok(Duration::from_nanos(nanoseconds)),
        other => bail!("the caller answered {other:?}"),
    }
}

/// One connection that is kept.
struct Client(TcpStream);

impl Client {
    async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    async fn get(&mut self) -> Result<()> {
        self.0
            .write_all(b"GET / HTTP/1.1\r\nhost: bench.example\r\n\r\n")
            .await?;
        let mut answer = Vec::with_capacity(1024);
        loop {
            let read = self.0.read_buf(&mut answer).await?;
            ensure!(read > 0, "the connection ended");
            let text = String::from_utf8_lossy(&answer);
            ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
            if text.ends_with("0\r\n\r\n") || complete(&text) {
                return Ok(());
            }
        }
    }
}

/// Whether a response with a length is there whole.
fn complete(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| body.len() >= length)
}
