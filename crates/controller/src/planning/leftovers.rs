//! What belongs to an application and should not be there any more: because a former revision had it, or because the
//! application is undeployed.
//!
//! Components go first, then providers, links, configs, each when the ones before were seen to be gone. Nothing goes
//! that does not say it is ours (components and providers) or that no revision names (links and configs), and nothing
//! that another application uses.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use wasmcloud_core::{AppName, ComponentId, ConfigName, Link};
use wasmcloud_manifest::Desired;

use crate::planning::app::Ours;
use crate::planning::claims::{Claims, LinkId};
use crate::planning::desk::{self, Desk};
use crate::planning::links::{self, Known};
use crate::planning::model::Application;
use crate::planning::shared::Retained;
use crate::planning::status::{PartKind, PartReport, Status, StatusKind};
use crate::planning::step::{Action, Step};
use crate::planning::view::View;
use crate::planning::why::{Decision, OnHost, Wait};

/// What is left of an application.
pub(crate) struct Leftovers<'p, 'a> {
    pub(crate) claims: &'p Claims<'a>,
    pub(crate) application: &'a Application,
    pub(crate) known: &'p Known<'a>,
    pub(crate) ours: &'p Ours<'a>,
    pub(crate) retained: &'p Retained<'a>,
    pub(crate) view: &'p View<'a>,
    /// Whether all that should be there is.
    pub(crate) settled: bool,
}

/// What calls need that have not left a former revision.
#[derive(Default)]
struct Needed<'a> {
    /// Components and providers.
    parts: HashSet<&'a ComponentId>,
    links: HashSet<LinkId<'a>>,
}

/// One thing that goes.
struct Going {
    kind: PartKind,
    name: String,
    hosts: Vec<OnHost>,
    /// What is done about it.
    actions: Vec<Action>,
    /// Whether it stays, because others use it.
    shared: bool,
    /// Whether calls need it that have not left a former revision. Nothing else waits until they have.
    in_use: bool,
    /// Whether it has what something else waits for that should be there, so that it cannot wait for that.
    in_the_way: bool,
}

impl<'a> Leftovers<'_, 'a> {
    /// Removes what can be removed now, and reports on all of it.
    pub(crate) fn plan(&self, desk: &mut Desk<'_>) -> Vec<PartReport> {
        let mut reports = Vec::new();
        let mut may_go = self.settled;
        let left = self.left_links();
        let needed = self.needed(&left);
        let stages = [
            self.components(&needed),
            self.providers(&needed),
            self.links(&left, &needed),
            self.configs(&needed),
        ];
        for stage in stages {
            let wait = if self.settled {
                Wait::Users
            } else {
                Wait::Additions
            };
            let gone = stage.iter().all(|going| going.shared || going.in_use);
            for going in stage {
                let goes = may_go || going.in_the_way;
                reports.push(self.remove(going, goes.then_some(&mut *desk), wait.clone()));
            }
            may_go &= gone;
        }
        reports
    }

    fn remove(&self, going: Going, desk: Option<&mut Desk<'_>>, wait: Wait) -> PartReport {
        let Going {
            kind,
            name,
            hosts,
            actions,
            shared,
            in_use,
            in_the_way: _,
        } = going;
        if shared {
            return self.stays(kind, name, hosts);
        }
        if in_use {
            return PartReport {
                id: String::new(),
                kind,
                name,
                status: Status::deployed(),
                decision: Decision {
                    waits: vec![Wait::Users],
                    ..Decision::default()
                },
            };
        }
        let blocked = actions.is_empty();
        let waits = match desk {
            Some(desk) => {
                let why = match self.application.deployed {
                    Some(_) => "the deployed revision does not have it",
                    None => "the application is undeployed",
                };
                let step = |action| Step {
                    app: self.application.name.clone(),
                    action,
                    why: why.to_owned(),
                };
                actions
                    .into_iter()
                    .map(|action| desk.want(step(action)))
                    .collect()
            }
            None => vec![wait],
        };
        let status = if blocked {
            let text = format!("Cannot remove {name} without removing what this application did not put");
            Status::new(StatusKind::Failed, text)
        } else {
            desk::status(&format!("Removing {name}"), &waits)
        };
        PartReport {
            id: String::new(),
            kind,
            name,
            status,
            decision: Decision {
                hosts,
                waits,
                ..Decision::default()
            },
        }
    }

    fn stays(&self, kind: PartKind, name: String, hosts: Vec<OnHost>) -> PartReport {
        let by: Vec<_> = self.retained.by.iter().map(|app| (*app).clone()).collect();
        let users: Vec<&str> = by.iter().map(AppName::as_str).collect();
        let text = format!("{name} stays because applications use it: {}", users.join(", "));
        let status = Status::new(StatusKind::Waiting, text);
        let decision = Decision {
            hosts,
            waits: vec![Wait::Shared(by)],
            ..Decision::default()
        };
        PartReport {
            id: String::new(),
            kind,
            name,
            status,
            decision,
        }
    }

    /// The links that are ours and that nobody shall have any more.
    fn left_links(&self) -> Vec<&'a Link> {
        let mut sources: Vec<&ComponentId> = self
            .application
            .revisions()
            .flat_map(|revision| revision.desired.links.iter().map(|link| &link.link.source))
            .collect();
        sources.sort_unstable();
        sources.dedup();
        let all = sources.into_iter().flat_map(|source| self.view.links_of(source));
        let left = all.copied().filter(|link| {
            let id = LinkId::of(link);
            self.known.named().contains(&id)
                && !self.known.desires(&id)
                && !self.retained.links.contains(&id)
                && self.claims.link(id).is_none()
        });
        left.collect()
    }

    /// What calls need that have not left a former revision, and what that needs in turn.
    fn needed(&self, left: &[&'a Link]) -> Needed<'a> {
        let mut needed = Needed::default();
        // An application that ends does so without regard to them.
        if self.application.deployed.is_none() {
            return needed;
        }
        let mut known = None;
        while known.replace(needed.links.len()) != Some(needed.links.len()) {
            for link in left {
                if needed.parts.contains(&link.source) || self.view.is_in_use(link) {
                    needed.parts.insert(&link.target);
                    needed.links.insert(LinkId::of(link));
                }
            }
        }
        needed
    }

    fn components(&self, needed: &Needed<'_>) -> Vec<Going> {
        let wanted: HashSet<&ComponentId> = self.desired().map_or_else(HashSet::new, |desired| {
            let scaled = desired
                .components
                .iter()
                .filter(|component| component.scaler.is_some());
            scaled.map(|component| &component.id).collect()
        });
        let mut going = BTreeMap::new();
        for (place, id, running) in &self.ours.components {
            let Some(host) = self.view.hosts.get(*place) else {
                continue;
            };
            let stop = Action::StopComponent {
                host: host.id.clone(),
                id: (*id).clone(),
                image: running.image.clone(),
                annotations: running.annotations.clone(),
            };
            let runs = OnHost {
                host: host.id.clone(),
                runs: running.count,
                wanted: 0,
            };
            self.add(&mut going, (&wanted, needed), id, stop, runs);
        }
        going.into_values().collect()
    }

    fn providers(&self, needed: &Needed<'_>) -> Vec<Going> {
        let wanted: HashSet<&ComponentId> = self.desired().map_or_else(HashSet::new, |desired| {
            desired.providers.iter().map(|provider| &provider.id).collect()
        });
        let mut going = BTreeMap::new();
        for (place, id, _) in &self.ours.providers {
            let Some(host) = self.view.hosts.get(*place) else {
                continue;
            };
            let stop = Action::StopProvider {
                host: host.id.clone(),
                id: (*id).clone(),
            };
            let runs = OnHost {
                host: host.id.clone(),
                runs: 1,
                wanted: 0,
            };
            self.add(&mut going, (&wanted, needed), id, stop, runs);
        }
        going.into_values().collect()
    }

    fn add(
        &self,
        going: &mut BTreeMap<&'a ComponentId, Going>,
        (wanted, needed): (&HashSet<&ComponentId>, &Needed<'_>),
        id: &'a ComponentId,
        stop: Action,
        runs: OnHost,
    ) {
        if wanted.contains(id) {
            return;
        }
        let entry = going.entry(id).or_insert_with(|| Going {
            kind: PartKind::Spread,
            name: id.to_string(),
            hosts: Vec::new(),
            actions: Vec::new(),
            shared: self.retained.parts.contains(id),
            in_use: needed.parts.contains(id),
            in_the_way: false,
        });
        entry.hosts.push(runs);
        entry.actions.push(stop);
    }

    fn links(&self, left: &[&'a Link], needed: &Needed<'_>) -> Vec<Going> {
        let mut going = Vec::new();
        for link in left {
            let id = LinkId::of(link);
            let mut actions = Vec::new();
            let retained = || {
                let siblings = self
                    .view
                    .links_of(&link.source)
                    .iter()
                    .map(|other| LinkId::of(other));
                siblings
                    .into_iter()
                    .any(|other| other.has_key_of(&id) && self.retained.links.contains(&other))
            };
            if self
                .known
                .in_the_way(
                    &self.application.name,
                    self.claims,
                    &id,
                    self.view.links_of(&link.source),
                )
                .is_none()
                && !retained()
            {
                actions.push(Action::DeleteLink(link.key()));
                // The key takes them along.
                let desired = self.desired().into_iter().flat_map(|desired| &desired.links);
                let siblings = desired.filter(|other| LinkId::of(&other.link).has_key_of(&id));
                actions.extend(siblings.map(|other| Action::PutLink(links::full(other))));
            }
            let in_the_way = self.view.is_in_the_way(&link.key(), |refused| {
                let mut desired = self.desired().into_iter().flat_map(|desired| &desired.links);
                desired.any(|wanted| wanted.link.target == refused.target && wanted.link.key() == refused.key)
            });
            going.push(Going {
                kind: PartKind::Link,
                name: link.to_string(),
                hosts: Vec::new(),
                actions,
                shared: false,
                in_use: !in_the_way && needed.links.contains(&id),
                in_the_way,
            });
        }
        going
    }

    fn configs(&self, needed: &Needed<'_>) -> Vec<Going> {
        let named: BTreeSet<&ConfigName> = self
            .application
            .revisions()
            .flat_map(|revision| {
                revision
                    .desired
                    .configs
                    .keys()
                    .chain(revision.desired.secrets.keys())
            })
            .collect();
        let goes = |name: &&ConfigName| {
            self.view.observed.configs.contains_key(*name)
                && !self.claims.uses_config(name)
                && !self.retained.configs.contains(*name)
        };
        let going = |name: &ConfigName| Going {
            kind: PartKind::Config,
            name: name.to_string(),
            hosts: Vec::new(),
            actions: vec![Action::DeleteConfig(name.clone())],
            shared: false,
            // Which of them the rest uses is not asked.
            in_use: !needed.links.is_empty(),
            in_the_way: false,
        };
        named.into_iter().filter(goes).map(going).collect()
    }

    fn desired(&self) -> Option<&'a Desired> {
        self.application
            .deployed
            .as_ref()
            .map(|revision| &*revision.desired)
    }
}
