//! Providers on this host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wasmcloud_capability::Provider;
use wasmcloud_core::{ComponentId, ConfigName, ImageRef};

use crate::claims::ProviderClaims;
use crate::rpc::{LEAVE, Serving};

/// A provider as it should run on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSpec {
    /// Its id.
    pub id: ComponentId,
    /// What runs.
    pub image: ImageRef,
    /// The image as somebody wrote it, which may be one that a built-in provider answers for. The inventory shows
    /// this: controllers compare texts.
    pub reference: String,
    /// Its named configs, later ones override earlier ones.
    pub config: Vec<ConfigName>,
    /// Who manages it and why; opaque to the host.
    pub annotations: BTreeMap<String, String>,
}

/// A running provider.
#[derive(Clone)]
pub(crate) struct RunningProvider {
    pub(crate) spec: ProviderSpec,
    pub(crate) claims: ProviderClaims,
    pub(crate) provider: Arc<dyn Provider>,
}

/// A provider that is no longer in the tables.
pub(crate) struct TakenProvider {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) serving: Option<Serving>,
}

impl TakenProvider {
    /// Stops it: first no calls come from other hosts any more, then those under way end, then it lets go of what it
    /// holds.
    pub(crate) async fn stop(self, drain: Duration) {
        if let Some(serving) = self.serving {
            let now = Instant::now();
            serving.drain(now + drain.min(LEAVE), now + drain).await;
        }
        self.provider.stop().await;
    }
}
