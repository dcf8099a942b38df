//! One listening address: accepts connections, finds the route of each request and answers.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use wasmcloud_capability::{InvocationId, ProviderError};
use wasmcloud_core::Route as Way;
use wasmcloud_engine::{CallError, Refused};
use wasmcloud_lattice::rpc::RpcError;
use wasmcloud_wire::rpc::RpcErrorCode;

use crate::body::ResponseBody;
use crate::handler::{self, Unanswered};
use crate::headers::{self, BadRequest};
use crate::ingress::IngressOptions;
use crate::lattice;
use crate::responses;
use crate::routes::{NoRoute, Route, RouteTable};
use crate::settings::ListenSettings;
use crate::socket;
use crate::tls;
use crate::trace;
use crate::workers::Workers;

/// Longest wait for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Longest wait for the head of a request, idle keep-alive included. A client that sends a byte now and then holds a
/// connection for this long, not for ever.
const HEAD: Duration = Duration::from_secs(60);

/// Largest head of an HTTP/1 request in bytes; larger ones are answered 431.
const MAX_HEAD: usize = 64 << 10;

/// Requests at once on one HTTP/2 connection.
const H2_STREAMS: u32 = 200;

/// Longest time in milliseconds that a client may leave what was sent to it unread (`TCP_USER_TIMEOUT`, tcp(7)): a
/// connection whose reader has stalled would hold its place for as long as its other end exists.
const UNREAD_MS: u32 = 60_000;

/// How long a connection that is kept alive stays open when its address is closed: what is asked on it meanwhile is
/// answered with `connection: close`. Closed at once, it would take along a request that is on its way. Longer than a
/// round trip to anywhere.
const LINGER: Duration = Duration::from_millis(500);

/// Pause after a failed accept: the process is out of file descriptors, say, and asking again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listening address. Dropping it does not stop it; [`Listener::stop`] does.
pub(crate) struct Listener {
    pub(crate) settings: ListenSettings,
    pub(crate) address: SocketAddr,
    pub(crate) routes: Arc<ArcSwap<RouteTable>>,
    stop: CancellationToken,
    /// Ends when the socket is closed.
    listening: oneshot::Receiver<()>,
    task: JoinHandle<()>,
}

struct Shared {
    settings: ListenSettings,
    address: SocketAddr,
    routes: Arc<ArcSwap<RouteTable>>,
    stop: CancellationToken,
    tls: Option<TlsAcceptor>,
    http: auto::Builder<TokioExecutor>,
}

impl Listener {
    /// Starts to listen.
    pub(crate) fn bind(
        settings: ListenSettings,
        options: &IngressOptions,
        workers: &Arc<Workers>,
    ) -> Result<Self, ProviderError> {
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let (socket, address) = socket::bind(settings.address)?;
        let routes = Arc::new(ArcSwap::default());
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(MAX_HEAD)
            // Most answers are small: copied behind their head they go out in one plain write, which costs less than
            // a vector of two. For large ones the copy is small beside what the kernel does with them.
            .writev(false)
            .keep_alive(settings.keep_alive);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(H2_STREAMS)
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .keep_alive_interval(Some(HEAD));
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            settings: settings.clone(),
            address,
            routes: Arc::clone(&routes),
            stop: stop.clone(),
            tls,
            http,
        });
        let (open, listening) = oneshot::channel();
        let task = tokio::spawn(accept(
            (socket, open),
            shared,
            options.clone(),
            Arc::clone(workers),
        ));
        Ok(Self {
            settings: ListenSettings { address, ..settings },
            address,
            routes,
            stop,
            listening,
            task,
        })
    }

    /// Closes the socket, which is quick: when this returns, the address is free. Requests under way end within the
    /// drain limit, the rest is cut then; the task that comes back ends after that, and need not be waited for.
    pub(crate) async fn close(self) -> JoinHandle<()> {
        self.stop.cancel();
        let _ = self.listening.await;
        self.task
    }
}

async fn accept(
    (socket, open): (TcpListener, oneshot::Sender<()>),
    shared: Arc<Shared>,
    options: IngressOptions,
    workers: Arc<Workers>,
) {
    let slots = Arc::new(Semaphore::new(options.max_connections));
    let graceful = GracefulShutdown::new();
    let connections = tokio_util::task::TaskTracker::new();
    let abort = CancellationToken::new();
    let serve = |stream: std::net::TcpStream, peer| {
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            return socket::refuse(&stream, peer);
        };
        let _ = stream.set_nodelay(true);
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNREAD_MS);
        let watcher = graceful.watcher();
        let (shared, abort) = (Arc::clone(&shared), abort.clone());
        workers.spawn(&connections, async move {
            let Ok(stream) = TcpStream::from_std(stream) else {
                return;
            };
            tokio::select! {
                () = abort.cancelled() => {}
                () = connection(shared, stream, peer, watcher, slot) => {}
            }
        });
    };
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            accepted = socket.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // A connection that was gone before it was accepted is nobody's problem.
                    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                        tracing::warn!(address = %shared.address, %error, "accept failed");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                    continue;
                }
            },
        };
        // From the reactor of this runtime to that of a worker: the socket itself goes along.
        if let Ok(stream) = stream.into_std() {
            serve(stream, peer);
        }
    }
    // Who has connected already is answered; the end of the socket would be a reset for them.
    for (stream, peer) in socket::waiting(socket) {
        serve(stream, peer);
    }
    drop(open);
    connections.close();
    let end = Instant::now() + options.drain;
    let _ = timeout(LINGER.min(options.drain / 2), connections.wait()).await;
    if timeout_at(end, graceful.shutdown()).await.is_err() {
        tracing::warn!(address = %shared.address, open = connections.len(), "connections cut, they did not end in time");
    }
    abort.cancel();
    connections.wait().await;
}

async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    watcher: hyper_util::server::graceful::Watcher,
    _slot: OwnedSemaphorePermit,
) {
    let secure = shared.tls.is_some();
    let service = {
        let shared = Arc::clone(&shared);
        service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move {
                let kept_alive = request.version() < Version::HTTP_2;
                let mut response = shared.answer(request, secure).await;
                // HTTP/2 has a frame for that.
                if kept_alive && shared.stop.is_cancelled() {
                    close_after(&mut response);
                }
                Ok::<_, Infallible>(response)
            }
        })
    };
    let ended = match &shared.tls {
        None => {
            watcher
                .watch(shared.http.serve_connection(TokioIo::new(stream), service))
                .await
        }
        Some(tls) => match timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                watcher
                    .watch(shared.http.serve_connection(TokioIo::new(stream), service))
                    .await
            }
            Ok(Err(error)) => return tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_elapsed) => return tracing::debug!(%peer, "TLS handshake timed out"),
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, error = error.as_ref() as &dyn std::error::Error, "connection ended early");
    }
}

/// Nothing comes on this connection after the response, and the client is told.
fn close_after(response: &mut Response<ResponseBody>) {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
}

impl Shared {
    async fn answer(&self, mut request: Request<Incoming>, secure: bool) -> Response<ResponseBody> {
        let authority = match headers::authority(&request) {
            Ok(authority) => authority,
            Err(BadRequest(reason)) => {
                let mut response = responses::text(StatusCode::BAD_REQUEST, reason);
                // What follows on this connection may be the second half of what was misunderstood.
                close_after(&mut response);
                return response;
            }
        };
        let routes = self.routes.load();
        let found = {
            let host = if self.settings.host_header == header::HOST {
                authority.as_ref().map(http::uri::Authority::host)
            } else {
                let named = request.headers().get(&self.settings.host_header);
                named.and_then(|value| value.to_str().ok())
            };
            routes.find(host, request.uri().path())
        };
        let route = match found {
            Ok(route) => Arc::clone(route),
            Err(reason) => return no_route(reason),
        };
        drop(routes);
        if let Err(error) = canonical(&mut request, authority, self.address) {
            return responses::text(StatusCode::BAD_REQUEST, error);
        }
        headers::strip_nominated(request.headers_mut());
        respond(&route, request, secure).await
    }
}

fn no_route(reason: NoRoute) -> Response<ResponseBody> {
    let text = match reason {
        NoRoute::Host => "host not found",
        NoRoute::Path => "path not found",
    };
    responses::text(StatusCode::NOT_FOUND, text)
}

/// Gives the request the one authority that was found for it, so that the guest sees what the route was chosen by.
fn canonical(
    request: &mut Request<Incoming>,
    authority: Option<http::uri::Authority>,
    listener: SocketAddr,
) -> Result<(), String> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    // HTTP/1.0 without a Host header: the address that was connected to is the best name there is.
    parts.authority = match authority {
        Some(authority) => Some(authority),
        None => listener.to_string().parse().ok(),
    };
    // A URI with an authority needs a scheme and a path; `*` (OPTIONS) stays as it came.
    parts.scheme.get_or_insert(http::uri::Scheme::HTTP);
    if parts.path_and_query.is_none() {
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    }
    *request.uri_mut() = Uri::from_parts(parts).map_err(|error| error.to_string())?;
    Ok(())
}

async fn respond(route: &Route, request: Request<Incoming>, secure: bool) -> Response<ResponseBody> {
    let settings = &*route.settings;
    if settings.read_only && !matches!(*request.method(), Method::GET | Method::HEAD) {
        return responses::read_only();
    }
    let origin = match &settings.cors {
        Some(cors) => {
            if let Some(response) = cors.preflight(&request) {
                return response;
            }
            request.headers().get(header::ORIGIN).cloned()
        }
        None => None,
    };
    let mut response = match call(route, request, secure).await {
        Ok(response) => response,
        Err(response) => return *response,
    };
    if let (Some(cors), Some(origin)) = (&settings.cors, origin) {
        cors.decorate(&origin, response.headers_mut());
    }
    if let Some(value) = &settings.cache_control {
        response
            .headers_mut()
            .entry(header::CACHE_CONTROL)
            .or_insert_with(|| value.clone());
    }
    response
}

async fn call(
    route: &Route,
    request: Request<Incoming>,
    secure: bool,
) -> Result<Response<ResponseBody>, Box<Response<ResponseBody>>> {
    let span = trace::request(&request, secure);
    let elsewhere = route.elsewhere.as_ref().filter(|_| route.way != Way::Local);
    let here = match elsewhere {
        // No revision's turn here.
        Some(elsewhere) if route.way == Way::Lattice => Err(elsewhere),
        _ => match (
            route.target.choose_awake(None, handler::answers_http).await,
            elsewhere,
        ) {
            (Ok(prepared), _) => Ok(prepared),
            (Err(_), Some(elsewhere)) => Err(elsewhere),
            (Err(refused), None) => return Err(Box::new(responses::busy(&refused.to_string()))),
        },
    };
    let (id, answer) = match here {
        Ok(prepared) => {
            let handled = handler::handle(&prepared, route, secure, request);
            handled.instrument(span.clone()).await
        }
        Err(elsewhere) => {
            let passed_on = lattice::request(elsewhere, route, secure, request);
            passed_on.instrument(span.clone()).await
        }
    };
    let answer = answer.map_err(|unanswered| Box::new(failure(id, route, &unanswered)));
    trace::answer(&span, answer.as_ref().unwrap_or_else(|failure| failure).status());
    answer
}

fn failure(id: InvocationId, route: &Route, unanswered: &Unanswered) -> Response<ResponseBody> {
    match unanswered {
        // The engine has logged these, with the same id.
        Unanswered::Call(CallError::Refused(refused @ Refused::TooDeep { .. })) => {
            tracing::warn!(invocation = %id, %refused, "request refused");
            responses::failed(id)
        }
        Unanswered::Call(CallError::Refused(refused)) => responses::busy(&refused.to_string()),
        Unanswered::Call(CallError::Deadline { .. }) => responses::too_late(id),
        Unanswered::Call(denied @ CallError::Denied { .. }) => {
            tracing::warn!(invocation = %id, %denied, "request denied");
            responses::denied(id)
        }
        Unanswered::Call(_) => responses::failed(id),
        // Nothing has begun, so the client may try again.
        Unanswered::Lattice(RpcError::NoResponders { .. }) => responses::busy(&format!(
            "component `{}` does not run on any host of the lattice",
            route.target.id()
        )),
        Unanswered::Lattice(RpcError::Refused(body)) => responses::busy(&body.message),
        Unanswered::Lattice(RpcError::TimedOut { .. } | RpcError::NotAccepted { .. }) => {
            let (component, error) = (route.target.id(), unanswered as &dyn std::error::Error);
            tracing::error!(target: "wasmcloud::component", %component, invocation = %id, error, "no response");
            responses::too_late(id)
        }
        Unanswered::Lattice(RpcError::Failed(body)) if body.code == RpcErrorCode::Deadline => {
            responses::too_late(id)
        }
        Unanswered::Lattice(RpcError::Failed(body)) if body.code == RpcErrorCode::Denied => {
            tracing::warn!(invocation = %id, denied = %body, "request denied");
            responses::denied(id)
        }
        other => {
            let component = route.target.id();
            let error = other as &dyn std::error::Error;
            tracing::error!(target: "wasmcloud::component", %component, invocation = %id, error, "no response");
            responses::failed(id)
        }
    }
}
