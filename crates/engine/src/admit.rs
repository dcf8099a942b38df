//! Leave to call a component. Who gives it, and by which rules, is for the host.

use std::time::Instant;

use async_trait::async_trait;

use crate::error::CallError;

/// Asked before each call of a component, whoever calls it. The host implements it.
#[async_trait]
pub trait Admit: Send + Sync + 'static {
    /// Whether a function may be called. `interface` is as the component writes it, empty for functions at the root.
    /// Without an answer at `deadline` the call is refused.
    async fn admit(&self, interface: &str, function: &str, deadline: Instant) -> Result<(), CallError>;
}
