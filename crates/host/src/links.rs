//! The links of this host: which there are, and what the provider at their end made of them.

use std::collections::BTreeMap;

use wasmcloud_capability::{Endpoint, Handle, LinkEntry, LinkTable};
use wasmcloud_core::{ComponentId, Link, LinkKey, LinkName, LinkSuffix};

use crate::error::HostError;

/// Links a host holds at most.
const MAX_LINKS: usize = 50_000;

/// Identifies one stored link: disjoint interfaces under one key may go to different targets (v1 wire reference §3.1).
pub(crate) type LinkId = (LinkKey, ComponentId);

/// All links, by source: whatever is asked about one component costs by its own links, not by all.
#[derive(Default)]
pub(crate) struct Links {
    sources: BTreeMap<ComponentId, BTreeMap<LinkId, Stored>>,
    /// How many links name a component or provider as source or target.
    named: BTreeMap<ComponentId, usize>,
    count: usize,
}

pub(crate) struct Stored {
    pub(crate) link: Link,
    /// What the provider at the target answered, once it did.
    pub(crate) endpoint: Option<Handle>,
}

impl Links {
    /// Adds a link or replaces the one with the same key and target.
    pub(crate) fn put(&mut self, link: Link) -> Result<(), HostError> {
        if let Some(existing) = self.of(&link.source).find(|known| known.conflicts_with(&link)) {
            return Err(HostError::LinkConflict {
                link: Box::new(link.key()),
                existing: Box::new(existing.clone()),
            });
        }
        let id = (link.key(), link.target.clone());
        self.take(&id);
        if self.count >= MAX_LINKS {
            return Err(HostError::Full {
                what: "links",
                limit: MAX_LINKS,
            });
        }
        for end in [&link.source, &link.target] {
            *self.named.entry(end.clone()).or_default() += 1;
        }
        self.count += 1;
        let of_source = self.sources.entry(link.source.clone()).or_default();
        of_source.insert(id, Stored { link, endpoint: None });
        Ok(())
    }

    /// Removes one link.
    pub(crate) fn take(&mut self, id: &LinkId) -> Option<Link> {
        let source = &id.0.source;
        let of_source = self.sources.get_mut(source)?;
        let stored = of_source.remove(id)?;
        if of_source.is_empty() {
            self.sources.remove(source);
        }
        for end in [&stored.link.source, &stored.link.target] {
            if let Some(count) = self.named.get_mut(end) {
                *count -= 1;
                if *count == 0 {
                    self.named.remove(end);
                }
            }
        }
        self.count -= 1;
        Some(stored.link)
    }

    pub(crate) fn set_endpoint(&mut self, id: &LinkId, endpoint: Option<Handle>) {
        let of_source = self.sources.get_mut(&id.0.source);
        if let Some(stored) = of_source.and_then(|of_source| of_source.get_mut(id)) {
            stored.endpoint = endpoint;
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Link> {
        self.sources
            .values()
            .flat_map(BTreeMap::values)
            .map(|stored| &stored.link)
    }

    /// The links of one source.
    pub(crate) fn of(&self, source: &ComponentId) -> impl Iterator<Item = &Link> {
        let of_source = self.sources.get(source).into_iter().flat_map(BTreeMap::values);
        of_source.map(|stored| &stored.link)
    }

    /// Whether any link names this component or provider.
    pub(crate) fn names(&self, id: &ComponentId) -> bool {
        self.named.contains_key(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The table that the calls of a revision look into. With a suffix, it has the links whose names end in that for its
    /// own and finds them by what is before; where it has none, those that are of no revision alone. `endpoint` says what
    /// stands behind a link, `elsewhere` is what takes calls to other hosts.
    pub(crate) fn table(
        &self,
        source: &ComponentId,
        suffix: Option<&LinkSuffix>,
        elsewhere: Option<&Handle>,
        mut endpoint: impl FnMut(&Stored) -> Endpoint,
    ) -> LinkTable {
        let of_source = self.sources.get(source).into_iter().flat_map(BTreeMap::values);
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for stored in of_source {
            let link = &stored.link;
            let (entries, selected) = match selected(&link.name, suffix) {
                Selected::Own(name) => (&mut own, name),
                Selected::Common => (&mut others, link.name.clone()),
                Selected::OfAnother => continue,
            };
            entries.push(LinkEntry {
                interfaces: interfaces(link),
                selected,
                name: link.name.clone(),
                target: link.target.clone(),
                route: link.route,
                endpoint: endpoint(stored),
                elsewhere: elsewhere.cloned(),
            });
        }
        own.append(&mut others);
        LinkTable::new(own)
    }
}

/// Whose a link is, as a revision sees it.
enum Selected {
    /// Of the revision alone, which selects it by this name.
    Own(LinkName),
    /// Of all revisions that have none of their own.
    Common,
    /// Of another revision alone.
    OfAnother,
}

fn selected(name: &LinkName, suffix: Option<&LinkSuffix>) -> Selected {
    let Some(suffix) = suffix else {
        return Selected::Common;
    };
    match name.parts() {
        Some((written, of)) if of == *suffix => Selected::Own(written),
        Some(_) => Selected::OfAnother,
        None => Selected::Common,
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

#[cfg(test)]
mod tests {
    use wasmcloud_core::Route;

    use super::*;

    /// Who answers `acme:db/INTERFACE` under a name.
    #[track_caller]
    fn check(links: &Links, suffix: Option<&str>, (name, interface): (&str, &str), target: Option<&str>) {
        let suffix = suffix.map(|suffix| suffix.parse().unwrap());
        let absent = |_: &Stored| Endpoint::Absent("not here".into());
        let table = links.table(&"cart".parse().unwrap(), suffix.as_ref(), None, absent);
        let found = table.find(&format!("acme:db/{interface}"), name);
        assert_eq!(
            found.map(|entry| entry.target.as_str()),
            target,
            "{name} {interface}"
        );
    }

    #[test]
    fn each_revision_finds_its_own_links_by_their_names() {
        let mut links = Links::default();
        for (name, target, interfaces) in [
            ("default", "common", &["one", "two"][..]),
            ("default-11111111", "first", &["one"]),
            ("default-22222222", "second", &["one"]),
            ("cache-11111111", "cache", &["one"]),
        ] {
            let link = Link {
                source: "cart".parse().unwrap(),
                target: target.parse().unwrap(),
                name: name.parse().unwrap(),
                namespace: "acme".to_owned(),
                package: "db".to_owned(),
                interfaces: interfaces.iter().map(|one| (*one).to_owned()).collect(),
                source_config: Vec::new(),
                target_config: Vec::new(),
                route: Route::default(),
            };
            links.put(link).unwrap();
        }
        let (first, second) = (Some("11111111"), Some("22222222"));
        check(&links, first, ("default", "one"), Some("first"));
        check(&links, second, ("default", "one"), Some("second"));
        check(&links, first, ("cache", "one"), Some("cache"));
        // Of another revision.
        check(&links, second, ("cache", "one"), None);
        check(&links, second, ("cache-11111111", "one"), None);
        // What it has no link of its own for.
        check(&links, first, ("default", "two"), Some("common"));
        check(&links, Some("33333333"), ("default", "one"), Some("common"));
        // Who has no suffix has all of them, as they are.
        check(&links, None, ("default", "one"), Some("common"));
        check(&links, None, ("cache", "one"), None);
        check(&links, None, ("cache-11111111", "one"), Some("cache"));
    }
}
