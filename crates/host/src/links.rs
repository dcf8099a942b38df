//! The links of this host: which there are, and what the provider at their end made of them.

use std::collections::BTreeMap;

use wasmcloud_capability::{Endpoint, Handle, LinkEntry, LinkTable};
use wasmcloud_core::{ComponentId, Link, LinkKey};

use crate::error::HostError;

/// Links a host holds at most.
const MAX_LINKS: usize = 50_000;

/// Identifies one stored link: disjoint interfaces under one key may go to different targets (v1 wire reference §3.1).
pub(crate) type LinkId = (LinkKey, ComponentId);

/// All links, by source.
#[derive(Default)]
pub(crate) struct Links(BTreeMap<LinkId, Stored>);

pub(crate) struct Stored {
    pub(crate) link: Link,
    /// What the provider at the target answered, once it did.
    pub(crate) endpoint: Option<Handle>,
}

impl Links {
    /// Adds a link or replaces the one with the same key and target.
    pub(crate) fn put(&mut self, link: Link) -> Result<(), HostError> {
        let of_source = self.0.values().filter(|stored| stored.link.source == link.source);
        if let Some(existing) = of_source
            .map(|stored| &stored.link)
            .find(|known| known.conflicts_with(&link))
        {
            return Err(HostError::LinkConflict {
                link: Box::new(link.key()),
                existing: Box::new(existing.clone()),
            });
        }
        if self.0.len() >= MAX_LINKS {
            return Err(HostError::Full {
                what: "links",
                limit: MAX_LINKS,
            });
        }
        self.0
            .insert((link.key(), link.target.clone()), Stored { link, endpoint: None });
        Ok(())
    }

    /// Removes one link.
    pub(crate) fn take(&mut self, id: &LinkId) -> Option<Link> {
        self.0.remove(id).map(|stored| stored.link)
    }

    /// Removes all links with this key.
    pub(crate) fn remove(&mut self, key: &LinkKey) -> Vec<Link> {
        let ids: Vec<LinkId> = self.0.keys().filter(|(known, _)| known == key).cloned().collect();
        ids.iter()
            .filter_map(|id| self.0.remove(id))
            .map(|stored| stored.link)
            .collect()
    }

    pub(crate) fn set_endpoint(&mut self, id: &LinkId, endpoint: Option<Handle>) {
        if let Some(stored) = self.0.get_mut(id) {
            stored.endpoint = endpoint;
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Link> {
        self.0.values().map(|stored| &stored.link)
    }

    /// The table that a component's calls look into. `endpoint` says what stands behind a link.
    pub(crate) fn table(
        &self,
        source: &ComponentId,
        mut endpoint: impl FnMut(&Stored) -> Endpoint,
    ) -> LinkTable {
        let entries = self
            .0
            .values()
            .filter(|stored| stored.link.source == *source)
            .map(|stored| {
                let link = &stored.link;
                LinkEntry {
                    interfaces: interfaces(link),
                    name: link.name.clone(),
                    target: link.target.clone(),
                    route: link.route,
                    endpoint: endpoint(stored),
                }
            });
        LinkTable::new(entries.collect())
    }
}

fn interfaces(link: &Link) -> Box<[Box<str>]> {
    let full = |interface: &str| format!("{}:{}/{interface}", link.namespace, link.package).into_boxed_str();
    let mut all: Vec<Box<str>> = link.interfaces.iter().map(|interface| full(interface)).collect();
    // WASI 0.3 renamed the interface; a manifest written for 0.2 means both.
    if (link.namespace.as_str(), link.package.as_str()) == ("wasi", "http")
        && link
            .interfaces
            .iter()
            .any(|interface| interface == "outgoing-handler")
    {
        all.push(full("client"));
    }
    all.into()
}
