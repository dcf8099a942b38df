//! Links on a host: put, turned and removed, and told to both ends. What a table of links is, is for `links`.

use std::sync::Arc;

use wasmcloud_capability::ComponentContext;
use wasmcloud_core::{ComponentId, Link, LinkSuffix};

use super::Host;
use crate::components::Component;
use crate::error::HostError;
use crate::links::{LinkId, Stored};

impl Host {
    /// Adds a link or replaces the one with the same key and target, and tells both ends. A link whose provider
    /// refuses it is not kept.
    pub async fn put_link(&self, link: Link) -> Result<(), HostError> {
        let same = (link.key(), link.target.clone());
        self.swap_link(link, same).await
    }

    /// Puts a link in the place of one with the same key that goes elsewhere. Calls go to the one or the other target,
    /// never to none. On failure the former stays.
    pub async fn replace_link(&self, former: &Link, link: Link) -> Result<(), HostError> {
        let gone = former.target.clone();
        self.swap_link(link.clone(), (former.key(), gone.clone())).await?;
        if gone == link.target {
            return Ok(());
        }
        let provider = self
            .0
            .tables
            .lock()
            .providers
            .get(&gone)
            .map(|running| Arc::clone(&running.provider));
        if let Some(provider) = provider {
            provider.unlink(&former.key()).await;
        }
        self.forget_if_unused(&gone);
        Ok(())
    }

    pub(super) async fn swap_link(&self, link: Link, former: LinkId) -> Result<(), HostError> {
        let _wiring = self.0.wiring.lock().await;
        self.refuse_if_stopping()?;
        let id = (link.key(), link.target.clone());
        let before = {
            let mut tables = self.0.tables.lock();
            // A missing config is found before anything changes.
            tables.bind(&link)?;
            let before = tables.links.take(&former);
            if let Err(error) = tables.links.put(link.clone()) {
                if let Some(before) = before {
                    tables.links.put(before)?;
                }
                return Err(error);
            }
            before
        };
        if let Err(error) = self.wire(&link).await {
            {
                let mut tables = self.0.tables.lock();
                tables.links.take(&id);
                if let Some(before) = before.clone() {
                    tables.links.put(before)?;
                }
            }
            if let Some(before) = before {
                // It was accepted once; that it is not now is worth a line, the caller gets the reason that counts.
                if let Err(error) = self.wire(&before).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the former link could not be restored"
                    );
                }
            }
            self.refresh_table(&link.source);
            return Err(error);
        }
        Ok(())
    }

    /// Removes a link and tells both ends. Removing one that is not there is no error.
    pub async fn remove_link(&self, link: &Link) {
        let _wiring = self.0.wiring.lock().await;
        let key = link.key();
        let (providers, rest) = {
            let mut tables = self.0.tables.lock();
            if tables.links.take(&(key.clone(), link.target.clone())).is_none() {
                return;
            }
            let ends = [&link.source, &link.target].into_iter();
            let providers: Vec<_> = ends
                .filter_map(|end| tables.providers.get(end))
                .map(|running| Arc::clone(&running.provider))
                .collect();
            let rest: Vec<Link> = tables
                .links
                .of(&key.source)
                .filter(|other| other.key() == key)
                .cloned()
                .collect();
            (providers, rest)
        };
        self.refresh_table(&key.source);
        for provider in providers {
            provider.unlink(&key).await;
        }
        // Providers know links by key. Those that share it and stay are told again.
        for link in rest {
            if let Err(error) = self.wire(&link).await {
                tracing::warn!(%link, error = &error as &dyn std::error::Error, "a link that stays was refused");
            }
        }
        self.forget_if_unused(&link.target);
        self.forget_if_unused(&key.source);
    }

    /// All links.
    pub fn links(&self) -> Vec<Link> {
        self.0.tables.lock().links.all().cloned().collect()
    }

    /// The links of one source.
    pub fn links_of(&self, source: &ComponentId) -> Vec<Link> {
        self.0.tables.lock().links.of(source).cloned().collect()
    }

    /// Tells both ends of a link that it is there. Under `wiring`.
    pub(super) async fn wire(&self, link: &Link) -> Result<(), HostError> {
        let (bound, source, target) = {
            let mut tables = self.0.tables.lock();
            let provider = |id: &ComponentId| tables.providers.get(id).map(|p| Arc::clone(&p.provider));
            let (source, target) = (provider(&link.source), provider(&link.target));
            let bound = tables.bind(link)?;
            if source.is_none() {
                tables.component(&link.source)?;
            }
            if target.is_none() {
                tables.component(&link.target)?;
            }
            (bound, source, target)
        };
        let refused = |source| HostError::Link {
            link: Box::new(link.key()),
            source,
        };
        if let Some(provider) = target {
            let endpoint = provider.link_as_target(&bound).await.map_err(refused)?;
            let id = (link.key(), link.target.clone());
            self.0.tables.lock().links.set_endpoint(&id, Some(endpoint));
        }
        match source {
            Some(provider) => {
                if let Some(target) = self.target(&link.target) {
                    provider.link_as_source(&bound, target).await.map_err(refused)?;
                }
            }
            None => self.refresh_table(&link.source),
        }
        Ok(())
    }

    /// Gives the revisions of a component that runs their link tables anew. One that does not run gets it when it
    /// starts: a host knows all links of its lattice, and a table costs as much as its source has links.
    pub(super) fn refresh_table(&self, source: &ComponentId) {
        let component = self.0.tables.lock().components.get(source).cloned();
        if let Some(component) = component.filter(|component| component.current().is_some()) {
            self.fill_tables(&component);
        }
    }

    /// Gives all revisions of a component their link tables, those included that calls have not left yet.
    pub(super) fn fill_tables(&self, component: &Component) {
        for running in component.runs().all() {
            self.fill_table(running.profile.context(), running.spec.link_suffix.as_ref());
        }
        for gone in component.leaving() {
            self.fill_table(gone.profile.context(), gone.link_suffix.as_ref());
        }
    }

    /// Gives a revision its link table.
    pub(super) fn fill_table(&self, revision: &ComponentContext, suffix: Option<&LinkSuffix>) {
        let elsewhere = self.0.calls.get().map(|calls| calls.handle());
        // Locked until it is set, so that an older table never comes last.
        let tables = self.0.tables.lock();
        let endpoint = |stored: &Stored| tables.endpoint(stored);
        let table = tables.links.table(revision.id(), suffix, elsewhere, endpoint);
        revision.set_links(table);
    }

    /// A place that holds nothing and that no link names is not kept.
    pub(super) fn forget_if_unused(&self, id: &ComponentId) {
        let mut tables = self.0.tables.lock();
        let named = tables.links.names(id);
        // Somebody who starts it holds the lock.
        let runs =
            |component: &Component| component.changing.try_lock().is_err() || component.current().is_some();
        if !named
            && tables
                .components
                .get(id)
                .is_some_and(|component| !runs(component))
        {
            tables.components.remove(id);
        }
    }
}
