//! Which HTTP export a component has, resolved once when it is prepared.

use std::sync::Arc;

use wasmcloud_capability::InstanceState;
use wasmcloud_engine::{Exports, ResolveExports};
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{AsContextMut, Store, StoreContextMut};
use wasmtime_wasi_http::{p2, p3};

/// The HTTP export of a component.
pub(crate) enum HttpExports {
    /// `wasi:http/incoming-handler@0.2`.
    P2(p2::bindings::ProxyIndices),
    /// `wasi:http/handler@0.3`.
    P3(p3::bindings::ServiceIndices),
}

/// Finds the HTTP export of components; the host hands it to the engine.
pub struct HttpResolver;

impl ResolveExports for HttpResolver {
    fn resolve(&self, pre: &InstancePre<InstanceState>) -> Option<Exports> {
        if let Ok(indices) = p3::bindings::ServiceIndices::new(pre) {
            return Some(Box::new(HttpExports::P3(indices)));
        }
        let indices = p2::bindings::ProxyIndices::new(pre).ok()?;
        Some(Box::new(HttpExports::P2(indices)))
    }
}

/// The looked-up functions of one instance, kept with it so that a reused instance is not asked again.
struct Loaded<T>(Arc<T>);

/// The 0.2 handler of an instance.
pub(crate) fn load_p2(
    store: &mut Store<InstanceState>,
    instance: Instance,
    indices: &p2::bindings::ProxyIndices,
) -> wasmtime::Result<Arc<p2::bindings::Proxy>> {
    load(store.as_context_mut(), |store| indices.load(store, &instance))
}

/// The 0.3 handler of an instance.
pub(crate) fn load_p3(
    store: &mut Store<InstanceState>,
    instance: Instance,
    indices: &p3::bindings::ServiceIndices,
) -> wasmtime::Result<Arc<p3::bindings::Service>> {
    load(store.as_context_mut(), |store| indices.load(store, &instance))
}

fn load<T: Send + Sync + 'static>(
    mut store: StoreContextMut<'_, InstanceState>,
    lookup: impl FnOnce(&mut StoreContextMut<'_, InstanceState>) -> wasmtime::Result<T>,
) -> wasmtime::Result<Arc<T>> {
    if let Some(Loaded(known)) = store.data().get_slot::<Loaded<T>>() {
        return Ok(Arc::clone(known));
    }
    let loaded = Arc::new(lookup(&mut store)?);
    store.data_mut().slot(|_| Loaded(Arc::clone(&loaded)));
    Ok(loaded)
}
