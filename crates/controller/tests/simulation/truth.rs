//! What really is: hosts, what runs on them, links and configs; and what must never happen to them.

use std::collections::BTreeMap;

use wasmcloud_controller::{
    Action, Candidate, ObservedHost, RunningComponent, RunningProvider, StepKey, marks,
};
use wasmcloud_core::{ComponentId, ConfigName, HostId, Link};

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
    fence: Fence,
}

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
            fence: Fence::default(),
        };
        self.hosts.insert(id.parse().unwrap(), host);
    }

    pub(crate) fn crash(&mut self, id: &HostId, until: u64) {
        let host = self.hosts.get_mut(id).unwrap();
        (host.up, host.away_until) = (false, until);
        host.jobs.clear();
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
                    None => take_effect(host, &job.action).map_err(|what| format!("on {id}: {what}"))?,
                }
                changed.push(id.clone());
            }
        }
        Ok(Worked { failed, changed })
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.hosts.values().any(|host| !host.jobs.is_empty())
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
fn take_effect(host: &mut Host, action: &Action) -> Checked {
    let in_place = host.runs.in_place;
    match action {
        Action::ScaleComponent {
            id,
            image,
            count,
            annotations,
            allow_update,
            weight,
            ..
        } => {
            let mut running = RunningComponent {
                image: image.to_string(),
                count: *count,
                annotations: annotations.clone(),
                ..RunningComponent::default()
            };
            if let Some(now) = host.runs.components.get_mut(id) {
                if !is_ours(&now.annotations) {
                    return Err(format!("component {id} is not ours and was scaled"));
                }
                if let (Some(weight), true) = (weight, host.runs.candidates) {
                    now.candidate = Some(Candidate {
                        image: image.to_string(),
                        annotations: annotations.clone(),
                        weight: *weight,
                        ..Candidate::default()
                    });
                    return Ok(());
                }
                if !(in_place && *allow_update) {
                    running.image.clone_from(&now.image);
                }
                if !in_place && now.count == *count {
                    running.annotations.clone_from(&now.annotations);
                }
            }
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
