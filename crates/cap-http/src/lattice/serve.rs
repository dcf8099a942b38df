//! The side of the host where the component runs: a request from elsewhere becomes a call.

use std::sync::Arc;
use std::time::Instant;

use tracing::Instrument as _;
use wasmcloud_capability::Invocation;
use wasmcloud_engine::{CallError, Prepared, Slot};
use wasmcloud_lattice::rpc::{Accepted, RpcError};
use wasmcloud_wire::rpc::http::{self as wire, HandleResult, IncomingHandle};
use wasmcloud_wire::rpc::{Payload as _, RpcErrorBody, RpcErrorCode};

use super::bodies::{self, LatticeBody};
use super::head;
use crate::handler::{Begun, Unanswered, admit, begin};

/// A request from elsewhere with a live instance to answer it.
pub struct RemoteRequest {
    begun: Begun,
    component: String,
}

impl RemoteRequest {
    /// Whether the component may be called with requests from elsewhere.
    pub async fn admit(prepared: &Prepared, deadline: Instant) -> Result<(), CallError> {
        admit(prepared, deadline).await
    }

    /// Gets a live instance for a request, in this slot or when its turn has come. Everything else that can be refused
    /// is refused here.
    pub async fn begin(
        prepared: &Arc<Prepared>,
        slot: Option<Slot>,
        invocation: Invocation,
    ) -> Result<Self, CallError> {
        let id = prepared.context().id();
        let begun = begin(prepared, slot, invocation)
            .await
            .map_err(|error| match error {
                Unanswered::Call(error) => error,
                other => CallError::Mismatch {
                    component: id.clone(),
                    reason: other.to_string(),
                },
            })?;
        Ok(Self {
            begun,
            component: id.to_string(),
        })
    }

    /// The span of the call.
    pub fn span(&self) -> tracing::Span {
        self.begun.span().clone()
    }

    /// Answers an accepted call: head, body and trailers.
    pub async fn answer(self, accepted: &Accepted) -> Result<(), RpcError> {
        let component = self.component.clone();
        let span = self.span();
        match self.respond(accepted).instrument(span).await {
            Ok(response) => bodies::answer(accepted, response).await,
            Err(Unanswered::ErrorCode(code)) => {
                let head: HandleResult = Err(wire::ErrorCode::InternalError(Some(code)));
                accepted.finish(head.to_bytes().into()).await
            }
            Err(error) => accepted.fail(&told(&error, component)).await,
        }
    }

    async fn respond(
        self,
        accepted: &Accepted,
    ) -> Result<http::Response<crate::body::ResponseBody>, Unanswered> {
        let whole = accepted.is_whole() || IncomingHandle::from_bytes(accepted.first()).is_ok();
        let params = match whole {
            true => accepted.first().clone(),
            false => accepted.params().await?,
        };
        let IncomingHandle { request } = IncomingHandle::from_bytes(&params).map_err(Unanswered::Form)?;
        let (head, secure) =
            head::into_request(request).map_err(|error| Unanswered::Head(error.to_string()))?;
        let body = LatticeBody::new(
            accepted.receiver(&wire::REQUEST_BODY.to_string()),
            accepted.receiver(&wire::REQUEST_TRAILERS.to_string()),
            (),
        );
        self.begun.answer(secure, head.map(|()| body.into_wasi())).await
    }
}

fn told(error: &Unanswered, component: String) -> RpcErrorBody {
    let code = match error {
        Unanswered::Call(error) => error.code(),
        Unanswered::Form(_) | Unanswered::Head(_) => RpcErrorCode::Malformed,
        _ => RpcErrorCode::Internal,
    };
    RpcErrorBody {
        component: Some(component),
        ..RpcErrorBody::new(code, error.to_string())
    }
}
