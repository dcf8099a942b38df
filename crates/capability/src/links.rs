//! The links of one component as its calls see them: a small table that is replaced whole when a link changes, so
//! that a call reads it without a lock.

use std::sync::Arc;

use wasmcloud_core::{ComponentId, Link, LinkName, Route};

use crate::component::ConfigMap;
use crate::provider::Handle;

/// A link with the named configs of the provider's side merged.
#[derive(Clone, Debug)]
pub struct BoundLink {
    /// The link.
    pub link: Link,
    /// The merged source config.
    pub source_config: ConfigMap,
    /// The merged target config.
    pub target_config: ConfigMap,
}

/// What stands behind a link.
#[derive(Clone)]
pub enum Endpoint {
    /// A built-in provider's answer for this link; the capability's adapter knows the type.
    Builtin(Handle),
    /// A component that runs, or will run, on this host.
    Component(Handle),
    /// Nothing here: the target does not run on this host, and why that matters to a caller.
    Absent(Arc<str>),
}

/// One row of a component's link table.
#[derive(Clone)]
pub struct LinkEntry {
    /// `namespace:package/interface`, without version.
    pub interfaces: Box<[Box<str>]>,
    /// The name by which the component selects the link.
    pub selected: LinkName,
    /// The name by which everybody else knows it, providers and other hosts among them. Another one than `selected` where
    /// it is the link of one revision alone.
    pub name: LinkName,
    /// Who answers.
    pub target: ComponentId,
    /// How calls travel.
    pub route: Route,
    /// What answers on this host.
    pub endpoint: Endpoint,
    /// What takes calls to other hosts, if this one is part of a lattice; adapters know the type.
    pub elsewhere: Option<Handle>,
}

impl LinkEntry {
    /// What takes the calls over this link to other hosts, as a type that its adapter knows, if that is where they go:
    /// local first, unless the route says otherwise (design decision D4).
    pub fn travels_by<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let travels = match self.route {
            Route::Lattice => true,
            Route::Auto => !matches!(self.endpoint, Endpoint::Builtin(_)),
            Route::Local => false,
        };
        let handle = self.elsewhere.as_ref().filter(|_| travels)?;
        Handle::downcast(Arc::clone(handle)).ok()
    }
}

/// No link answers a call. The text names what is missing and what would allow it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "component `{component}` has no link named `{link}` for `{interface}`; \
     hint: add a trait `type: link` with `name: {link}` and this interface to the component in its manifest"
)]
pub struct NoLink {
    /// Who called.
    pub component: ComponentId,
    /// The link name it selected.
    pub link: String,
    /// The interface, without version.
    pub interface: String,
}

/// The links of one component.
#[derive(Clone, Default)]
pub struct LinkTable {
    entries: Vec<Arc<LinkEntry>>,
}

impl LinkTable {
    /// A table of the given rows.
    pub fn new(entries: Vec<LinkEntry>) -> Self {
        Self {
            entries: entries.into_iter().map(Arc::new).collect(),
        }
    }

    /// The link that answers `interface` (without version) under `name`: the first one. Tables are short, so this walks
    /// them.
    pub fn find(&self, interface: &str, name: &str) -> Option<&Arc<LinkEntry>> {
        self.entries.iter().find(|entry| {
            entry.selected.as_str() == name && entry.interfaces.iter().any(|i| &**i == interface)
        })
    }

    /// Whether any link, whatever its name, answers `interface` (without version).
    pub fn has_interface(&self, interface: &str) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.interfaces.iter().any(|i| &**i == interface))
    }

    /// All rows.
    pub fn entries(&self) -> &[Arc<LinkEntry>] {
        &self.entries
    }
}
