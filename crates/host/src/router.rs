//! Who answers a component's call to another: local first, anywhere second (design decision D4), be it that the target
//! does not run here or that it has no free slot here.
//!
//! The look-up reads the caller's link table without a lock. What it finds is a place that may hold a component now
//! and another one a moment later; a call that found one runs to its end in it.

use std::sync::Arc;

use wasmcloud_capability::{Endpoint, Handle, InstanceState, LinkEntry};
use wasmcloud_core::Route;
use wasmcloud_engine::{CallError, CallRoute, Prepared, Refused, Remote, Routed, Target, Unrouted};

use crate::rpc::CallsCell;

/// The router of a host.
pub(crate) struct Router {
    calls: CallsCell,
}

impl Router {
    /// A router that goes elsewhere once there are calls over a lattice.
    pub(crate) fn new(calls: CallsCell) -> Self {
        Self { calls }
    }

    fn local(
        &self,
        caller: &InstanceState,
        link: &LinkEntry,
        interface: &str,
        serves: &dyn Fn(&Prepared) -> bool,
    ) -> Result<Arc<Prepared>, Unrouted> {
        let mismatch = |reason: String| CallError::Mismatch {
            component: caller.component_id().clone(),
            reason,
        };
        match &link.endpoint {
            Endpoint::Component(handle) => match Handle::downcast::<Target>(Arc::clone(handle)) {
                Ok(target) => match target.choose(serves) {
                    Err(_) if target.is_asleep() => Err(Unrouted::Asleep(target)),
                    chosen => Ok(chosen?),
                },
                Err(_) => Err(mismatch(format!(
                    "the link for `{interface}` leads to nothing that can be called"
                ))
                .into()),
            },
            Endpoint::Builtin(_) => Err(mismatch(format!(
                "the target of the link for `{interface}` is a provider that does not serve it"
            ))
            .into()),
            Endpoint::Absent(reason) => Err(Refused::NotRunning {
                component: caller.component_id().clone(),
                reason: format!("nothing answers its link for `{interface}`: {reason}"),
            }
            .into()),
        }
    }
}

impl CallRoute for Router {
    fn route(
        &self,
        caller: &InstanceState,
        interface: &str,
        serves: &dyn Fn(&Prepared) -> bool,
    ) -> Result<Routed, Unrouted> {
        let link = caller.link(interface).map_err(|error| CallError::Mismatch {
            component: caller.component_id().clone(),
            reason: error.to_string(),
        })?;
        if link.route == Route::Lattice
            && let Some(remote) = self.elsewhere(Arc::clone(&link))
        {
            return Ok(Routed::Remote(remote));
        }
        match self.local(caller, &link, interface, serves) {
            Ok(local) if link.route == Route::Auto => Ok(Routed::Overflow { local, link }),
            Ok(local) => Ok(Routed::Local(local)),
            Err(error @ Unrouted::Nobody(CallError::Refused(_))) if link.route != Route::Local => {
                self.elsewhere(link).map(Routed::Remote).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    fn elsewhere(&self, link: Arc<LinkEntry>) -> Option<Remote> {
        let by = self.calls.get()?.outgoing();
        Some(Remote { by, link })
    }
}
