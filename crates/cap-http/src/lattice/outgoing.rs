//! Requests of a component here whose HTTP client runs elsewhere: on another host, or as a provider in a process of its
//! own.

use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use wasmcloud_capability::LinkEntry;
use wasmcloud_core::Limits;
use wasmcloud_lattice::HeaderMap;
use wasmcloud_lattice::rpc::{self, RpcError};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::rpc::http::{self as wire, HandleResult, OutgoingHandle};
use wasmcloud_wire::rpc::{Call as _, Payload as _};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::bodies::{self, LatticeBody, Pump};
use super::errors::into_error;
use super::head;
use crate::counted::Counted;
use crate::egress::{Outgoing, RequestBody};

/// Sends a guest's request over its link and returns with the head of the answer.
pub(crate) async fn send(
    caller: &rpc::Caller,
    link: &LinkEntry,
    outgoing: Outgoing,
    request: Request<WasiBody>,
) -> Result<Response<WasiBody>, Error> {
    let secure = request.uri().scheme() != Some(&http::uri::Scheme::HTTP);
    let call = OutgoingHandle {
        request: head::request(&request, secure),
        options: Some(options(&outgoing.options)),
    };
    let deadline = outgoing.deadline.map(tokio::time::Instant::from_std);
    let call = rpc::Request {
        source: outgoing.component.id(),
        link_name: link.name.as_str(),
        target: &link.target,
        instance: OutgoingHandle::INSTANCE,
        function: OutgoingHandle::FUNCTION,
        depth: outgoing.depth,
        deadline: deadline.unwrap_or_else(|| tokio::time::Instant::now() + Limits::DEFAULT_DEADLINE),
        signature: None,
        headers: HeaderMap::new(),
        params: call.to_bytes().into(),
    };
    let failed = |error: RpcError| {
        let reason = format!(
            "HTTP client `{}` over the lattice: {}",
            link.target,
            chain(&error)
        );
        tracing::warn!(
            target: "wasmcloud::component",
            component = %outgoing.component.id(),
            "HTTP request failed: {reason}",
        );
        Error::InternalError(Some(reason))
    };
    let call = caller.call(call).await.map_err(&failed)?;
    let (data, trailers) = (
        call.sender(&wire::REQUEST_BODY.to_string()),
        call.sender(&wire::REQUEST_TRAILERS.to_string()),
    );
    let counted = Counted::new(request.into_body(), &outgoing.component, |traffic| {
        &traffic.requested.sent
    });
    let body = RequestBody::new(counted, outgoing.guest.clone());
    let pump = Pump::start(bodies::send(body, data, trailers));
    let results = call.some_results().await.map_err(&failed)?;
    let malformed =
        |what: String| Error::InternalError(Some(format!("HTTP client `{}` answered {what}", link.target)));
    let response = HandleResult::from_bytes(&results).map_err(|error| malformed(error.to_string()))?;
    let head =
        head::into_response(response.map_err(into_error)?).map_err(|error| malformed(error.to_string()))?;
    let (data, trailers) = (
        call.receiver(&wire::RESPONSE_BODY.to_string()),
        call.receiver(&wire::RESPONSE_TRAILERS.to_string()),
    );
    let body = LatticeBody::new(data, trailers, (pump, call)).into_wasi();
    let body = Counted::new(body, &outgoing.component, |traffic| &traffic.requested.received);
    Ok(head.map(|()| body.boxed_unsync()))
}

fn options(options: &RequestOptions) -> wire::RequestOptions {
    let nanoseconds =
        |time: Option<Duration>| time.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    wire::RequestOptions {
        connect_timeout: nanoseconds(options.connect_timeout),
        first_byte_timeout: nanoseconds(options.first_byte_timeout),
        between_bytes_timeout: nanoseconds(options.between_bytes_timeout),
    }
}
