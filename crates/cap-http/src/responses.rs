//! The answers that the host gives itself: short, plain, with an id that is also in the log, and without anything
//! about the inside.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use wasmcloud_capability::InvocationId;

use crate::body::ResponseBody;

/// A plain text answer.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response<ResponseBody> {
    let mut body = text.into();
    body.push('\n');
    let mut response = Response::new(ResponseBody::full(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// Something failed inside; the log has the reason under this id.
pub(crate) fn failed(id: InvocationId) -> Response<ResponseBody> {
    text(
        StatusCode::INTERNAL_SERVER_ERROR,
        format!("internal error, error id {id}"),
    )
}

/// A policy says no; the log has the reason under this id.
pub(crate) fn denied(id: InvocationId) -> Response<ResponseBody> {
    text(
        StatusCode::FORBIDDEN,
        format!("a policy does not allow this, error id {id}"),
    )
}

/// The deadline passed.
pub(crate) fn too_late(id: InvocationId) -> Response<ResponseBody> {
    text(
        StatusCode::GATEWAY_TIMEOUT,
        format!("the component did not answer in time, error id {id}"),
    )
}

/// Refused before the component saw the request, so the client may simply try again.
pub(crate) fn busy(reason: &str) -> Response<ResponseBody> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, reason);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The route answers reads only.
pub(crate) fn read_only() -> Response<ResponseBody> {
    let mut response = text(
        StatusCode::METHOD_NOT_ALLOWED,
        "only GET and HEAD are allowed here",
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}
