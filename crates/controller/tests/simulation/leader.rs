//! Controllers, of which one leads by a lease. What the loop around the planner will do, in its simplest form.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use wasmcloud_controller::{Memory, Observed, ObservedHost, Step, StepKey, StoreHealth};
use wasmcloud_core::HostId;

use crate::truth::Truth;

/// How long a lease lasts without being renewed (issue 5).
pub(crate) const LEASE: u64 = 5_000;
/// How long it takes to hear of all hosts.
const LOOK: u64 = 4_000;
/// How long a host is remembered that is not heard of any more.
pub(crate) const REMEMBERED: u64 = 15_000;
/// How long an answer is waited for.
const ANSWER: u64 = 2_000;

/// The last that was heard of a host.
struct Heard {
    number: u64,
    inventory: Rc<ObservedHost>,
    at: u64,
}

/// A key with a time to live; its revision is the epoch.
#[derive(Default)]
pub(crate) struct Lease {
    pub(crate) epoch: u64,
    holder: Option<usize>,
    until: u64,
}

#[derive(Default)]
pub(crate) struct Controller {
    pub(crate) paused_until: u64,
    /// When it did something last, and until when it may not have heard of all hosts.
    pub(crate) awake_at: u64,
    pub(crate) partial_until: u64,
    /// The epoch in which it believes to lead.
    pub(crate) leads: Option<u64>,
    pub(crate) memory: Memory,
    pub(crate) planned_at: u64,
    /// Steps of the last plans that were not sent yet, each with the epoch of its plan.
    pub(crate) outbox: VecDeque<(u64, Step)>,
    /// When what was sent has to be answered.
    pub(crate) unanswered: Vec<(u64, StepKey)>,
    /// What it heard of hosts.
    heard: BTreeMap<HostId, Heard>,
    /// What it saw of links and configs.
    seen: Observed,
}

impl Lease {
    /// Takes or keeps the lease, or sees that somebody else has it.
    pub(crate) fn keep(&mut self, me: usize, controller: &mut Controller, now: u64) {
        if self.holder == Some(me) && controller.leads == Some(self.epoch) && now < self.until {
            self.until = now + LEASE;
        } else if now >= self.until {
            self.epoch += 1;
            (self.holder, self.until) = (Some(me), now + LEASE);
            controller.leads = Some(self.epoch);
            controller.memory = Memory::default();
            controller.unanswered.clear();
        } else {
            controller.leads = None;
        }
    }
}

impl Heard {
    fn host(&self) -> ObservedHost {
        ObservedHost {
            last_seen: time(self.at),
            ..(*self.inventory).clone()
        }
    }
}

impl Controller {
    pub(crate) fn hear(&mut self, host: HostId, number: u64, inventory: Rc<ObservedHost>, now: u64) {
        let heard = Heard {
            number,
            inventory,
            at: now,
        };
        match self.heard.entry(host) {
            // It is old, but the host is there.
            Entry::Occupied(mut known) if known.get().number >= number => known.get_mut().at = now,
            Entry::Occupied(mut known) => drop(known.insert(heard)),
            Entry::Vacant(place) => drop(place.insert(heard)),
        }
    }

    /// Looks at links and configs.
    pub(crate) fn look(&mut self, truth: &Truth) {
        self.seen.links.clone_from(&truth.links);
        self.seen.configs.clone_from(&truth.configs);
    }

    /// Notices that it stood still, or has just begun.
    pub(crate) fn awake(&mut self, now: u64, tick: u64) {
        if now > self.awake_at + tick || self.awake_at == 0 {
            self.partial_until = now + LOOK;
        }
        self.awake_at = now;
    }

    pub(crate) fn observed(&self, store: StoreHealth, now: u64) -> Observed {
        Observed {
            store,
            partial: now < self.partial_until,
            hosts: self
                .heard
                .iter()
                .filter(|(_, heard)| now < heard.at + REMEMBERED)
                .map(|(id, heard)| (id.clone(), heard.host()))
                .collect(),
            ..self.seen.clone()
        }
    }

    pub(crate) fn answer(&mut self, key: &StepKey, error: Option<String>, now: u64) {
        self.unanswered.retain(|(_, waiting)| waiting != key);
        if let Some(error) = error {
            self.memory.failed(key, &error, time(now));
        }
    }

    /// What was not answered in time has failed.
    pub(crate) fn give_up(&mut self, now: u64) {
        for (_, key) in self.unanswered.extract_if(.., |(until, _)| *until <= now) {
            self.memory.failed(&key, "no answer", time(now));
        }
    }

    /// The next step to be sent, if the lease is still the one it was planned under.
    pub(crate) fn next(&mut self, lease: &Lease, now: u64) -> Option<(u64, Step)> {
        while let Some((epoch, step)) = self.outbox.pop_front() {
            if epoch == lease.epoch {
                let key = step.action.key();
                self.unanswered.push((now + ANSWER, key));
                return Some((epoch, step));
            }
        }
        None
    }
}

pub(crate) fn time(now: u64) -> std::time::Duration {
    std::time::Duration::from_millis(now)
}
