//! What the built-in HTTP client answers components on other hosts, ours and those of v1: a request from elsewhere
//! takes the way of one from here, over the link of the component that sends it.

use std::any::Any;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use wasmcloud_capability::{Params, ProviderCall, RemoteProvider};
use wasmcloud_lattice::rpc::{Accepted, RpcError};
use wasmcloud_wire::rpc::http::{self as wire, ErrorCode, HandleResult, OUTGOING_HANDLER, OutgoingHandle};
use wasmcloud_wire::rpc::stream::StreamOf;
use wasmcloud_wire::rpc::{Call as _, Payload as _, RpcErrorBody, RpcErrorCode};
use wasmcloud_wire::value::DecodeError;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::bodies::{self, BrokenOff, LatticeBody};
use super::errors::from_error;
use super::head::{self, InvalidHead};
use crate::egress::{HttpClientProvider, Linked, Outgoing};
use crate::trace;

/// How long the head of a request waits for its body to begin. Whether there is one is only known then, and servers
/// are happier with a request that says it has none than with one whose body turns out to be empty.
const BODY_BEGINS: Duration = Duration::from_millis(50);

/// The side of an HTTP client that takes calls from elsewhere.
pub(crate) struct RemoteClient(pub(crate) Arc<HttpClientProvider>);

#[async_trait]
impl RemoteProvider for RemoteClient {
    fn params(&self, instance: &str, function: &str, params: &[u8]) -> Params {
        if (instance, function) != (OUTGOING_HANDLER, OutgoingHandle::FUNCTION) {
            return Params::Unknown;
        }
        match OutgoingHandle::from_bytes(params) {
            Err(DecodeError::Incomplete { .. }) => Params::Incomplete,
            _ => Params::Whole,
        }
    }

    async fn answer(&self, _call: ProviderCall<'_>) -> Bytes {
        // Not reached: all that is answered has streams.
        failed(ErrorCode::ConfigurationError)
    }

    fn has_streams(&self, _instance: &str, _function: &str) -> bool {
        true
    }

    async fn stream(&self, call: ProviderCall<'_>, transport: &(dyn Any + Send + Sync)) {
        let Some(accepted) = transport.downcast_ref::<Accepted>() else {
            tracing::error!(provider = %self.0.id(), "the host moves streams in a way that this provider does not know");
            return;
        };
        if let Err(error) = self.handle(&call, accepted).await {
            tracing::debug!(provider = %self.0.id(), %error, "a caller was not answered");
        }
    }
}

impl RemoteClient {
    async fn handle(&self, call: &ProviderCall<'_>, accepted: &Accepted) -> Result<(), RpcError> {
        // Who may not call learns nothing about what it sent.
        let linked = call
            .source
            .and_then(|source| self.0.linked(source, call.link_name));
        let Some(linked) = linked else {
            tracing::warn!(
                provider = %self.0.id(),
                component = call.source.map(tracing::field::display),
                "HTTP request from another host denied: the component has no link `{}` to this provider",
                call.link_name,
            );
            return accepted.finish(failed(ErrorCode::HttpRequestDenied)).await;
        };
        let asked = match OutgoingHandle::from_bytes(&call.params) {
            Ok(asked) => asked,
            Err(error) => {
                let why = RpcErrorBody::new(RpcErrorCode::Malformed, error.to_string());
                return accepted.fail(&why).await;
            }
        };
        match respond(&linked, call, accepted, asked).await {
            Ok(response) => bodies::answer(accepted, response).await,
            Err(error) => accepted.finish(failed(from_error(error))).await,
        }
    }
}

/// Sends the request, and returns with the head of the answer.
async fn respond(
    linked: &Linked,
    call: &ProviderCall<'_>,
    accepted: &Accepted,
    mut asked: OutgoingHandle,
) -> Result<Response<WasiBody>, Error> {
    let mut body = RequestBody::of(&mut asked.request, accepted);
    let mut request = request(asked.request)?;
    trace::propagate(request.headers_mut());
    if !says_what_follows(&request) {
        body.begin(Instant::from_std(call.deadline)).await?;
    }
    let outgoing = Outgoing {
        component: Arc::clone(&linked.component),
        link: call.link_name.to_string(),
        deadline: Some(call.deadline),
        depth: 0,
        options: asked.options.map(options).unwrap_or_default(),
        guest: Arc::downgrade(&body.guest),
    };
    linked
        .endpoint
        .send(outgoing, request.map(|()| body.boxed_unsync()))
        .await
}

/// Whether the head tells if there is a body. GET and HEAD have none unless they say so.
fn says_what_follows(request: &Request<()>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
        || request.headers().contains_key(header::CONTENT_LENGTH)
}

/// The head of a request, with everything that it must have.
fn request(mut request: wire::Request) -> Result<Request<()>, Error> {
    if request.authority.is_none() {
        return Err(Error::HttpRequestUriInvalid);
    }
    match request.scheme {
        // What `wasi:http` means by none.
        None => request.scheme = Some(wire::Scheme::Https),
        Some(wire::Scheme::Other(_)) => return Err(Error::HttpProtocolError),
        Some(_) => {}
    }
    let invalid = |InvalidHead { what }: InvalidHead| match what {
        "method" => Error::HttpRequestMethodInvalid,
        "authority" | "path" | "target" => Error::HttpRequestUriInvalid,
        _ => Error::HttpProtocolError,
    };
    head::into_request(request)
        .map(|(head, _secure)| head)
        .map_err(invalid)
}

fn options(options: wire::RequestOptions) -> RequestOptions {
    RequestOptions {
        connect_timeout: options.connect_timeout.map(Duration::from_nanos),
        first_byte_timeout: options.first_byte_timeout.map(Duration::from_nanos),
        between_bytes_timeout: options.between_bytes_timeout.map(Duration::from_nanos),
    }
}

/// The body of a request from elsewhere.
struct RequestBody {
    /// What is here already.
    ready: VecDeque<Frame<Bytes>>,
    /// What is still to come; nothing once it has ended.
    rest: Option<LatticeBody>,
    /// Lives as long as the body does. The guest is elsewhere; that it is gone is told by a body that breaks off.
    guest: Arc<()>,
}

impl RequestBody {
    /// The body that belongs to a request. Of one that stands in the parameters the trailers do too.
    fn of(request: &mut wire::Request, accepted: &Accepted) -> Self {
        let mut ready = VecDeque::new();
        let rest = match std::mem::take(&mut request.body) {
            StreamOf::Pending => Some(LatticeBody::new(
                accepted.receiver(&wire::REQUEST_BODY.to_string()),
                accepted.receiver(&wire::REQUEST_TRAILERS.to_string()),
                (),
            )),
            StreamOf::Complete(bytes) => {
                ready.push_back(Frame::data(bytes.into()));
                None
            }
        };
        let guest = Arc::new(());
        Self { ready, rest, guest }
    }

    /// Waits a moment for the first of the body.
    async fn begin(&mut self, deadline: Instant) -> Result<(), Error> {
        let Some(rest) = &mut self.rest else { return Ok(()) };
        let soon = deadline.min(Instant::now() + BODY_BEGINS);
        match timeout_at(soon, rest.frame()).await {
            // It takes its time, and the server hears so.
            Err(_) => {}
            Ok(None) => self.rest = None,
            Ok(Some(Ok(frame))) => self.ready.push_back(frame),
            Ok(Some(Err(error))) => return Err(broken_off(&error)),
        }
        Ok(())
    }
}

/// What a guest here would see whose own body breaks off.
fn broken_off(error: &BrokenOff) -> Error {
    tracing::debug!(
        error = error as &(dyn std::error::Error + 'static),
        "the body of a request broke off"
    );
    Error::ConnectionTerminated
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(frame) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(rest) = &mut self.rest else {
            return Poll::Ready(None);
        };
        Pin::new(rest)
            .poll_frame(cx)
            .map(|frame| frame.map(|frame| frame.map_err(|error| broken_off(&error))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.ready.is_empty()
    }
}

fn failed(code: ErrorCode) -> Bytes {
    let result: HandleResult = Err(code);
    result.to_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> wire::Request {
        wire::Request {
            body: StreamOf::Pending,
            trailers: wasmcloud_wire::rpc::stream::FutureOf::Pending,
            method: wire::Method::Get,
            path_with_query: Some("/a?b=c".to_owned()),
            scheme: None,
            authority: Some("a.example".to_owned()),
            headers: Vec::new(),
        }
    }

    #[test]
    fn a_request_goes_where_its_sender_says_and_nowhere_else() {
        assert_eq!(request(plain()).unwrap().uri(), "https://a.example/a?b=c");
        let refused = |change: fn(&mut wire::Request)| {
            let mut asked = plain();
            change(&mut asked);
            from_error(request(asked).unwrap_err())
        };
        // A guess would be this host.
        assert_eq!(
            refused(|asked| asked.authority = None),
            ErrorCode::HttpRequestUriInvalid
        );
        assert_eq!(
            refused(|asked| asked.path_with_query = Some("no path".to_owned())),
            ErrorCode::HttpRequestUriInvalid
        );
        assert_eq!(
            refused(|asked| asked.scheme = Some(wire::Scheme::Other("ftp".to_owned()))),
            ErrorCode::HttpProtocolError
        );
        assert_eq!(
            refused(|asked| asked.method = wire::Method::Other("a b".to_owned())),
            ErrorCode::HttpRequestMethodInvalid
        );
    }
}
