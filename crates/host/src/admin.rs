//! The admin server: `/livez`, `/readyz` and `/metrics`, as v1 had the first two (wire reference §2.2).
//!
//! For orchestrators and scrapers, so it is small and cannot be filled up: few connections, short heads, nothing is read
//! but the head. It runs on the runtime of the process: if that is stuck, `/livez` does not answer, and should not.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use wasmcloud_cap_http::port_owner;
use wasmcloud_telemetry::Metrics;

/// Connections at once; a further one is closed. Two or three are in use.
const MAX_CONNECTIONS: usize = 64;

/// Longest wait for the head of a request, idle keep-alive included. Scrapers come every 15 to 60 seconds.
const HEAD: Duration = Duration::from_secs(70);

/// Longest life of a connection: one whose other end reads nothing would hold its place for ever.
const LIFE: Duration = Duration::from_secs(600);

/// What is under way when a connection's life ends may take this long.
const LAST: Duration = Duration::from_secs(5);

/// Largest head of a request in bytes.
const MAX_HEAD: usize = 16 << 10;

/// Pause after a failed accept: asking again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The admin server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Somebody else has the address.
    #[error("the admin address {address} is in use by {owner}; hint: stop it or choose another --http-admin")]
    InUse {
        /// The address.
        address: SocketAddr,
        /// Who has it, as far as one can see.
        owner: String,
    },
    /// The address cannot be listened on.
    #[error("listen on the admin address {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Whether the host takes work, and if not, why. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Mutex<Result<(), String>>>);

impl Readiness {
    /// Not yet, for this reason.
    pub fn not_yet(reason: &str) -> Self {
        Self(Arc::new(Mutex::new(Err(reason.to_owned()))))
    }

    /// From now on.
    pub fn ready(&self) {
        *self.0.lock() = Ok(());
    }

    /// No more, for this reason.
    pub fn not_ready(&self, reason: &str) {
        *self.0.lock() = Err(reason.to_owned());
    }

    /// As it is now.
    pub fn check(&self) -> Result<(), String> {
        self.0.lock().clone()
    }
}

type Check = dyn Fn() -> Result<(), String> + Send + Sync;

/// The admin server; it stops when this is dropped.
pub struct Admin {
    address: SocketAddr,
    stop: CancellationToken,
}

struct Shared {
    readiness: Box<Check>,
    metrics: Metrics,
}

impl Admin {
    /// Starts to listen. `readiness` is asked for each `/readyz` and must not block.
    pub fn start(
        address: SocketAddr,
        metrics: Metrics,
        readiness: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Result<Self, AdminError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => AdminError::InUse {
                address,
                owner: port_owner(address.port()).map_or_else(
                    || "another process".to_owned(),
                    |owner| format!("process {owner}"),
                ),
            },
            _ => AdminError::Listen { address, source },
        };
        let bound = std::net::TcpListener::bind(address).map_err(failed)?;
        bound.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(bound).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            readiness: Box::new(readiness),
            metrics,
        });
        tokio::spawn(accept(listener, shared, stop.clone()));
        tracing::info!(%address, "admin server listening");
        Ok(Self { address, stop })
    }

    /// Where it listens, with its port where port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&slots).try_acquire_owned() {
                Ok(slot) => {
                    let (shared, stop) = (Arc::clone(&shared), stop.clone());
                    tokio::spawn(async move {
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = connection(stream, shared, slot) => {}
                        }
                    });
                }
                Err(_full) => tracing::warn!(%peer, "admin connection refused, there are {MAX_CONNECTIONS}"),
            },
            Err(error) => {
                tracing::debug!(%error, "accept failed on the admin address");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, _slot: OwnedSemaphorePermit) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(request.method(), request.uri().path()).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = sleep(LIFE) => {
            connection.as_mut().graceful_shutdown();
            timeout(LAST, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "admin connection ended early");
    }
}

impl Shared {
    async fn answer(self: &Arc<Self>, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(path, "/livez" | "/readyz" | "/metrics") {
            return json(
                StatusCode::NOT_FOUND,
                r#"{"status":"failure","reason":"no such page"}"#.to_owned(),
            );
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            let reason = r#"{"status":"failure","reason":"only GET and HEAD are answered"}"#;
            let mut response = json(StatusCode::METHOD_NOT_ALLOWED, reason.to_owned());
            let allow = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allow);
            return response;
        }
        match path {
            "/metrics" => self.metrics().await,
            "/readyz" => match (self.readiness)() {
                Ok(()) => ok(),
                Err(reason) => {
                    // v1 had the status alone; whoever reads only that sees no difference.
                    let body = serde_json::json!({ "status": "failure", "reason": reason });
                    json(StatusCode::INTERNAL_SERVER_ERROR, body.to_string())
                }
            },
            _ => ok(),
        }
    }

    async fn metrics(self: &Arc<Self>) -> Response<Full<Bytes>> {
        let metrics = self.metrics.clone();
        // With thousands of components this takes milliseconds, which others of this thread should not wait for.
        match tokio::task::spawn_blocking(move || metrics.text()).await {
            Ok(text) => {
                let mut response = Response::new(Full::new(Bytes::from(text)));
                let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            Err(error) => {
                tracing::error!(%error, "metrics could not be collected");
                json(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    r#"{"status":"failure"}"#.to_owned(),
                )
            }
        }
    }
}

fn ok() -> Response<Full<Bytes>> {
    json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned())
}

fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn ask(stream: &mut TcpStream, request: &str) -> String {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(Duration::from_secs(20), stream.read_to_string(&mut answer))
            .await
            .expect("an answer in time")
            .unwrap();
        answer
    }

    fn start(readiness: &Readiness) -> Admin {
        let check = readiness.clone();
        let any = "127.0.0.1:0".parse().unwrap();
        Admin::start(any, Metrics::new(), move || check.check()).unwrap()
    }

    #[tokio::test]
    async fn readiness_says_why_not() {
        let readiness = Readiness::not_yet("it \"starts\"");
        let admin = start(&readiness);
        let get = "GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let mut answers = Vec::new();
        for step in 0..3 {
            match step {
                1 => readiness.ready(),
                2 => readiness.not_ready("it stops"),
                _ => {}
            }
            let mut stream = TcpStream::connect(admin.address()).await.unwrap();
            let answer = ask(&mut stream, get).await;
            let status = answer.split(' ').nth(1).unwrap().to_owned();
            answers.push((status, answer.rsplit("\r\n").next().unwrap().to_owned()));
        }
        let expected = [
            ("500", r#"{"status":"failure","reason":"it \"starts\""}"#),
            ("200", r#"{"status":"ok"}"#),
            ("500", r#"{"status":"failure","reason":"it stops"}"#),
        ];
        assert_eq!(answers, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let admin = start(&Readiness::not_yet("never"));
        let mut stream = TcpStream::connect(admin.address()).await.unwrap();
        let request = format!(
            "GET /livez HTTP/1.1\r\nhost: {}\r\n\r\n",
            "a".repeat(2 * MAX_HEAD)
        );
        let answer = ask(&mut stream, &request).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }

    #[tokio::test]
    async fn connections_that_say_nothing_do_not_pile_up() {
        let admin = start(&Readiness::not_yet("never"));
        let mut open = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            open.push(TcpStream::connect(admin.address()).await.unwrap());
        }
        let mut one_more = TcpStream::connect(admin.address()).await.unwrap();
        let mut rest = [0];
        let closed = timeout(Duration::from_secs(20), one_more.read(&mut rest)).await;
        assert_eq!(closed.expect("it is closed").unwrap_or(0), 0);
        drop(admin);
        for mut stream in open {
            let closed = timeout(Duration::from_secs(20), stream.read(&mut rest)).await;
            assert_eq!(closed.expect("all end with the server").unwrap_or(0), 0);
        }
    }
}
