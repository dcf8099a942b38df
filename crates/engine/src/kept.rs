//! Instances that are kept between calls, of components that want that ([`InstanceMode::Reuse`]). The last one used is
//! the first used again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use wasmcloud_capability::InstanceState;
use wasmcloud_core::{InstanceMode, Limits};
use wasmtime::Store;
use wasmtime::component::Instance;

/// How long a kept instance may go unused. What a burst has left over goes unused from its end on.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// An instance between two calls.
pub(crate) struct Idle {
    pub(crate) store: Store<InstanceState>,
    pub(crate) instance: Instance,
    /// Calls that it has answered.
    pub(crate) uses: u32,
    /// When the last of them ended.
    pub(crate) since: Instant,
}

/// The instances of one component that are kept. They are no more than may run at once: each was one that ran.
#[derive(Default)]
pub(crate) struct Kept {
    idle: Mutex<VecDeque<Idle>>,
    retired: AtomicBool,
}

impl Kept {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.idle.lock().len()
    }

    /// One for the next call, if there is any.
    pub(crate) fn take(&self, limits: &Limits) -> Option<Idle> {
        match limits.instance {
            InstanceMode::Fresh => None,
            InstanceMode::Reuse => self.idle.lock().pop_back(),
        }
    }

    /// Takes an instance back after a call that ended well, where at most `concurrency` may run.
    pub(crate) fn keep(&self, idle: Idle, limits: &Limits, concurrency: u32) {
        if limits.instance != InstanceMode::Reuse || idle.uses >= limits.max_reuse {
            return;
        }
        let mut kept = self.idle.lock();
        // Under the lock, so that `retire` either sees this instance or is seen here.
        if self.retired.load(Ordering::Acquire) {
            return;
        }
        // One for each that comes: as many leave as there are calls, and no call pays for all of them. Too many are there
        // only where there were to be fewer while calls ran.
        let surplus = kept.len() >= concurrency as usize;
        let is_stale = |oldest: &Idle| idle.since.duration_since(oldest.since) > IDLE_LIMIT;
        let goes = kept.pop_front_if(|oldest| surplus || is_stale(oldest));
        kept.push_back(idle);
        drop(kept);
        drop(goes);
    }

    /// Lets go of those that are more than this.
    pub(crate) fn shrink(&self, most: u32) {
        let mut idle = self.idle.lock();
        let surplus = idle.len().saturating_sub(most as usize);
        let surplus: Vec<Idle> = idle.drain(..surplus).collect();
        drop(idle);
        drop(surplus);
    }

    /// Keeps none any more.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }

    /// Whether none is kept any more.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }
}
