//! Errors of the engine in the words of the wire, and the other way round.

use wasmcloud_core::ComponentId;
use wasmcloud_engine::CallError;
use wasmcloud_lattice::rpc::RpcError;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::rpc::{RpcErrorBody, RpcErrorCode};

/// What a caller elsewhere is told of a call that failed here.
pub(super) fn told(error: &CallError, component: &ComponentId, host: &str) -> RpcErrorBody {
    RpcErrorBody {
        component: Some(component.to_string()),
        host: Some(host.to_owned()),
        ..RpcErrorBody::new(error.code(), error.to_string())
    }
}

/// What a component here learns of a call that failed on the way or elsewhere.
pub(super) fn learned(error: &RpcError, component: &ComponentId) -> CallError {
    let (kind, reason) = match error {
        RpcError::NoResponders { .. } => (
            "no-responders",
            "no host of the lattice runs it; hint: `wash get inventory` shows what runs where".to_owned(),
        ),
        RpcError::Refused(body) | RpcError::Failed(body) => (code(&body.code), worded(body, component)),
        RpcError::NotAccepted { .. } => ("not-accepted", chain(error)),
        RpcError::Closed { .. } => ("closed", chain(error)),
        RpcError::Gone { .. } | RpcError::Lost { .. } => ("gone", chain(error)),
        RpcError::TimedOut { .. } => ("deadline", chain(error)),
        RpcError::Cancelled { .. } => ("cancelled", chain(error)),
        RpcError::Overflow { .. } => ("limit", chain(error)),
        RpcError::Malformed { .. } => ("malformed", chain(error)),
        RpcError::TooManyCalls { .. } => ("full", chain(error)),
        RpcError::Name(what) => ("mismatch", what.clone()),
        RpcError::Connection(source) => ("connection", chain(&**source)),
    };
    CallError::Lattice {
        component: component.clone(),
        kind,
        reason,
    }
}

/// What the other side says, and where that was.
fn worded(body: &RpcErrorBody, component: &ComponentId) -> String {
    // The text of an error of ours begins with who failed, and so does that which it becomes part of.
    let itself = format!("component `{component}`");
    let message = match body.message.strip_prefix(&itself) {
        Some(rest) => rest.trim_start_matches(':').trim_start(),
        None => &body.message,
    };
    match &body.host {
        Some(host) => format!("{message} (on host {host})"),
        None => message.to_owned(),
    }
}

fn code(code: &RpcErrorCode) -> &'static str {
    let known = RpcErrorCode::NAMES.into_iter().find(|(_, known)| known == code);
    known.map_or("unknown", |(name, _)| name)
}
