//! Requests about links, apart from the link itself.

use serde::{Deserialize, Serialize};
use wasmcloud_core::{ComponentId, LinkKey, LinkName};

use crate::json::Message;
use crate::limit::{self, MAX_ITEMS, MAX_REQUEST};
use crate::link::Link;
use crate::text;

/// A link should go. Its interfaces and target cannot be chosen: v1 removes the first link with this key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteLink {
    /// The id of who calls.
    #[serde(with = "text")]
    pub source_id: ComponentId,
    /// The name of the link.
    #[serde(with = "text", default)]
    pub name: LinkName,
    /// `wasi` in `wasi:http`.
    pub wit_namespace: String,
    /// `http` in `wasi:http`.
    pub wit_package: String,
}

impl DeleteLink {
    /// What identifies the link.
    pub fn key(&self) -> LinkKey {
        LinkKey {
            source: self.source_id.clone(),
            name: self.name.clone(),
            namespace: self.wit_namespace.clone(),
            package: self.wit_package.clone(),
        }
    }
}

impl From<&LinkKey> for DeleteLink {
    fn from(key: &LinkKey) -> Self {
        Self {
            source_id: key.source.clone(),
            name: key.name.clone(),
            wit_namespace: key.namespace.clone(),
            wit_package: key.package.clone(),
        }
    }
}

impl Message for DeleteLink {
    const WHAT: &'static str = "link delete command";
    const MAX: usize = MAX_REQUEST;
}

/// All links of a lattice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Links(#[serde(deserialize_with = "limit::list::<_, _, MAX_ITEMS>")] pub Vec<Link>);
