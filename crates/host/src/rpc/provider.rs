//! The calls of others to a provider that is part of this host.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;
use wasmcloud_capability::{Params, ProviderCall, RemoteProvider};
use wasmcloud_core::{ComponentId, HostId, Limits, LinkName};
use wasmcloud_lattice::rpc::{Accepted, Incoming, RpcError};
use wasmcloud_telemetry::{TRACEPARENT, TRACESTATE, set_parent};
use wasmcloud_wire::rpc::{InvocationSubject, RpcErrorBody, RpcErrorCode};

use super::serving::Callee;

/// Calls from elsewhere that one provider answers at a time. Whoever comes beyond that is sent away, and ours come back.
const MAX_CALLS: usize = 1_000;

/// Longest time for a call whose caller does not say how long it waits, as those of v1.
const NO_DEADLINE: Duration = Limits::DEFAULT_DEADLINE;

/// A provider as others call it.
pub(super) struct ProviderCallee {
    id: ComponentId,
    provider: Arc<dyn RemoteProvider>,
    host: HostId,
    under_way: Semaphore,
}

/// What is called, and by whom.
struct Called {
    instance: String,
    function: String,
    source: Option<ComponentId>,
    link_name: LinkName,
    deadline: Instant,
}

impl ProviderCallee {
    pub(super) fn new(id: ComponentId, provider: Arc<dyn RemoteProvider>, host: HostId) -> Self {
        Self {
            id,
            provider,
            host,
            under_way: Semaphore::new(MAX_CALLS),
        }
    }

    fn told(&self, code: RpcErrorCode, message: impl std::fmt::Display) -> RpcErrorBody {
        RpcErrorBody {
            host: Some(self.host.to_string()),
            ..RpcErrorBody::new(code, format!("provider `{}`: {message}", self.id))
        }
    }

    /// Everything that can be refused.
    fn begin(&self, incoming: &Incoming) -> Result<Called, RpcErrorBody> {
        let subject: InvocationSubject = incoming
            .subject()
            .parse()
            .map_err(|error| self.told(RpcErrorCode::Mismatch, error))?;
        let instance = subject.instance.as_ref().map(|instance| instance.as_str());
        let (instance, function) = (instance.unwrap_or_default(), subject.function.as_str());
        if self.provider.params(instance, function, &[]) == Params::Unknown {
            let message = format!("it has no function `{function}` of `{instance}`");
            return Err(self.told(RpcErrorCode::Mismatch, message));
        }
        let link_name = match incoming.link_name().map(str::parse::<LinkName>) {
            None => LinkName::default_name(),
            Some(Ok(name)) => name,
            Some(Err(error)) => {
                return Err(self.told(
                    RpcErrorCode::Denied,
                    format!("the name of the link is none: {error}"),
                ));
            }
        };
        Ok(Called {
            instance: instance.to_owned(),
            function: function.to_owned(),
            source: incoming.source().and_then(|id| id.parse().ok()),
            link_name,
            deadline: Instant::now() + incoming.time_left().unwrap_or(NO_DEADLINE),
        })
    }

    async fn run(&self, called: &Called, accepted: &Accepted) -> Result<(), RpcError> {
        let params = match self.params(called, accepted).await {
            Ok(params) => params,
            Err(error @ RpcError::TimedOut { .. }) => {
                return accepted.fail(&self.told(RpcErrorCode::Deadline, error)).await;
            }
            Err(error) => return accepted.fail(&self.told(RpcErrorCode::Malformed, error)).await,
        };
        let call = ProviderCall {
            source: called.source.as_ref(),
            link_name: &called.link_name,
            instance: &called.instance,
            function: &called.function,
            params,
            deadline: called.deadline.into_std(),
        };
        if self.provider.has_streams(&called.instance, &called.function) {
            self.provider.stream(call, accepted).await;
            return Ok(());
        }
        accepted.finish(self.provider.answer(call).await).await
    }

    async fn params(&self, called: &Called, accepted: &Accepted) -> Result<Bytes, RpcError> {
        let first = accepted.first();
        let looked = || self.provider.params(&called.instance, &called.function, first);
        if accepted.is_whole() || looked() == Params::Whole {
            return Ok(first.clone());
        }
        accepted.params().await
    }
}

#[async_trait]
impl Callee for ProviderCallee {
    fn id(&self) -> &ComponentId {
        &self.id
    }

    async fn take(&self, incoming: Incoming) -> Result<(), RpcError> {
        let Ok(_under_way) = self.under_way.try_acquire() else {
            let message = format!("it answers {MAX_CALLS} calls at a time, more are not taken");
            incoming.refuse(&self.told(RpcErrorCode::Full, message)).await;
            return Ok(());
        };
        let called = match self.begin(&incoming) {
            Ok(called) => called,
            Err(why) => {
                incoming.refuse(&why).await;
                return Ok(());
            }
        };
        let span = tracing::info_span!(
            target: "wasmcloud::invocation",
            "provider_invocation",
            provider.id = %self.id,
            operation = %format_args!("{}/{}", called.instance, called.function),
        );
        set_parent(&span, incoming.header(TRACEPARENT), incoming.header(TRACESTATE));
        let accepted = incoming.accept(NO_DEADLINE).await?;
        // Who calls relies on it that a call whose time is over ends here by itself.
        let work = async {
            match timeout_at(called.deadline, self.run(&called, &accepted)).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    let (function, instance) = (&called.function, &called.instance);
                    let message =
                        format!("`{function}` of `{instance}` had not ended at the deadline of the call");
                    accepted.fail(&self.told(RpcErrorCode::Deadline, message)).await
                }
            }
        };
        let outcome = accepted.during(pin!(work.instrument(span))).await;
        outcome.unwrap_or(Ok(()))
    }
}
