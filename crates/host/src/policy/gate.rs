//! The question before each call of a component: one gate for each component that is prepared.
//!
//! As in v1 it is asked where the component runs, once for each of its functions. The interface is as the component
//! exports it, however a caller writes its version: callers cannot make up questions.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use tokio::time::timeout_at;
use tracing::Instrument as _;
use wasmcloud_core::ComponentId;
use wasmcloud_engine::{Admit, CallError, Refused};
use wasmcloud_wire::message::{chain, invocation_denied};
use wasmcloud_wire::policy::{ComponentPolicy, InvocationPolicy, PolicyAction, invocation_key};

use super::{Policy, PolicyError};
use crate::claims::{self, ComponentClaims};
use crate::components::ComponentSpec;

/// Asks the policy service before a component is called.
pub(crate) struct Gate {
    policy: Arc<Policy>,
    id: ComponentId,
    /// With the claims as they were told at the start, which is enough for the key of an answer.
    target: ComponentPolicy,
    claims: ComponentClaims,
}

impl Gate {
    pub(crate) fn new(policy: Arc<Policy>, spec: &ComponentSpec, claims: ComponentClaims) -> Self {
        let now = SystemTime::now();
        Self {
            policy,
            id: spec.id.clone(),
            target: ComponentPolicy {
                component_id: spec.id.to_string(),
                image_ref: spec.reference.clone(),
                max_instances: 0,
                annotations: spec.annotations.clone(),
                claims: claims.as_deref().map(|claims| claims::for_policy(claims, now)),
            },
            claims,
        }
    }

    fn undecided(&self, reason: &str) -> CallError {
        Refused::Undecided {
            component: self.id.clone(),
            reason: reason.to_owned(),
        }
        .into()
    }
}

#[async_trait]
impl Admit for Gate {
    async fn admit(&self, interface: &str, function: &str, deadline: Instant) -> Result<(), CallError> {
        let action = || {
            let mut target = self.target.clone();
            // They may have expired since it started.
            let now = SystemTime::now();
            target.claims = self
                .claims
                .as_deref()
                .map(|claims| claims::for_policy(claims, now));
            PolicyAction::PerformInvocation(InvocationPolicy {
                interface: interface.to_owned(),
                function: function.to_owned(),
                target,
            })
        };
        let key = invocation_key(&self.target, interface, function);
        let asked = self.policy.check(key, action, invocation_denied);
        let asked = asked.instrument(tracing::debug_span!(target: "wasmcloud::invocation", "policy_check"));
        let error = match timeout_at(deadline.into(), asked).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_elapsed) => return Err(self.undecided("the policy service has not answered yet")),
        };
        match error {
            PolicyError::Busy(_) => Err(self.undecided(&error.to_string())),
            PolicyError::Denied(_) | PolicyError::Silent(_) | PolicyError::Answer(_) => {
                let (component, reason) = (self.id.clone(), chain(&error));
                Err(CallError::Denied { component, reason })
            }
        }
    }
}
