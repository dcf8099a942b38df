//! Counters of one component: what happened, how long it took. Written by every call, so plain atomics; whoever
//! exports metrics reads a snapshot.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the duration buckets in microseconds; the last bucket has none.
const BUCKETS_US: [u64; 12] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000,
];

/// The counters of one component on one host. They survive updates of the component.
#[derive(Default)]
pub struct Stats {
    invocations: AtomicU64,
    errors: AtomicU64,
    refused: AtomicU64,
    instantiated: AtomicU64,
    busy_us: AtomicU64,
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsSnapshot {
    /// Calls that the component saw.
    pub invocations: u64,
    /// Those that trapped, ran out of time or into a limit.
    pub errors: u64,
    /// Calls that it never saw.
    pub refused: u64,
    /// Instances made.
    pub instantiated: u64,
    /// Time in calls, summed over all of them.
    pub busy: Duration,
    /// Calls by duration: upper bound in microseconds (`None` for the rest) and count, not cumulative.
    pub durations: Vec<(Option<u64>, u64)>,
}

impl Stats {
    pub(crate) fn instantiated(&self) {
        self.instantiated.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn finished(&self, took: Duration, failed: bool) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.invocations.fetch_add(1, Ordering::Relaxed);
        self.busy_us.fetch_add(us, Ordering::Relaxed);
        if failed {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        let at = BUCKETS_US.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counters now. Not one instant for all of them: a call may end between two reads.
    pub fn snapshot(&self) -> StatsSnapshot {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let bounds = BUCKETS_US.iter().map(|bound| Some(*bound)).chain([None]);
        StatsSnapshot {
            invocations: load(&self.invocations),
            errors: load(&self.errors),
            refused: load(&self.refused),
            instantiated: load(&self.instantiated),
            busy: Duration::from_micros(load(&self.busy_us)),
            durations: bounds.zip(self.buckets.iter().map(load)).collect(),
        }
    }
}
