//! W3C trace context through HTTP, and the span of a request. Without tracing all of this is a look at a flag.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use tracing::Span;
use tracing::field::Empty;
use wasmcloud_telemetry::{TRACEPARENT, TRACESTATE, current_headers, set_parent};

/// Longest path in a span, in bytes; the rest is cut off.
const MAX_PATH: usize = 1024;

/// The span of a request that came in, a child of the one that its headers name. The names of the fields are those of
/// OpenTelemetry ("Semantic conventions for HTTP spans"). Queries may hold secrets and are left out.
pub(crate) fn request<B>(request: &Request<B>, secure: bool) -> Span {
    let span = tracing::info_span!(
        target: "wasmcloud::http",
        "http_request",
        otel.name = method(request.method()),
        otel.kind = "server",
        http.request.method = method(request.method()),
        url.scheme = if secure { "https" } else { "http" },
        url.path = path(request.uri().path()),
        server.address = request.uri().host().unwrap_or_default(),
        http.response.status_code = Empty,
        otel.status_code = Empty,
    );
    if !span.is_disabled() {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        set_parent(&span, header(TRACEPARENT), header(TRACESTATE));
    }
    span
}

/// Notes how the request was answered. By the conventions only 5xx is an error of the server.
pub(crate) fn answer(span: &Span, status: StatusCode) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// Gives a guest's request the trace context of the call it is made in, unless the guest has set one itself.
pub(crate) fn propagate(headers: &mut HeaderMap) {
    if headers.contains_key(TRACEPARENT) {
        return;
    }
    let Some(context) = current_headers() else { return };
    if let Ok(parent) = HeaderValue::try_from(context.traceparent) {
        headers.insert(HeaderName::from_static(TRACEPARENT), parent);
        // A state without its parent means nothing, so the guest's goes.
        headers.remove(TRACESTATE);
        if let Some(Ok(state)) = context.tracestate.map(HeaderValue::try_from) {
            headers.insert(HeaderName::from_static(TRACESTATE), state);
        }
    }
}

/// Clients can invent methods; the conventions have one word for all of them.
fn method(method: &Method) -> &'static str {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
    ];
    let names = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
    ];
    let found = known.iter().zip(names).find(|(known, _)| *known == method);
    found.map_or("_OTHER", |(_, name)| name)
}

fn path(path: &str) -> &str {
    let end = path.floor_char_boundary(MAX_PATH);
    path.get(..end).unwrap_or(path)
}
