//! Providers on this host.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmcloud_capability::Provider;
use wasmcloud_core::{ComponentId, ConfigName, ImageRef};

/// A provider as it should run on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSpec {
    /// Its id.
    pub id: ComponentId,
    /// What runs.
    pub image: ImageRef,
    /// The image as somebody wrote it, which may be one that a built-in provider answers for. The inventory shows
    /// this: controllers compare texts.
    pub reference: String,
    /// Its named configs, later ones override earlier ones.
    pub config: Vec<ConfigName>,
    /// Who manages it and why; opaque to the host.
    pub annotations: BTreeMap<String, String>,
}

/// A running provider.
#[derive(Clone)]
pub(crate) struct RunningProvider {
    pub(crate) spec: ProviderSpec,
    pub(crate) provider: Arc<dyn Provider>,
}
