//! What was observed, arranged for questions: which hosts take part, what runs where, which links there are.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::rc::Rc;

use wasmcloud_core::{ComponentId, HostId, Link, LinkKey};

use crate::planning::model::{Moment, Options};
use crate::planning::observed::{Observed, ObservedHost, RefusedLink, RunningComponent, RunningProvider};

/// Hosts that a message names as those that come nearest to what is wanted.
const NEAREST: usize = 3;

/// A host that is there. Others are not asked for anything, and what they run does not count.
pub(crate) struct Host<'a> {
    pub(crate) id: &'a HostId,
    pub(crate) host: &'a ObservedHost,
}

/// Labels that a host must have.
type Requirements = BTreeMap<String, String>;

/// What was observed. Hosts are known by their place in `hosts`, which is the order of their ids.
pub(crate) struct View<'a> {
    pub(crate) options: &'a Options,
    pub(crate) observed: &'a Observed,
    pub(crate) hosts: Vec<Host<'a>>,
    /// How many hosts are lost.
    pub(crate) lost: usize,
    /// Whether all hosts replace links in place, and keep all fields of them.
    pub(crate) in_place: bool,
    components: HashMap<&'a ComponentId, Vec<(usize, &'a RunningComponent)>>,
    providers: HashMap<&'a ComponentId, Vec<(usize, &'a RunningProvider)>>,
    links: HashMap<&'a ComponentId, Vec<&'a Link>>,
    /// The links that are not in effect on a host, by their source.
    refused: HashMap<&'a ComponentId, Vec<(&'a HostId, &'a RefusedLink)>>,
    /// How many things run on each host, those included that were decided on just now.
    load: Vec<usize>,
    eligible: RefCell<HashMap<&'a Requirements, Rc<[usize]>>>,
}

impl<'a> View<'a> {
    pub(crate) fn new(observed: &'a Observed, options: &'a Options, now: Moment) -> Self {
        let alive = |host: &ObservedHost| now.saturating_sub(host.last_seen) < options.lost_after;
        let hosts: Vec<Host<'a>> = observed
            .hosts
            .iter()
            .filter(|(_, host)| alive(host))
            .map(|(id, host)| Host { id, host })
            .collect();
        let (mut components, mut providers): (HashMap<_, Vec<_>>, HashMap<_, Vec<_>>) = Default::default();
        for (place, host) in hosts.iter().enumerate() {
            for (id, running) in &host.host.components {
                components.entry(id).or_default().push((place, running));
            }
            for (id, running) in &host.host.providers {
                providers.entry(id).or_default().push((place, running));
            }
        }
        let mut refused: HashMap<_, Vec<_>> = HashMap::new();
        for host in &hosts {
            for link in &host.host.refused {
                refused.entry(&link.key.source).or_default().push((host.id, link));
            }
        }
        let mut links: HashMap<_, Vec<_>> = HashMap::new();
        for link in &observed.links {
            links.entry(&link.source).or_default().push(link);
        }
        Self {
            options,
            observed,
            lost: observed.hosts.len() - hosts.len(),
            in_place: hosts.iter().all(|host| host.host.in_place),
            load: hosts
                .iter()
                .map(|host| host.host.components.len() + host.host.providers.len())
                .collect(),
            hosts,
            components,
            providers,
            links,
            refused,
            eligible: RefCell::default(),
        }
    }

    /// Where a component runs.
    pub(crate) fn component(&self, id: &ComponentId) -> &[(usize, &'a RunningComponent)] {
        self.components.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Where a provider runs.
    pub(crate) fn provider(&self, id: &ComponentId) -> &[(usize, &'a RunningProvider)] {
        self.providers.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    /// The links that have a source.
    pub(crate) fn links_of(&self, source: &ComponentId) -> &[&'a Link] {
        self.links.get(source).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether something needs a link that is not asked to go: calls that have not left a revision which was replaced, and
    /// what a lost host ran with links of its own, which may run on and come back.
    pub(crate) fn is_in_use(&self, link: &Link) -> bool {
        let suffix = link.name.parts().map(|(_, suffix)| suffix);
        self.observed.hosts.iter().any(|(id, host)| {
            let running = host.components.get(&link.source);
            running.is_some_and(|running| {
                let runs = running.link_suffixes().any(|of| of == suffix.as_ref());
                running.leaving.contains(&suffix) || (suffix.is_some() && runs && self.place(id).is_none())
            })
        })
    }

    /// The first host on which a link is not in effect, and why.
    pub(crate) fn refusal(&self, link: &Link) -> Option<(&'a HostId, &'a str)> {
        let of_source = self.refused.get(&link.source)?;
        let key = link.key();
        let found = of_source
            .iter()
            .find(|(_, refused)| refused.target == link.target && refused.key == key)?;
        Some((found.0, &found.1.why))
    }

    /// Whether a link has what another one needs that is refused for it, and that is `wanted`.
    pub(crate) fn is_in_the_way(&self, key: &LinkKey, wanted: impl Fn(&RefusedLink) -> bool) -> bool {
        let mut refused = self.refused.values().flatten();
        refused.any(|(_, refused)| refused.owner.as_ref() == Some(key) && wanted(refused))
    }

    /// The place of a host that is there.
    pub(crate) fn place(&self, id: &HostId) -> Option<usize> {
        self.hosts.binary_search_by(|host| host.id.cmp(id)).ok()
    }

    /// The hosts with certain labels that take something new.
    pub(crate) fn eligible(&self, requirements: &'a Requirements) -> Rc<[usize]> {
        let mut known = self.eligible.borrow_mut();
        let hosts = known.entry(requirements).or_insert_with(|| {
            let fits =
                |host: &Host<'_>| !host.host.draining && unmet(requirements, host.host).next().is_none();
            let places = self.hosts.iter().enumerate().filter(|(_, host)| fits(host));
            places.map(|(place, _)| place).collect()
        });
        Rc::clone(hosts)
    }

    /// Whether a host with certain labels takes something new, which has links of its own or not.
    pub(crate) fn is_room(&self, requirements: &Requirements, own_links: bool) -> bool {
        let fits = |host: &ObservedHost| {
            !host.draining && (host.link_suffix || !own_links) && unmet(requirements, host).next().is_none()
        };
        self.hosts.iter().any(|host| fits(host.host))
    }

    /// Hosts by preference: those on which fewest things run first. A number for each host.
    pub(crate) fn rank(&self) -> Vec<usize> {
        let mut order: Vec<(usize, usize)> = self
            .load
            .iter()
            .copied()
            .enumerate()
            .map(|(place, load)| (load, place))
            .collect();
        order.sort_unstable();
        let mut rank = vec![0; order.len()];
        for (number, (_, place)) in order.into_iter().enumerate() {
            if let Some(rank) = rank.get_mut(place) {
                *rank = number;
            }
        }
        rank
    }

    /// One more thing will run on a host.
    pub(crate) fn burden(&mut self, place: usize) {
        if let Some(load) = self.load.get_mut(place) {
            *load += 1;
        }
    }

    /// What labels are wanted, and which of them there are, the hosts that come nearest first.
    pub(crate) fn labels_missing(&self, requirements: &Requirements) -> String {
        let wanted: Vec<String> = requirements
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let wanted = if wanted.is_empty() {
            "any host".to_owned()
        } else {
            wanted.join(", ")
        };
        let mut text = format!("It wants {wanted}");
        let mut near: Vec<(usize, &Host<'_>)> = self
            .hosts
            .iter()
            .map(|host| (unmet(requirements, host.host).count(), host))
            .collect();
        near.sort_by_key(|(missing, host)| (*missing, host.id));
        for (number, (_, host)) in near.iter().take(NEAREST).enumerate() {
            let mut has: Vec<String> = unmet(requirements, host.host)
                .map(|(key, _)| match host.host.labels.get(key) {
                    Some(value) => format!("has {key}={value}"),
                    None => format!("has no label {key}"),
                })
                .collect();
            if host.host.draining {
                has.push("is draining".to_owned());
            }
            let separator = if number == 0 { "; host" } else { ", host" };
            let has = if has.is_empty() {
                "fits".to_owned()
            } else {
                has.join(" and ")
            };
            let _ = write!(text, "{separator} {} {has}", host.id);
        }
        match near.len().saturating_sub(NEAREST) {
            0 if near.is_empty() => text.push_str("; there are no hosts"),
            0 => {}
            more => drop(write!(text, ", and {more} more")),
        }
        if self.lost > 0 {
            let _ = write!(text, "; {} hosts are not heard of any more", self.lost);
        }
        text
    }
}

/// The labels that a host does not have as it should.
fn unmet<'a>(
    requirements: &'a Requirements,
    host: &'a ObservedHost,
) -> impl Iterator<Item = (&'a String, &'a String)> {
    requirements
        .iter()
        .filter(|(key, value)| host.labels.get(*key) != Some(*value))
}
