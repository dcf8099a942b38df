//! A registry in this process that answers as a test says.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RANGE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// With query, and with scheme and host if a proxy was asked.
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// How many requests with this method and URI came before.
    pub(crate) before: usize,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn is(&self, method: Method, part: &str) -> bool {
        self.method == method && self.uri.contains(part)
    }
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    pub(crate) end: End,
}

/// How a body ends.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum End {
    /// As it should.
    Well,
    /// The connection breaks off.
    Cut,
    /// Nothing more comes.
    Hang,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            end: End::Well,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

/// What a registry has, by path.
pub(crate) type Content = HashMap<String, (&'static str, Bytes)>;

type Fault = Arc<dyn Fn(&Seen) -> Option<Reply> + Send + Sync>;

/// A running registry; stops when dropped.
pub(crate) struct Fake {
    pub(crate) addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _task: AbortOnDropHandle<()>,
}

struct Shared {
    content: Content,
    fault: Fault,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    /// Serves `content`; where `fault` gives an answer, that one.
    pub(crate) async fn start(
        content: Content,
        fault: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::listen(content, Arc::new(fault), None).await
    }

    /// The same over TLS.
    pub(crate) async fn start_tls(
        content: Content,
        tls: TlsAcceptor,
        fault: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::listen(content, Arc::new(fault), Some(tls)).await
    }

    async fn listen(content: Content, fault: Fault, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let shared = Arc::new(Shared {
            content,
            fault,
            seen: Arc::clone(&seen),
        });
        let task = tokio::spawn(async move {
            // Dropping the set ends the connections with the server.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&shared);
                let tls = tls.clone();
                connections.spawn(async move {
                    match tls {
                        None => serve(shared, stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(shared, stream).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            addr,
            seen,
            _task: AbortOnDropHandle::new(task),
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }

    /// How many requests came with this method and part of a URI.
    pub(crate) fn count(&self, method: Method, part: &str) -> usize {
        self.seen
            .lock()
            .iter()
            .filter(|seen| seen.is(method.clone(), part))
            .count()
    }
}

async fn serve(shared: Arc<Shared>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
    // A client that goes away is part of the tests.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Scripted>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let uri = head.uri.to_string();
    let seen = {
        let mut all = shared.seen.lock();
        let before = all
            .iter()
            .filter(|seen| seen.method == head.method && seen.uri == uri)
            .count();
        all.push(Seen {
            method: head.method,
            uri,
            headers: head.headers,
            body,
            before,
        });
        all.last().unwrap().clone()
    };
    let reply = (shared.fault)(&seen).unwrap_or_else(|| stored(&shared.content, &seen));
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let head_only = seen.method == Method::HEAD;
    Ok(response
        .body(Scripted {
            body: (!head_only && !reply.body.is_empty()).then_some(reply.body),
            sent: false,
            end: if head_only { End::Well } else { reply.end },
        })
        .unwrap())
}

/// What a well-behaved registry answers, ranges included.
fn stored(content: &Content, seen: &Seen) -> Reply {
    let path = seen.uri.split('?').next().unwrap();
    let Some((media_type, bytes)) = content.get(path) else {
        return Reply::new(404).body(r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such thing"}]}"#);
    };
    let range = seen
        .header(RANGE.as_str())
        .and_then(|text| text.strip_prefix("bytes=")?.strip_suffix('-'));
    let start: usize = range.map_or(0, |start| start.parse().unwrap());
    let reply = match range {
        None => Reply::new(200),
        Some(_) => Reply::new(206).header(
            "content-range",
            format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len()),
        ),
    };
    reply
        .header(CONTENT_TYPE.as_str(), media_type)
        .header(CONTENT_LENGTH.as_str(), bytes.len() - start)
        .header("docker-content-digest", wasmcloud_artifacts::Digest::of(bytes))
        .body(bytes.slice(start..))
}

/// A status a test expects.
pub(crate) fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

struct Scripted {
    body: Option<Bytes>,
    /// Whether there was an occasion to send the body.
    sent: bool,
    end: End,
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(body) = self.body.take() {
            return Poll::Ready(Some(Ok(Frame::data(body))));
        }
        if !std::mem::replace(&mut self.sent, true) {
            // With nothing at hand hyper sends what it has, which an error would make it forget.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.end {
            End::Well => Poll::Ready(None),
            End::Hang => Poll::Pending,
            End::Cut => Poll::Ready(Some(Err(io::Error::other("cut off")))),
        }
    }
}
