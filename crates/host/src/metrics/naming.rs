//! Which components have series of their own, and what the others come to: labels stay bounded and counters never fall.

use std::collections::{HashMap, HashSet};

use wasmcloud_core::ComponentId;
use wasmcloud_engine::StatsSnapshot;

use crate::components::{Component, Running};

/// Components with series of their own. Which ones is decided when they are first seen, the busiest first, and stays so
/// for as long as they are on the host: a component that changed between its own series and `other` would make both
/// jump. With this many, `/metrics` stays below 2 MB also if all ids are as long as they may be.
pub(super) const MAX_NAMED: usize = 128;

/// The label of all others. A component of this name is one of them: two series with the same labels make a scrape
/// invalid.
pub(super) const OTHER: &str = "other";

/// Everything that is only added to.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) stats: StatsSnapshot,
    /// Of requests to the component received and sent, of its own requests received and sent.
    pub(super) bytes: [u64; 4],
    pub(super) answers: [u64; 5],
}

/// What goes up and down.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    pub(super) running: u64,
    pub(super) waiting: u64,
    pub(super) permits: u64,
    pub(super) idle: u64,
    pub(super) asleep: u64,
}

/// Who has series of its own, and what the others came to.
#[derive(Default)]
pub(super) struct Naming {
    named: HashSet<ComponentId>,
    /// The others as they were last seen: what they counted since goes to `other`, which so never falls, also when one of
    /// them leaves.
    others: HashMap<ComponentId, Counts>,
    other: Counts,
}

/// One component at this moment.
pub(super) struct Seen {
    pub(super) id: ComponentId,
    pub(super) runs: bool,
    pub(super) counts: Counts,
    pub(super) levels: Levels,
}

impl Seen {
    pub(super) fn of(component: &Component) -> Option<Self> {
        let traffic = component.context.traffic();
        let counts = Counts {
            stats: component.stats.snapshot(),
            bytes: [
                traffic.served.received.get(),
                traffic.served.sent.get(),
                traffic.requested.received.get(),
                traffic.requested.sent.get(),
            ],
            answers: traffic.answers(),
        };
        let revisions = component.runs();
        let runs = revisions.current.is_some();
        // A place that only links name, and nothing ever ran in.
        if !runs && counts.stats.instantiated == 0 {
            return None;
        }
        let mut levels = Levels::default();
        for revision in revisions.all() {
            levels.add(&Levels::of(revision));
        }
        Some(Self {
            id: component.target.id().clone(),
            runs,
            counts,
            levels,
        })
    }
}

impl Counts {
    fn add(&mut self, more: &Self) {
        self.stats.add(&more.stats);
        let each = self.bytes.iter_mut().zip(more.bytes);
        each.chain(self.answers.iter_mut().zip(more.answers))
            .for_each(|(sum, more)| *sum += more);
    }

    fn since(&self, earlier: &Self) -> Self {
        let mut new = self.clone();
        new.stats = self.stats.since(&earlier.stats);
        let each = new.bytes.iter_mut().zip(earlier.bytes);
        each.chain(new.answers.iter_mut().zip(earlier.answers))
            .for_each(|(now, before)| *now = now.saturating_sub(before));
        new
    }
}

impl Levels {
    fn of(revision: &Running) -> Self {
        let (running, waiting) = revision.profile.in_use();
        let code = revision.code();
        Self {
            running: running.into(),
            waiting: waiting.into(),
            permits: revision.profile.concurrency().into(),
            idle: code.as_ref().map_or(0, |code| code.idle() as u64),
            asleep: code.is_none().into(),
        }
    }

    fn add(&mut self, more: &Self) {
        self.running += more.running;
        self.waiting += more.waiting;
        self.permits += more.permits;
        self.idle += more.idle;
        self.asleep += more.asleep;
    }
}

impl Naming {
    /// Parts those with series of their own from the others, and adds the others up. The second value is `None` if there
    /// never were any.
    pub(super) fn part(&mut self, seen: Vec<Seen>) -> (Vec<Seen>, Option<(Counts, Levels)>) {
        let here: HashSet<&ComponentId> = seen.iter().map(|one| &one.id).collect();
        self.named.retain(|id| here.contains(id));
        self.others.retain(|id, _| here.contains(id));
        let mut new: Vec<&Seen> = seen
            .iter()
            .filter(|one| !self.named.contains(&one.id) && !self.others.contains_key(&one.id))
            .collect();
        new.sort_by_key(|one| std::cmp::Reverse(one.counts.stats.invocations));
        for one in new {
            if self.named.len() < MAX_NAMED && one.id.as_str() != OTHER {
                self.named.insert(one.id.clone());
            } else {
                self.others.insert(one.id.clone(), Counts::default());
            }
        }
        let (named, others): (Vec<Seen>, Vec<Seen>) =
            seen.into_iter().partition(|one| self.named.contains(&one.id));
        let mut levels = Levels::default();
        for one in &others {
            levels.add(&one.levels);
            if let Some(before) = self.others.get_mut(&one.id) {
                self.other.add(&one.counts.since(before));
                *before = one.counts.clone();
            }
        }
        let ever = !others.is_empty() || self.other.stats != StatsSnapshot::default();
        (named, ever.then(|| (self.other.clone(), levels)))
    }
}
