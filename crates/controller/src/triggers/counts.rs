//! How many ticks there were and what became of them, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts ticks of all triggers since it was made. Cheap to read at any time.
#[derive(Debug, Default)]
pub struct Counts {
    pub(crate) fired: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) missed: AtomicU64,
}

/// What was counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Calls that were made, those that failed included.
    pub fired: u64,
    /// Calls that failed or were refused.
    pub failed: u64,
    /// Ticks that were not called for because an earlier call still ran.
    pub skipped: u64,
    /// How often ticks were found missed, or the component not to run; with `missed: once` the call for them counts
    /// when it is made.
    pub missed: u64,
}

impl Counts {
    /// What was counted so far.
    pub fn now(&self) -> Counted {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counted {
            fired: read(&self.fired),
            failed: read(&self.failed),
            skipped: read(&self.skipped),
            missed: read(&self.missed),
        }
    }
}

/// Adds to a count.
pub(crate) fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}
