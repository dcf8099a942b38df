//! The calls that components of this host make elsewhere, by type.

use async_trait::async_trait;
use bytes::Bytes;
use wasmcloud_engine::{CallError, EncodedRequest, RemoteCall};
use wasmcloud_lattice::HeaderMap;
use wasmcloud_lattice::rpc::{Caller, Request, RpcError};
use wasmcloud_wire::rpc::{RpcErrorCode, header};

use super::failure;

/// Takes dynamic calls to where their target runs.
pub(super) struct Outgoing(pub(super) Caller);

#[async_trait]
impl RemoteCall for Outgoing {
    async fn call(&self, request: EncodedRequest<'_>) -> Result<Bytes, CallError> {
        let EncodedRequest {
            caller,
            link,
            invocation,
            interface,
            function,
            signature,
            params,
        } = request;
        let mut headers = HeaderMap::new();
        headers.insert(header::TYPE, format!("{:016x}", signature.fingerprint()));
        let call = Request {
            source: caller,
            link_name: link.name.as_str(),
            target: &link.target,
            instance: interface,
            function,
            depth: invocation.depth,
            deadline: invocation.deadline.into(),
            headers,
            params,
        };
        let failed = |error: RpcError| match &error {
            RpcError::Failed(body) if body.code == RpcErrorCode::Mismatch => CallError::Mismatch {
                component: caller.clone(),
                reason: format!(
                    "it imports `{function}` of `{interface}` as `{signature}`, and {}",
                    body.message
                ),
            },
            RpcError::Name(what) => CallError::Mismatch {
                component: caller.clone(),
                reason: what.clone(),
            },
            _ => failure::learned(&error, &link.target),
        };
        let call = self.0.call(call).await.map_err(failed)?;
        let results = match signature.results.is_empty() {
            true => call.results().await,
            false => call.some_results().await,
        };
        results.map_err(failed)
    }
}
