//! Traces, metrics and health, seen by those they are for: an OTLP receiver, a Prometheus and `promtool` of Debian, and
//! an orchestrator.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use fake_opentelemetry_collector::{ExportedSpan, FakeCollectorServer};
use serde_json::Value;
use tokio::runtime::Runtime;
use wasmcloud_test_kit::guests::{guest, root};
use wasmcloud_test_kit::http::{get, request};
use wasmcloud_test_kit::manifest::Manifest;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Launch, SOON, Wash};

use crate::support::{hello, up};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// The guest that can do anything, with leave to call its own address.
fn calls_itself(address: SocketAddr) -> Result<Launch> {
    let allowed = address.to_string();
    let manifest = Manifest::of("guest", &guest("http_misbehave")?)
        .uses("http-client", "wasi", "http", &["outgoing-handler"])
        .config(&[("allowed_hosts", &allowed)])
        .http("guest", address, &[]);
    up(&manifest.text())
}

/// Asks again until it holds.
fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "no {what} within {SOON:?}");
        std::thread::yield_now();
    }
}

fn traced(endpoint: &str, launch: Launch) -> Launch {
    launch
        .arg("--enable-traces")
        .arg("--observability-protocol")
        .arg("grpc")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
}

#[test]
fn a_trace_goes_from_a_request_through_everything_it_causes() -> Result<()> {
    let runtime = Runtime::new()?;
    let collector = runtime.block_on(FakeCollectorServer::start());
    let mut collector = collector.map_err(|error| anyhow::anyhow!("{error}"))?;
    let address = free_address()?;
    let wash = traced(&collector.endpoint(), calls_itself(address)?).ready()?;

    let parent = format!("00-{TRACE}-{PARENT}-01");
    let path = format!("/fetch?url=http://{address}/status?code=202");
    request(address, "GET", &path, &[("traceparent", &parent)], b"")?.expect(202)?;
    // Control requests, as the controller sends them to the host, are traces of their own.
    let mut spans = Vec::new();
    while spans.len() < 4 {
        let some = runtime.block_on(collector.exported_spans(1, SOON));
        ensure!(!some.is_empty(), "no span of {TRACE} any more: {spans:#?}");
        spans.extend(some.into_iter().filter(|span| span.name != "handle_ctl_message"));
    }
    wash.stop()?;

    let of = |name: &str| -> Vec<&ExportedSpan> { spans.iter().filter(|span| span.name == name).collect() };
    let (requests, calls) = (of("GET"), of("component_invocation"));
    ensure!(
        spans.len() == 4 && requests.len() == 2 && calls.len() == 2,
        "{spans:#?}"
    );
    assert!(spans.iter().all(|span| span.trace_id == TRACE), "{spans:#?}");
    // Each has one child: the request from outside, its call, the request of the guest, and the call of that.
    let mut above = PARENT.to_owned();
    for name in ["GET", "component_invocation", "GET", "component_invocation"] {
        let found = spans
            .iter()
            .find(|span| span.parent_span_id == above && span.name == name);
        above = found
            .with_context(|| format!("no {name} below {above} in {spans:#?}"))?
            .span_id
            .clone();
    }
    let attribute = |span: &ExportedSpan, name: &str| span.attributes.get(name).cloned().unwrap_or_default();
    assert!(attribute(calls[0], "component.id").contains("test-guest"));
    assert!(attribute(calls[0], "operation").contains("wasi:http/incoming-handler/handle"));
    assert!(
        requests
            .iter()
            .all(|span| attribute(span, "http.response.status_code").contains("202"))
    );
    Ok(())
}

#[test]
fn a_receiver_that_is_away_is_one_line_and_costs_no_request() -> Result<()> {
    let (address, admin) = (free_address()?, free_address()?);
    let nobody = format!("http://{}", free_address()?);
    let launch = traced(&nobody, up(&hello(address)?.text())?)
        .arg("--http-admin")
        .arg(admin.to_string());
    let wash = launch.ready()?;
    let failed = r#"wasmcloud_otlp_exports_total{signal="traces",outcome="failed"}"#;
    until("three lost batches", || {
        get(address, "/")?.expect(200)?;
        Ok(sample(&get(admin, "/metrics")?.text(), failed).filter(|count| *count >= 3.0))
    })?;
    let ended = wash.stop()?;
    let lines = ended.stderr.iter().filter(|line| line.contains("OTLP receiver"));
    assert_eq!(lines.count(), 1, "{}", ended.text());
    Ok(())
}

/// The value of one sample, by its name and labels as they are written.
fn sample(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

/// Everything that can be counted happens once: metrics whose names do not show up here are not documented either.
fn with_everything() -> Result<(Wash, SocketAddr, SocketAddr)> {
    let (address, admin) = (free_address()?, free_address()?);
    let nobody = free_address()?;
    let wash = calls_itself(address)?
        .arg("--http-admin")
        .arg(admin.to_string())
        .arg("--enable-observability")
        .arg("--override-observability-endpoint")
        .arg(format!("http://{nobody}"))
        .ready()?;
    request(address, "POST", "/echo", &[], b"twelve bytes")?.expect(200)?;
    get(address, &format!("/fetch?url=http://{address}/"))?.expect(200)?;
    get(address, "/trap")?.expect(500)?;
    Ok((wash, address, admin))
}

#[test]
fn metrics_say_what_happened_and_promtool_has_no_objection() -> Result<()> {
    let (wash, _, admin) = with_everything()?;
    let response = get(admin, "/metrics")?.expect(200)?;
    assert_eq!(
        response.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let text = response.text();
    let value = |name: &str| sample(&text, name).with_context(|| format!("no {name} in\n{text}"));
    let guest = r#"component="test-guest""#;
    assert_eq!(
        value(&format!("wasmcloud_component_invocations_total{{{guest}}}"))?,
        4.0
    );
    assert_eq!(
        value(&format!("wasmcloud_component_cold_invocations_total{{{guest}}}"))?,
        4.0
    );
    assert_eq!(
        value(&format!("wasmcloud_component_errors_total{{{guest}}}"))?,
        1.0
    );
    assert_eq!(
        value(&format!("wasmcloud_component_duration_seconds_count{{{guest}}}"))?,
        4.0
    );
    assert!(value(&format!("wasmcloud_component_duration_seconds_sum{{{guest}}}"))? > 0.0);
    assert_eq!(
        value(&format!("wasmcloud_http_received_bytes_total{{{guest}}}"))?,
        12.0
    );
    assert_eq!(
        value(&format!(
            "wasmcloud_http_responses_total{{{guest},class=\"2xx\"}}"
        ))?,
        3.0
    );
    let fetched = value(&format!("wasmcloud_http_client_received_bytes_total{{{guest}}}"))?;
    let sent = value(&format!("wasmcloud_http_sent_bytes_total{{{guest}}}"))?;
    // The echo, and the page twice: once to the guest, and once passed on by it.
    assert!(fetched > 0.0 && sent == 12.0 + 2.0 * fetched, "{fetched} {sent}");
    assert_eq!(value("wasmcloud_components")?, 1.0);
    assert!(value("process_resident_memory_bytes")? > 1e6);

    let mut promtool = Command::new("/usr/bin/promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("promtool comes with `cargo xtask test`, or with `apt-get install prometheus`")?;
    promtool
        .stdin
        .take()
        .context("its stdin is a pipe")?
        .write_all(text.as_bytes())?;
    let checked = promtool.wait_with_output()?;
    let said = [checked.stdout, checked.stderr].concat();
    ensure!(
        checked.status.success() && said.is_empty(),
        "{}",
        String::from_utf8_lossy(&said)
    );
    wash.stop()?;
    Ok(())
}

#[test]
fn the_page_about_metrics_lists_what_there_is() -> Result<()> {
    let page = fs::read_to_string(root().join("docs/metrics.md"))?;
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeMap<String, String> = rows
        .filter_map(|row| {
            let (name, rest) = row.split_once('`')?;
            let kind = rest.split('|').nth(1)?.trim();
            ["counter", "gauge", "histogram"]
                .contains(&kind)
                .then(|| (name.to_owned(), kind.to_owned()))
        })
        .collect();
    let (wash, _, admin) = with_everything()?;
    let text = get(admin, "/metrics")?.expect(200)?.text();
    let offered: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    assert_eq!(
        listed, offered,
        "docs/metrics.md on the left, /metrics on the right"
    );
    wash.stop()?;
    Ok(())
}

/// Debian's Prometheus, scraping one target ten times a second.
struct Prometheus {
    _process: Wash,
    address: SocketAddr,
}

impl Prometheus {
    fn start(target: SocketAddr) -> Result<Self> {
        let address = free_address()?;
        let launch = Launch::command("/usr/bin/prometheus", &[])?;
        let config = launch.file("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}\nscrape_configs:\n- job_name: wasmcloud\n  \
             static_configs: [{{targets: ['{target}']}}]\n"
        );
        fs::write(&config, text)?;
        let data = launch.file("data");
        let process = launch
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={address}"))
            .start()
            .context("prometheus comes with `cargo xtask test`, or with `apt-get install prometheus`")?;
        process.wait_log(&["Server is ready to receive web requests"], SOON)?;
        Ok(Self {
            _process: process,
            address,
        })
    }

    /// The values of a query, by the value of a label.
    fn ask(&self, query: &str, label: &str) -> Result<BTreeMap<String, f64>> {
        let query = query
            .replace('{', "%7B")
            .replace('}', "%7D")
            .replace('"', "%22")
            .replace('+', "%2B");
        let answer = get(self.address, &format!("/api/v1/query?query={query}"))?.expect(200)?;
        let answer: Value = serde_json::from_str(&answer.text())?;
        let rows = answer.pointer("/data/result").and_then(Value::as_array);
        let rows = rows.with_context(|| format!("no rows in {answer}"))?;
        let row = |row: &Value| {
            let label = row.pointer(&format!("/metric/{label}"))?.as_str()?.to_owned();
            Some((label, row.pointer("/value/1")?.as_str()?.parse().ok()?))
        };
        Ok(rows.iter().filter_map(row).collect())
    }
}

#[test]
fn a_prometheus_scrapes_it_and_answers_questions() -> Result<()> {
    let (address, admin) = (free_address()?, free_address()?);
    let wash = up(&hello(address)?.text())?
        .arg("--http-admin")
        .arg(admin.to_string())
        .ready()?;
    for _ in 0..7 {
        get(address, "/")?.expect(200)?;
    }
    let prometheus = Prometheus::start(admin)?;
    until("seven calls", || {
        let calls = prometheus.ask("wasmcloud_component_invocations_total", "component")?;
        Ok(calls.values().any(|count| *count == 7.0).then_some(()))
    })?;
    let query = r#"histogram_quantile(0.5,wasmcloud_component_duration_seconds_bucket)"#;
    let median = prometheus.ask(query, "component")?;
    ensure!(
        median.len() == 1 && median.values().all(|seconds| *seconds > 0.0 && *seconds < 10.0),
        "{median:?}"
    );
    let up = prometheus.ask("up", "job")?;
    assert_eq!(up.get("wasmcloud"), Some(&1.0));
    wash.stop()?;
    Ok(())
}

#[test]
fn health_answers_as_in_v1() -> Result<()> {
    let admin = free_address()?;
    let launch = Launch::command(crate::support::WASH, &["-o", "json", "up"])?;
    let data = launch.file("data");
    let launch = launch
        .arg("--data-dir")
        .arg(data)
        .arg("--no-cache")
        .env("WASMCLOUD_HTTP_ADMIN", admin.to_string());
    let wash = launch.ready()?;
    for path in ["/livez", "/readyz"] {
        let response = get(admin, path)?.expect(200)?;
        assert_eq!(response.text(), r#"{"status":"ok"}"#);
        assert_eq!(request(admin, "HEAD", path, &[], b"")?.expect(200)?.text(), "");
        let refused = request(admin, "POST", path, &[], b"x")?.expect(405)?;
        assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    }
    get(admin, "/")?.expect(404)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn an_admin_port_that_is_taken_says_by_whom() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let ended = up(&hello(free_address()?)?.text())?
        .arg("--http-admin")
        .arg(&address)
        .run()?;
    let ours = format!("{} (", std::process::id());
    if ended.code != 1 || !ended.text().contains(&ours) || !ended.text().contains(&address) {
        bail!("{} is not named in {}", ours, ended.text());
    }
    Ok(())
}

#[test]
fn it_is_not_ready_before_the_application_is() -> Result<()> {
    let (address, admin) = (free_address()?, free_address()?);
    let launch = up(&hello(address)?.text())?
        .arg("--http-admin")
        .arg(admin.to_string());
    let wash = launch.start()?;
    let mut seen = BTreeSet::new();
    until("readiness", || {
        // Refused before it listens.
        let Ok(response) = get(admin, "/readyz") else {
            return Ok(None);
        };
        seen.insert(response.text());
        match response.status {
            // The application answers now, not only soon.
            200 => get(address, "/")?.expect(200).map(Some),
            500 => Ok(None),
            other => bail!("{other}: {}", response.text()),
        }
    })?;
    let not_yet = r#"{"status":"failure","reason":"the host is starting"}"#;
    let known: BTreeSet<String> = [r#"{"status":"ok"}"#, not_yet].map(str::to_owned).into();
    assert!(seen.is_subset(&known), "{seen:?}");
    wash.stop()?;
    Ok(())
}
