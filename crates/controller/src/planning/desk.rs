//! Where the parts of a plan put the steps they want. What may be sent now goes into the plan; what was sent before
//! waits.

use std::collections::HashSet;

use wasmcloud_core::HostId;

use crate::planning::backoff::{Admission, FAILED_AFTER, Memory};
use crate::planning::model::Moment;
use crate::planning::status::{Status, StatusKind};
use crate::planning::step::{Step, StepKey};
use crate::planning::why::Wait;

/// The steps of one plan.
pub(crate) struct Desk<'m> {
    memory: &'m mut Memory,
    now: Moment,
    /// Why nothing may be changed.
    held: Option<Wait>,
    /// Whether the application at hand is left as it is.
    paused: bool,
    room: usize,
    steps: Vec<Step>,
    wanted: HashSet<StepKey>,
}

impl<'m> Desk<'m> {
    pub(crate) fn new(memory: &'m mut Memory, now: Moment, held: Option<Wait>, room: usize) -> Self {
        Self {
            memory,
            now,
            held,
            paused: false,
            room,
            steps: Vec::new(),
            wanted: HashSet::new(),
        }
    }

    /// Whether what is wanted from here on, for one application, has to wait for somebody to resume it.
    pub(crate) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// What is remembered of earlier plans.
    pub(crate) fn memory(&self) -> &Memory {
        self.memory
    }

    /// Since when the effect of a step is seen, if it was sent within the last minute, and what the time is now.
    pub(crate) fn seen_since(&self, key: &StepKey) -> Option<(Moment, Moment)> {
        Some((self.memory.seen_since(key, self.now)?, self.now))
    }

    /// Wants a step, and says what has to be waited for now.
    pub(crate) fn want(&mut self, step: Step) -> Wait {
        if let Some(held) = &self.held {
            return held.clone();
        }
        if self.paused {
            return Wait::Paused;
        }
        let key = step.action.key();
        let full = self.steps.len() >= self.room;
        self.wanted.insert(key.clone());
        if full {
            return Wait::Room;
        }
        match self.memory.admit(key.clone(), &step.action, self.now) {
            Admission::Send { tries: 0, .. } => {
                self.steps.push(step);
                Wait::Sent(key)
            }
            Admission::Send { tries, error } => {
                self.steps.push(step);
                Wait::Effect {
                    step: key,
                    tries: tries + 1,
                    until: self.now,
                    error,
                }
            }
            Admission::Wait { tries, until, error } => Wait::Effect {
                step: key,
                tries,
                until,
                error,
            },
        }
    }

    /// The steps, in their order. What is not wanted any more is forgotten.
    pub(crate) fn finish(self, alive: impl Fn(&HostId) -> bool) -> Vec<Step> {
        let Self {
            memory,
            now,
            held,
            mut steps,
            wanted,
            ..
        } = self;
        if held.is_none() {
            memory.settle(|key| wanted.contains(key), alive, now);
        }
        crate::planning::order::sort(&mut steps);
        steps
    }
}

/// The status of a part that waits: `doing` says in v1's words what is being done. What failed several times says the
/// last error.
pub(crate) fn status(doing: &str, waits: &[Wait]) -> Status {
    let mut kind = StatusKind::Reconciling;
    let mut error = None;
    for wait in waits {
        match wait {
            Wait::Effect {
                tries,
                error: Some(last),
                ..
            } => {
                if *tries >= FAILED_AFTER {
                    kind = StatusKind::Failed;
                }
                error = error.or(Some(last));
            }
            Wait::Store(_) | Wait::Partial | Wait::Paused if kind != StatusKind::Failed => {
                kind = StatusKind::Waiting
            }
            _ => {}
        }
    }
    let held = waits.iter().find_map(|wait| match wait {
        Wait::Store(why) => Some(format!("{doing} waits: {why}")),
        Wait::Partial => Some(format!("{doing} waits: not all hosts have been heard of yet")),
        Wait::Paused => Some(format!("{doing} waits: the application is paused")),
        _ => None,
    });
    match (held, error) {
        (Some(held), _) => Status::new(kind, held),
        (None, Some(error)) => Status::new(kind, format!("{doing}: {error}")),
        (None, None) => Status::new(kind, doing),
    }
}
