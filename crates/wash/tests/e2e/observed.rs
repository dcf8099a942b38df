//! A host on a real nats-server, seen by an orchestrator and by a trace: it is ready only while the lattice hears it.

use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use fake_opentelemetry_collector::FakeCollectorServer;
use tokio::runtime::Runtime;
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Launch, SOON};
use wasmcloud_test_nats::NatsServer;

use crate::support::WASH;

/// `wash host` on this server.
fn host(nats: &str) -> Result<Launch> {
    let launch = Launch::command(WASH, &["-o", "json", "host", "--no-cache", "--nats-url", nats])?;
    let data = launch.file("data");
    Ok(launch.arg("--data-dir").arg(data))
}

#[test]
fn readiness_follows_the_lattice() -> Result<()> {
    let mut nats = NatsServer::default().jetstream().start()?;
    let admin = free_address()?;
    let wash = host(&nats.url())?
        .arg("--http-admin")
        .arg(admin.to_string())
        .ready()?;
    let wait = |status: u16, words: &str, connected: u8| -> Result<()> {
        let deadline = Instant::now() + SOON;
        loop {
            let answer = get(admin, "/readyz")?;
            let line = format!("\nwasmcloud_lattice_connected{{connection=\"control\"}} {connected}\n");
            let metrics = get(admin, "/metrics")?.expect(200)?.text();
            if answer.status == status && answer.text().contains(words) && metrics.contains(&line) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "not {status} {words}, but {answer:?}");
            std::thread::yield_now();
        }
    };
    wait(200, "ok", 1)?;
    nats.kill()?;
    wait(500, "connection to", 0)?;
    get(admin, "/livez")?.expect(200)?;
    nats.restart()?;
    wait(200, "ok", 1)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn a_control_request_continues_the_trace_of_whoever_asks() -> Result<()> {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let nats = NatsServer::default().jetstream().start()?;
    let runtime = Runtime::new()?;
    let collector = runtime.block_on(FakeCollectorServer::start());
    let mut collector = collector.map_err(|error| anyhow!("{error}"))?;
    let wash = host(&nats.url())?
        .arg("--enable-traces")
        .arg("--observability-protocol")
        .arg("grpc")
        .arg("--override-observability-endpoint")
        .arg(collector.endpoint())
        .ready()?;
    let asked = async {
        let client = async_nats::connect(nats.url()).await?;
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01").as_str());
        let subject = "wasmbus.ctl.v1.default.host.ping";
        client
            .request_with_headers(subject, headers, "".into())
            .await
            .context("nobody answers the ping")
    };
    runtime.block_on(asked)?;
    // What waits is sent when it ends.
    wash.stop()?;
    let spans = runtime.block_on(collector.exported_spans(1, SOON));
    let found = spans
        .iter()
        .find(|span| span.name == "handle_ctl_message" && span.trace_id == TRACE);
    let found = found.with_context(|| format!("{spans:#?}"))?;
    assert_eq!(found.parent_span_id, "b7ad6b7169203331");
    Ok(())
}
