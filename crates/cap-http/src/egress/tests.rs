//! Requests over real sockets, to servers that behave and to servers that do not.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wasmcloud_capability::{
    BoundLink, ComponentContext, ConfigMap, Endpoint, Handle, LinkEntry, LinkTable, Provider,
};
use wasmcloud_core::{Link, LinkName, Route};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::{HttpClientProvider, Outgoing, send};

/// Nothing here takes long; what does hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// A timeout that a test waits for.
const SHORT: Option<Duration> = Some(Duration::from_millis(50));
/// A timeout that must not be what ends a wait.
const LONG: Option<Duration> = Some(Duration::from_secs(60));

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("hangs")
}

// ---- the guest's side

fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn bound(pairs: &[(&str, &str)]) -> BoundLink {
    BoundLink {
        link: Link {
            source: "guest".parse().unwrap(),
            target: "http-client".parse().unwrap(),
            name: LinkName::default_name(),
            namespace: "wasi".to_owned(),
            package: "http".to_owned(),
            interfaces: vec!["outgoing-handler".to_owned()],
            source_config: Vec::new(),
            target_config: Vec::new(),
            route: Route::Auto,
        },
        source_config: ConfigMap::new(),
        target_config: config(pairs),
    }
}

struct Guest {
    component: Arc<ComponentContext>,
    alive: Arc<()>,
    provider: Arc<HttpClientProvider>,
}

impl Guest {
    async fn new(pairs: &[(&str, &str)]) -> Self {
        let provider = HttpClientProvider::start("http-client".parse().unwrap(), &ConfigMap::new()).unwrap();
        let handle = provider.link_as_target(&bound(pairs)).await.unwrap();
        let guest = Self {
            component: ComponentContext::new("guest".parse().unwrap()),
            alive: Arc::new(()),
            provider,
        };
        guest.link("wasi:http/outgoing-handler", Endpoint::Builtin(handle));
        guest
    }

    /// One that may reach this machine.
    async fn near() -> Self {
        Self::new(&[("allowed_networks", "127.0.0.0/8")]).await
    }

    fn link(&self, interface: &str, endpoint: Endpoint) {
        self.component.set_links(LinkTable::new(vec![LinkEntry {
            interfaces: [interface.into()].into(),
            selected: LinkName::default_name(),
            name: LinkName::default_name(),
            target: "http-client".parse().unwrap(),
            route: Route::Auto,
            endpoint,
            elsewhere: None,
        }]));
    }

    fn outgoing(&self, options: RequestOptions) -> Outgoing {
        Outgoing {
            component: Arc::clone(&self.component),
            link: "default".to_owned(),
            deadline: Some(std::time::Instant::now() + PATIENCE),
            depth: 0,
            options,
            guest: Arc::downgrade(&self.alive),
        }
    }

    async fn send(&self, request: Request<WasiBody>) -> Result<Response<WasiBody>, Error> {
        soon(send(self.outgoing(RequestOptions::default()), request)).await
    }

    async fn get(&self, uri: &str) -> Result<Response<WasiBody>, Error> {
        self.send(get(uri)).await
    }

    async fn get_within(
        &self,
        uri: &str,
        connect: Option<Duration>,
        first: Option<Duration>,
        between: Option<Duration>,
    ) -> Result<Response<WasiBody>, Error> {
        let options = RequestOptions {
            connect_timeout: connect,
            first_byte_timeout: first,
            between_bytes_timeout: between,
        };
        soon(send(self.outgoing(options), get(uri))).await
    }
}

fn get(uri: &str) -> Request<WasiBody> {
    let body = Empty::new().map_err(|never: Infallible| match never {});
    Request::get(uri).body(body.boxed_unsync()).unwrap()
}

fn post(uri: &str, body: WasiBody) -> Request<WasiBody> {
    Request::post(uri).body(body).unwrap()
}

/// A body that the test writes while it is sent.
fn streamed() -> (mpsc::Sender<Result<Frame<Bytes>, Error>>, WasiBody) {
    let (frames, body) = mpsc::channel(1);
    (frames, StreamBody::new(body).boxed_unsync())
}

async fn read(response: Response<WasiBody>) -> Bytes {
    soon(response.into_body().collect()).await.unwrap().to_bytes()
}

async fn read_error(response: Response<WasiBody>) -> Error {
    soon(response.into_body().collect()).await.unwrap_err()
}

// ---- the server's side

type Answer = Response<UnsyncBoxBody<Bytes, hyper::Error>>;

struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn uri(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn full(text: &str) -> UnsyncBoxBody<Bytes, hyper::Error> {
    Full::new(Bytes::copy_from_slice(text.as_bytes()))
        .map_err(|never| match never {})
        .boxed_unsync()
}

async fn serve_with<F, A>(tls: Option<tokio_rustls::TlsAcceptor>, answer: F) -> Server
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let (tls, answer) = (tls.clone(), answer.clone());
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                match tls {
                    None => drop(builder.serve_connection(TokioIo::new(tcp), service).await),
                    Some(tls) => {
                        if let Ok(tls) = tls.accept(tcp).await {
                            drop(builder.serve_connection(TokioIo::new(tls), service).await);
                        }
                    }
                }
            });
        }
    });
    Server { address, connections }
}

async fn serve<F, A>(answer: F) -> Server
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    serve_with(None, answer).await
}

async fn hello() -> Server {
    serve(|_| async { Response::new(full("hello")) }).await
}

async fn echo(request: Request<Incoming>) -> Answer {
    Response::new(request.into_body().boxed_unsync())
}

/// A server that writes these bytes on each connection when a request head was read, and then does what `then` says.
async fn raw(bytes: &'static [u8], then: Then) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = tcp.read(&mut buffer).await;
                let _ = tcp.write_all(bytes).await;
                if let Then::Stall = then {
                    while matches!(tcp.read(&mut buffer).await, Ok(n) if n > 0) {}
                }
            });
        }
    });
    Server { address, connections }
}

#[derive(Clone, Copy)]
enum Then {
    Close,
    Stall,
}

struct Authority {
    pem: tempfile::NamedTempFile,
    acceptor: tokio_rustls::TlsAcceptor,
}

/// A certificate authority in a file, and a server's certificate from it for `localhost`.
fn authority(alpn: &[&[u8]]) -> Authority {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let ca = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &ca)
        .unwrap();
    let pem = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(pem.path(), ca.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            rustls_pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    server.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Authority {
        pem,
        acceptor: Arc::new(server).into(),
    }
}

/// What was logged for the operator of the component, in this thread.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "wasmcloud::component" && *metadata.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Line(String);
        impl tracing::field::Visit for Line {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "component" {
                    self.0.insert_str(0, &format!("{value:?}: "));
                }
                if field.name() == "message" {
                    self.0.push_str(&format!("{value:?}"));
                }
            }
        }
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().push(line.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

fn warnings() -> (Warnings, tracing::subscriber::DefaultGuard) {
    let warnings = Warnings::default();
    let guard = tracing::subscriber::set_default(warnings.clone());
    (warnings, guard)
}

// ---- links

#[tokio::test]
async fn without_a_link_nothing_goes_out_and_the_log_says_what_is_missing() {
    let (warnings, _guard) = warnings();
    let guest = Guest::near().await;
    let server = hello().await;
    guest.component.set_links(LinkTable::default());
    assert!(matches!(
        guest.get(&server.uri()).await,
        Err(Error::HttpRequestDenied)
    ));
    assert_eq!(server.connections(), 0);
    let lines = warnings.0.lock();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].starts_with("guest: HTTP request denied: component `guest` has no link named `default`")
            && lines[0].contains("hint: add a trait `type: link`"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_link_to_something_else_is_an_error_with_a_sentence() {
    let guest = Guest::near().await;
    let elsewhere: Handle = Arc::new(7_u8);
    for (endpoint, expect) in [
        (Endpoint::Builtin(Arc::clone(&elsewhere)), "is no HTTP client"),
        (Endpoint::Component(elsewhere), "is a component"),
        (
            Endpoint::Absent("runs on another host".into()),
            "runs on another host",
        ),
    ] {
        guest.link("wasi:http/client", endpoint);
        match guest.get("http://127.0.0.1/").await {
            Err(Error::InternalError(Some(text))) => assert!(text.contains(expect), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_link_to_another_interface_is_refused() {
    let provider = HttpClientProvider::start("c".parse().unwrap(), &ConfigMap::new()).unwrap();
    let mut link = bound(&[]);
    link.link.interfaces = vec!["incoming-handler".to_owned()];
    let error = provider.link_as_target(&link).await.err().unwrap();
    assert!(
        error.to_string().contains("not `wasi:http/incoming-handler`"),
        "{error}"
    );
    let error = provider
        .link_as_target(&bound(&[("allowed_host", "x")]))
        .await
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("did you mean `allowed_hosts`?"),
        "{error}"
    );
}

#[tokio::test]
async fn new_config_reaches_links_that_exist_and_bad_config_changes_nothing() {
    let guest = Guest::new(&[]).await;
    let server = hello().await;
    assert!(matches!(
        guest.get(&server.uri()).await,
        Err(Error::DestinationIpProhibited)
    ));
    let open = config(&[("allowed_networks", "127.0.0.0/8")]);
    guest.provider.update_config(&open).await.unwrap();
    read(guest.get(&server.uri()).await.unwrap()).await;
    let wrong = config(&[("allowed_networks", "near")]);
    assert!(guest.provider.update_config(&wrong).await.is_err());
    read(guest.get(&server.uri()).await.unwrap()).await;
    // A connection from before is not used under a policy that would not have allowed it.
    guest.provider.update_config(&ConfigMap::new()).await.unwrap();
    assert!(matches!(
        guest.get(&server.uri()).await,
        Err(Error::DestinationIpProhibited)
    ));
}

#[tokio::test]
async fn a_stopped_provider_holds_no_connection() {
    let (closed, mut seen) = mpsc::unbounded();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let _ = tcp.read(&mut buffer).await;
        let _ = tcp
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .await;
        let end = tcp.read(&mut buffer).await;
        let _ = closed.unbounded_send(matches!(end, Ok(0)));
    });
    let guest = Guest::near().await;
    assert_eq!(read(guest.get(&uri).await.unwrap()).await, "ok");
    soon(guest.provider.stop()).await;
    assert_eq!(soon(seen.next()).await, Some(true));
    assert!(matches!(
        guest.get(&uri).await,
        Err(Error::InternalError(Some(_)))
    ));
}

// ---- exchanges

#[tokio::test]
async fn a_mebibyte_goes_there_and_back_while_it_is_written() {
    let guest = Guest::near().await;
    let server = serve(echo).await;
    let (mut frames, body) = streamed();
    let response = guest.send(post(&server.uri(), body)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let chunk = Bytes::from(vec![7_u8; 64 << 10]);
    let mut answer = response.into_body();
    let mut received = 0;
    // Each part comes back before the next is written: nothing waits for the end.
    for part in 1..=16 {
        soon(futures::future::poll_fn(|cx| frames.poll_ready(cx)))
            .await
            .unwrap();
        frames.start_send(Ok(Frame::data(chunk.clone()))).unwrap();
        while received < part * chunk.len() {
            let data = soon(answer.frame()).await.unwrap().unwrap().into_data().unwrap();
            assert!(data.iter().all(|byte| *byte == 7));
            received += data.len();
        }
    }
    drop(frames);
    assert!(soon(answer.frame()).await.is_none());
    assert_eq!(received, 1 << 20);
}

fn trailers() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("42"));
    trailers
}

/// Sends trailers through an echo server that also checks that they arrive.
async fn trailers_go_both_ways(guest: &Guest, uri: &str) {
    let (mut frames, body) = streamed();
    let mut request = post(uri, body);
    request
        .headers_mut()
        .insert("trailer", HeaderValue::from_static("x-sum"));
    frames
        .try_send(Ok(Frame::data(Bytes::from_static(b"data"))))
        .unwrap();
    frames.try_send(Ok(Frame::trailers(trailers()))).unwrap();
    drop(frames);
    let response = guest.send(request).await.unwrap();
    let collected = soon(response.into_body().collect()).await.unwrap();
    assert_eq!(collected.trailers(), Some(&trailers()));
    assert_eq!(collected.to_bytes(), "data");
}

async fn echo_with_trailers(request: Request<Incoming>) -> Answer {
    let collected = request.into_body().collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap();
    // As a stream, because HTTP/1.1 has trailers only where the length is not known before.
    let frames = [Frame::data(collected.to_bytes()), Frame::trailers(trailers)];
    let body = StreamBody::new(futures::stream::iter(frames.map(Ok)));
    Response::builder()
        .header("trailer", "x-sum")
        .body(body.boxed_unsync())
        .unwrap()
}

#[tokio::test]
async fn trailers_pass_in_http1() {
    let server = serve(echo_with_trailers).await;
    trailers_go_both_ways(&Guest::near().await, &server.uri()).await;
}

#[tokio::test]
async fn one_connection_serves_fifty_requests() {
    let guest = Guest::near().await;
    let server = hello().await;
    for _ in 0..50 {
        assert_eq!(read(guest.get(&server.uri()).await.unwrap()).await, "hello");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_belongs_to_a_connection_stays_there() {
    let guest = Guest::near().await;
    let seen = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&seen);
    let server = serve(move |request: Request<Incoming>| {
        *keep.lock() = Some((request.uri().clone(), request.headers().clone()));
        async {
            Response::builder()
                .header("connection", "x-hop, keep-alive")
                .header("x-hop", "1")
                .header("keep-alive", "timeout=5")
                .header("proxy-authenticate", "Basic")
                .header("x-end", "2")
                .body(full("ok"))
                .unwrap()
        }
    })
    .await;
    let mut request = get(&format!("{}a?b=c", server.uri()));
    for (name, value) in [
        ("host", "evil.test"),
        ("connection", "x-mine"),
        ("x-mine", "1"),
        ("proxy-authorization", "secret"),
        ("upgrade", "websocket"),
        ("x-kept", "2"),
    ] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let response = guest.send(request).await.unwrap();
    let (uri, headers) = seen.lock().take().unwrap();
    assert_eq!(uri, "/a?b=c");
    assert_eq!(headers["host"], server.address.to_string());
    assert_eq!(
        headers["user-agent"],
        concat!("wasmcloud/", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(headers["x-kept"], "2");
    for gone in ["connection", "x-mine", "proxy-authorization", "upgrade"] {
        assert!(!headers.contains_key(gone), "{gone}");
    }
    assert_eq!(response.headers()["x-end"], "2");
    for gone in ["connection", "x-hop", "keep-alive", "proxy-authenticate"] {
        assert!(!response.headers().contains_key(gone), "{gone}");
    }

    let mut request = get(&server.uri());
    request
        .headers_mut()
        .insert("user-agent", HeaderValue::from_static("mine"));
    guest.send(request).await.unwrap();
    assert_eq!(seen.lock().take().unwrap().1["user-agent"], "mine");
}

#[tokio::test]
async fn a_redirect_is_the_guests_business() {
    let guest = Guest::near().await;
    let server = serve(|_| async {
        Response::builder()
            .status(302)
            .header("location", "http://169.254.169.254/")
            .body(full(""))
            .unwrap()
    })
    .await;
    let response = guest.get(&server.uri()).await.unwrap();
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(response.headers()["location"], "http://169.254.169.254/");
}

#[tokio::test]
async fn requests_that_mean_nothing_are_refused() {
    let guest = Guest::near().await;
    for uri in ["http://me:pw@127.0.0.1/", "http://127.0.0.1:0/", "/path"] {
        assert!(
            matches!(guest.get(uri).await, Err(Error::HttpRequestUriInvalid)),
            "{uri}"
        );
    }
    let mut request = get("http://127.0.0.1/");
    *request.method_mut() = http::Method::CONNECT;
    assert!(matches!(
        guest.send(request).await,
        Err(Error::HttpRequestMethodInvalid)
    ));
}

#[tokio::test]
async fn a_guest_that_goes_away_in_an_upload_breaks_it_off() {
    let (ended, mut end) = mpsc::unbounded();
    let server = serve(move |request: Request<Incoming>| {
        let ended = ended.clone();
        async move {
            tokio::spawn(async move {
                let whole = request.into_body().collect().await.is_ok();
                let _ = ended.unbounded_send(whole);
            });
            Response::new(full("early"))
        }
    })
    .await;
    let guest = Guest::near().await;
    let (mut frames, body) = streamed();
    frames
        .try_send(Ok(Frame::data(Bytes::from_static(b"part"))))
        .unwrap();
    let response = guest.send(post(&server.uri(), body)).await.unwrap();
    drop(guest.alive);
    // What wasmtime does when a store goes: the body just ends.
    drop(frames);
    assert_eq!(
        soon(end.next()).await,
        Some(false),
        "the server took a part for the whole"
    );
    drop(response);
}

#[tokio::test]
async fn a_request_nobody_waits_for_is_cancelled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let guest = Guest::near().await;
    let sending = tokio::spawn(send(guest.outgoing(RequestOptions::default()), get(&uri)));
    let (mut tcp, _) = soon(listener.accept()).await.unwrap();
    let mut buffer = [0; 4096];
    assert!(soon(tcp.read(&mut buffer)).await.unwrap() > 0);
    sending.abort();
    assert_eq!(
        soon(tcp.read(&mut buffer)).await.unwrap(),
        0,
        "the connection stays open"
    );
}

// ---- policy

#[tokio::test]
async fn a_name_that_is_not_allowed_is_not_even_looked_up() {
    let (warnings, _guard) = warnings();
    let server = hello().await;
    let guest = Guest::new(&[
        ("allowed_hosts", "example.com"),
        ("allowed_networks", "127.0.0.0/8"),
    ])
    .await;
    assert!(matches!(
        guest.get(&server.uri()).await,
        Err(Error::HttpRequestDenied)
    ));
    assert_eq!(server.connections(), 0);
    let lines = warnings.0.lock();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].starts_with("guest: ") && lines[0].contains("`allowed_hosts`"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn what_counts_is_the_address_that_would_be_connected_to() {
    let (warnings, _guard) = warnings();
    let server = hello().await;
    let port = server.address.port();
    let guest = Guest::new(&[]).await;
    let ways = [
        format!("http://localhost:{port}/"),
        format!("http://LOCALHOST.:{port}/"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f000001:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[64:ff9b::7f00:1]:{port}/"),
    ];
    for uri in &ways {
        assert!(
            matches!(guest.get(uri).await, Err(Error::DestinationIpProhibited)),
            "{uri}"
        );
    }
    assert_eq!(server.connections(), 0);
    let lines = warnings.0.lock();
    assert_eq!(lines.len(), ways.len(), "{lines:?}");
    assert!(lines[0].contains("`allowed_networks`"), "{lines:?}");
}

#[tokio::test]
async fn grants_open_what_they_name() {
    let server = hello().await;
    let port = server.address.port();
    let check = async |key: &str, value: &str, host: &str, allowed: bool| {
        let guest = Guest::new(&[(key, value)]).await;
        let answer = guest.get(&format!("http://{host}:{port}/")).await;
        assert_eq!(answer.is_ok(), allowed, "{key}={value}: {host}: {answer:?}");
    };
    check("allowed_networks", "127.0.0.0/8", "localhost", true).await;
    check("allowed_networks", "127.0.0.0/8", "[::ffff:127.0.0.1]", true).await;
    check("allowed_networks", "10.0.0.0/8", "localhost", false).await;
    check("allowed_hosts", &format!("localhost:{port}"), "localhost", true).await;
    check("allowed_hosts", "localhost", "localhost", false).await;
    check("allowed_hosts", "localhost:1", "localhost", false).await;
    check("allowed_hosts", "127.0.0.1", "127.0.0.1", true).await;
    check("allowed_hosts", &format!("127.0.0.1:{port}"), "127.0.0.1", true).await;
    check("allowed_hosts", "127.0.0.1", "localhost", false).await;
    check("allowed_hosts", "*", "127.0.0.1", false).await;
}

// ---- failures and times

#[tokio::test]
async fn a_closed_port_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let guest = Guest::near().await;
    let answer = guest.get(&format!("http://{address}/")).await;
    assert!(matches!(answer, Err(Error::ConnectionRefused)), "{answer:?}");
}

#[tokio::test]
async fn a_name_that_cannot_exist_is_a_dns_error() {
    let guest = Guest::near().await;
    // A label has 63 characters at most, so no resolver asks anyone.
    let answer = guest.get(&format!("http://{}.test/", "a".repeat(64))).await;
    assert!(matches!(answer, Err(Error::DnsError { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_server_that_stalls_is_left_at_each_step() {
    let guest = Guest::near().await;

    // Accepts and never speaks: no TLS, no head.
    let silent = raw(b"", Then::Stall).await;
    let secure = format!("https://{}/", silent.address);
    let answer = guest.get_within(&secure, SHORT, LONG, LONG).await;
    assert!(matches!(answer, Err(Error::ConnectionTimeout)), "{answer:?}");
    let answer = guest.get_within(&silent.uri(), LONG, SHORT, LONG).await;
    assert!(matches!(answer, Err(Error::ConnectionReadTimeout)), "{answer:?}");

    let half = raw(b"HTTP/1.1 200 OK\r\nconte", Then::Stall).await;
    let answer = guest.get_within(&half.uri(), LONG, SHORT, LONG).await;
    assert!(matches!(answer, Err(Error::ConnectionReadTimeout)), "{answer:?}");

    let part = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", Then::Stall).await;
    let answer = guest.get_within(&part.uri(), LONG, LONG, SHORT).await.unwrap();
    let error = read_error(answer).await;
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
}

#[tokio::test]
async fn the_operators_connect_timeout_holds_without_the_guests() {
    let guest = Guest::new(&[("allowed_networks", "127.0.0.0/8"), ("connect_timeout_ms", "50")]).await;
    let silent = raw(b"", Then::Stall).await;
    let secure = format!("https://{}/", silent.address);
    let answer = guest.get_within(&secure, LONG, LONG, LONG).await;
    assert!(matches!(answer, Err(Error::ConnectionTimeout)), "{answer:?}");
}

#[tokio::test]
async fn the_deadline_of_the_invocation_ends_every_wait() {
    let guest = Guest::near().await;
    let options = RequestOptions {
        connect_timeout: LONG,
        first_byte_timeout: LONG,
        between_bytes_timeout: LONG,
    };
    let hurried = || Outgoing {
        deadline: Some(std::time::Instant::now() + Duration::from_millis(50)),
        ..guest.outgoing(options)
    };
    let silent = raw(b"", Then::Stall).await;
    let secure = format!("https://{}/", silent.address);
    let answer = soon(send(hurried(), get(&secure))).await;
    assert!(matches!(answer, Err(Error::ConnectionTimeout)), "{answer:?}");
    // Which wait it ends depends on how busy this machine is.
    let answer = soon(send(hurried(), get(&silent.uri()))).await;
    assert!(
        matches!(
            answer,
            Err(Error::ConnectionReadTimeout | Error::ConnectionTimeout)
        ),
        "{answer:?}"
    );
    let part = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", Then::Stall).await;
    let outgoing = Outgoing {
        deadline: Some(std::time::Instant::now() + Duration::from_secs(1)),
        ..guest.outgoing(options)
    };
    let answer = soon(send(outgoing, get(&part.uri()))).await.unwrap();
    let error = read_error(answer).await;
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
}

#[tokio::test]
async fn times_of_zero_and_of_forever_are_times() {
    let guest = Guest::near().await;
    let zero = Some(Duration::ZERO);
    let silent = raw(b"", Then::Stall).await;
    // On loopback a connection may be there before any timer is.
    let answer = guest.get_within(&silent.uri(), zero, zero, zero).await;
    assert!(
        matches!(
            answer,
            Err(Error::ConnectionTimeout | Error::ConnectionReadTimeout)
        ),
        "{answer:?}"
    );
    let answer = guest.get_within(&silent.uri(), LONG, zero, zero).await;
    assert!(matches!(answer, Err(Error::ConnectionReadTimeout)), "{answer:?}");
    let part = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", Then::Stall).await;
    let answer = guest.get_within(&part.uri(), LONG, LONG, zero).await.unwrap();
    let error = read_error(answer).await;
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
    let server = hello().await;
    let forever = Some(Duration::MAX);
    let answer = guest
        .get_within(&server.uri(), forever, forever, forever)
        .await
        .unwrap();
    assert_eq!(read(answer).await, "hello");
}

#[tokio::test]
async fn an_answer_that_is_cut_is_not_taken_for_whole() {
    let guest = Guest::near().await;
    for (bytes, what) in [
        (
            &b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"[..],
            "a length",
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "chunks",
        ),
    ] {
        let server = raw(bytes, Then::Close).await;
        let answer = guest.get(&server.uri()).await.unwrap();
        let error = read_error(answer).await;
        assert!(
            matches!(error, Error::HttpResponseIncomplete),
            "{what}: {error:?}"
        );
    }
    let server = raw(b"HTTP/1.1 200 OK\r\nconte", Then::Close).await;
    let answer = guest.get(&server.uri()).await;
    assert!(matches!(answer, Err(Error::HttpResponseIncomplete)), "{answer:?}");
    let server = raw(b"SSH-2.0-x\r\n\r\n", Then::Close).await;
    let answer = guest.get(&server.uri()).await;
    assert!(matches!(answer, Err(Error::HttpProtocolError)), "{answer:?}");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let guest = Guest::near().await;
    let server = serve(|_| async {
        let mut response = Response::new(full(""));
        let value = HeaderValue::from_bytes(&vec![b'a'; super::exchange::MAX_HEAD]).unwrap();
        response.headers_mut().insert("x-long", value);
        response
    })
    .await;
    let answer = guest.get(&server.uri()).await;
    assert!(matches!(answer, Err(Error::HttpResponseHeaderSectionSize(_))));
}

// ---- connections

#[tokio::test]
async fn a_link_holds_no_more_connections_than_it_may() {
    let (warnings, _guard) = warnings();
    let guest = Guest::new(&[("allowed_networks", "127.0.0.0/8"), ("max_connections", "1")]).await;
    let slow = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", Then::Stall).await;
    let held = guest.get(&slow.uri()).await.unwrap();
    let server = hello().await;
    let answer = guest.get(&server.uri()).await;
    assert!(matches!(answer, Err(Error::ConnectionLimitReached)), "{answer:?}");
    assert!(warnings.0.lock()[0].contains("`max_connections`"));
    drop(held);
    assert_eq!(read(guest.get(&server.uri()).await.unwrap()).await, "hello");
}

#[tokio::test]
async fn an_idle_connection_makes_room_for_another_host() {
    let guest = Guest::new(&[("allowed_networks", "127.0.0.0/8"), ("max_connections", "1")]).await;
    let (one, two) = (hello().await, hello().await);
    for _ in 0..5 {
        assert_eq!(read(guest.get(&one.uri()).await.unwrap()).await, "hello");
        assert_eq!(read(guest.get(&two.uri()).await.unwrap()).await, "hello");
    }
}

#[tokio::test]
async fn many_requests_at_once_share_few_connections() {
    let guest = Guest::new(&[("allowed_networks", "127.0.0.0/8"), ("max_connections", "4")]).await;
    let server = hello().await;
    let (guest, uri) = (&guest, &server.uri());
    let answers = futures::future::join_all((0..64).map(|_| async move {
        match guest.get(uri).await {
            Ok(answer) => usize::from(read(answer).await == "hello"),
            // On a machine that is busy with something else, the turn of some does not come in time.
            Err(Error::ConnectionLimitReached) => 0,
            Err(other) => panic!("{other:?}"),
        }
    }));
    let served: usize = answers.await.into_iter().sum();
    assert!(served >= 4, "{served}");
    assert!(server.connections() <= 4, "{}", server.connections());
}

// ---- TLS

async fn secure_guest(authority: &Authority) -> Guest {
    Guest::new(&[
        ("allowed_networks", "127.0.0.0/8"),
        ("load_native_certs", "false"),
        ("ssl_certs_file", authority.pem.path().to_str().unwrap()),
    ])
    .await
}

#[tokio::test]
async fn only_servers_with_a_believed_certificate_are_spoken_to() {
    let authority = authority(&[]);
    let server = serve_with(Some(authority.acceptor.clone()), |_| async {
        Response::new(full("secret"))
    })
    .await;
    let uri = format!("https://localhost:{}/", server.address.port());

    let guest = secure_guest(&authority).await;
    assert_eq!(read(guest.get(&uri).await.unwrap()).await, "secret");
    // The certificate is for the name, not for the address.
    let answer = guest.get(&format!("https://{}/", server.address)).await;
    assert!(matches!(answer, Err(Error::TlsCertificateError)), "{answer:?}");

    let stranger = Guest::near().await;
    let answer = stranger.get(&uri).await;
    assert!(matches!(answer, Err(Error::TlsCertificateError)), "{answer:?}");

    let plain = hello().await;
    let answer = guest.get(&format!("https://{}/", plain.address)).await;
    assert!(matches!(answer, Err(Error::TlsProtocolError)), "{answer:?}");
}

#[tokio::test]
async fn http2_is_spoken_where_it_is_offered() {
    let authority = authority(&[b"h2", b"http/1.1"]);
    let server = serve_with(Some(authority.acceptor.clone()), |request| async {
        assert_eq!(request.version(), Version::HTTP_2);
        assert!(!request.headers().contains_key("host"));
        assert!(request.uri().authority().is_some());
        echo_with_trailers(request).await
    })
    .await;
    let uri = format!("https://localhost:{}/", server.address.port());
    let guest = secure_guest(&authority).await;
    for _ in 0..5 {
        trailers_go_both_ways(&guest, &uri).await;
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_file_without_certificates_is_named_at_the_start() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let path = empty.path().to_str().unwrap().to_owned();
    for (path, expect) in [
        (&*path, "there is no certificate in it"),
        ("/nowhere.pem", "No such file"),
    ] {
        let error = HttpClientProvider::start("c".parse().unwrap(), &config(&[("ssl_certs_file", path)]))
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("`ssl_certs_file`") && error.contains(expect),
            "{error}"
        );
    }
}
