//! Providers on a host: started, given the links that name them, and stopped. Those that are processes of their own are
//! for `external`.

use std::sync::Arc;

use wasmcloud_capability::{ConfigMap, Provider};
use wasmcloud_core::{ComponentId, ImageRef, Link};

use super::{FetchedProvider, Host};
use crate::builtin::{self, Shared};
use crate::claims::ProviderClaims;
use crate::error::HostError;
use crate::links::LinkId;
use crate::providers::{ProviderSpec, RunningProvider, TakenProvider};

impl Host {
    /// Starts a provider and gives it the links that name it. An external one, which only a host in a lattice can
    /// have, is waited for until it answers. Answers the links that it refused, which are not kept: they were put when
    /// nobody could refuse them, and the provider runs without them.
    pub async fn start_provider(&self, spec: ProviderSpec) -> Result<Vec<(Link, HostError)>, HostError> {
        let fetched = self.fetch_provider(&spec).await?;
        self.run_provider(spec, fetched).await
    }

    /// The same with what was fetched.
    pub(crate) async fn run_provider(
        &self,
        spec: ProviderSpec,
        fetched: FetchedProvider,
    ) -> Result<Vec<(Link, HostError)>, HostError> {
        let name = match (&spec.image, fetched.0) {
            (ImageRef::Builtin(name), _) => name,
            (_, Some(archive)) => return self.start_external(spec, archive).await,
            (image, None) => {
                return Err(HostError::UnknownProvider { image: image.clone() });
            }
        };
        let wiring = self.0.wiring.lock().await;
        self.refuse_if_stopping()?;
        let config = self.admit_provider(&spec)?;
        let shared = Shared {
            ingress: &self.0.ingress,
            data_dir: &self.0.options.data_dir,
            caller: self.0.calls.get().map(|calls| calls.caller()),
        };
        let started = builtin::start(name, &spec.id, &config, &shared)
            .await
            .ok_or_else(|| HostError::UnknownProvider {
                image: spec.image.clone(),
            })?;
        let provider = started.map_err(|source| HostError::Provider {
            provider: spec.id.clone(),
            source,
        })?;
        let id = spec.id.clone();
        let refused = self.enter_provider(spec, None, Arc::clone(&provider)).await;
        drop(wiring);
        self.serve_provider(&id, provider).await?;
        Ok(refused)
    }

    /// Whether a provider may start, and with which config.
    pub(super) fn admit_provider(&self, spec: &ProviderSpec) -> Result<ConfigMap, HostError> {
        let tables = self.0.tables.lock();
        if tables.providers.contains_key(&spec.id) {
            return Err(HostError::ProviderExists(spec.id.clone()));
        }
        let component = tables.components.get(&spec.id);
        if component.is_some_and(|component| component.current().is_some()) {
            return Err(HostError::Kind {
                id: spec.id.clone(),
                is: "component",
                wanted: "provider",
            });
        }
        tables
            .configs
            .merge(&spec.config, || format!("provider `{}`", spec.id))
    }

    /// Puts a provider into the table and gives it its links. Answers those that it refused. Under `wiring`.
    pub(super) async fn enter_provider(
        &self,
        spec: ProviderSpec,
        claims: ProviderClaims,
        provider: Arc<dyn Provider>,
    ) -> Vec<(Link, HostError)> {
        let links: Vec<Link> = {
            let mut tables = self.0.tables.lock();
            let id = spec.id.clone();
            let running = RunningProvider {
                spec,
                claims,
                provider,
            };
            tables.providers.insert(id.clone(), running);
            tables
                .links
                .all()
                .filter(|link| link.source == id || link.target == id)
                .cloned()
                .collect()
        };
        let mut refused = Vec::new();
        for link in links {
            if let Err(error) = self.wire(&link).await {
                self.0
                    .tables
                    .lock()
                    .links
                    .take(&(link.key(), link.target.clone()));
                self.refresh_table(&link.source);
                refused.push((link, error));
            }
        }
        refused
    }

    /// Stops a provider: it takes no new work, finishes what is under way and lets go of ports and files.
    pub async fn stop_provider(&self, id: &ComponentId) -> Result<(), HostError> {
        let provider = {
            let _wiring = self.0.wiring.lock().await;
            self.take_provider(id)
        };
        // Draining may take its time; others change links and providers meanwhile.
        provider
            .ok_or_else(|| HostError::NoProvider(id.clone()))?
            .stop(self.0.options.drain)
            .await;
        Ok(())
    }

    /// Takes a provider out of the tables, so that no call begins there any more. Under `wiring`.
    pub(super) fn take_provider(&self, id: &ComponentId) -> Option<TakenProvider> {
        let (provider, sources) = {
            let mut tables = self.0.tables.lock();
            let running = tables.providers.remove(id)?;
            let links: Vec<LinkId> = tables
                .links
                .all()
                .filter(|link| link.target == *id)
                .map(|link| (link.key(), link.target.clone()))
                .collect();
            links
                .iter()
                .for_each(|link| tables.links.set_endpoint(link, None));
            let sources: Vec<ComponentId> = links.into_iter().map(|(key, _)| key.source).collect();
            let serving = tables.serving.remove(id);
            let provider = running.provider;
            (TakenProvider { provider, serving }, sources)
        };
        sources.iter().for_each(|source| self.refresh_table(source));
        Some(provider)
    }
}
