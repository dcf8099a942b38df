//! The side of the host where a request arrives whose component runs elsewhere, or has no free slot here.

use std::ops::ControlFlow;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use wasmcloud_capability::{Caller, Invocation, InvocationId};
use wasmcloud_core::Limits;
use wasmcloud_lattice::HeaderMap;
use wasmcloud_lattice::rpc;
use wasmcloud_wire::rpc::http::{self as wire, HandleResult, IncomingHandle};
use wasmcloud_wire::rpc::{Call as _, Payload as _, header};

use super::bodies::{self, LatticeBody, Pump};
use super::head;
use crate::body::ResponseBody;
use crate::handler::Unanswered;
use crate::routes::Route;

/// Passes a request on to whoever runs the component.
pub(crate) async fn request(
    caller: &rpc::Caller,
    route: &Route,
    secure: bool,
    request: Request<Incoming>,
) -> (InvocationId, Result<Response<ResponseBody>, Unanswered>) {
    // Whoever runs it has its own limit, which is not known here.
    let time = route.settings.timeout.unwrap_or(Limits::DEFAULT_DEADLINE);
    let invocation = Invocation::new(Caller::Provider(route.owner.source.clone()), time);
    let id = invocation.id;
    let answered = async {
        let call = caller
            .call(travelling(route, &invocation, secure, &request))
            .await?;
        answer(call, request).await
    };
    (id, answered.await)
}

/// Passes a request on to another host that has a free slot for it now. Where there is none, the request comes back.
pub(crate) async fn request_now(
    caller: &rpc::Caller,
    route: &Route,
    invocation: &Invocation,
    secure: bool,
    request: Request<Incoming>,
) -> Result<ControlFlow<Response<ResponseBody>, Request<Incoming>>, Unanswered> {
    if !caller.may_have_room(route.target.id()) {
        return Ok(ControlFlow::Continue(request));
    }
    let call = travelling(route, invocation, secure, &request);
    match caller.call_now(call).await? {
        Some(call) => Ok(ControlFlow::Break(answer(call, request).await?)),
        None => Ok(ControlFlow::Continue(request)),
    }
}

/// The call that a request becomes, its body left out.
fn travelling<'a>(
    route: &'a Route,
    invocation: &Invocation,
    secure: bool,
    request: &Request<Incoming>,
) -> rpc::Request<'a> {
    let head = IncomingHandle {
        request: head::request(request, secure),
    };
    let target = route.target.id();
    let mut headers = HeaderMap::new();
    headers.insert(header::TARGET_ID, target.as_str());
    rpc::Request {
        source: &route.owner.source,
        link_name: route.owner.name.as_str(),
        target,
        instance: IncomingHandle::INSTANCE,
        function: IncomingHandle::FUNCTION,
        depth: invocation.depth,
        deadline: invocation.deadline.into(),
        signature: None,
        headers,
        params: head.to_bytes().into(),
    }
}

/// Sends the body of a request whose call was accepted, and reads the answer.
async fn answer(call: rpc::Call, request: Request<Incoming>) -> Result<Response<ResponseBody>, Unanswered> {
    let (data, trailers) = (
        call.sender(&wire::REQUEST_BODY.to_string()),
        call.sender(&wire::REQUEST_TRAILERS.to_string()),
    );
    let body = request.into_body();
    let pump = match hyper::body::Body::is_end_stream(&body) {
        true => {
            bodies::send(http_body_util::Empty::<Bytes>::new(), data, trailers).await?;
            None
        }
        // The component may answer before it has read everything.
        false => Some(Pump::start(bodies::send(body, data, trailers))),
    };
    let results = call.some_results().await?;
    let response = match HandleResult::from_bytes(&results).map_err(Unanswered::Form)? {
        Ok(response) => response,
        Err(code) => return Err(Unanswered::ErrorCode(format!("{code:?}"))),
    };
    let head = head::into_response(response).map_err(|error| Unanswered::Head(error.to_string()))?;
    let (data, trailers) = (
        call.receiver(&wire::RESPONSE_BODY.to_string()),
        call.receiver(&wire::RESPONSE_TRAILERS.to_string()),
    );
    let body = LatticeBody::new(data, trailers, (pump, call));
    Ok(head.map(|()| ResponseBody::from_lattice(body)))
}
