//! Components: what is asked for, what runs, and how one becomes the other without holding anything up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use wasmcloud_capability::ComponentContext;
use wasmcloud_core::{ComponentId, ConfigName, ImageRef, Limits};
use wasmcloud_engine::{Prepared, Stats, Target};

use crate::claims::ComponentClaims;
use crate::rpc::{LEAVE, Serving};

/// A component as it should run on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentSpec {
    /// Its id.
    pub id: ComponentId,
    /// Where its code comes from.
    pub image: ImageRef,
    /// The same as somebody wrote it, which is how the inventory shows it: controllers compare texts.
    pub reference: String,
    /// What it may use.
    pub limits: Limits,
    /// Its named configs, later ones override earlier ones.
    pub config: Vec<ConfigName>,
    /// Who manages it and why; opaque to the host.
    pub annotations: BTreeMap<String, String>,
    /// What an import means that nobody answers yet.
    pub unlinked: Unlinked,
}

/// What a start does about an import that is answered over a link, when there is no such link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unlinked {
    /// It fails. For who knows all links beforehand, as a manifest does.
    #[default]
    Refuse,
    /// It goes on; calls of the import fail until the link is there. Controllers of v1 put links after they have
    /// started both ends (wire reference §17).
    Allow,
}

/// A place for one component on this host. It outlives what runs in it: callers that were linked to a component that
/// is stopped learn that it is, and reach it again once it is started.
pub(crate) struct Component {
    pub(crate) target: Arc<Target>,
    pub(crate) context: Arc<ComponentContext>,
    pub(crate) stats: Arc<Stats>,
    /// Held by whoever starts, updates or stops this component, compile included. Other components are not
    /// concerned.
    pub(crate) running: Mutex<Option<Running>>,
    /// A copy of `running` for those who only look.
    pub(crate) shown: parking_lot::Mutex<Option<Shown>>,
    /// The calls of others to it, while it runs on a host that is part of a lattice.
    pub(crate) serving: parking_lot::Mutex<Option<Serving>>,
}

/// A component that runs, for those who look.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) spec: ComponentSpec,
    pub(crate) claims: ComponentClaims,
}

pub(crate) struct Running {
    pub(crate) spec: ComponentSpec,
    pub(crate) claims: ComponentClaims,
    pub(crate) digest: String,
    pub(crate) prepared: Arc<Prepared>,
}

impl Component {
    pub(crate) fn new(id: ComponentId) -> Arc<Self> {
        Arc::new(Self {
            target: Target::new(id.clone(), "it was not started"),
            context: ComponentContext::new(id),
            stats: Arc::default(),
            running: Mutex::new(None),
            shown: parking_lot::Mutex::new(None),
            serving: parking_lot::Mutex::new(None),
        })
    }

    /// Puts what was prepared in place of what ran. Calls under way end where they began.
    pub(crate) fn replace(&self, running: &mut Option<Running>, new: Running) {
        *self.shown.lock() = Some(Shown {
            spec: new.spec.clone(),
            claims: new.claims.clone(),
        });
        if let Some(old) = self.target.set(Arc::clone(&new.prepared)) {
            old.retire();
        }
        *running = Some(new);
    }

    /// Takes the component out and waits until its calls have ended, at most `drain`.
    pub(crate) async fn stop(&self, drain: Duration, reason: &str) -> Option<Running> {
        let mut running = self.running.lock().await;
        *self.shown.lock() = None;
        let stopped = running.take()?;
        let serving = self.serving.lock().take();
        if let Some(serving) = serving {
            // Until nobody is sent here any more, those who are sent are answered.
            serving.stop(Instant::now() + drain.min(LEAVE)).await;
        }
        self.target.clear(reason);
        stopped.prepared.retire();
        if !stopped.prepared.drained(drain).await {
            let (open, _) = stopped.prepared.in_use();
            tracing::warn!(component = %stopped.spec.id, open, "calls still run after the time to drain");
        }
        Some(stopped)
    }
}
