//! A change as a call of a component of this host.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::time::timeout_at;
use tracing::Instrument as _;
use wasmcloud_capability::{InstanceState, Invocation};
use wasmcloud_core::ComponentId;
use wasmcloud_engine::{CallError, Exports, Live, Prepared, ResolveExports};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance, InstancePre, Resource};

use crate::calls::{self, Bucket};
use crate::store::BucketName;

/// The versions of the interface, which agree in everything but the bucket, and that is one handle for us.
const INTERFACES: [&str; 2] = [
    "wasi:keyvalue/watcher@0.2.0-draft",
    "wasi:keyvalue/watcher@0.2.0-draft2",
];
const ON_SET: &str = "on-set";
const ON_DELETE: &str = "on-delete";

/// The export by which a component is told.
pub(crate) struct WatchExports {
    interface: &'static str,
    on_set: ComponentExportIndex,
    on_delete: ComponentExportIndex,
}

/// Finds the export of components that want to be told; the host hands it to the engine.
pub struct WatchResolver;

impl ResolveExports for WatchResolver {
    fn resolve(&self, pre: &InstancePre<InstanceState>) -> Option<Exports> {
        let component = pre.component();
        INTERFACES.iter().find_map(|&interface| {
            let instance = component.get_export_index(None, interface)?;
            let function = |name| component.get_export_index(Some(&instance), name);
            let (on_set, on_delete) = (function(ON_SET)?, function(ON_DELETE)?);
            let exports = WatchExports {
                interface,
                on_set,
                on_delete,
            };
            Some(Box::new(exports) as Exports)
        })
    }
}

/// A key was set to a value, or removed.
pub(crate) struct Told {
    /// The provider that says so, if it says who it is.
    pub(crate) by: Option<ComponentId>,
    pub(crate) bucket: ToldBucket,
    pub(crate) key: String,
    pub(crate) value: Option<Bytes>,
}

/// How the bucket is meant.
pub(crate) enum ToldBucket {
    /// It is the bucket with this name.
    Named(BucketName),
    /// It is what a component gets that opens this name.
    Opened(String),
}

/// A live instance that will be told.
pub(crate) struct Begun {
    live: Live,
    span: tracing::Span,
}

fn function(is_set: bool) -> &'static str {
    match is_set {
        true => ON_SET,
        false => ON_DELETE,
    }
}

fn mismatch(prepared: &Prepared, reason: impl Into<String>) -> CallError {
    CallError::Mismatch {
        component: prepared.context().id().clone(),
        reason: reason.into(),
    }
}

fn exports(prepared: &Prepared) -> Result<&WatchExports, CallError> {
    let exports = prepared.exports::<WatchExports>();
    exports.ok_or_else(|| mismatch(prepared, "does not export `wasi:keyvalue/watcher`"))
}

/// Whether a component has the functions by which it is told.
pub(crate) fn can_be_told(prepared: &Prepared) -> bool {
    prepared.exports::<WatchExports>().is_some()
}

/// Whether a component may be told.
pub(crate) async fn admit(prepared: &Prepared, is_set: bool, deadline: Instant) -> Result<(), CallError> {
    let interface = exports(prepared)?.interface;
    prepared.admit(interface, function(is_set), deadline).await
}

/// Gets a live instance to be told.
pub(crate) async fn begin(
    prepared: &Arc<Prepared>,
    is_set: bool,
    invocation: Invocation,
) -> Result<Begun, CallError> {
    let interface = exports(prepared)?.interface;
    let span = prepared.span(&invocation, interface, function(is_set));
    let live = prepared.begin(invocation).instrument(span.clone()).await?;
    Ok(Begun { live, span })
}

impl Begun {
    /// The span of the call.
    pub(crate) fn span(&self) -> &tracing::Span {
        &self.span
    }

    /// Tells it, and waits until it has taken it.
    pub(crate) async fn tell(mut self, told: Told) -> Result<(), CallError> {
        let prepared = Arc::clone(self.live.prepared());
        let exports = exports(&prepared)?;
        let deadline = self.live.deadline();
        let (store, instance) = self.live.parts();
        let call = call(store, instance, exports, told);
        let outcome = timeout_at(deadline, call).instrument(self.span).await;
        self.live.settle(outcome)
    }
}

async fn call(
    store: &mut Store<InstanceState>,
    instance: Instance,
    exports: &WatchExports,
    told: Told,
) -> wasmtime::Result<()> {
    let bucket = calls::told(store.data(), told.by.as_ref(), &told.bucket);
    let bucket: Resource<Bucket> = store.data_mut().table.push(bucket)?;
    match told.value {
        Some(value) => {
            let function = instance
                .get_typed_func::<(Resource<Bucket>, &str, &[u8]), ()>(&mut *store, &exports.on_set)?;
            function.call_async(store, (bucket, &told.key, &value)).await
        }
        None => {
            let function =
                instance.get_typed_func::<(Resource<Bucket>, &str), ()>(&mut *store, &exports.on_delete)?;
            function.call_async(store, (bucket, &told.key)).await
        }
    }
}
