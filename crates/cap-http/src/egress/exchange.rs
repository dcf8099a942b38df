//! One request and its answer: what is checked and changed on the way out and on the way back, and how long each step
//! may take.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use tokio::time::{Instant, sleep_until, timeout_at};
use wasmcloud_capability::ComponentContext;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::bodies::{RequestBody, ResponseBody};
use super::connect::Connector;
use super::connections::{InUse, WireRef};
use super::failure;
use super::policy::Destination;
use crate::counted::Counted;
use crate::headers::{is_forbidden, strip_nominated};

/// What a step may take if the guest does not say: wasmtime's default. The invocation's deadline is earlier in all
/// usual cases.
const DEFAULT_WAIT: Duration = Duration::from_secs(600);

/// The longest wait that a guest can ask for. Clocks overflow somewhere; nobody waits for a day.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Largest head of a response in bytes. A guest's fields may take 128 KiB of memory, which is about this on the wire.
pub(crate) const MAX_HEAD: usize = 64 << 10;

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("wasmcloud/", env!("CARGO_PKG_VERSION")));

/// The moment at which a wait ends that begins now.
pub(crate) fn by(now: Instant, wait: Duration, deadline: Option<Instant>) -> Instant {
    let at = now + wait.min(LONGEST_WAIT);
    deadline.map_or(at, |deadline| deadline.min(at))
}

/// Removes everything about one connection from a message that goes on over another.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // A length beside chunks is a lie about one of the two; the chunks are what was read.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    strip_nominated(headers);
    let found: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_forbidden(name))
        .cloned()
        .collect();
    for name in found {
        headers.remove(name);
    }
}

/// The size of headers as HTTP/2 counts it (RFC 9113 §6.5.2), which comes close to what they take in memory.
fn section_size(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 32)
        .sum()
}

/// Checks the form of a request and finds out where it goes.
pub(crate) fn destination(request: &Request<WasiBody>) -> Result<Destination, Error> {
    if request.method() == Method::CONNECT {
        // A tunnel would carry what no policy has seen.
        return Err(Error::HttpRequestMethodInvalid);
    }
    Destination::of(request.uri()).ok_or(Error::HttpRequestUriInvalid)
}

/// Makes a guest's request one of ours.
pub(crate) fn prepare(request: &mut Request<RequestBody>) {
    // Host and target form follow from the URI and from the protocol of the connection, which the client knows.
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    strip_hop_by_hop(headers);
    headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
    // Without it a server keeps its trailers to itself.
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
}

/// Sends a request and returns with the head of the answer.
pub(crate) async fn exchange(
    client: &Client<Connector, RequestBody>,
    mut request: Request<RequestBody>,
    options: &RequestOptions,
    deadline: Option<Instant>,
    component: &Arc<ComponentContext>,
) -> Result<Response<WasiBody>, Outcome> {
    let wait = |given: Option<Duration>| given.unwrap_or(DEFAULT_WAIT);
    let mut captured = capture_connection(&mut request);
    let mut answer = pin!(client.request(request));

    let connected_by = by(Instant::now(), wait(options.connect_timeout), deadline);
    let early = tokio::select! {
        biased;
        answer = &mut answer => Some(answer),
        () = connected(&mut captured) => None,
        () = sleep_until(connected_by) => return Err(Outcome::Failed(Error::ConnectionTimeout)),
    };
    let mut in_use = wire(&captured).map(InUse::new);
    let answer = match early {
        Some(answer) => answer,
        None => {
            let answered_by = by(Instant::now(), wait(options.first_byte_timeout), deadline);
            timeout_at(answered_by, answer)
                .await
                .map_err(|_| Outcome::Failed(Error::ConnectionReadTimeout))?
        }
    };
    let answer = answer.map_err(Outcome::Client)?;

    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Outcome::Failed(Error::HttpUpgradeFailed));
    }
    let size = section_size(answer.headers());
    if size > MAX_HEAD {
        // hyper only bounds how much it buffers, which a head may exceed if it comes in one piece.
        let size = u32::try_from(size).ok();
        return Err(Outcome::Failed(Error::HttpResponseHeaderSectionSize(size)));
    }
    let (mut head, body) = answer.into_parts();
    // The pool may have taken another connection after the first turned out to be closed.
    if let Some(used) = head.extensions.remove::<WireRef>()
        && !in_use.as_ref().is_some_and(|known| known.is_of(&used))
    {
        in_use = Some(InUse::new(used));
    }
    head.extensions.clear();
    strip_hop_by_hop(&mut head.headers);
    let body = Counted::new(body, component, |traffic| &traffic.requested.received);
    let body = ResponseBody::new(body, wait(options.between_bytes_timeout), deadline, in_use);
    Ok(Response::from_parts(head, body.boxed_unsync()))
}

/// Why there is no answer.
pub(crate) enum Outcome {
    /// Known here.
    Failed(Error),
    /// Known to the client; [`Outcome::into_error`] finds the words.
    Client(hyper_util::client::legacy::Error),
}

impl Outcome {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Failed(error) => error,
            Self::Client(error) => failure::unsent(&error),
        }
    }
}

async fn connected(captured: &mut CaptureConnection) {
    drop(captured.wait_for_connection_metadata().await);
}

fn wire(captured: &CaptureConnection) -> Option<WireRef> {
    let mut extensions = http::Extensions::new();
    captured
        .connection_metadata()
        .as_ref()?
        .get_extras(&mut extensions);
    extensions.remove::<WireRef>()
}
