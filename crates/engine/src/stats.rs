//! Counters of one component: what happened, how long it took. Written by every call, so plain atomics; whoever
//! exports metrics reads a snapshot, and nobody pays for that but who asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets for calls, in microseconds; one more bucket has none. From a call between components
/// to one that runs into the usual deadline.
const CALL_BOUNDS_US: [u64; 13] = [
    10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000,
];

/// The counters of one component on one host. They survive updates of the component.
#[derive(Default)]
pub struct Stats {
    errors: AtomicU64,
    refused: AtomicU64,
    instantiated: AtomicU64,
    cold: AtomicU64,
    overflowed: AtomicU64,
    queued: AtomicU64,
    queued_ns: AtomicU64,
    woken: AtomicU64,
    turned_away: AtomicU64,
    calls: Histogram<{ CALL_BOUNDS_US.len() + 1 }>,
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
    /// Calls that went over the lattice because no slot was free here; they are none of those above.
    pub overflowed: u64,
    /// Instances made, with those that are made to see whether the component starts.
    pub instantiated: u64,
    /// Those of the calls that had a fresh instance; the others had one that was used before.
    pub cold: u64,
    /// Calls that had to wait for a slot, however the wait ended.
    pub queued: u64,
    /// The time that they waited, added up.
    pub queue_time: Duration,
    /// How often it slept and was woken by a call.
    pub woken: u64,
    /// Those of the refused calls that came when too many were waiting already.
    pub turned_away: u64,
    /// Calls by duration, from the slot to the end. The sum is the time in calls.
    pub durations: Durations,
}

/// How long something took, by how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// Upper bound (`None` for the rest) and how often, not cumulative, ascending.
    pub buckets: Vec<(Option<Duration>, u64)>,
    /// All of them added up.
    pub sum: Duration,
}

impl Durations {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// Adds what happened elsewhere, or later. Both have the same bounds, or one is empty.
    pub fn add(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
        } else {
            for ((_, count), (_, more)) in self.buckets.iter_mut().zip(&other.buckets) {
                *count += more;
            }
        }
        self.sum += other.sum;
    }

    /// What was added since `earlier`.
    fn since(&self, earlier: &Self) -> Self {
        let mut new = self.clone();
        for ((_, count), (_, before)) in new.buckets.iter_mut().zip(&earlier.buckets) {
            *count = count.saturating_sub(*before);
        }
        new.sum = new.sum.saturating_sub(earlier.sum);
        new
    }
}

impl StatsSnapshot {
    /// Adds the counters of another component.
    pub fn add(&mut self, other: &Self) {
        self.invocations += other.invocations;
        self.errors += other.errors;
        self.refused += other.refused;
        self.overflowed += other.overflowed;
        self.instantiated += other.instantiated;
        self.cold += other.cold;
        self.queued += other.queued;
        self.queue_time += other.queue_time;
        self.woken += other.woken;
        self.turned_away += other.turned_away;
        self.durations.add(&other.durations);
    }

    /// What happened since `earlier`, of the same component.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            invocations: self.invocations.saturating_sub(earlier.invocations),
            errors: self.errors.saturating_sub(earlier.errors),
            refused: self.refused.saturating_sub(earlier.refused),
            overflowed: self.overflowed.saturating_sub(earlier.overflowed),
            instantiated: self.instantiated.saturating_sub(earlier.instantiated),
            cold: self.cold.saturating_sub(earlier.cold),
            queued: self.queued.saturating_sub(earlier.queued),
            queue_time: self.queue_time.saturating_sub(earlier.queue_time),
            woken: self.woken.saturating_sub(earlier.woken),
            turned_away: self.turned_away.saturating_sub(earlier.turned_away),
            durations: self.durations.since(&earlier.durations),
        }
    }
}

impl Stats {
    pub(crate) fn instantiated(&self) {
        self.instantiated.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A call came when too many were waiting already.
    pub(crate) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// A call of this component was taken elsewhere because all slots here were in use. Said by whoever took it there.
    pub fn overflowed(&self) {
        self.overflowed.fetch_add(1, Ordering::Relaxed);
    }

    /// A call waited for a slot. Calls that find one at once come by here never.
    pub(crate) fn queued(&self, waited: Duration) {
        self.queued.fetch_add(1, Ordering::Relaxed);
        self.queued_ns.fetch_add(nanos(waited), Ordering::Relaxed);
    }

    /// It was woken. Said by whoever woke it.
    pub fn woken(&self) {
        self.woken.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn finished(&self, took: Duration, failed: bool, cold: bool) {
        self.calls.record(took, &CALL_BOUNDS_US);
        if cold {
            self.cold.fetch_add(1, Ordering::Relaxed);
        }
        if failed {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counters now. Not one instant for all of them: a call may end between two reads.
    pub fn snapshot(&self) -> StatsSnapshot {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let durations = self.calls.snapshot(&CALL_BOUNDS_US);
        StatsSnapshot {
            invocations: durations.count(),
            errors: load(&self.errors),
            refused: load(&self.refused),
            overflowed: load(&self.overflowed),
            instantiated: load(&self.instantiated),
            cold: load(&self.cold),
            queued: load(&self.queued),
            queue_time: Duration::from_nanos(load(&self.queued_ns)),
            woken: load(&self.woken),
            turned_away: load(&self.turned_away),
            durations,
        }
    }
}

/// How the calls of one revision ended. Its share of [`Stats`], which all revisions of a component have in common, is
/// what a rollout goes by.
#[derive(Default)]
pub(crate) struct Tally {
    calls: AtomicU64,
    failures: AtomicU64,
}

impl Tally {
    pub(crate) fn ended(&self, failed: bool) {
        if failed {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls, and those of them that failed.
    pub(crate) fn get(&self) -> (u64, u64) {
        (
            self.calls.load(Ordering::Relaxed),
            self.failures.load(Ordering::Relaxed),
        )
    }
}

/// Upper bounds of the buckets for compilations, in microseconds; one more bucket has none.
const COMPILE_BOUNDS_US: [u64; 10] = [
    10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 60_000_000,
];

/// What compiling came to on one engine.
#[derive(Default)]
pub(crate) struct CompileStats {
    compiled: Histogram<{ COMPILE_BOUNDS_US.len() + 1 }>,
    cached: AtomicU64,
    failed: AtomicU64,
}

/// What compiling came to, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompileSnapshot {
    /// Components that were compiled, by how long that took.
    pub compiled: Durations,
    /// Components whose compiled code was in the cache.
    pub cached: u64,
    /// Files that could not be compiled.
    pub failed: u64,
}

impl CompileStats {
    /// Notes how a compilation ended: how long it took and whether its code came from the cache, or that it failed.
    pub(crate) fn ended(&self, outcome: Option<(Duration, bool)>) {
        match outcome {
            Some((took, false)) => self.compiled.record(took, &COMPILE_BOUNDS_US),
            Some((_, true)) => _ = self.cached.fetch_add(1, Ordering::Relaxed),
            None => _ = self.failed.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(crate) fn snapshot(&self) -> CompileSnapshot {
        CompileSnapshot {
            compiled: self.compiled.snapshot(&COMPILE_BOUNDS_US),
            cached: self.cached.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

/// Durations in `N` buckets, the last of which has no upper bound. Two atomic adds each.
pub(crate) struct Histogram<const N: usize> {
    buckets: [AtomicU64; N],
    sum_ns: AtomicU64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            sum_ns: AtomicU64::new(0),
        }
    }
}

impl<const N: usize> Histogram<N> {
    /// Notes one. `bounds_us` has `N - 1` upper bounds in microseconds and is the same for each call.
    pub(crate) fn record(&self, took: Duration, bounds_us: &[u64]) {
        let ns = nanos(took);
        let us = ns.div_ceil(1_000);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
        let at = bounds_us.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn snapshot(&self, bounds_us: &[u64]) -> Durations {
        let bounds = bounds_us.iter().map(|bound| Some(Duration::from_micros(*bound)));
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        Durations {
            buckets: bounds.chain([None]).zip(counts).collect(),
            sum: Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)),
        }
    }
}

/// Five hundred years of it fit.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fell_into(durations: &Durations) -> Vec<Option<Duration>> {
        let hit = durations.buckets.iter().filter(|(_, count)| *count > 0);
        hit.map(|(bound, _)| *bound).collect()
    }

    #[test]
    fn a_duration_falls_under_the_first_bound_that_is_not_below_it() {
        let us = Duration::from_micros;
        for (took, bound) in [
            (Duration::ZERO, Some(us(10))),
            (us(10), Some(us(10))),
            (Duration::from_nanos(10_001), Some(us(50))),
            (us(10_000_000), Some(us(10_000_000))),
            (Duration::from_secs(11), None),
            (Duration::MAX, None),
        ] {
            let stats = Stats::default();
            stats.finished(took, false, false);
            assert_eq!(fell_into(&stats.snapshot().durations), [bound], "{took:?}");
        }
    }

    #[test]
    fn short_calls_add_up() {
        let stats = Stats::default();
        for number in 0..1_000 {
            stats.finished(Duration::from_nanos(900), number < 3, number < 2);
        }
        stats.queued(Duration::from_millis(5));
        let snapshot = stats.snapshot();
        assert_eq!(
            (snapshot.invocations, snapshot.errors, snapshot.cold),
            (1_000, 3, 2)
        );
        assert_eq!(snapshot.durations.sum, Duration::from_micros(900));
        assert_eq!(
            (snapshot.queued, snapshot.queue_time),
            (1, Duration::from_millis(5))
        );

        stats.finished(Duration::from_secs(60), true, false);
        let since = stats.snapshot().since(&snapshot);
        assert_eq!((since.invocations, since.errors, since.queued), (1, 1, 0));
        let mut sum = StatsSnapshot::default();
        sum.add(&snapshot);
        sum.add(&since);
        assert_eq!(sum, stats.snapshot());
    }
}
