//! The host itself: one owner for the tables of components, providers, links and configs.
//!
//! Two kinds of locks, with a rule each. `tables` is held for a decision and never across an `.await`. `wiring` is
//! held while links and providers change, which is quick (open a port or a file), so that they change one after
//! another; no compile and no pull ever happens under it.

mod elsewhere;
mod external;
mod fetched;
mod providing;
mod settings;
mod sleeping;
mod starting;
mod wiring;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use wasmcloud_artifacts::{ArtifactOptions, Artifacts};
use wasmcloud_cap_blobstore::Blobstore;
use wasmcloud_cap_config::{Bus, Config, Logging};
use wasmcloud_cap_http::{Http, HttpResolver, Ingress, IngressOptions};
use wasmcloud_cap_keyvalue::{KeyValue, WatchResolver};
use wasmcloud_capability::{BoundLink, Capability, Endpoint};
use wasmcloud_core::{ComponentId, ConfigName, Link};
use wasmcloud_engine::{Engine, EngineConfig, Linkers, ResolveExports, Target};

use crate::components::{Component, ComponentSpec, Running};
use crate::configs::Configs;
use crate::error::HostError;
use crate::external::External;
use crate::inventory::{CandidateInfo, ComponentInfo, Inventory, ProviderInfo};
use crate::links::{Links, Stored};
use crate::metrics::Look;
use crate::policy::Policy;
use crate::providers::{ProviderSpec, RunningProvider};
use crate::router::Router;
use crate::rpc::{CallsCell, Serving};

pub(crate) use self::fetched::{FetchedComponent, FetchedProvider};
pub(crate) use self::starting::Shift;

/// Components a host keeps a place for, running or only named by a link.
const MAX_COMPONENTS: usize = 10_000;

/// Settings of a [`Host`].
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Where providers keep their files.
    pub data_dir: PathBuf,
    /// Settings of the engine.
    pub engine: EngineConfig,
    /// How long calls under way may take when something is stopped.
    pub drain: Duration,
    /// Settings of HTTP listeners.
    pub ingress: IngressOptions,
    /// Where images may come from.
    pub artifacts: ArtifactOptions,
}

/// A host. Cheap to clone; all clones are the same host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    options: HostOptions,
    engine: Engine,
    artifacts: Artifacts,
    linkers: Linkers,
    resolvers: Vec<Arc<dyn ResolveExports>>,
    router: Arc<Router>,
    calls: CallsCell,
    /// Asked before components are called, once this host is part of a lattice that has one.
    policy: OnceLock<Arc<Policy>>,
    ingress: Arc<Ingress>,
    tables: Mutex<Tables>,
    wiring: tokio::sync::Mutex<()>,
    /// What external providers need, once this host is part of a lattice.
    external: Mutex<Option<Arc<crate::external::Context>>>,
    stopping: watch::Sender<bool>,
    /// Puts components to sleep that nobody calls, once there is one that may.
    sleepers: Once,
}

#[derive(Default)]
struct Tables {
    components: BTreeMap<ComponentId, Arc<Component>>,
    providers: BTreeMap<ComponentId, RunningProvider>,
    /// The calls of other hosts to providers, while they run on a host that is part of a lattice.
    serving: BTreeMap<ComponentId, Serving>,
    links: Links,
    configs: Configs,
}

impl Host {
    /// A host with nothing on it. Must be called within a Tokio runtime.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        let engine = Engine::new(options.engine.clone())?;
        let artifacts = Artifacts::new(options.artifacts.clone())?;
        let capabilities: Vec<Arc<dyn Capability>> = vec![
            Arc::new(Http),
            Arc::new(KeyValue),
            Arc::new(Blobstore),
            Arc::new(Config),
            Arc::new(Logging),
            Arc::new(Bus),
        ];
        let calls = CallsCell::default();
        Ok(Self(Arc::new(Inner {
            linkers: Linkers::new(engine.clone(), capabilities),
            resolvers: vec![Arc::new(HttpResolver), Arc::new(WatchResolver)],
            router: Arc::new(Router::new(CallsCell::clone(&calls))),
            calls,
            policy: OnceLock::new(),
            ingress: Ingress::new(options.ingress.clone()),
            tables: Mutex::default(),
            wiring: tokio::sync::Mutex::default(),
            external: Mutex::default(),
            stopping: watch::Sender::new(false),
            sleepers: Once::new(),
            engine,
            artifacts,
            options,
        })))
    }

    /// What a component that runs here was started with.
    pub fn component_spec(&self, id: &ComponentId) -> Option<ComponentSpec> {
        Some(self.running(id)?.spec.clone())
    }

    /// The current revision of a component that runs here.
    pub(crate) fn running(&self, id: &ComponentId) -> Option<Arc<Running>> {
        self.0.tables.lock().components.get(id)?.current()
    }

    /// What a provider that runs here was started with.
    pub fn provider_spec(&self, id: &ComponentId) -> Option<ProviderSpec> {
        let tables = self.0.tables.lock();
        tables.providers.get(id).map(|running| running.spec.clone())
    }

    /// Replaces the credentials of the registries named, and keeps those of others.
    pub fn set_registry_credentials(&self, credentials: &BTreeMap<String, wasmcloud_artifacts::Credentials>) {
        self.0.artifacts.set_credentials(credentials);
    }

    /// What runs here.
    pub fn inventory(&self) -> Inventory {
        let tables = self.0.tables.lock();
        let components = tables.components.values().filter_map(|component| {
            let runs = component.runs();
            let current = runs.current?;
            let Running {
                spec,
                claims,
                profile,
                ..
            } = &*current;
            let ((running, waiting), stats) = (profile.in_use(), component.stats.snapshot());
            let (calls, failures) = profile.ended();
            Some(ComponentInfo {
                id: spec.id.clone(),
                image_ref: spec.reference.clone(),
                digest: profile.digest().to_owned(),
                max_instances: spec.count,
                limits: spec.limits.clone(),
                claims: claims.clone(),
                running,
                waiting,
                asleep: current.code().is_none(),
                busy: stats.durations.sum,
                queued: stats.queue_time,
                turned_away: stats.turned_away,
                invocations: stats.invocations,
                errors: stats.errors,
                calls,
                failures,
                link_suffix: spec.link_suffix.clone(),
                leaving: component.leaving_suffixes(),
                candidate: runs.candidate.as_ref().map(CandidateInfo::of),
                annotations: spec.annotations.clone(),
            })
        });
        let providers = tables.providers.values().map(
            |RunningProvider {
                 spec,
                 claims,
                 provider,
             }| ProviderInfo {
                id: spec.id.clone(),
                image_ref: spec.reference.clone(),
                claims: claims.clone(),
                urls: provider.urls(),
                healthy: provider.healthy(),
                annotations: spec.annotations.clone(),
            },
        );
        Inventory {
            components: components.collect(),
            providers: providers.collect(),
            links: tables.links.len(),
        }
    }

    /// What metrics are made of, as it is now.
    pub(crate) fn look(&self) -> Look {
        let tables = self.0.tables.lock();
        Look {
            components: tables.components.values().cloned().collect(),
            providers: tables.providers.len(),
            links: tables.links.all().count(),
            connections: self.0.ingress.connections(),
            max_instances: self.0.options.engine.max_instances,
            compiled: self.0.engine.compiled(),
        }
    }

    /// The same host, without keeping it.
    pub(crate) fn downgrade(&self) -> impl Fn() -> Option<Self> + Send + Sync + 'static {
        let weak = Arc::downgrade(&self.0);
        move || weak.upgrade().map(Self)
    }

    /// The addresses on which this host answers HTTP.
    pub async fn listening(&self) -> Vec<SocketAddr> {
        self.0.ingress.addresses().await
    }

    /// The place of a component, for calls from outside, for example by tests and tools.
    pub fn target(&self, id: &ComponentId) -> Option<Arc<Target>> {
        self.0
            .tables
            .lock()
            .components
            .get(id)
            .map(|component| Arc::clone(&component.target))
    }

    /// Stops everything: first the providers, so that nothing new comes in while what is under way ends, then the
    /// components. Bounded by the drain time, once for all providers and once for all components.
    pub async fn stop(&self) {
        self.0.stopping.send_replace(true);
        let drain = self.0.options.drain;
        let (providers, components) = {
            let tables = self.0.tables.lock();
            let providers: Vec<ComponentId> = tables.providers.keys().cloned().collect();
            let components: Vec<Arc<Component>> = tables.components.values().cloned().collect();
            (providers, components)
        };
        {
            let _wiring = self.0.wiring.lock().await;
            let taken = providers.iter().filter_map(|id| self.take_provider(id));
            let stopped: Vec<_> = taken.map(|provider| provider.stop(drain)).collect();
            futures::future::join_all(stopped).await;
        }
        futures::future::join_all(
            components
                .iter()
                .map(|component| component.stop(drain, "this host is stopping")),
        )
        .await;
    }

    /// Does what takes long, or gives it up when the host stops.
    async fn unless_stopping<T>(
        &self,
        work: impl Future<Output = Result<T, HostError>>,
    ) -> Result<T, HostError> {
        let mut stopping = self.0.stopping.subscribe();
        tokio::select! {
            biased;
            // The sender lives as long as the host.
            _ = stopping.wait_for(|stopping| *stopping) => Err(HostError::Stopping),
            done = work => done,
        }
    }

    fn refuse_if_stopping(&self) -> Result<(), HostError> {
        if *self.0.stopping.borrow() {
            Err(HostError::Stopping)
        } else {
            Ok(())
        }
    }

    fn component(&self, id: &ComponentId) -> Result<Arc<Component>, HostError> {
        self.refuse_if_stopping()?;
        let mut tables = self.0.tables.lock();
        if tables.providers.contains_key(id) {
            return Err(HostError::Kind {
                id: id.clone(),
                is: "provider",
                wanted: "component",
            });
        }
        tables.component(id)
    }
}

impl Tables {
    fn component(&mut self, id: &ComponentId) -> Result<Arc<Component>, HostError> {
        if let Some(known) = self.components.get(id) {
            return Ok(Arc::clone(known));
        }
        if self.components.len() >= MAX_COMPONENTS {
            return Err(HostError::Full {
                what: "components",
                limit: MAX_COMPONENTS,
            });
        }
        let new = Component::new(id.clone());
        self.components.insert(id.clone(), Arc::clone(&new));
        Ok(new)
    }

    fn endpoint(&self, stored: &Stored) -> Endpoint {
        if let Some(handle) = &stored.endpoint {
            return match handle.downcast_ref::<External>() {
                Some(provider) => Endpoint::Absent(
                    format!(
                        "`{}` is a provider in a process of its own, which is called over the lattice",
                        provider.id
                    )
                    .into(),
                ),
                None => Endpoint::Builtin(Arc::clone(handle)),
            };
        }
        match self.components.get(&stored.link.target) {
            Some(component) => Endpoint::Component(Arc::clone(&component.target) as _),
            None => Endpoint::Absent(format!("`{}` does not run on this host", stored.link.target).into()),
        }
    }

    fn bind(&self, link: &Link) -> Result<BoundLink, HostError> {
        let user = || format!("the link {}", link.key());
        Ok(BoundLink {
            link: link.clone(),
            source_config: self.configs.merge(&link.source_config, user)?,
            target_config: self.configs.merge(&link.target_config, user)?,
        })
    }

    fn user_of(&self, name: &ConfigName) -> Option<String> {
        let component = self.components.values().find_map(|component| {
            let runs = component.runs();
            let user = runs.all().find(|running| running.spec.config.contains(name))?;
            Some(format!("component `{}`", user.spec.id))
        });
        let provider = || {
            let provider = self
                .providers
                .values()
                .find(|provider| provider.spec.config.contains(name))?;
            Some(format!("provider `{}`", provider.spec.id))
        };
        let link = || {
            let uses = |link: &&Link| link.source_config.contains(name) || link.target_config.contains(name);
            Some(format!("the link {}", self.links.all().find(uses)?.key()))
        };
        component.or_else(provider).or_else(link)
    }
}
