//! Calls from a provider to components.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use wasmcloud_core::{ComponentId, LinkName};
use wasmcloud_lattice::HeaderMap;
use wasmcloud_lattice::rpc::{Call as Begun, Outgoing, RpcError};
use wasmcloud_wire::rpc::{Call, InvalidSubject, Payload as _, RpcErrorCode, Terms, exact, header};
use wasmcloud_wire::value::DecodeError;

use crate::context::{CallContext, Trace};
use crate::sdk::Sdk;

/// How often a call is made in all when it is refused: a host that is full or stopping, where another one may not be.
const TRIES: u32 = 4;

/// First pause after a refusal; doubled each time.
const PAUSE: Duration = Duration::from_millis(10);

/// A component that can be called. Made by [`Sdk::component`]; keep it or make it anew for each call, both are cheap.
#[derive(Clone, Debug)]
pub struct Component {
    sdk: Sdk,
    id: ComponentId,
    link_name: Option<LinkName>,
    time: Duration,
    until: Option<Instant>,
    trace: Option<Trace>,
    depth: u32,
}

/// Why a call to a component has no results.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// A function that cannot exist.
    #[error("call component `{component}`")]
    Function {
        /// The component.
        component: ComponentId,
        /// What is wrong with the name.
        #[source]
        source: InvalidSubject,
    },
    /// It failed, is not there, or took too long.
    #[error("call `{function}` of component `{component}`")]
    Rpc {
        /// The component.
        component: ComponentId,
        /// The function.
        function: String,
        /// What happened.
        #[source]
        source: RpcError,
    },
    /// It answered something else than its interface says.
    #[error("read what `{function}` of component `{component}` returned")]
    Results {
        /// The component.
        component: ComponentId,
        /// The function.
        function: String,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
}

impl CallError {
    /// Whether nothing was done, so that doing it again does it once.
    pub fn nothing_begun(&self) -> bool {
        match self {
            Self::Function { .. } => true,
            Self::Rpc { source, .. } => source.nothing_begun(),
            Self::Results { .. } => false,
        }
    }
}

impl Component {
    pub(crate) fn new(sdk: Sdk, id: ComponentId) -> Self {
        Self {
            time: sdk.0.timeout,
            sdk,
            id,
            link_name: None,
            until: None,
            trace: None,
            depth: 0,
        }
    }

    /// With another time for each call than the host set (10 s where it did not).
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// With the name of the link over which is called, for the component to know.
    #[must_use]
    pub fn over(mut self, link: &LinkName) -> Self {
        self.link_name = Some(link.clone());
        self
    }

    /// As a part of a call that the provider itself answers: not longer than that one, and in the same trace.
    #[must_use]
    pub fn on_behalf_of(mut self, context: &CallContext) -> Self {
        self.until = Some(context.deadline());
        self.trace = context.trace().cloned();
        self.depth = context.depth() + 1;
        self
    }

    /// As a part of a trace.
    #[must_use]
    pub fn traced(mut self, trace: Trace) -> Self {
        self.trace = Some(trace);
        self
    }

    /// Calls a function of a known interface that has no streams.
    pub async fn call<C: Call>(&self, call: &C) -> Result<C::Result, CallError> {
        let begun = self
            .begin(C::INSTANCE, C::FUNCTION, call.to_bytes().into())
            .await?;
        let results = begun.results().await;
        let results = results.map_err(|source| self.failed(C::FUNCTION, source))?;
        C::Result::from_bytes(&results).map_err(|source| match results.is_empty() && !begun.is_ours() {
            // All that a host of v1 says when a component traps.
            true => self.failed(
                C::FUNCTION,
                RpcError::Closed {
                    subject: C::FUNCTION.to_owned(),
                },
            ),
            false => CallError::Results {
                component: self.id.clone(),
                function: C::FUNCTION.to_owned(),
                source,
            },
        })
    }

    /// Calls a function of any interface, from bytes to bytes. `instance` is the interface with its version, or empty.
    pub async fn call_bytes(
        &self,
        instance: &str,
        function: &str,
        params: Bytes,
    ) -> Result<Bytes, CallError> {
        let begun = self.begin(instance, function, params).await?;
        begun
            .results()
            .await
            .map_err(|source| self.failed(function, source))
    }

    /// Begins a call, and returns when somebody has accepted it. For functions with streams, which
    /// [`ByteReader`](crate::ByteReader) and [`ByteWriter`](crate::ByteWriter) read and write.
    ///
    /// A refusal by a host that is full or stopping is tried again within the deadline, for another host may take the
    /// call. Nothing is tried again once it may have begun.
    pub async fn begin(&self, instance: &str, function: &str, params: Bytes) -> Result<Begun, CallError> {
        let subject = self
            .subject(instance, function)
            .map_err(|source| CallError::Function {
                component: self.id.clone(),
                source,
            })?;
        let mut deadline = Instant::now() + self.time;
        if let Some(until) = self.until {
            deadline = deadline.min(until);
        }
        let mut pause = PAUSE;
        let mut tries = 1;
        loop {
            let outgoing = Outgoing {
                subject: subject.clone(),
                server: None,
                headers: self.headers(),
                terms: Terms {
                    depth: self.depth,
                    ..Terms::default()
                },
                bare: false,
                params: params.clone(),
                deadline,
                accept_timeout: None,
            };
            match self.sdk.0.rpc.call(outgoing).await {
                Ok(begun) => return Ok(begun),
                Err(error) if tries < TRIES && elsewhere(&error) && Instant::now() + pause < deadline => {
                    tracing::debug!(component = %self.id, function, %error, "a call was refused, trying again");
                    sleep(pause).await;
                    pause *= 2;
                    tries += 1;
                }
                Err(source) => return Err(self.failed(function, source)),
            }
        }
    }

    fn subject(&self, instance: &str, function: &str) -> Result<String, InvalidSubject> {
        exact(&self.sdk.0.lattice, &self.id, instance, function)
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::SOURCE_ID, self.sdk.0.provider.as_str());
        headers.insert(header::TARGET_ID, self.id.as_str());
        if let Some(name) = &self.link_name {
            headers.insert(header::LINK_NAME, name.as_str());
        }
        if let Some(trace) = &self.trace {
            headers.insert(header::TRACEPARENT, trace.parent.as_str());
            if let Some(state) = &trace.state {
                headers.insert(header::TRACESTATE, state.as_str());
            }
        }
        headers
    }

    fn failed(&self, function: &str, source: RpcError) -> CallError {
        CallError::Rpc {
            component: self.id.clone(),
            function: function.to_owned(),
            source,
        }
    }
}

/// Whether another host may take a call that this one refused.
fn elsewhere(error: &RpcError) -> bool {
    match error {
        RpcError::Refused(body) => body.code.is_refusal() && body.code != RpcErrorCode::TooDeep,
        _ => false,
    }
}
