//! Where a component is found by those who call it, also while it is replaced.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use wasmcloud_core::ComponentId;

use crate::error::Refused;
use crate::prepared::Prepared;

/// A place in this host for one component. Callers keep the place; the component in it may be started, replaced
/// and stopped, and a call that found one runs to its end in it.
pub struct Target {
    id: ComponentId,
    current: ArcSwapOption<Prepared>,
    reason: Mutex<String>,
}

impl Target {
    /// An empty place.
    pub fn new(id: ComponentId, reason: &str) -> Arc<Self> {
        Arc::new(Self {
            id,
            current: ArcSwapOption::empty(),
            reason: Mutex::new(reason.to_owned()),
        })
    }

    /// The id of the component.
    pub fn id(&self) -> &ComponentId {
        &self.id
    }

    /// The component, if it runs here.
    pub fn get(&self) -> Result<Arc<Prepared>, Refused> {
        self.current.load_full().ok_or_else(|| Refused::NotRunning {
            component: self.id.clone(),
            reason: self.reason.lock().clone(),
        })
    }

    /// Puts a component in, and hands out the one that was there. Calls that found that one go on in it.
    pub fn set(&self, prepared: Arc<Prepared>) -> Option<Arc<Prepared>> {
        self.current.swap(Some(prepared))
    }

    /// Takes the component out; callers learn `reason`.
    pub fn clear(&self, reason: &str) -> Option<Arc<Prepared>> {
        *self.reason.lock() = reason.to_owned();
        self.current.swap(None)
    }
}
