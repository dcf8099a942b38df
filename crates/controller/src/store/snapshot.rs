//! All applications of a lattice at one time, as planning and answering need them.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmcloud_core::AppName;
use wasmcloud_wire::app::AppRecord;

use crate::planning::{Application, StoreHealth};

/// What a [`Catalogue`](super::Catalogue) knows.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What planning needs, by name: the applications that are deployed, or of which something may be left.
    pub applications: Vec<Application>,
    /// Whether the store can be believed.
    pub health: StoreHealth,
    /// The applications of which nothing can be planned, because what is deployed of them cannot be read, parsed or
    /// resolved: with the reason. What runs of them is left alone.
    pub broken: BTreeMap<AppName, String>,
    /// All records.
    pub records: BTreeMap<AppName, Arc<AppRecord>>,
}

impl Snapshot {
    /// What planning needs of one application.
    pub fn application(&self, app: &AppName) -> Option<&Application> {
        let found = self.applications.binary_search_by(|known| known.name.cmp(app));
        found.ok().and_then(|place| self.applications.get(place))
    }
}
