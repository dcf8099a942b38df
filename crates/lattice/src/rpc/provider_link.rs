//! A link from a component here to a provider elsewhere, for the capabilities that call providers in the interfaces of
//! v1.

use std::sync::Arc;
use std::time::Instant;

use async_nats::HeaderMap;
use wasmcloud_core::{ComponentId, LinkName};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::rpc::Call as Wire;

use super::call::Call;
use super::caller::{Caller, Request};
use super::error::RpcError;

/// A link from a component here to a provider elsewhere.
pub struct ProviderLink {
    caller: Caller,
    source: ComponentId,
    name: LinkName,
    target: ComponentId,
}

impl ProviderLink {
    /// The link `name` from `source` to `target`, whose calls `caller` makes.
    pub fn new(caller: Caller, source: ComponentId, name: LinkName, target: ComponentId) -> Arc<Self> {
        Arc::new(Self {
            caller,
            source,
            name,
            target,
        })
    }

    /// The provider.
    pub fn target(&self) -> &ComponentId {
        &self.target
    }

    /// Makes a call that must have ended by `deadline`; see [`Caller::call`]. `depth`: how many calls led to it.
    pub async fn call<C: Wire>(&self, call: &C, deadline: Instant, depth: u16) -> Result<Call, RpcError> {
        self.caller.call(self.request(call, deadline, depth)).await
    }

    /// The same for an interface of which there are versions; see [`Caller::call_any`].
    pub async fn call_any<C: Wire>(
        &self,
        call: &C,
        versions: &[&'static str],
        deadline: Instant,
        depth: u16,
    ) -> Result<(Call, &'static str), RpcError> {
        let request = self.request(call, deadline, depth);
        self.caller.call_any(request, versions).await
    }

    fn request<C: Wire>(&self, call: &C, deadline: Instant, depth: u16) -> Request<'_> {
        Request {
            source: &self.source,
            link_name: self.name.as_str(),
            target: &self.target,
            instance: C::INSTANCE,
            function: C::FUNCTION,
            depth,
            deadline: deadline.into(),
            signature: None,
            headers: HeaderMap::new(),
            params: call.to_bytes().into(),
        }
    }

    /// Why a call failed, for whoever wrote the component, to be put behind the name of the provider. `None` if its time
    /// was over: what that means for the call is for the capability to say.
    pub fn reason(error: &RpcError) -> Option<String> {
        Some(match error {
            RpcError::NoResponders { .. } => {
                "no host of the lattice runs it; hint: start it there, `wash get inventory` shows what runs where"
                    .to_owned()
            }
            RpcError::Refused(body) | RpcError::Failed(body) => match &body.host {
                Some(host) => format!("{} (on host {host})", body.message),
                None => body.message.clone(),
            },
            RpcError::Closed { .. } => "it ended the call without results; hint: its log says why".to_owned(),
            RpcError::TimedOut { .. } => return None,
            other => chain(other),
        })
    }
}
