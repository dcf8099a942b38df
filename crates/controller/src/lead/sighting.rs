//! What is seen of a lattice, piece by piece, and the picture that the pieces make.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wasmcloud_core::{ComponentId, ConfigName, HostId, Link};

use crate::planning::{Moment, Observed, ObservedHost, StepKey, StoreHealth};

/// How long a host that is not heard of any more is remembered: as long as it is, messages can name it as lost.
const REMEMBERED: Duration = Duration::from_secs(600);

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sighting {
    /// Hosts are there.
    Seen(Vec<HostId>),
    /// What runs on a host, which is seen by it too.
    Host(HostId, ObservedHost),
    /// A host has said that it leaves.
    Left(HostId),
    /// A host was started anew, or for the first time.
    Started(HostId),
    /// A host has told that it could not do something.
    Failed(StepKey, String),
    /// Whether every host had the time to be heard of.
    AllHeard(bool),
    /// All links of a source.
    Links(ComponentId, Vec<Link>),
    /// A config or a reference to a secret; `None` if it is gone.
    Config(ConfigName, Option<BTreeMap<String, String>>),
    /// The links were lost, and are told anew.
    LinksReset,
    /// The configs were lost, and are told anew.
    ConfigsReset,
    /// All links that there are were told.
    LinksReady,
    /// All configs that there are were told.
    ConfigsReady,
}

/// Everything that was seen, put together.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    observed: Observed,
    links: BTreeMap<ComponentId, Vec<Link>>,
    links_changed: bool,
    heard: bool,
    links_known: bool,
    configs_known: bool,
    /// Hosts that were started anew since somebody asked.
    restarted: BTreeSet<HostId>,
    failures: Vec<(StepKey, String)>,
}

impl Picture {
    /// Adds what was seen at a moment.
    pub(crate) fn add(&mut self, sighting: Sighting, now: Moment) {
        match sighting {
            Sighting::Seen(hosts) => {
                for id in hosts {
                    if let Some(host) = self.observed.hosts.get_mut(&id) {
                        host.last_seen = now;
                    }
                }
                self.observed
                    .hosts
                    .retain(|_, host| now.saturating_sub(host.last_seen) < REMEMBERED);
            }
            Sighting::Host(id, host) => {
                let host = ObservedHost {
                    last_seen: now,
                    told_at: now,
                    ..host
                };
                self.observed.hosts.insert(id, host);
            }
            Sighting::Left(id) => drop(self.observed.hosts.remove(&id)),
            Sighting::Started(id) => drop(self.restarted.insert(id)),
            Sighting::Failed(key, error) => self.failures.push((key, error)),
            Sighting::AllHeard(heard) => self.heard = heard,
            Sighting::Links(source, links) => {
                self.links_changed = true;
                if links.is_empty() {
                    self.links.remove(&source);
                } else {
                    self.links.insert(source, links);
                }
            }
            Sighting::Config(name, Some(values)) => drop(self.observed.configs.insert(name, values)),
            Sighting::Config(name, None) => drop(self.observed.configs.remove(&name)),
            Sighting::LinksReset => {
                self.links.clear();
                self.links_changed = true;
                self.links_known = false;
            }
            Sighting::ConfigsReset => {
                self.observed.configs.clear();
                self.configs_known = false;
            }
            Sighting::LinksReady => self.links_known = true,
            Sighting::ConfigsReady => self.configs_known = true,
        }
    }

    /// Whether something may be there that was not seen yet.
    pub(crate) fn is_partial(&self) -> bool {
        !(self.heard && self.links_known && self.configs_known)
    }

    /// Whether a sighting tells no more than what is known: that hosts are still there, and how much they have to do.
    pub(crate) fn is_known(&self, sighting: &Sighting) -> bool {
        match sighting {
            Sighting::Seen(_) => true,
            Sighting::Host(id, host) => {
                let known = self.observed.hosts.get(id).map(|known| known.revision);
                host.revision.is_some() && known == Some(host.revision)
            }
            _ => false,
        }
    }

    /// The hosts that were seen not longer ago than `lost_after`, with what they told last.
    pub(crate) fn alive_hosts(
        &self,
        now: Moment,
        lost_after: Duration,
    ) -> impl Iterator<Item = (&HostId, &ObservedHost)> + Clone {
        let hosts = self.observed.hosts.iter();
        hosts.filter(move |(_, host)| now.saturating_sub(host.last_seen) < lost_after)
    }

    /// The hosts that were seen not longer ago than `lost_after`.
    pub(crate) fn alive(&self, now: Moment, lost_after: Duration) -> BTreeSet<HostId> {
        let alive = self.alive_hosts(now, lost_after);
        alive.map(|(id, _)| id.clone()).collect()
    }

    /// The whole, as planning takes it.
    pub(crate) fn observed(&mut self, store: StoreHealth) -> &Observed {
        if std::mem::take(&mut self.links_changed) {
            self.observed.links = self.links.values().flatten().cloned().collect();
        }
        self.observed.partial = self.is_partial();
        self.observed.store = store;
        &self.observed
    }

    /// What hosts have told of failures since the last time.
    pub(crate) fn take_failures(&mut self) -> Vec<(StepKey, String)> {
        std::mem::take(&mut self.failures)
    }

    /// Hosts that were started anew since the last time.
    pub(crate) fn take_restarted(&mut self) -> BTreeSet<HostId> {
        std::mem::take(&mut self.restarted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(source: &str, target: &str) -> Link {
        let json = format!(
            r#"{{"source_id":"{source}","target":"{target}","name":"default","wit_namespace":"wasi","wit_package":"http","interfaces":["incoming-handler"]}}"#
        );
        let link: wasmcloud_wire::Link = serde_json::from_str(&json).unwrap();
        Link::try_from(&link).unwrap()
    }

    #[test]
    fn nothing_counts_before_all_was_told() {
        let mut picture = Picture::default();
        assert!(picture.observed(StoreHealth::Trusted).partial);
        for sighting in [
            Sighting::LinksReady,
            Sighting::ConfigsReady,
            Sighting::AllHeard(true),
        ] {
            assert!(picture.observed(StoreHealth::Trusted).partial);
            picture.add(sighting, Moment::ZERO);
        }
        assert!(!picture.observed(StoreHealth::Trusted).partial);
        picture.add(Sighting::LinksReset, Moment::ZERO);
        assert!(picture.observed(StoreHealth::Trusted).partial);
    }

    #[test]
    fn links_are_those_of_all_sources() {
        let mut picture = Picture::default();
        let (a, b): (ComponentId, ComponentId) = ("a".parse().unwrap(), "b".parse().unwrap());
        picture.add(Sighting::Links(a.clone(), vec![link("a", "x")]), Moment::ZERO);
        picture.add(
            Sighting::Links(b, vec![link("b", "x"), link("b", "y")]),
            Moment::ZERO,
        );
        assert_eq!(picture.observed(StoreHealth::Trusted).links.len(), 3);
        picture.add(Sighting::Links(a, Vec::new()), Moment::ZERO);
        assert_eq!(picture.observed(StoreHealth::Trusted).links.len(), 2);
    }

    #[test]
    fn a_host_that_is_silent_for_long_is_forgotten() {
        let mut picture = Picture::default();
        let (a, b): (HostId, HostId) = ("NA".parse().unwrap(), "NB".parse().unwrap());
        for id in [&a, &b] {
            picture.add(Sighting::Host(id.clone(), ObservedHost::default()), Moment::ZERO);
        }
        picture.add(Sighting::Seen(vec![b.clone()]), REMEMBERED);
        let hosts: Vec<&HostId> = picture.observed(StoreHealth::Trusted).hosts.keys().collect();
        assert_eq!(hosts, [&b]);
        picture.add(Sighting::Left(b), REMEMBERED);
        assert!(picture.observed(StoreHealth::Trusted).hosts.is_empty());
    }
}
