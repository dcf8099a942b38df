//! One signal on its way to the receiver: a batch is a request, over HTTP/1.1 or as a unary gRPC call.
//!
//! A unary gRPC call is a POST over HTTP/2 with five bytes in front of the message and the outcome in the trailers
//! (gRPC over HTTP/2, "Requests", "Responses"), so both protocols share one client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::TlsError;
use crate::options::OtlpOptions;
use crate::signal::{Protocol, Signal};

/// Most that is read of a receiver's answer, which says nothing but that it worked.
const MAX_ANSWER: usize = 64 << 10;

/// How long a connection is kept that nobody uses. Longer than the usual time between two batches.
const IDLE: Duration = Duration::from_secs(90);

const AGENT: HeaderValue = HeaderValue::from_static(concat!("wasmcloud/", env!("CARGO_PKG_VERSION")));

/// What connections to the receiver are made with. Cheap to clone.
pub(super) type Client = hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client that believes these roots.
pub(super) fn client(protocol: Protocol, roots: RootCertStore) -> Result<Client, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let connector = match protocol {
        Protocol::Http => connector.enable_http1().build(),
        Protocol::Grpc => connector.enable_http2().build(),
    };
    let mut builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(1)
        .http2_only(protocol == Protocol::Grpc);
    Ok(builder.build(connector))
}

/// Why a batch did not arrive.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error("no connection")]
    Connect(#[source] hyper_util::client::legacy::Error),
    #[error("the answer cannot be read")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("it answered with gRPC status {0}")]
    Grpc(String),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("the thread that sends has ended")]
    Ended,
}

/// One signal's way to the receiver.
#[derive(Debug)]
pub(super) struct Channel {
    signal: Signal,
    protocol: Protocol,
    uri: Uri,
    headers: HeaderMap,
    timeout: Duration,
    client: Client,
    runtime: Handle,
    away: AtomicBool,
    sent: AtomicU64,
    failed: AtomicU64,
}

impl Channel {
    pub(super) fn new(
        signal: Signal,
        uri: Uri,
        options: &OtlpOptions,
        client: Client,
        runtime: Handle,
    ) -> Self {
        let mut headers = options.headers_of(signal);
        headers.insert(USER_AGENT, AGENT);
        match options.protocol {
            Protocol::Http => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
            }
            Protocol::Grpc => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
                headers.insert(TE, HeaderValue::from_static("trailers"));
            }
        }
        Self {
            signal,
            protocol: options.protocol,
            uri,
            headers,
            timeout: options.timeout,
            client,
            runtime,
            away: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    pub(super) fn signal(&self) -> Signal {
        self.signal
    }

    /// Batches that arrived, and batches that did not.
    pub(super) fn counts(&self) -> (u64, u64) {
        (
            self.sent.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
        )
    }

    /// Sends one batch. May be called from any thread: the SDK waits on threads without a runtime, so the request runs
    /// on ours.
    pub(super) async fn send(self: &Arc<Self>, message: Bytes) -> Result<(), SendError> {
        let (done, outcome) = oneshot::channel();
        let this = Arc::clone(self);
        self.runtime.spawn(async move {
            let limit = this.timeout;
            let sent = timeout(limit, this.exchange(message)).await;
            let _ = done.send(sent.unwrap_or(Err(SendError::Timeout(limit))));
        });
        let outcome = outcome.await.unwrap_or(Err(SendError::Ended));
        self.note(&outcome);
        outcome
    }

    /// Logs when the receiver goes away and when it is back, and nothing in between.
    fn note(&self, outcome: &Result<(), SendError>) {
        let (signal, uri) = (self.signal, &self.uri);
        match outcome {
            Ok(()) => {
                self.sent.fetch_add(1, Ordering::Relaxed);
                if self.away.swap(false, Ordering::Relaxed) {
                    let lost = self.failed.load(Ordering::Relaxed);
                    tracing::info!(%signal, %uri, lost, "the OTLP receiver takes {signal} again");
                }
            }
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                if !self.away.swap(true, Ordering::Relaxed) {
                    let error = error as &dyn std::error::Error;
                    tracing::warn!(
                        %uri,
                        error,
                        "the OTLP receiver does not take {signal}; they are dropped until it does"
                    );
                }
            }
        }
    }

    async fn exchange(&self, message: Bytes) -> Result<(), SendError> {
        let body = match self.protocol {
            Protocol::Http => message,
            Protocol::Grpc => frame(&message),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let answer = self.client.request(request).await.map_err(SendError::Connect)?;
        let (head, body) = answer.into_parts();
        // To its end, so that the connection can be used again, and because the outcome of gRPC comes last.
        let read = Limited::new(body, MAX_ANSWER).collect().await;
        if !head.status.is_success() {
            return Err(SendError::Status(head.status));
        }
        let read = read.map_err(SendError::Answer)?;
        match self.protocol {
            Protocol::Http => Ok(()),
            Protocol::Grpc => grpc_outcome(read.trailers().unwrap_or(&head.headers)),
        }
    }
}

/// A gRPC message: not compressed, its length, itself.
fn frame(message: &Bytes) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    // A batch is a few megabytes at the very most.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// An error without a message has its status in the head of the answer, everything else in the trailers.
fn grpc_outcome(headers: &HeaderMap) -> Result<(), SendError> {
    let status = headers.get("grpc-status").map(HeaderValue::as_bytes);
    if status == Some(b"0") {
        return Ok(());
    }
    let text = |value: Option<&HeaderValue>| {
        let text = value.map_or(String::new(), |value| {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        });
        text.chars().take(200).collect::<String>()
    };
    let status = text(headers.get("grpc-status"));
    Err(SendError::Grpc(match status.is_empty() {
        true => "none".to_owned(),
        false => format!("{status} {}", text(headers.get("grpc-message")))
            .trim_end()
            .to_owned(),
    }))
}
