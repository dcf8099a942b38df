//! Calls of others to a provider on this host. How they travel is for the host; what they mean is for the provider.

use std::any::Any;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use wasmcloud_core::{ComponentId, LinkName};

/// A call that came in from elsewhere, to a provider here.
#[derive(Clone, Debug)]
pub struct ProviderCall<'a> {
    /// Who calls, as it says itself; nothing if it says nothing that could be an id.
    pub source: Option<&'a ComponentId>,
    /// Over which link.
    pub link_name: &'a LinkName,
    /// The interface as it travels, with its version.
    pub instance: &'a str,
    /// The function.
    pub function: &'a str,
    /// The encoded parameters.
    pub params: Bytes,
    /// When the answer is no longer waited for.
    pub deadline: Instant,
}

/// What a provider makes of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Params {
    /// It has no such function.
    Unknown,
    /// More bytes must follow.
    Incomplete,
    /// They are all, or they are nonsense, which the answer will say.
    Whole,
}

/// The side of a provider that takes calls from elsewhere.
///
/// The bytes come from anywhere: they are checked here. Who has no link to the provider is refused here as well, in the
/// words of the interface.
#[async_trait]
pub trait RemoteProvider: Send + Sync + 'static {
    /// Looks at the parameters of a call, of which callers of v1 do not say where they end.
    fn params(&self, instance: &str, function: &str, params: &[u8]) -> Params;

    /// The encoded results of a call whose function is known here. Failures are results too. Returns by the call's
    /// deadline.
    async fn answer(&self, call: ProviderCall<'_>) -> Bytes;

    /// Whether parameters or results of a function have streams beside them. It is answered by
    /// [`RemoteProvider::stream`] then.
    fn has_streams(&self, instance: &str, function: &str) -> bool {
        let _ = (instance, function);
        false
    }

    /// Answers a call with streams, the results included. `transport` is what moves them, of a type that the provider
    /// knows, as it is with a [`Handle`](crate::Handle): here nothing is known of how calls travel. Returns by the
    /// call's deadline, and when it returns the streams end.
    async fn stream(&self, call: ProviderCall<'_>, transport: &(dyn Any + Send + Sync)) {
        let _ = (call, transport);
    }
}
