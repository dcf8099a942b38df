//! Named configs on a host: put and removed, and handed to whoever uses them, while it runs.

use wasmcloud_capability::ConfigMap;
use wasmcloud_core::ConfigName;

use super::Host;
use crate::components::{ComponentSpec, Running};
use crate::error::HostError;
use crate::providers::RunningProvider;

impl Host {
    /// Adds or replaces a named config; whoever uses it sees the new values at once.
    pub async fn put_config(&self, name: ConfigName, config: ConfigMap) -> Result<(), HostError> {
        let _wiring = self.0.wiring.lock().await;
        let (components, providers, links) = {
            let mut tables = self.0.tables.lock();
            if !tables.configs.put(name.clone(), config)? {
                return Ok(());
            }
            let uses = |names: &[ConfigName]| names.contains(&name);
            let runs = tables.components.values().map(|component| component.runs());
            let components: Vec<_> = runs
                .flat_map(|runs| runs.all().cloned().collect::<Vec<_>>())
                .filter(|running| uses(&running.spec.config))
                .collect();
            let providers: Vec<_> = tables
                .providers
                .values()
                .filter(|provider| uses(&provider.spec.config))
                .cloned()
                .collect();
            let links: Vec<_> = tables
                .links
                .all()
                .filter(|link| uses(&link.source_config) || uses(&link.target_config))
                .cloned()
                .collect();
            (components, providers, links)
        };
        // One user that refuses the new values must not keep them from the others.
        let mut refused = Vec::new();
        for running in components {
            refused.extend(self.fill_config(&running).err());
        }
        for RunningProvider { spec, provider, .. } in providers {
            let user = || format!("provider `{}`", spec.id);
            let merged = self.0.tables.lock().configs.merge(&spec.config, user);
            let updated = match merged {
                Ok(config) => {
                    let updated = provider.update_config(&config).await;
                    updated.map_err(|source| HostError::Provider {
                        provider: spec.id.clone(),
                        source,
                    })
                }
                Err(error) => Err(error),
            };
            refused.extend(updated.err());
        }
        for link in links {
            refused.extend(self.wire(&link).await.err());
        }
        let mut refused = refused.into_iter();
        let first = refused.next();
        for error in refused {
            tracing::warn!(config = %name, error = &error as &dyn std::error::Error, "the new values were refused");
        }
        first.map_or(Ok(()), Err)
    }

    /// The named config, if there is one.
    pub fn config(&self, name: &ConfigName) -> Option<ConfigMap> {
        self.0.tables.lock().configs.get(name).cloned()
    }

    /// A named config is gone from where it was kept. Who uses it goes on without its values (v1 wire reference
    /// §2.9); one that nobody uses is forgotten.
    pub async fn clear_config(&self, name: &ConfigName) -> Result<(), HostError> {
        match self.delete_config(name) {
            Err(HostError::ConfigInUse { .. }) => self.put_config(name.clone(), ConfigMap::new()).await,
            other => other.map(drop),
        }
    }

    /// Removes a named config that nobody uses. Says whether it was there.
    pub fn delete_config(&self, name: &ConfigName) -> Result<bool, HostError> {
        let mut tables = self.0.tables.lock();
        if let Some(user) = tables.user_of(name) {
            return Err(HostError::ConfigInUse {
                config: name.clone(),
                user,
            });
        }
        Ok(tables.configs.remove(name))
    }

    pub(super) fn merged(&self, spec: &ComponentSpec) -> Result<ConfigMap, HostError> {
        self.0
            .tables
            .lock()
            .configs
            .merge(&spec.config, || format!("component `{}`", spec.id))
    }

    /// Gives a revision that runs the values of its configs as they are now.
    pub(super) fn fill_config(&self, running: &Running) -> Result<(), HostError> {
        let spec = &running.spec;
        // Locked until they are set, so that older values never come last.
        let tables = self.0.tables.lock();
        let merged = tables
            .configs
            .merge(&spec.config, || format!("component `{}`", spec.id));
        running.profile.context().set_config(merged?);
        Ok(())
    }
}
