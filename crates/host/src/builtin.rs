//! The providers that are part of the host, by name.

use std::path::Path;
use std::sync::Arc;

use wasmcloud_cap_blobstore::BlobstoreProvider;
use wasmcloud_cap_http::{HttpClientProvider, HttpServerProvider, Ingress};
use wasmcloud_cap_keyvalue::{Backend, KeyValueProvider};
use wasmcloud_capability::{ConfigMap, Provider, ProviderError};
use wasmcloud_core::ComponentId;
use wasmcloud_lattice::rpc::Caller;

/// The names under which they are started: `wasmcloud+builtin://NAME`.
pub const BUILTIN_PROVIDERS: &[&str] = &[
    "http-server",
    "http-client",
    "keyvalue-memory",
    "keyvalue-redb",
    "blobstore-fs",
];

/// What built-in providers share.
pub(crate) struct Shared<'a> {
    pub(crate) ingress: &'a Arc<Ingress>,
    pub(crate) data_dir: &'a Path,
    /// What takes calls to other hosts, if this one is part of a lattice.
    pub(crate) caller: Option<&'a Caller>,
}

/// Starts a built-in provider; `None` if there is none with this name.
pub(crate) async fn start(
    name: &str,
    id: &ComponentId,
    config: &ConfigMap,
    shared: &Shared<'_>,
) -> Option<Result<Arc<dyn Provider>, ProviderError>> {
    let started: Result<Arc<dyn Provider>, ProviderError> = match name {
        "http-server" => HttpServerProvider::start(id.clone(), Arc::clone(shared.ingress), config)
            .await
            .map(|provider| provider as _),
        "http-client" => HttpClientProvider::start(id.clone(), config).map(|provider| provider as _),
        "keyvalue-memory" => keyvalue(Backend::Memory, id, config, shared).await,
        "keyvalue-redb" => keyvalue(Backend::Redb, id, config, shared).await,
        "blobstore-fs" => BlobstoreProvider::start(id, config, shared.data_dir).map(|provider| provider as _),
        _ => return None,
    };
    Some(started)
}

async fn keyvalue(
    backend: Backend,
    id: &ComponentId,
    config: &ConfigMap,
    shared: &Shared<'_>,
) -> Result<Arc<dyn Provider>, ProviderError> {
    let provider = KeyValueProvider::start(backend, id, config, shared.data_dir).await?;
    if let Some(caller) = shared.caller {
        provider.connect(caller.clone());
    }
    Ok(provider)
}
