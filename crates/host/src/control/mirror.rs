//! The shared state, applied to this host: links and configs as they are in the buckets, live.
//!
//! One task follows both buckets, so that nothing here has to be locked against itself. Configs come before the links
//! that name them; a link whose config has not arrived, or that a provider here refuses, waits and is tried again when
//! a config arrives, when a provider starts and from time to time.
//!
//! A store that was lost takes nothing away (promise "absence of evidence never deletes"): what is known stays, what
//! the store has is added, and what it lacks is written back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use wasmcloud_core::{ComponentId, ConfigName, Link};
use wasmcloud_lattice::{Entry, Event as Change, StateError, Watch};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::event::{Event, LinkdefSet, LinkdefSetFailed};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::state::{ComponentSpec, Config, ConfigKey, LatticeKey};

use super::events::Events;
use super::mirrored::{Mirrored, place};
use super::records::Records;
use super::restore;
use crate::error::HostError;
use crate::host::Host;
use crate::links::LinkId;

/// How often links that were refused are tried again without any other reason.
const RETRY: Duration = Duration::from_secs(10);

/// The state of the lattice on its way into a host.
pub(crate) struct Mirror {
    host: Host,
    records: Arc<Records>,
    events: Events,
    shared: Arc<Mirrored>,
    links: Watch,
    configs: Watch,
    /// The links of each source, as last seen in the state.
    known: BTreeMap<ComponentId, OfSource>,
    /// The configs last seen in the state.
    known_configs: BTreeMap<ConfigName, Config>,
    /// Between a lost store and the end of what is in the new one.
    lost: Lost,
}

/// The links of one source.
pub(super) type OfSource = BTreeMap<LinkId, Link>;

#[derive(Default)]
struct Lost {
    links: bool,
    configs: bool,
}

impl Mirror {
    /// Applies everything that is there, and returns what [`run`](Self::run) follows from then on.
    pub(crate) async fn start(host: Host, records: Arc<Records>, events: Events) -> Result<Self, StateError> {
        let (links, configs) = tokio::try_join!(records.lattice.watch(""), records.configs.watch(""))?;
        let mut mirror = Self {
            host,
            records,
            events,
            shared: Arc::default(),
            links,
            configs,
            known: BTreeMap::new(),
            known_configs: BTreeMap::new(),
            lost: Lost::default(),
        };
        // Both watches have begun with a full look, which ends with `Ready`.
        while let Some(change) = mirror.configs.next().await {
            let done = change == Change::Ready;
            mirror.config(change).await;
            if done {
                break;
            }
        }
        while let Some(change) = mirror.links.next().await {
            let done = change == Change::Ready;
            mirror.link(change).await;
            if done {
                break;
            }
        }
        Ok(mirror)
    }

    pub(crate) fn shared(&self) -> Arc<Mirrored> {
        Arc::clone(&self.shared)
    }

    /// Follows the state until the connection is closed.
    pub(crate) async fn run(mut self) {
        let shared = self.shared();
        let mut ticks = interval(RETRY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Configs first: a link that was put after them should find them.
                biased;
                change = self.configs.next() => match change {
                    Some(change) => self.config(change).await,
                    None => return,
                },
                change = self.links.next() => match change {
                    Some(change) => self.link(change).await,
                    None => return,
                },
                () = shared.retry.notified() => self.try_refused(|_| true).await,
                _ = ticks.tick() => self.try_refused(|_| true).await,
            }
        }
    }

    async fn config(&mut self, change: Change) {
        match change {
            Change::Put(entry) => {
                self.put_config(&entry).await;
                advance(&self.shared.configs, entry.revision);
            }
            Change::Delete { key, revision } => {
                if let Ok(ConfigKey::Config(name)) = key.parse() {
                    self.known_configs.remove(&name);
                    self.shared.refused_configs.lock().remove(&name);
                    if let Err(error) = self.host.clear_config(&name).await {
                        tracing::warn!(config = %name, error = chain(&error), "users of a deleted config refused to go without it");
                    }
                }
                advance(&self.shared.configs, revision);
            }
            Change::Reset => {
                tracing::error!(
                    "the store of configs was lost or replaced; what runs goes on with what is known"
                );
                self.lost.configs = true;
                self.shared.configs.send_replace(0);
            }
            Change::Ready if self.lost.configs => {
                self.lost.configs = false;
                let known = self.known_configs.clone();
                let records = Arc::clone(&self.records);
                tokio::spawn(async move { restore::configs(&records, known).await });
            }
            Change::Ready => {}
        }
    }

    async fn put_config(&mut self, entry: &Entry) {
        // References to secrets are read by who needs the secret, when it does.
        let name = match entry.key.parse() {
            Ok(ConfigKey::Config(name)) => name,
            Ok(ConfigKey::Secret(_)) => return,
            Err(error) => {
                tracing::warn!(error = chain(&error), "a config has a name that cannot be used");
                return;
            }
        };
        let config = match Config::decode(&entry.value) {
            Ok(config) => config,
            Err(error) => {
                tracing::warn!(config = %name, error = chain(&error), "a config cannot be read, its former values stay");
                return;
            }
        };
        let values = config.0.iter().map(|(key, value)| (key.clone(), value.clone()));
        let put = self.host.put_config(name.clone(), values.collect()).await;
        self.known_configs.insert(name.clone(), config);
        match put {
            Ok(()) => drop(self.shared.refused_configs.lock().remove(&name)),
            Err(error) => {
                tracing::warn!(config = %name, error = chain(&error), "new values were refused");
                self.shared
                    .refused_configs
                    .lock()
                    .insert(name.clone(), Arc::new(error));
            }
        }
        self.try_refused(|error| matches!(error, HostError::NoConfig { config, .. } if *config == name))
            .await;
    }

    async fn link(&mut self, change: Change) {
        match change {
            Change::Put(entry) => {
                self.put_record(&entry).await;
                advance(&self.shared.links, entry.revision);
            }
            Change::Delete { key, revision } => {
                // As in v1: a record that goes takes nothing with it (wire reference §3.2). Links go by changes of it.
                if let Ok(LatticeKey::Component(id)) = key.parse() {
                    tracing::warn!(%id, "the record of a component was deleted; its links stay until the host stops");
                }
                advance(&self.shared.links, revision);
            }
            Change::Reset => {
                tracing::error!(
                    "the store of links was lost or replaced; what runs goes on with what is known"
                );
                self.lost.links = true;
                self.shared.links.send_replace(0);
            }
            Change::Ready if self.lost.links => {
                self.lost.links = false;
                let known = self.known.clone();
                let urls = restore::urls(&self.host);
                let records = Arc::clone(&self.records);
                tokio::spawn(async move { restore::links(&records, known, urls).await });
            }
            Change::Ready => {}
        }
    }

    /// Makes the links of one source what its record says.
    async fn put_record(&mut self, entry: &Entry) {
        let id = match entry.key.parse() {
            Ok(LatticeKey::Component(id)) => id,
            // Claims, and what hosts before 1.0 left.
            Ok(LatticeKey::Claims(_)) | Err(_) => return,
        };
        let spec = match ComponentSpec::decode(&entry.value) {
            Ok(spec) => spec,
            Err(error) => {
                tracing::warn!(%id, error = chain(&error), "a record cannot be read, its former links stay");
                return;
            }
        };
        let mut links = OfSource::new();
        for link in &spec.links {
            match Link::try_from(link) {
                Ok(link) if link.source == id => drop(links.insert(place(&link), link)),
                Ok(link) => {
                    tracing::warn!(%id, %link, "a link is in the record of another source, and left out")
                }
                Err(error) => tracing::warn!(%id, error = chain(&error), "a link cannot be used"),
            }
        }
        let before = self.known.remove(&id).unwrap_or_default();
        if self.lost.links {
            // An older copy of the store may lack links that were put since.
            for (place, link) in &before {
                if !links.contains_key(place) && !links.values().any(|other| link.conflicts_with(other)) {
                    links.insert(place.clone(), link.clone());
                }
            }
        }
        self.apply(&before, &links).await;
        if !links.is_empty() {
            self.known.insert(id, links);
        }
    }

    async fn apply(&self, before: &OfSource, links: &OfSource) {
        let mut added: BTreeMap<&LinkId, &Link> = links
            .iter()
            .filter(|(place, link)| before.get(*place) != Some(*link))
            .collect();
        for (place, gone) in before {
            if links.contains_key(place) {
                continue;
            }
            self.shared.refused.lock().remove(place);
            // A link that turns to another target does so in one step, so that no call finds none.
            let instead = added
                .keys()
                .find(|new| new.0 == place.0 && !before.contains_key(**new))
                .copied();
            match instead.and_then(|new| added.remove(new)) {
                Some(link) => {
                    let outcome = self.host.replace_link(gone, link.clone()).await;
                    if outcome.is_err() {
                        // The former must not stay in effect when the state says that it is gone.
                        self.host.remove_link(gone).await;
                    }
                    self.settle(link, outcome);
                }
                None => self.host.remove_link(gone).await,
            }
        }
        for link in added.into_values() {
            let outcome = self.host.put_link(link.clone()).await;
            self.settle(link, outcome);
        }
    }

    /// Remembers and tells what became of a link.
    fn settle(&self, link: &Link, outcome: Result<(), HostError>) {
        let id = place(link);
        let Err(error) = outcome else {
            if self.shared.refused.lock().remove(&id).is_some() {
                tracing::info!(%link, "the link is in effect now");
            }
            return;
        };
        let text = chain(&error);
        let before = self.shared.refused.lock().insert(id, Arc::new(error));
        // Once for each reason, not for each attempt.
        if before.is_none_or(|before| chain(&*before) != text) {
            tracing::warn!(%link, error = text, "the link is not in effect on this host");
            self.events.tell(Event::LinkdefSetFailed(LinkdefSetFailed {
                error: text,
                link: LinkdefSet::from(&wasmcloud_wire::Link::from(link)),
            }));
        }
    }

    async fn try_refused(&self, which: impl Fn(&HostError) -> bool) {
        let ids: Vec<LinkId> = {
            let refused = self.shared.refused.lock();
            let chosen = refused.iter().filter(|(_, error)| which(error));
            chosen.map(|(id, _)| id.clone()).collect()
        };
        for id in ids {
            let known = self.known.get(&id.0.source).and_then(|links| links.get(&id));
            match known {
                Some(link) => {
                    let outcome = self.host.put_link(link.clone()).await;
                    self.settle(link, outcome);
                }
                None => drop(self.shared.refused.lock().remove(&id)),
            }
        }
    }
}

fn advance(applied: &watch::Sender<u64>, revision: u64) {
    applied.send_if_modified(|now| {
        let newer = revision > *now;
        *now = (*now).max(revision);
        newer
    });
}
