//! The links that a provider has, for those who want to know. One task changes them (`changes`), calls look.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use wasmcloud_core::{ComponentId, LinkName};

use crate::link::{Link, LinkError, LinkKey};

/// Links that one provider may be part of; as many as one message of host data may have.
const MAX_LINKS: usize = wasmcloud_wire::MAX_ITEMS;

/// All links between two, under one name: rarely more than one.
type Between = (ComponentId, ComponentId, LinkName);

#[derive(Debug, Default)]
pub(crate) struct LinkTable(RwLock<Links>);

#[derive(Debug, Default)]
struct Links {
    between: HashMap<Between, Vec<Arc<Link>>>,
    count: usize,
}

impl LinkTable {
    pub(crate) fn get(&self, key: &LinkKey) -> Option<Arc<Link>> {
        let links = self.0.read();
        let found = links.between.get(&between(key))?;
        found.iter().find(|link| is(link, key)).cloned()
    }

    /// Whether one more has room.
    pub(crate) fn room(&self) -> Result<(), LinkError> {
        match self.0.read().count < MAX_LINKS {
            true => Ok(()),
            false => Err(LinkError::TooMany { limit: MAX_LINKS }),
        }
    }

    /// Adds a link, or replaces it.
    pub(crate) fn put(&self, link: Arc<Link>) {
        let key = link.key();
        let mut links = self.0.write();
        let there = links.between.entry(between(&key)).or_default();
        match there.iter_mut().find(|link| is(link, &key)) {
            Some(before) => *before = link,
            None => {
                there.push(link);
                links.count += 1;
            }
        }
    }

    pub(crate) fn remove(&self, key: &LinkKey) -> Option<Arc<Link>> {
        let mut links = self.0.write();
        let between = between(key);
        let there = links.between.get_mut(&between)?;
        let at = there.iter().position(|link| is(link, key))?;
        let link = there.swap_remove(at);
        if there.is_empty() {
            links.between.remove(&between);
        }
        links.count -= 1;
        Some(link)
    }

    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        self.0.read().between.values().flatten().cloned().collect()
    }

    /// The link over which a call came, by what it says of itself. Where two differ in their package only, that of the
    /// called interface counts: `wasi:keyvalue` travels as `wrpc:keyvalue` (wire reference §4.6).
    pub(crate) fn of_call(
        &self,
        source: &ComponentId,
        target: &ComponentId,
        name: &LinkName,
        instance: &str,
    ) -> Option<Arc<Link>> {
        let links = self.0.read();
        let found = links
            .between
            .get(&(source.clone(), target.clone(), name.clone()))?;
        if let [only] = found.as_slice() {
            return Some(only.clone());
        }
        let (namespace, package) = package(instance)?;
        let fits = |link: &&Arc<Link>| {
            link.package == package
                && (link.namespace == namespace || (namespace == "wrpc" && link.namespace == "wasi"))
        };
        found.iter().find(fits).cloned()
    }
}

fn between(key: &LinkKey) -> Between {
    (key.source.clone(), key.target.clone(), key.name.clone())
}

fn is(link: &Link, key: &LinkKey) -> bool {
    link.namespace == key.namespace && link.package == key.package
}

/// The namespace and package of `wasi:keyvalue/store@0.2.0`.
fn package(instance: &str) -> Option<(&str, &str)> {
    let (namespace, rest) = instance.split_once(':')?;
    let end = rest.find(['/', '@']).unwrap_or(rest.len());
    Some((namespace, rest.get(..end)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Config, Secrets, Side};

    fn link(source: &str, name: &str, package: &str) -> Arc<Link> {
        Arc::new(Link {
            side: Side::Target,
            source: source.parse().unwrap(),
            target: "me".parse().unwrap(),
            name: name.parse().unwrap(),
            namespace: "wasi".to_owned(),
            package: package.to_owned(),
            interfaces: Vec::new(),
            config: Config::new(),
            secrets: Secrets::new(),
        })
    }

    fn of_call(table: &LinkTable, source: &str, name: &str, instance: &str) -> Option<String> {
        let name = name.parse().unwrap();
        let found = table.of_call(&source.parse().unwrap(), &"me".parse().unwrap(), &name, instance);
        found.map(|link| link.package.clone())
    }

    #[test]
    fn links_to_one_component_are_kept_apart() {
        let table = LinkTable::default();
        let links = [
            link("cart", "default", "keyvalue"),
            link("cart", "second", "keyvalue"),
            link("cart", "default", "blobstore"),
            link("shop", "default", "keyvalue"),
        ];
        for link in &links {
            assert!(table.room().is_ok());
            table.put(link.clone());
            table.put(link.clone());
        }
        assert_eq!(table.all().len(), 4);
        let store = "wrpc:keyvalue/store@0.2.0-draft";
        assert_eq!(
            of_call(&table, "cart", "default", store).as_deref(),
            Some("keyvalue")
        );
        let blobs = "wasi:blobstore/blobstore@0.2.0";
        assert_eq!(
            of_call(&table, "cart", "default", blobs).as_deref(),
            Some("blobstore")
        );
        assert_eq!(of_call(&table, "cart", "default", "my:own/iface"), None);
        // Where there is one, the interface may be called whatever it likes.
        assert!(of_call(&table, "shop", "default", "my:own/iface").is_some());
        assert_eq!(of_call(&table, "shop", "second", store), None);
        for (left, link) in links.iter().enumerate().map(|(n, link)| (3 - n, link)) {
            assert_eq!(table.get(&link.key()).as_ref(), Some(link));
            assert_eq!(table.remove(&link.key()).as_ref(), Some(link));
            assert_eq!(table.remove(&link.key()), None);
            assert_eq!(table.all().len(), left);
        }
    }

    #[test]
    fn packages_are_read_from_instances() {
        assert_eq!(package("wasi:http/types@0.2.0"), Some(("wasi", "http")));
        assert_eq!(package("a:b@1.0.0"), Some(("a", "b")));
        assert_eq!(package("a:b"), Some(("a", "b")));
        assert_eq!(package("run"), None);
    }
}
