//! What is done on a lattice host: each operation with the record that others read and the event that others hear.
//!
//! The control interface calls these for requests, and a program that has the host in its own process calls them
//! directly: both ways do the same. Configs and links return when they are in effect on this host.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use wasmcloud_core::{ComponentId, ConfigName, Link, LinkKey};
use wasmcloud_wire::event::{
    ComponentScaleFailed, ConfigChanged, Event, LinkdefDeleted, LinkdefSet, LinkdefSetFailed,
    ProviderStartFailed, ProviderStopped,
};
use wasmcloud_wire::message::{chain, scale_denied, start_denied};
use wasmcloud_wire::policy::{ComponentPolicy, PolicyAction, ProviderPolicy};
use wasmcloud_wire::state::{Config, ConfigKey};

use super::notes::Note;
use super::records::{Deleted, LinkPut};
use super::{ControlError, LatticeHost, RecordError, describe};
use crate::claims::{self, ProviderClaims};
use crate::components::ComponentSpec;
use crate::error::HostError;
use crate::host::{FetchedComponent, Shift};
use crate::providers::ProviderSpec;
use crate::rollout::Place;

/// How long a change of the state may take until it has come back to this host.
const APPLIED: Duration = Duration::from_secs(5);

impl LatticeHost {
    /// Puts a config, and waits until this host has it.
    pub async fn put_config(
        &self,
        name: ConfigName,
        values: BTreeMap<String, String>,
    ) -> Result<(), ControlError> {
        let revision = self.write_config(&name, &Config(values)).await?;
        let applied = self
            .0
            .mirrored
            .configs_at(revision, Instant::now() + APPLIED)
            .await;
        applied_or(applied, || format!("config `{name}`"))?;
        match self.0.mirrored.config_refusal(&name) {
            Some(refused) => Err(ControlError::Refused(refused)),
            None => Ok(()),
        }
    }

    pub(super) async fn write_config(&self, name: &ConfigName, config: &Config) -> Result<u64, RecordError> {
        let revision = self.0.records.put_config(name, config).await?;
        self.0.events.tell(Event::ConfigSet(ConfigChanged {
            config_name: name.to_string(),
        }));
        Ok(revision)
    }

    /// Removes a config. That there is none is no error.
    pub async fn delete_config(&self, name: &ConfigName) -> Result<(), RecordError> {
        self.0.records.delete_config(name).await?;
        self.0.events.tell(Event::ConfigDeleted(ConfigChanged {
            config_name: name.to_string(),
        }));
        Ok(())
    }

    /// The values of a config, if there is one.
    pub async fn config(&self, name: &ConfigName) -> Result<Option<BTreeMap<String, String>>, RecordError> {
        Ok(self.0.records.config(name).await?.map(|(config, _)| config.0))
    }

    /// Puts links, each in the place of one to another target if one is named, and waits until they are in effect on
    /// this host. Those of one source are written at once. Answers for each of them, in the same order; a link that this
    /// host refuses is taken back.
    pub async fn put_links(&self, links: Vec<(Link, Option<ComponentId>)>) -> Vec<Result<(), ControlError>> {
        let mut sources: BTreeMap<ComponentId, Vec<usize>> = BTreeMap::new();
        for (at, (link, _)) in links.iter().enumerate() {
            sources.entry(link.source.clone()).or_default().push(at);
        }
        let mut outcomes: Vec<Result<(), ControlError>> = links.iter().map(|_| Ok(())).collect();
        for places in sources.into_values() {
            let of_source: Vec<&(Link, Option<ComponentId>)> =
                places.iter().filter_map(|at| links.get(*at)).collect();
            let written = self.put_links_of_one(&of_source).await;
            for (at, outcome) in places.into_iter().zip(written) {
                if let Some(place) = outcomes.get_mut(at) {
                    *place = outcome;
                }
            }
        }
        outcomes
    }

    async fn put_links_of_one(
        &self,
        links: &[&(Link, Option<ComponentId>)],
    ) -> Vec<Result<(), ControlError>> {
        let Some(source) = links.first().map(|(link, _)| link.source.clone()) else {
            return Vec::new();
        };
        let before = self.0.host.links_of(&source);
        let puts = links.iter().map(|(link, instead_of)| LinkPut {
            link: link.into(),
            key: link.key(),
            instead_of: instead_of.clone(),
        });
        let applied = async {
            let revision = self.write_links(&source, &puts.collect::<Vec<_>>()).await?;
            let applied = self.0.mirrored.links_at(revision, Instant::now() + APPLIED).await;
            applied_or(applied, || format!("the links of `{source}`"))
        };
        if let Err(error) = applied.await {
            // All or none were written, and the reason is told once.
            let mut error = Some(error);
            let rest = || ControlError::WithOthers(source.clone());
            return links
                .iter()
                .map(|_| Err(error.take().unwrap_or_else(rest)))
                .collect();
        }
        let mut outcomes = Vec::with_capacity(links.len());
        for (link, instead_of) in links {
            let id = (link.key(), link.target.clone());
            outcomes.push(match self.0.mirrored.refusal(&id) {
                None => Ok(()),
                Some(refused) => {
                    let replaced = instead_of.as_ref().unwrap_or(&link.target);
                    let former = before
                        .iter()
                        .find(|known| known.key() == link.key() && known.target == *replaced);
                    self.take_back(link, former).await;
                    Err(ControlError::Refused(refused))
                }
            });
        }
        outcomes
    }

    /// Writes what was there before a link that was refused.
    async fn take_back(&self, link: &Link, former: Option<&Link>) {
        let undone = match former {
            Some(former) => {
                let put = LinkPut {
                    link: former.into(),
                    key: former.key(),
                    instead_of: (former.target != link.target).then(|| link.target.clone()),
                };
                self.write_links(&link.source, &[put]).await.map(drop)
            }
            None => self.remove_links(&link.key(), Some(&link.target)).await.map(drop),
        };
        if let Err(error) = undone {
            tracing::warn!(%link, error = chain(&error), "a link that was refused could not be taken back");
        }
    }

    /// Writes links of one source and tells of each.
    pub(super) async fn write_links(
        &self,
        source: &ComponentId,
        puts: &[LinkPut],
    ) -> Result<u64, RecordError> {
        let written = self.0.records.put_links(source, puts).await;
        for put in puts {
            let link = LinkdefSet::from(&put.link);
            self.0.events.tell(match &written {
                Ok(_) => Event::LinkdefSet(link),
                Err(error) => Event::LinkdefSetFailed(LinkdefSetFailed {
                    error: chain(error),
                    link,
                }),
            });
        }
        let revision = written?.revision.unwrap_or_default();
        self.tell_links(source, puts).await;
        Ok(revision)
    }

    /// The keys of the links that a source has in the state of the lattice. What cannot be a link is left out.
    pub async fn links_of(&self, source: &ComponentId) -> Result<Vec<LinkKey>, RecordError> {
        let Some((spec, _)) = self.0.records.spec(source).await? else {
            return Ok(Vec::new());
        };
        let links = spec.links.iter().filter_map(|link| Link::try_from(link).ok());
        let mut keys: Vec<LinkKey> = links.map(|link| link.key()).collect();
        keys.dedup();
        Ok(keys)
    }

    /// Removes links and configs from the state of the lattice, for a host that leaves: nothing is waited for but the
    /// state itself. What cannot be removed is logged.
    pub(super) async fn withdraw(&self, links: &[Link], configs: &[ConfigName]) {
        for link in links {
            if let Err(error) = self.remove_links(&link.key(), Some(&link.target)).await {
                tracing::warn!(%link, error = chain(&error), "the link stays in the state of the lattice");
                return;
            }
        }
        for config in configs {
            if let Err(error) = self.delete_config(config).await {
                tracing::warn!(%config, error = chain(&error), "the config stays in the state of the lattice");
                return;
            }
        }
    }

    /// Removes the links with a key, and waits until they are gone from this host.
    pub async fn delete_link(&self, key: &LinkKey) -> Result<(), ControlError> {
        let (revision, _) = self.remove_links(key, None).await?;
        if let Some(revision) = revision {
            let applied = self.0.mirrored.links_at(revision, Instant::now() + APPLIED).await;
            applied_or(applied, || format!("the end of link {key}"))?;
        }
        Ok(())
    }

    /// Answers the revision to wait for, and what was found.
    pub(super) async fn remove_links(
        &self,
        key: &LinkKey,
        target: Option<&ComponentId>,
    ) -> Result<(Option<u64>, Deleted), RecordError> {
        let changed = self.0.records.delete_links(key, target).await?;
        let tell = |link: Option<&wasmcloud_wire::Link>| {
            self.0.events.tell(Event::LinkdefDeleted(LinkdefDeleted {
                source_id: key.source.to_string(),
                name: key.name.to_string(),
                wit_namespace: key.namespace.clone(),
                wit_package: key.package.clone(),
                target: link.map(|link| link.target.clone()),
                interfaces: link.map(|link| link.interfaces.clone()),
            }));
        };
        match changed.value.links.as_slice() {
            [] => tell(None),
            links => links.iter().for_each(|link| tell(Some(link))),
        }
        self.tell_links_gone(&changed.value.links).await;
        Ok((changed.revision, changed.value))
    }

    /// Starts a component, or changes the running one; see [`Host::scale_component`](crate::Host::scale_component).
    /// Tells the outcome, once.
    pub async fn scale_component(&self, spec: ComponentSpec) -> Result<bool, ControlError> {
        let id = spec.id.clone();
        let (image_ref, annotations) = (spec.reference.clone(), spec.annotations.clone());
        let count = spec.limits.concurrency;
        let (outcome, claims) = match self.0.host.shift_component(&spec).await {
            Ok(Shift::Done {
                running,
                is_current,
                changed,
            }) => {
                if is_current {
                    self.note(Note::component(&spec, &running.claims)).await;
                }
                (Ok(changed), running.claims.clone())
            }
            Ok(Shift::Start(place)) => match self.fetch_component(&spec).await {
                Ok(fetched) => {
                    let claims = fetched.claims.clone();
                    (self.start_component(spec, fetched, place).await, claims)
                }
                Err(error) => (Err(error), None),
            },
            Err(error) => (Err(error.into()), None),
        };
        self.tell(match &outcome {
            Ok(_) => {
                let of = (image_ref, annotations);
                Event::ComponentScaled(describe::scaled(self.id(), &id, of, count, &claims))
            }
            Err(error) => Event::ComponentScaleFailed(ComponentScaleFailed {
                public_key: claims.map(|claims| claims.subject.clone()),
                annotations,
                host_id: self.id().to_string(),
                image_ref,
                max_instances: count,
                component_id: id.to_string(),
                error: chain(error),
            }),
        });
        outcome
    }

    /// Reads the component, once what it uses is in effect on this host.
    async fn fetch_component(&self, spec: &ComponentSpec) -> Result<FetchedComponent, ControlError> {
        self.catch_up(&spec.id, &spec.config, || format!("component `{}`", spec.id))
            .await?;
        Ok(self.0.host.fetch_component(&spec.id, &spec.image).await?)
    }

    async fn start_component(
        &self,
        spec: ComponentSpec,
        fetched: FetchedComponent,
        place: Place,
    ) -> Result<bool, ControlError> {
        let signed = fetched.claims.as_deref();
        if let Some(policy) = &self.0.policy {
            let action = PolicyAction::StartComponent(ComponentPolicy {
                component_id: spec.id.to_string(),
                image_ref: spec.reference.clone(),
                max_instances: spec.limits.concurrency,
                annotations: spec.annotations.clone(),
                claims: signed.map(|signed| claims::for_policy(signed, SystemTime::now())),
            });
            let denied = |_: &str, why: Option<&str>| scale_denied(&spec.id, why);
            policy.check(action.cache_key(), || action, denied).await?;
        }
        let note = Note::component(&spec, &fetched.claims);
        let changed = self.0.host.run_component(spec, fetched).await?;
        // Where a candidate came from is told when it is more than that.
        if !matches!(place, Place::Beside(_)) {
            self.note(note).await;
        }
        Ok(changed)
    }

    /// Stops a component and tells it, once. `asked` is what is told where it does not run: its reference and
    /// annotations.
    pub async fn stop_component(
        &self,
        id: &ComponentId,
        asked: Option<(String, BTreeMap<String, String>)>,
    ) -> Result<(), HostError> {
        let running = self.0.host.running(id);
        let outcome = self.0.host.stop_component(id).await;
        let (told, claims) = match running {
            Some(running) => {
                let spec = &running.spec;
                let told = (spec.reference.clone(), spec.annotations.clone());
                (Some(told), running.claims.clone())
            }
            None => (asked, None),
        };
        if let Some(told) = told {
            let event = describe::scaled(self.id(), id, told, 0, &claims);
            self.tell(Event::ComponentScaled(event));
        }
        outcome
    }

    /// Starts a provider and tells the outcome, once.
    pub async fn start_provider(&self, spec: ProviderSpec) -> Result<(), ControlError> {
        let (id, reference, annotations) =
            (spec.id.clone(), spec.reference.clone(), spec.annotations.clone());
        let outcome = self.run_provider(spec).await;
        self.tell(match &outcome {
            Ok(claims) => {
                let of = (reference, annotations);
                Event::ProviderStarted(describe::started(self.id(), &id, of, claims))
            }
            Err(error) => Event::ProviderStartFailed(ProviderStartFailed {
                provider_ref: reference,
                provider_id: id.to_string(),
                host_id: self.id().to_string(),
                error: chain(error),
                link_name: "default".to_owned(),
            }),
        });
        outcome.map(drop)
    }

    async fn run_provider(&self, spec: ProviderSpec) -> Result<ProviderClaims, ControlError> {
        self.catch_up(&spec.id, &spec.config, || format!("provider `{}`", spec.id))
            .await?;
        let fetched = self.0.host.fetch_provider(&spec).await?;
        let claims = fetched.claims();
        if let Some(policy) = &self.0.policy {
            let action = PolicyAction::StartProvider(ProviderPolicy {
                provider_id: spec.id.to_string(),
                image_ref: spec.reference.clone(),
                annotations: spec.annotations.clone(),
                claims: claims
                    .as_deref()
                    .map(|signed| claims::for_policy(signed, SystemTime::now())),
            });
            policy.check(action.cache_key(), || action, start_denied).await?;
        }
        let note = Note::provider(&spec, &claims);
        let refused = self.0.host.run_provider(spec, fetched).await?;
        for (link, error) in &refused {
            let error = chain(error);
            tracing::warn!(%link, error, "the link is not in effect on this host");
            self.0.events.tell(Event::LinkdefSetFailed(LinkdefSetFailed {
                error,
                link: LinkdefSet::from(&wasmcloud_wire::Link::from(link)),
            }));
        }
        self.0.mirrored.note(refused);
        // Links that waited for this provider's sake, for example because another one had the port.
        self.0.mirrored.retry();
        self.note(note).await;
        Ok(claims)
    }

    /// Stops a provider and tells it.
    pub async fn stop_provider(&self, id: &ComponentId) -> Result<(), HostError> {
        let spec = self.0.host.provider_spec(id);
        self.0.host.stop_provider(id).await?;
        self.tell(Event::ProviderStopped(ProviderStopped {
            host_id: self.id().to_string(),
            provider_id: id.to_string(),
            annotations: spec.map(|spec| spec.annotations).unwrap_or_default(),
            reason: "stop".to_owned(),
            instance_id: id.to_string(),
            public_key: id.to_string(),
            link_name: "default".to_owned(),
        }));
        Ok(())
    }

    /// Tells what became of something that runs here. A host that leaves has told that everything on it ends; what is
    /// told after that would bring it back to life for those who count.
    pub(super) fn tell(&self, event: Event) {
        if !self.0.leaving.load(Ordering::Acquire) {
            self.0.events.tell(event);
        }
    }

    /// What was put a moment ago, perhaps through another host, has to be in effect here before what uses it starts.
    async fn catch_up(
        &self,
        id: &ComponentId,
        configs: &[ConfigName],
        user: impl Fn() -> String,
    ) -> Result<(), ControlError> {
        let deadline = Instant::now() + APPLIED;
        for name in configs {
            if let ConfigKey::Secret(secret) = ConfigKey::of(name.clone()) {
                return Err(ControlError::NoSecrets { secret, user: user() });
            }
            if self.0.host.config(name).is_some() {
                continue;
            }
            let Some((_, revision)) = self.0.records.config(name).await? else {
                return Err(ControlError::NoConfig {
                    config: name.clone(),
                    user: user(),
                });
            };
            let applied = self.0.mirrored.configs_at(revision, deadline).await;
            applied_or(applied, || format!("config `{name}`"))?;
        }
        match self.0.records.spec(id).await {
            Ok(Some((_, revision))) => {
                let applied = self.0.mirrored.links_at(revision, deadline).await;
                applied_or(applied, || format!("the links of `{id}`"))
            }
            Ok(None) => Ok(()),
            // Without the state, what is known here has to do: an image in the cache still starts.
            Err(error) => {
                tracing::warn!(%id, error = chain(&error), "starting with the links that are known here");
                Ok(())
            }
        }
    }
}

fn applied_or(applied: bool, what: impl Fn() -> String) -> Result<(), ControlError> {
    match applied {
        true => Ok(()),
        false => Err(ControlError::NotApplied {
            what: what(),
            waited: APPLIED,
        }),
    }
}
