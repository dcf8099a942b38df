//! The calls that components of this host make elsewhere, by type.

use async_trait::async_trait;
use bytes::Bytes;
use wasmcloud_core::ComponentId;
use wasmcloud_engine::{CallError, EncodedRequest, RemoteCall};
use wasmcloud_lattice::HeaderMap;
use wasmcloud_lattice::rpc::{Call, Caller, Request, RpcError};
use wasmcloud_wire::rpc::RpcErrorCode;

use super::failure;

/// Takes dynamic calls to where their target runs.
pub(super) struct Outgoing(pub(super) Caller);

#[async_trait]
impl RemoteCall for Outgoing {
    async fn call(&self, request: EncodedRequest<'_>) -> Result<Bytes, CallError> {
        let answered = self.answered(&request).await;
        answered.map_err(|error| learned(error, &request))
    }

    fn may_have_room(&self, target: &ComponentId) -> bool {
        self.0.may_have_room(target)
    }

    async fn call_now(&self, request: EncodedRequest<'_>) -> Result<Option<Bytes>, CallError> {
        let answered = self.answered_now(&request).await;
        answered.map_err(|error| learned(error, &request))
    }
}

impl Outgoing {
    async fn answered(&self, request: &EncodedRequest<'_>) -> Result<Bytes, RpcError> {
        let call = self.0.call(travelling(request)).await?;
        results(&call, request).await
    }

    async fn answered_now(&self, request: &EncodedRequest<'_>) -> Result<Option<Bytes>, RpcError> {
        match self.0.call_now(travelling(request)).await? {
            Some(call) => results(&call, request).await.map(Some),
            None => Ok(None),
        }
    }
}

fn travelling<'a>(request: &'a EncodedRequest<'_>) -> Request<'a> {
    Request {
        source: request.caller,
        link_name: request.link.name.as_str(),
        target: &request.link.target,
        instance: request.interface,
        function: request.function,
        depth: request.invocation.depth,
        deadline: request.invocation.deadline.into(),
        signature: Some(request.signature.fingerprint()),
        headers: HeaderMap::new(),
        params: request.params.clone(),
    }
}

async fn results(call: &Call, request: &EncodedRequest<'_>) -> Result<Bytes, RpcError> {
    match request.signature.results.is_empty() {
        true => call.results().await,
        false => call.some_results().await,
    }
}

/// What the caller learns of a call that failed.
fn learned(error: RpcError, request: &EncodedRequest<'_>) -> CallError {
    let EncodedRequest {
        caller,
        link,
        interface,
        function,
        signature,
        ..
    } = request;
    let mismatch = |reason: String| CallError::Mismatch {
        component: (*caller).clone(),
        reason,
    };
    match &error {
        RpcError::Failed(body) if body.code == RpcErrorCode::Mismatch => mismatch(format!(
            "it imports `{function}` of `{interface}` as `{signature}`, and {}",
            body.message
        )),
        RpcError::Name(what) => mismatch(what.clone()),
        _ => failure::learned(&error, &link.target),
    }
}
