//! An external provider as the host holds it: like a built-in one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use wasmcloud_capability::{BoundLink, ConfigMap, Handle, Provider, ProviderError};
use wasmcloud_core::{ComponentId, LinkKey};

use super::error::ProcessError;
use super::links::Known;
use super::supervise::{self, Supervised};
use super::{Context, External};

/// What stopping may take besides the drain time: the kernel's part of it.
const GRACE: Duration = Duration::from_secs(10);

/// A provider whose program runs in a process of its own. Stopped when it is dropped.
pub(crate) struct ExternalProvider {
    id: ComponentId,
    known: watch::Sender<Known>,
    stop: watch::Sender<bool>,
    /// Whether nothing of it runs.
    still: watch::Sender<bool>,
    /// Whether it is well, once that is known.
    health: watch::Sender<Option<bool>>,
    context: Arc<Context>,
    program: PathBuf,
    drain: Duration,
}

impl ExternalProvider {
    /// A provider that does not run yet. Links are put before it does, so that its first process knows them.
    pub(crate) fn new(
        context: Arc<Context>,
        id: ComponentId,
        program: PathBuf,
        config: ConfigMap,
        drain: Duration,
    ) -> Self {
        let known = Known {
            config,
            ..Known::default()
        };
        Self {
            id,
            known: watch::Sender::new(known),
            stop: watch::Sender::new(false),
            still: watch::Sender::new(true),
            health: watch::Sender::new(None),
            context,
            program,
            drain,
        }
    }

    /// Runs it, and returns when it answers, or cannot be started. From then on it is started again whenever it ends.
    pub(crate) async fn run(&self) -> Result<(), ProviderError> {
        let (first, outcome) = oneshot::channel();
        self.still.send_replace(false);
        tokio::spawn(supervise::supervise(
            Supervised {
                id: self.id.clone(),
                context: Arc::clone(&self.context),
                program: self.program.clone(),
                known: self.known.subscribe(),
                stop: self.stop.subscribe(),
                drain: self.drain,
                health: self.health.clone(),
            },
            first,
            self.still.clone(),
        ));
        let outcome = outcome.await.unwrap_or(Err(ProcessError::Stopped));
        outcome.map_err(|source| ProviderError::Failed {
            what: "run it as a process".to_owned(),
            source: Box::new(source),
        })
    }
}

#[async_trait]
impl Provider for ExternalProvider {
    async fn link_as_target(&self, link: &BoundLink) -> Result<Handle, ProviderError> {
        self.known.send_modify(|known| known.put(link));
        Ok(Arc::new(External { id: self.id.clone() }))
    }

    async fn link_as_source(&self, link: &BoundLink, _target: Handle) -> Result<(), ProviderError> {
        self.known.send_modify(|known| known.put(link));
        Ok(())
    }

    async fn unlink(&self, key: &LinkKey) {
        self.known.send_modify(|known| known.remove(key));
    }

    async fn update_config(&self, config: &ConfigMap) -> Result<(), ProviderError> {
        self.known.send_modify(|known| known.config.clone_from(config));
        Ok(())
    }

    fn healthy(&self) -> Option<bool> {
        *self.health.borrow()
    }

    async fn stop(&self) {
        self.stop.send_replace(true);
        let mut still = self.still.subscribe();
        let stopped = still.wait_for(|still| *still);
        if timeout(self.drain + GRACE, stopped).await.is_err() {
            tracing::error!(provider = %self.id, "the provider does not stop");
        }
    }
}

impl Drop for ExternalProvider {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
