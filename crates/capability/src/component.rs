//! What all instances of one revision of a component on this host share.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use wasmcloud_core::ComponentId;

use crate::links::LinkTable;
use crate::traffic::Traffic;

/// Named config after its merge: what `wasi:config` shows.
pub type ConfigMap = BTreeMap<String, String>;

/// The side of a revision of a component that its links and config change while it runs. Readers never wait: each change
/// replaces a snapshot.
pub struct ComponentContext {
    shared: Arc<Shared>,
    links: ArcSwap<LinkTable>,
    config: ArcSwap<ConfigMap>,
}

/// What all revisions of a component share.
struct Shared {
    id: ComponentId,
    traffic: Traffic,
}

impl ComponentContext {
    /// A component without links and config.
    pub fn new(id: ComponentId) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::new(Shared {
                id,
                traffic: Traffic::default(),
            }),
            links: ArcSwap::default(),
            config: ArcSwap::default(),
        })
    }

    /// Another revision of the same component: with its counters, a config of its own and no links yet.
    pub fn revision(&self, config: ConfigMap) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::clone(&self.shared),
            links: ArcSwap::default(),
            config: ArcSwap::from_pointee(config),
        })
    }

    /// The component's id.
    pub fn id(&self) -> &ComponentId {
        &self.shared.id
    }

    /// The links as they are now.
    pub fn links(&self) -> arc_swap::Guard<Arc<LinkTable>> {
        self.links.load()
    }

    /// The config as it is now.
    pub fn config(&self) -> arc_swap::Guard<Arc<ConfigMap>> {
        self.config.load()
    }

    /// What goes over the network for it.
    pub fn traffic(&self) -> &Traffic {
        &self.shared.traffic
    }

    /// Replaces the links. Calls under way keep the endpoint they found.
    pub fn set_links(&self, links: LinkTable) {
        self.links.store(Arc::new(links));
    }

    /// Replaces the config. The next `get` of any instance sees it.
    pub fn set_config(&self, config: ConfigMap) {
        self.config.store(Arc::new(config));
    }
}
