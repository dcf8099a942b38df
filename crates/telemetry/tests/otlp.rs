//! OTLP against real receivers: `fake-opentelemetry-collector`, which is tonic's gRPC server, and an HTTP server that
//! decodes the messages with the published schema. A process has one subscriber, so these run under nextest, which gives
//! each a process of its own.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in tests a panic is the report"
)]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use fake_opentelemetry_collector::FakeCollectorServer;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message as _;
use tokio::runtime::Runtime;
use wasmcloud_telemetry::{
    Definition, Distribution, Kind, LogOptions, OtlpOptions, Protocol, Telemetry, TelemetryOptions, init,
    set_parent,
};

/// Longest wait for something that has to come.
const SOON: Duration = Duration::from_secs(20);

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

static SIZES: Definition = Definition {
    name: "test_size_bytes",
    help: "Sizes",
    kind: Kind::Histogram,
};
static CALLS: Definition = Definition {
    name: "test_calls_total",
    help: "Calls",
    kind: Kind::Counter,
};

fn options(protocol: Protocol, endpoint: String) -> TelemetryOptions {
    TelemetryOptions {
        logs: LogOptions {
            filter: "info".to_owned(),
            ..LogOptions::default()
        },
        otlp: OtlpOptions {
            traces: true,
            metrics: true,
            logs: true,
            protocol,
            endpoint: Some(endpoint),
            ..OtlpOptions::default()
        },
        resource: vec![("host.id".to_owned(), "NHOST".to_owned())],
    }
}

/// One span in a given trace with one log line in it, and two metrics.
fn say_something(telemetry: &Telemetry) {
    telemetry.metrics().register(|out| {
        out.family(&CALLS).count(&[("component", "a")], 3);
        let seen = Distribution {
            buckets: vec![(10.0, 2), (f64::INFINITY, 1)],
            sum: 25.0,
        };
        out.family(&SIZES).distribution(&[], seen);
    });
    let span = tracing::info_span!(target: "wasmcloud::test", "component_invocation", component = "a");
    set_parent(&span, Some(&format!("00-{TRACE}-b7ad6b7169203331-01")), None);
    span.in_scope(|| tracing::info!(target: "wasmcloud::component", component = "a", "hello from inside"));
    let foreign = tracing::info_span!(target: "hyper::client", "not_ours");
    assert!(foreign.is_disabled());
}

#[test]
fn all_signals_arrive_over_grpc() {
    let runtime = Runtime::new().unwrap();
    let mut collector = runtime.block_on(FakeCollectorServer::start()).unwrap();
    let telemetry = init(&options(Protocol::Grpc, collector.endpoint())).unwrap();
    say_something(&telemetry);
    telemetry.shutdown(SOON);

    let (spans, logs, metrics) = runtime.block_on(async {
        (
            collector.exported_spans(1, SOON).await,
            collector.exported_logs(1, SOON).await,
            collector.exported_metrics(1, SOON).await,
        )
    });
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!(
        (spans[0].name.as_str(), spans[0].trace_id.as_str()),
        ("component_invocation", TRACE)
    );
    assert_eq!(spans[0].parent_span_id, "b7ad6b7169203331");
    assert!(
        logs[0].body.as_ref().unwrap().contains("hello from inside"),
        "{logs:?}"
    );
    assert_eq!(logs[0].trace_id, TRACE, "the line belongs to the call");
    let names: Vec<&str> = metrics
        .iter()
        .flat_map(|pushed| &pushed.metrics)
        .map(|metric| metric.name.as_str())
        .collect();
    assert!(
        names.contains(&"test_calls") && names.contains(&"process_resident_memory_bytes"),
        "{names:?}"
    );
}

struct Seen {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// An HTTP receiver that keeps what it gets, and its address.
fn receiver(runtime: &Runtime, status: StatusCode) -> (Receiver<Seen>, String) {
    let (seen, requests) = channel();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, seen.clone(), status));
        }
    });
    (requests, format!("http://{address}"))
}

async fn serve(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    seen: Sender<Seen>,
    status: StatusCode,
) {
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let seen = seen.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let _ = seen.send(Seen {
                path: head.uri.path().to_owned(),
                headers: head.headers,
                body,
            });
            let mut response = Response::new(Full::new(Bytes::new()));
            *response.status_mut() = status;
            Ok::<_, Infallible>(response)
        }
    });
    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

#[test]
fn all_signals_arrive_over_http() {
    let runtime = Runtime::new().unwrap();
    let (requests, endpoint) = receiver(&runtime, StatusCode::OK);
    let mut options = options(Protocol::Http, endpoint);
    let token = |name: &str| (name == "OTEL_EXPORTER_OTLP_HEADERS").then(|| "x-token=abc".to_owned());
    options.otlp.environment(token).unwrap();
    let telemetry = init(&options).unwrap();
    say_something(&telemetry);
    telemetry.shutdown(SOON);

    let mut seen: Vec<Seen> = (0..3).map(|_| requests.recv_timeout(SOON).unwrap()).collect();
    seen.sort_by(|a, b| a.path.cmp(&b.path));
    for request in &seen {
        assert_eq!(request.headers["content-type"], "application/x-protobuf");
        assert_eq!(request.headers["x-token"], "abc");
    }
    let [logs, metrics, traces] = seen.as_slice() else {
        panic!("three requests");
    };
    assert_eq!(
        (&*logs.path, &*metrics.path, &*traces.path),
        ("/v1/logs", "/v1/metrics", "/v1/traces")
    );

    let traces = ExportTraceServiceRequest::decode(traces.body.clone()).unwrap();
    let resource = traces.resource_spans[0].resource.as_ref().unwrap();
    let attribute = |name: &str| {
        let found = resource.attributes.iter().find(|pair| pair.key == name)?;
        match found.value.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => Some(text.as_str()),
            _ => None,
        }
    };
    assert_eq!(attribute("service.name"), Some("wasmcloud-host"));
    assert_eq!(attribute("host.id"), Some("NHOST"));
    let span = &traces.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(
        span.trace_id,
        0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()
    );

    let logs = ExportLogsServiceRequest::decode(logs.body.clone()).unwrap();
    let record = &logs.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!(record.trace_id, span.trace_id);

    let metrics = ExportMetricsServiceRequest::decode(metrics.body.clone()).unwrap();
    let metrics = &metrics.resource_metrics[0].scope_metrics[0].metrics;
    let find = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap();
    assert!(matches!(&find("test_calls").data, Some(Data::Sum(sum)) if sum.is_monotonic));
    assert_eq!(find("test_size_bytes").unit, "By");
    let Some(Data::Histogram(sizes)) = &find("test_size_bytes").data else {
        panic!("a histogram");
    };
    let point = &sizes.data_points[0];
    assert_eq!((point.count, point.sum), (3, Some(25.0)));
    assert_eq!(
        (&*point.bucket_counts, &*point.explicit_bounds),
        (&[2, 1][..], &[10.0][..])
    );
}

#[test]
fn a_receiver_that_refuses_is_counted_and_nothing_else_happens() {
    let runtime = Runtime::new().unwrap();
    let (requests, endpoint) = receiver(&runtime, StatusCode::SERVICE_UNAVAILABLE);
    let telemetry = init(&options(Protocol::Http, endpoint)).unwrap();
    let metrics = telemetry.metrics().clone();
    say_something(&telemetry);
    telemetry.shutdown(SOON);
    for _ in 0..3 {
        requests.recv_timeout(SOON).unwrap();
    }
    let text = metrics.text();
    for signal in ["traces", "metrics", "logs"] {
        let line = format!("wasmcloud_otlp_exports_total{{signal=\"{signal}\",outcome=\"failed\"}} 1");
        assert!(text.contains(&line), "{text}");
    }
}

/// Ten thousand spans and lines while nobody takes them; then the end, which waits no longer than it may.
fn nobody_is_held_up(endpoint: String) {
    let telemetry = init(&options(Protocol::Grpc, endpoint)).unwrap();
    let (done, waits) = channel();
    std::thread::spawn(move || {
        for number in 0..10_000 {
            let span = tracing::info_span!(target: "wasmcloud::test", "component_invocation", number);
            span.in_scope(|| tracing::info!(target: "wasmcloud::component", number, "line"));
        }
        done.send(()).unwrap();
        telemetry.shutdown(Duration::from_millis(500));
        done.send(()).unwrap();
    });
    // Either wait would be ten seconds per batch, of which there are many, if anybody waited for the receiver.
    waits.recv_timeout(SOON).expect("those who log are not held up");
    waits
        .recv_timeout(SOON)
        .expect("the end does not wait for the receiver");
}

#[test]
fn a_receiver_that_is_away_holds_nobody_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    nobody_is_held_up(format!("http://{address}"));
}

#[test]
fn a_receiver_that_never_answers_holds_nobody_up() {
    // Connections are taken by the kernel, and nobody reads them.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    nobody_is_held_up(format!("http://{}", listener.local_addr().unwrap()));
}

/// A receiver behind TLS, with a certificate of an authority that nobody knows; the file with the authority.
fn secure_receiver(runtime: &Runtime) -> (Receiver<Seen>, String, tempfile::NamedTempFile) {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let authority = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authority.path(), key.cert.pem()).unwrap();
    let secret = rustls_pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], secret)
        .unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let (seen, requests) = channel();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(serve(stream, seen.clone(), StatusCode::OK));
            }
        }
    });
    (requests, format!("https://localhost:{port}"), authority)
}

fn a_private_authority_is_believed(protocol: Protocol, path: &str) {
    let runtime = Runtime::new().unwrap();
    let (requests, endpoint, authority) = secure_receiver(&runtime);
    let mut options = options(protocol, endpoint);
    (options.otlp.metrics, options.otlp.logs) = (false, false);
    options.otlp.ca_files = vec![authority.path().to_owned()];
    let telemetry = init(&options).unwrap();
    say_something(&telemetry);
    telemetry.shutdown(SOON);
    let request = requests.recv_timeout(SOON).unwrap();
    assert_eq!(request.path, path);
    // A gRPC message has five bytes in front: not compressed, and its length.
    let message = match protocol {
        Protocol::Http => request.body,
        Protocol::Grpc => request.body.slice(5..),
    };
    assert_eq!(
        ExportTraceServiceRequest::decode(message)
            .unwrap()
            .resource_spans
            .len(),
        1
    );
}

#[test]
fn a_private_authority_is_believed_over_http() {
    a_private_authority_is_believed(Protocol::Http, "/v1/traces");
}

#[test]
fn a_private_authority_is_believed_over_grpc() {
    a_private_authority_is_believed(
        Protocol::Grpc,
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    );
}

#[test]
fn an_unknown_authority_is_not_believed() {
    let runtime = Runtime::new().unwrap();
    let (requests, endpoint, _authority) = secure_receiver(&runtime);
    let telemetry = init(&options(Protocol::Http, endpoint)).unwrap();
    let metrics = telemetry.metrics().clone();
    say_something(&telemetry);
    telemetry.shutdown(SOON);
    let failed = "wasmcloud_otlp_exports_total{signal=\"traces\",outcome=\"failed\"} 1";
    assert!(metrics.text().contains(failed));
    assert!(requests.try_recv().is_err(), "nothing was sent");
}

#[test]
fn certificates_that_are_none_are_an_error_at_the_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut options = options(Protocol::Http, "https://127.0.0.1:1".to_owned());
    options.otlp.ca_files = vec![file.path().to_owned()];
    let Err(error) = init(&options) else {
        panic!("it starts");
    };
    assert!(
        error.to_string().contains("read certificate authorities"),
        "{error}"
    );
}
