//! A change that somebody elsewhere says: a provider of v1, or a built-in one on another host. It travels as
//! `wrpc:keyvalue/watcher`, with a bucket that is text (wire reference §4.6); the component is called with a handle.

use std::sync::Arc;
use std::time::Instant;

use wasmcloud_capability::{Caller, Invocation};
use wasmcloud_core::ComponentId;
use wasmcloud_engine::{CallError, Prepared};
use wasmcloud_wire::rpc::keyvalue::{OnDelete, OnSet, WATCHER};
use wasmcloud_wire::rpc::{Call as _, Payload as _};
use wasmcloud_wire::value::DecodeError;

use super::exports::{self, Begun, Told, ToldBucket, WatchExports};

/// A change from elsewhere with a live instance that will be told.
pub struct RemoteChange {
    begun: Begun,
    is_set: bool,
    by: Option<ComponentId>,
    component: ComponentId,
}

impl RemoteChange {
    /// Whether a call means a change that this component wants to hear of; and if so, whether a key was set.
    pub fn find(prepared: &Prepared, instance: Option<&str>, function: &str) -> Option<bool> {
        let is_set = match (instance?, function) {
            (WATCHER, OnSet::FUNCTION) => true,
            (WATCHER, OnDelete::FUNCTION) => false,
            _ => return None,
        };
        prepared.exports::<WatchExports>().map(|_| is_set)
    }

    /// Whether the component may be told.
    pub async fn admit(prepared: &Prepared, is_set: bool, deadline: Instant) -> Result<(), CallError> {
        exports::admit(prepared, is_set, deadline).await
    }

    /// Gets a live instance to be told.
    pub async fn begin(
        prepared: &Arc<Prepared>,
        is_set: bool,
        invocation: Invocation,
    ) -> Result<Self, CallError> {
        // Who calls from elsewhere says an id, and not what is behind it.
        let by = match &invocation.caller {
            Caller::Component(id) | Caller::Provider(id) => Some(id.clone()),
            Caller::Host => None,
        };
        Ok(Self {
            begun: exports::begin(prepared, is_set, invocation).await?,
            is_set,
            by,
            component: prepared.context().id().clone(),
        })
    }

    /// The span of the call.
    pub fn span(&self) -> &tracing::Span {
        self.begun.span()
    }

    /// Whether these bytes are all of the parameters. For callers that do not say so.
    pub fn is_whole(&self, params: &[u8]) -> bool {
        let error = match self.is_set {
            true => OnSet::from_bytes(params).err(),
            false => OnDelete::from_bytes(params).err(),
        };
        !matches!(error, Some(DecodeError::Incomplete { .. }))
    }

    /// Tells the component.
    pub async fn run(self, params: &[u8]) -> Result<(), CallError> {
        let told = match self.is_set {
            true => OnSet::from_bytes(params).map(|it| (it.bucket, it.key, Some(it.value.into()))),
            false => OnDelete::from_bytes(params).map(|it| (it.bucket, it.key, None)),
        };
        let (bucket, key, value) = told.map_err(|error| CallError::Malformed {
            component: self.component,
            reason: format!("the parameters of a change are malformed: {error}"),
        })?;
        let told = Told {
            by: self.by,
            bucket: ToldBucket::Opened(bucket),
            key,
            value,
        };
        self.begun.tell(told).await
    }
}
