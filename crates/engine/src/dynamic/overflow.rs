//! A call of a component of this host whose slots are all in use: to somebody elsewhere who has one now, or back to wait
//! in line here. Never both at once: whoever waits in line has not been taken elsewhere.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use wasmcloud_capability::{Caller, Invocation, LinkEntry};

use super::{Carried, EncodedRequest, Import};
use crate::error::CallError;
use crate::prepared::Prepared;

/// Where a call goes that finds no slot.
pub(super) struct Overflow<'a> {
    pub(super) import: &'a Import,
    pub(super) link: Arc<LinkEntry>,
}

impl Overflow<'_> {
    /// The results from elsewhere, or the parameters again where nobody there takes the call. Then nothing has begun.
    pub(super) async fn elsewhere<C: Carried>(
        self,
        local: &Prepared,
        invocation: &Invocation,
        params: C,
    ) -> Result<ControlFlow<C::Results, C>, CallError> {
        let Self { import, link } = self;
        // What cannot travel, such as a resource, waits. Only components have links to call over.
        let (Ok(signature), Caller::Component(caller)) = (&import.signature, &invocation.caller) else {
            return Ok(ControlFlow::Continue(params));
        };
        let remote = import.route.elsewhere(link);
        let Some(remote) = remote.filter(|remote| remote.by.may_have_room(&remote.link.target)) else {
            return Ok(ControlFlow::Continue(params));
        };
        let Ok(encoded) = params.encode(signature) else {
            return Ok(ControlFlow::Continue(params));
        };
        let request = EncodedRequest {
            caller,
            link: &remote.link,
            invocation: invocation.clone(),
            interface: &import.raw,
            function: &import.function,
            signature,
            params: encoded.into(),
        };
        let outcome = remote.by.call_now(request).await;
        if !matches!(outcome, Ok(None)) {
            local.profile.stats.overflowed();
        }
        match outcome {
            Ok(Some(results)) => {
                let results = import.answered(&remote, signature, params, &results)?;
                Ok(ControlFlow::Break(results))
            }
            Ok(None) => Ok(ControlFlow::Continue(params)),
            // As it would have ended here.
            Err(_) if Instant::now() >= invocation.deadline => Err(CallError::Deadline {
                component: local.profile.context.id().clone(),
                limit: invocation.limit,
            }),
            Err(error) => Err(error),
        }
    }
}
