//! What really is: hosts, what runs on them, links and configs; and what must never happen to them.

use std::collections::{BTreeMap, BTreeSet};

use wasmcloud_controller::{
    Action, Candidate, ObservedHost, RunningComponent, RunningProvider, StepKey, marks,
};
use wasmcloud_core::{AppName, ComponentId, ConfigName, HostId, Link, LinkKey, LinkSuffix};
use wasmcloud_manifest::Desired;

use crate::rng::Rng;

/// Something that must never happen has happened.
pub(crate) type Checked = Result<(), String>;

pub(crate) struct Host {
    pub(crate) up: bool,
    /// When it comes back, or goes on.
    pub(crate) away_until: u64,
    pub(crate) paused: bool,
    pub(crate) runs: ObservedHost,
    pub(crate) heartbeats: u64,
    jobs: Vec<Job>,
    /// Revisions that were replaced and have calls: of what, with which links, and until when.
    leaving: Vec<(ComponentId, Option<LinkSuffix>, u64)>,
    /// When components came.
    came: BTreeMap<ComponentId, u64>,
    fence: Fence,
}

/// How long a component runs until everybody has heard of it. What is replaced sooner has no calls.
const HEARD: u64 = 4_000;

/// Who may change something: only the newest leader it has heard of.
#[derive(Default)]
pub(crate) struct Fence {
    /// The newest that is known here; read from the lease when a host starts.
    known: u64,
    /// The newest whose command was accepted, ever.
    accepted: u64,
}

/// What came of what was to be done.
pub(crate) struct Worked {
    /// What failed, and why.
    pub(crate) failed: Vec<(StepKey, String)>,
    /// The hosts that have something new to tell.
    pub(crate) changed: Vec<HostId>,
}

struct Job {
    done_at: u64,
    action: Action,
}

#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) hosts: BTreeMap<HostId, Host>,
    pub(crate) links: Vec<Link>,
    pub(crate) configs: BTreeMap<ConfigName, BTreeMap<String, String>>,
    /// Links that nobody looks after.
    pub(crate) by_hand: Vec<Link>,
    pub(crate) fence: Fence,
    /// Whether commands of former leaders are refused.
    pub(crate) fences: bool,
    /// Whether starts fail now and then.
    pub(crate) disturbed: bool,
}

impl Fence {
    /// Whether a command is accepted.
    fn accepts(&mut self, epoch: u64, fences: bool, what: &StepKey) -> Result<bool, String> {
        if fences && epoch < self.known {
            return Ok(false);
        }
        self.known = self.known.max(epoch);
        if epoch < self.accepted {
            return Err(format!(
                "{what} of epoch {epoch} after one of epoch {} was accepted",
                self.accepted
            ));
        }
        self.accepted = epoch;
        Ok(true)
    }
}

/// The links that revisions of components have for their own, with where they go, by what their names end in.
#[derive(Default)]
pub(crate) struct OwnLinks {
    all: BTreeMap<Own, Vec<(LinkKey, ComponentId)>>,
    /// Those that were all there once, since the revision runs.
    complete: BTreeSet<Own>,
    /// The components that each application shall have now. Of others, some may just be starting whose links have gone.
    wanted: BTreeMap<AppName, BTreeSet<ComponentId>>,
}

type Own = (ComponentId, LinkSuffix);

impl OwnLinks {
    pub(crate) fn note(&mut self, desired: &Desired) {
        let ids = desired.components.iter().map(|component| component.id.clone());
        self.wanted.insert(desired.app.clone(), ids.collect());
        for component in &desired.components {
            let Some(suffix) = &component.link_suffix else {
                continue;
            };
            let links = desired.links.iter().map(|it| &it.link);
            let own = links.filter(|link| link.source == component.id);
            let own = own.map(|link| (link.key(), link.target.clone())).collect();
            self.all.insert((component.id.clone(), suffix.clone()), own);
        }
    }

    /// Whether each revision that runs, or has calls, has all of its links. The first one of a component gets them when it
    /// already runs; what takes calls of another one has them before.
    pub(crate) fn are_there(&mut self, truth: &Truth) -> Checked {
        let mut used = BTreeSet::new();
        for (id, host) in &truth.hosts {
            let is_wanted = |id: &ComponentId| self.wanted.values().any(|ids| ids.contains(id));
            for (component, running) in host.runs.components.iter().filter(|(id, _)| is_wanted(id)) {
                let candidate = running.candidate.iter().map(|candidate| &candidate.link_suffix);
                let takes_calls = candidate.chain(
                    [&running.link_suffix]
                        .into_iter()
                        .filter(|_| !running.leaving.is_empty()),
                );
                let takes_calls: Vec<_> = takes_calls.flatten().collect();
                let all = [&running.link_suffix].into_iter().chain(&running.leaving);
                for suffix in all.flatten().chain(takes_calls.iter().copied()) {
                    let own = (component.clone(), suffix.clone());
                    let is_there = |(key, target): &&(LinkKey, ComponentId)| {
                        let mut links = truth.links.iter();
                        links.any(|link| link.key() == *key && link.target == *target)
                    };
                    let missing = self
                        .all
                        .get(&own)
                        .into_iter()
                        .flatten()
                        .find(|link| !is_there(link));
                    if let Some((key, target)) = missing
                        && (self.complete.contains(&own) || takes_calls.contains(&suffix))
                    {
                        return Err(format!("on {id}, {component} has no link {key} {target}"));
                    }
                    if missing.is_none() {
                        used.insert(own);
                    }
                }
            }
        }
        self.complete = used;
        Ok(())
    }
}

fn is_ours(annotations: &BTreeMap<String, String>) -> bool {
    annotations
        .get(marks::MANAGED_BY)
        .is_some_and(|by| by == marks::MANAGER)
}

impl Truth {
    pub(crate) fn add_host(&mut self, id: &str, runs: ObservedHost) {
        let host = Host {
            up: true,
            away_until: 0,
            paused: false,
            runs,
            heartbeats: 0,
            jobs: Vec::new(),
            leaving: Vec::new(),
            came: BTreeMap::new(),
            fence: Fence::default(),
        };
        self.hosts.insert(id.parse().unwrap(), host);
    }

    pub(crate) fn crash(&mut self, id: &HostId, until: u64) {
        let host = self.hosts.get_mut(id).unwrap();
        (host.up, host.away_until) = (false, until);
        host.jobs.clear();
        host.leaving.clear();
        host.came.clear();
        host.runs.components.clear();
        host.runs.providers.clear();
    }

    /// Hosts that were away come back, reading the lease.
    pub(crate) fn wake(&mut self, now: u64, epoch: u64) {
        for host in self.hosts.values_mut().filter(|host| host.away_until <= now) {
            if !host.up {
                host.up = true;
                host.fence.known = epoch;
            }
            host.paused = false;
        }
    }

    /// A command arrives. Answers what is said to it; nothing if nobody is there.
    pub(crate) fn command(
        &mut self,
        action: &Action,
        epoch: u64,
        now: u64,
        rng: &mut Rng,
    ) -> Result<Option<Option<String>>, String> {
        let key = action.key();
        let Some(id) = key.host() else {
            if !self.fence.accepts(epoch, self.fences, &key)? {
                return Ok(Some(Some("there is a newer leader".to_owned())));
            }
            return self.change_state(action).map(Some);
        };
        let Some(host) = self.hosts.get_mut(id).filter(|host| host.up && !host.paused) else {
            return Ok(None);
        };
        if !host.fence.accepts(epoch, self.fences, &key)? {
            return Ok(Some(Some("there is a newer leader".to_owned())));
        }
        if let Action::StartProvider { id, .. } = action
            && host.runs.providers.contains_key(id)
        {
            return Ok(Some(Some("provider with that ID is already running".to_owned())));
        }
        // One after the other for each component.
        let same = host.jobs.iter().filter(|job| about(&job.action) == about(action));
        let free = same.map(|job| job.done_at).max().unwrap_or(now).max(now);
        host.jobs.push(Job {
            done_at: free + rng.between(50, 2_500),
            action: action.clone(),
        });
        Ok(Some(None))
    }

    /// What was to be done by now takes effect.
    pub(crate) fn work(&mut self, now: u64, rng: &mut Rng) -> Result<Worked, String> {
        let (mut failed, mut changed) = (Vec::new(), Vec::new());
        for (id, host) in &mut self.hosts {
            if host.paused || !host.up {
                continue;
            }
            let mut done: Vec<Job> = host.jobs.extract_if(.., |job| job.done_at <= now).collect();
            done.sort_by_key(|job| job.done_at);
            for job in done {
                let fails = self.disturbed && rng.chance(120);
                match fails
                    .then(|| "out of luck".to_owned())
                    .or_else(|| missing(&job.action, &self.configs))
                {
                    Some(error) => failed.push((job.action.key(), error)),
                    None => {
                        let times = (now, now + rng.below(8_000));
                        take_effect(host, &job.action, times).map_err(|what| format!("on {id}: {what}"))?;
                    }
                }
                changed.push(id.clone());
            }
            host.leaving.retain(|(.., until)| *until > now);
            for (component, running) in &mut host.runs.components {
                let of_it = host.leaving.iter().filter(|(left, ..)| left == component);
                running.leaving = of_it.map(|(_, suffix, _)| suffix.clone()).collect();
            }
        }
        Ok(Worked { failed, changed })
    }

    pub(crate) fn is_busy(&self) -> bool {
        let is_busy = |host: &Host| !host.jobs.is_empty() || !host.leaving.is_empty();
        self.hosts.values().any(is_busy)
    }

    /// Links and configs, as `host/src/control/records.rs` writes them.
    fn change_state(&mut self, action: &Action) -> Result<Option<String>, String> {
        match action {
            Action::PutConfig { name, values } => {
                if !name.as_str().contains('-') {
                    return Err(format!("config {name} is not ours"));
                }
                self.configs.insert(name.clone(), values.clone());
            }
            Action::DeleteConfig(name) => drop(self.configs.remove(name)),
            Action::PutLink(link) => {
                if let Some(error) = missing(action, &self.configs) {
                    return Ok(Some(error));
                }
                if self.links.iter().any(|other| other.conflicts_with(link)) {
                    return Ok(Some("link already exists with different target".to_owned()));
                }
                self.links
                    .retain(|other| other.key() != link.key() || other.target != link.target);
                self.links.push(link.clone());
            }
            Action::TurnLink { link, from } => {
                if let Some(error) = missing(action, &self.configs) {
                    return Ok(Some(error));
                }
                let stays = |other: &Link| other.key() != link.key() || other.target != *from;
                let mut others = self.links.iter().filter(|other| stays(other));
                if others.any(|other| other.conflicts_with(link)) {
                    return Ok(Some("link already exists with different target".to_owned()));
                }
                self.links.retain(|other| {
                    stays(other) && (other.key() != link.key() || other.target != link.target)
                });
                self.links.push(link.clone());
            }
            Action::DeleteLink(key) => {
                if let Some(link) = self.by_hand.iter().find(|link| link.key() == *key) {
                    return Err(format!("link {link} is not ours and was deleted"));
                }
                self.links.retain(|link| link.key() != *key);
            }
            _ => unreachable!("hosts do that"),
        }
        Ok(None)
    }
}

fn about(action: &Action) -> Option<ComponentId> {
    match action.key() {
        StepKey::Component(id, _) | StepKey::StartProvider(id, _) | StepKey::StopProvider(id, _) => Some(id),
        _ => None,
    }
}

/// The config that an action needs and that is not there.
fn missing(action: &Action, configs: &BTreeMap<ConfigName, BTreeMap<String, String>>) -> Option<String> {
    let needed: Vec<&ConfigName> = match action {
        Action::ScaleComponent { config, .. } | Action::StartProvider { config, .. } => {
            config.iter().collect()
        }
        Action::PutLink(link) | Action::TurnLink { link, .. } => {
            link.source_config.iter().chain(&link.target_config).collect()
        }
        _ => Vec::new(),
    };
    let name = needed.into_iter().find(|name| !configs.contains_key(*name))?;
    Some(format!("config {name} does not exist"))
}

/// As a host does it (`host/src/control/requests.rs`); one of v1 does not replace an image in place.
/// Calls of what it replaces end at `until`.
fn take_effect(host: &mut Host, action: &Action, (now, until): (u64, u64)) -> Checked {
    let in_place = host.runs.in_place;
    match action {
        Action::ScaleComponent {
            id,
            image,
            count,
            annotations,
            allow_update,
            weight,
            link_suffix,
            ..
        } => {
            if link_suffix.is_some() && !host.runs.link_suffix {
                return Err(format!(
                    "component {id} has links of its own on a host that does not know such"
                ));
            }
            let mut running = RunningComponent {
                image: image.to_string(),
                count: *count,
                annotations: annotations.clone(),
                link_suffix: link_suffix.clone(),
                ..RunningComponent::default()
            };
            let heard = host.came.get(id).is_some_and(|came| came + HEARD < now);
            if let Some(running_now) = host.runs.components.get_mut(id) {
                if !is_ours(&running_now.annotations) {
                    return Err(format!("component {id} is not ours and was scaled"));
                }
                if let (Some(weight), true) = (weight, host.runs.candidates) {
                    let candidate = Candidate {
                        image: image.to_string(),
                        annotations: annotations.clone(),
                        weight: *weight,
                        link_suffix: link_suffix.clone(),
                        ..Candidate::default()
                    };
                    let former = running_now.candidate.replace(candidate);
                    let gone = former.into_iter().map(|former| former.link_suffix);
                    host.leaving
                        .extend(gone.map(|suffix| (id.clone(), suffix, until)));
                    return Ok(());
                }
                let candidate = running_now.candidate.take().into_iter().map(|it| it.link_suffix);
                let gone = candidate.chain([running_now.link_suffix.clone()]);
                let gone = gone.filter(|suffix| heard && suffix != link_suffix);
                host.leaving
                    .extend(gone.map(|suffix| (id.clone(), suffix, until)));
                if !(in_place && *allow_update) {
                    running.image.clone_from(&running_now.image);
                }
                if !in_place && running_now.count == *count {
                    running.annotations.clone_from(&running_now.annotations);
                }
            }
            host.came.entry(id.clone()).or_insert(now);
            host.runs.components.insert(id.clone(), running);
        }
        Action::StopComponent { id, .. } => {
            if let Some(now) = host
                .runs
                .components
                .get(id)
                .filter(|now| !is_ours(&now.annotations))
            {
                return Err(format!(
                    "component {id} ({}) is not ours and was stopped",
                    now.image
                ));
            }
            host.runs.components.remove(id);
            host.leaving.retain(|(left, ..)| left != id);
            host.came.remove(id);
        }
        Action::StartProvider {
            id,
            image,
            annotations,
            ..
        } => {
            let running = RunningProvider {
                image: image.to_string(),
                annotations: annotations.clone(),
                ..Default::default()
            };
            host.runs.providers.entry(id.clone()).or_insert(running);
        }
        Action::StopProvider { id, .. } => {
            if host
                .runs
                .providers
                .get(id)
                .is_some_and(|now| !is_ours(&now.annotations))
            {
                return Err(format!("provider {id} is not ours and was stopped"));
            }
            host.runs.providers.remove(id);
        }
        _ => unreachable!("hosts do not do that"),
    }
    Ok(())
}
