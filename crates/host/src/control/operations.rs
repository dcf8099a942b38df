//! What is done on a lattice host: each operation with the record that others read and the event that others hear.
//!
//! The control interface calls these for requests. Configs and links return when they are written; they take effect on
//! this host when they come back from the state ([`LatticeHost::caught_up`]).

use std::collections::BTreeMap;
use std::sync::Arc;
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
use crate::claims::{self, ComponentClaims, ProviderClaims};
use crate::components::ComponentSpec;
use crate::error::HostError;
use crate::host::{FetchedComponent, Shift};
use crate::providers::ProviderSpec;
use crate::rollout::Place;

/// How long a change of the state may take until it has come back to this host.
const APPLIED: Duration = Duration::from_secs(5);

impl LatticeHost {
    /// Puts a config.
    pub(super) async fn write_config(&self, name: &ConfigName, config: &Config) -> Result<(), RecordError> {
        self.0.records.put_config(name, config).await?;
        self.0.events.tell(Event::ConfigSet(ConfigChanged {
            config_name: name.to_string(),
        }));
        Ok(())
    }

    /// Removes a config. That there is none is no error.
    pub(super) async fn delete_config(&self, name: &ConfigName) -> Result<(), RecordError> {
        self.0.records.delete_config(name).await?;
        self.0.events.tell(Event::ConfigDeleted(ConfigChanged {
            config_name: name.to_string(),
        }));
        Ok(())
    }

    /// Puts a link, and tells of it.
    pub(super) async fn write_link(&self, source: &ComponentId, put: &LinkPut) -> Result<(), RecordError> {
        let written = self.0.records.put_link(source, put).await;
        let link = LinkdefSet::from(&put.link);
        self.0.events.tell(match &written {
            Ok(()) => Event::LinkdefSet(link),
            Err(error) => Event::LinkdefSetFailed(LinkdefSetFailed {
                error: chain(error),
                link,
            }),
        });
        written?;
        self.tell_link(source, put).await;
        Ok(())
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

    /// Removes the links with a key, or only the one to `target`, and tells of each. Answers what was found.
    pub(super) async fn remove_links(
        &self,
        key: &LinkKey,
        target: Option<&ComponentId>,
    ) -> Result<Deleted, RecordError> {
        let deleted = self.0.records.delete_links(key, target).await?;
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
        match deleted.links.as_slice() {
            [] => tell(None),
            links => links.iter().for_each(|link| tell(Some(link))),
        }
        self.tell_links_gone(&deleted.links).await;
        Ok(deleted)
    }

    /// Starts a component, or changes the running one; see [`Host::scale_component`](crate::Host::scale_component).
    /// Tells the outcome, once.
    pub async fn scale_component(&self, spec: ComponentSpec) -> Result<bool, ControlError> {
        let id = spec.id.clone();
        let (image_ref, annotations) = (spec.reference.clone(), spec.annotations.clone());
        let count = spec.count;
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
            Ok(Shift::Resize(running)) => {
                let claims = running.claims.clone();
                match self.resize_component(&spec, &claims).await {
                    Ok(true) => (Ok(true), claims),
                    // Somebody else has changed it meanwhile.
                    Ok(false) => self.fetch_and_start(spec, Place::Alone).await,
                    Err(error) => (Err(error), claims),
                }
            }
            Ok(Shift::Start(place)) => self.fetch_and_start(spec, place).await,
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

    /// Gives what runs another number of instances, if that is still what is asked for.
    async fn resize_component(
        &self,
        spec: &ComponentSpec,
        claims: &ComponentClaims,
    ) -> Result<bool, ControlError> {
        self.may_start(spec, claims).await?;
        let resized = self.0.host.resize_component(spec).await?;
        if resized {
            self.note(Note::component(spec, claims)).await;
        }
        Ok(resized)
    }

    async fn fetch_and_start(
        &self,
        spec: ComponentSpec,
        place: Place,
    ) -> (Result<bool, ControlError>, ComponentClaims) {
        match self.fetch_component(&spec).await {
            Ok(fetched) => {
                let claims = fetched.claims.clone();
                (self.start_component(spec, fetched, place).await, claims)
            }
            Err(error) => (Err(error), None),
        }
    }

    /// Reads the component, once what it uses is in effect on this host.
    async fn fetch_component(&self, spec: &ComponentSpec) -> Result<FetchedComponent, ControlError> {
        self.catch_up(&spec.id, &spec.config, || format!("component `{}`", spec.id))
            .await?;
        self.has_own_links(spec)?;
        Ok(self.0.host.fetch_component(&spec.id, &spec.image).await?)
    }

    /// Whether what takes calls of a revision with other links has its own links in effect here. Where nothing else runs,
    /// it starts and serves what needs none of those that are missing.
    fn has_own_links(&self, spec: &ComponentSpec) -> Result<(), ControlError> {
        let others = self.0.host.component_spec(&spec.id);
        let Some(suffix) = spec
            .link_suffix
            .as_ref()
            .filter(|suffix| others.is_some_and(|runs| runs.link_suffix.as_ref() != Some(*suffix)))
        else {
            return Ok(());
        };
        match self.0.mirrored.refusal_of_own(&spec.id, suffix) {
            None => Ok(()),
            Some((link, source)) => Err(ControlError::LinkRefused {
                component: spec.id.clone(),
                link: Box::new(link),
                source,
            }),
        }
    }

    async fn start_component(
        &self,
        spec: ComponentSpec,
        fetched: FetchedComponent,
        place: Place,
    ) -> Result<bool, ControlError> {
        self.may_start(&spec, &fetched.claims).await?;
        let note = Note::component(&spec, &fetched.claims);
        let changed = self.0.host.run_component(spec, fetched).await?;
        // Where a candidate came from is told when it is more than that.
        if !matches!(place, Place::Beside(_)) {
            self.note(note).await;
        }
        Ok(changed)
    }

    /// Asks the policy, if there is one.
    async fn may_start(&self, spec: &ComponentSpec, claims: &ComponentClaims) -> Result<(), ControlError> {
        let signed = claims.as_deref();
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
        Ok(())
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

    /// Waits until this host has in effect what the state of the lattice has by now, as far as it takes it. Then
    /// [`refusal`](Self::refusal) speaks of what others have put before.
    pub async fn caught_up(&self) -> Result<(), ControlError> {
        let deadline = Instant::now() + APPLIED;
        let (links, configs) = self.0.records.newest().await?;
        let applied = self.0.mirrored.links_at(links, deadline).await;
        applied_or(applied, || "the links of the lattice".to_owned())?;
        let applied = self.0.mirrored.configs_at(configs, deadline).await;
        applied_or(applied, || "the configs of the lattice".to_owned())
    }

    /// Why a link is not in effect on this host, if that refuses it.
    pub fn refusal(&self, link: &Link) -> Option<Arc<HostError>> {
        self.0.mirrored.refusal(&(link.key(), link.target.clone()))
    }

    /// Why the values of a config are not in effect for everybody on this host, if they are not.
    pub fn config_refusal(&self, config: &ConfigName) -> Option<Arc<HostError>> {
        self.0.mirrored.config_refusal(config)
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
