//! Who answers a component's call to another: the local path of design decision D4.
//!
//! The look-up reads the caller's link table without a lock. What it finds is a place that may hold a component now
//! and another one a moment later; a call that found one runs to its end in it.

use std::sync::Arc;

use wasmcloud_capability::{Endpoint, Handle, InstanceState};
use wasmcloud_engine::{CallError, CallRoute, Prepared, Refused, Target};

/// The local router.
pub(crate) struct Router;

impl CallRoute for Router {
    fn local(&self, caller: &InstanceState, interface: &str) -> Result<Arc<Prepared>, CallError> {
        let mismatch = |reason: String| CallError::Mismatch {
            component: caller.component_id().clone(),
            reason,
        };
        match caller
            .endpoint(interface)
            .map_err(|error| mismatch(error.to_string()))?
        {
            Endpoint::Component(handle) => match Handle::downcast::<Target>(handle) {
                Ok(target) => Ok(target.get()?),
                Err(_) => Err(mismatch(format!(
                    "the link for `{interface}` leads to nothing that can be called"
                ))),
            },
            Endpoint::Builtin(_) => Err(mismatch(format!(
                "the target of the link for `{interface}` is a provider that does not serve it"
            ))),
            Endpoint::Absent(reason) => Err(Refused::NotRunning {
                component: caller.component_id().clone(),
                reason: format!("nothing answers its link for `{interface}`: {reason}"),
            }
            .into()),
        }
    }
}
