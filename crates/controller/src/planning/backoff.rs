//! What was sent and has not shown an effect yet: nothing is sent again before its time, nothing is forgotten, and
//! nothing is tried in a hurry for ever.
//!
//! A step that was sent waits for its effect to be observed. If that takes too long, or the step is reported to have
//! failed, it is tried again after a pause that doubles up to [`MAX_PAUSE`]. A step that asks for something else than
//! the last one with its key starts anew. An effect that was observed and is lost again within [`SETTLED_FOR`] goes on
//! with the pause it had, so a thing that dies as soon as it runs is not started as fast as it dies.

use std::collections::BTreeMap;
use std::time::Duration;

use wasmcloud_core::{ComponentId, HostId};

use crate::planning::model::Moment;
use crate::planning::step::{Action, StepKey};

/// The pause after the first failure.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
pub const MAX_PAUSE: Duration = Duration::from_secs(60);
/// After so many tries in vain something is reported as failed, and other hosts are preferred to the one that failed.
pub const FAILED_AFTER: u32 = 3;
/// How long a step is remembered after its effect was observed.
pub const SETTLED_FOR: Duration = Duration::from_secs(60);
/// How long a host where something failed [`FAILED_AFTER`] times is avoided when nothing is tried there any more.
pub const AVOIDED_FOR: Duration = Duration::from_secs(300);

/// What is remembered of earlier plans. Whoever begins to lead begins with an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// By what they are about: a component or provider, else nothing in particular.
    attempts: BTreeMap<Option<ComponentId>, BTreeMap<StepKey, Attempt>>,
}

/// What is remembered of a component or provider on one host.
pub(crate) struct Remembered<'a> {
    pub(crate) host: &'a HostId,
    /// How many instances there will be when what is under way is done; `None` if nothing is, or if it does not look
    /// as if it will be done.
    pub(crate) expected: Option<u32>,
    /// Whether it failed there several times.
    pub(crate) avoid: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Attempt {
    /// What was asked for.
    fingerprint: u64,
    /// How many instances there shall be then, where the step says so.
    count: Option<u32>,
    sent: Moment,
    tries: u32,
    error: Option<String>,
    not_before: Moment,
    /// When the effect was seen, or the step not wanted any more.
    settled: Option<Moment>,
}

/// The answer to whether a step may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Now, after so many tries in vain.
    Send { tries: u32, error: Option<String> },
    /// It was sent, and is not sent again before a certain moment.
    Wait {
        tries: u32,
        until: Moment,
        error: Option<String>,
    },
}

impl Memory {
    /// A step of the last plan failed: the host refused it, did not answer, or told of a failure later. `error` is
    /// what people read. A failure of a step that was not sent, or whose effect was observed since, changes nothing.
    pub fn failed(&mut self, key: &StepKey, error: &str, now: Moment) {
        let group = self.attempts.get_mut(&group(key));
        if let Some(attempt) = group.and_then(|group| group.get_mut(key))
            && attempt.settled.is_none()
        {
            attempt.error = Some(error.to_owned());
            attempt.not_before = now + pause(attempt.tries);
        }
    }

    /// Something happened that may make a step succeed, so it is tried at once.
    pub fn reset(&mut self, key: &StepKey) {
        if let Some(group) = self.attempts.get_mut(&group(key)) {
            group.remove(key);
        }
    }

    /// A host was started anew: what was sent to the one before is void.
    pub fn reset_host(&mut self, host: &HostId) {
        for group in self.attempts.values_mut() {
            group.retain(|key, _| key.host() != Some(host));
        }
    }

    /// How many steps are remembered: at most those of the plans of the last minutes.
    pub fn len(&self) -> usize {
        self.attempts.values().map(BTreeMap::len).sum()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.attempts.values().all(BTreeMap::is_empty)
    }

    /// Whether a step may be sent; if so, it counts as sent.
    pub(crate) fn admit(&mut self, key: StepKey, action: &Action, now: Moment) -> Admission {
        let fingerprint = action.fingerprint();
        let group = self.attempts.entry(group(&key)).or_default();
        let known = group.get(&key).filter(|known| known.fingerprint == fingerprint);
        let (tries, error) = match known {
            None => (0, None),
            Some(known) => {
                let until = match known.settled {
                    None => known.not_before,
                    Some(_) => known.sent + pause(known.tries),
                };
                if now < until {
                    return Admission::Wait {
                        tries: known.tries,
                        until,
                        error: known.error.clone(),
                    };
                }
                (known.tries, known.error.clone())
            }
        };
        let attempt = Attempt {
            fingerprint,
            count: count(action),
            sent: now,
            tries: tries.saturating_add(1),
            error: error.clone(),
            not_before: now + patience(action).max(pause(tries.saturating_add(1))),
            settled: None,
        };
        group.insert(key, attempt);
        Admission::Send { tries, error }
    }

    /// A plan was made. What it did not want is done, or obsolete.
    pub(crate) fn settle(
        &mut self,
        wanted: impl Fn(&StepKey) -> bool,
        alive: impl Fn(&HostId) -> bool,
        now: Moment,
    ) {
        let keep = |key: &StepKey, attempt: &mut Attempt| {
            if !key.host().is_none_or(&alive) {
                return false;
            }
            if wanted(key) {
                return true;
            }
            let settled = *attempt.settled.get_or_insert(now);
            let remembered = if attempt.in_vain() {
                AVOIDED_FOR
            } else {
                SETTLED_FOR
            };
            now < settled + remembered
        };
        self.attempts.retain(|_, group| {
            group.retain(keep);
            !group.is_empty()
        });
    }

    /// Since when the effect of a step is seen, as far as it is remembered.
    pub(crate) fn seen_since(&self, key: &StepKey, now: Moment) -> Option<Moment> {
        let attempt = self.attempts.get(&group(key))?.get(key)?;
        Some(attempt.settled.unwrap_or(now))
    }

    /// What is remembered of a component or provider, by host.
    pub(crate) fn of(&self, id: &ComponentId) -> impl Iterator<Item = Remembered<'_>> {
        let group = if self.attempts.is_empty() {
            None
        } else {
            self.attempts.get(&Some(id.clone()))
        };
        group.into_iter().flatten().filter_map(|(key, attempt)| {
            Some(Remembered {
                host: key.host()?,
                expected: attempt
                    .count
                    .filter(|_| attempt.settled.is_none() && !attempt.in_vain()),
                avoid: attempt.in_vain(),
            })
        })
    }
}

fn group(key: &StepKey) -> Option<ComponentId> {
    match key {
        StepKey::StopProvider(id, _) | StepKey::StartProvider(id, _) | StepKey::Component(id, _) => {
            Some(id.clone())
        }
        _ => None,
    }
}

impl Attempt {
    fn in_vain(&self) -> bool {
        self.tries >= FAILED_AFTER && self.error.is_some()
    }
}

/// How many instances there are when an action is done.
fn count(action: &Action) -> Option<u32> {
    match action {
        Action::ScaleComponent { count, .. } => Some(*count),
        Action::StopComponent { .. } => Some(0),
        Action::StartProvider { .. } => Some(1),
        _ => None,
    }
}

/// How long the effect of an action may take before it counts as lost. A pull of an image takes long and says nothing
/// meanwhile; a provider may take long to start as well (v1 waits 60 s, wire reference §8.6).
fn patience(action: &Action) -> Duration {
    Duration::from_secs(match action {
        Action::ScaleComponent { .. } => 30,
        Action::StartProvider { .. } | Action::StopProvider { .. } => 60,
        _ => 5,
    })
}

/// The pause after so many tries.
fn pause(tries: u32) -> Duration {
    let factor = 1u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_PAUSE.saturating_mul(factor).min(MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Moment {
        Duration::from_secs(seconds)
    }

    fn stop() -> Action {
        let (host, id) = ("N1".parse().unwrap(), "cart".parse().unwrap());
        Action::StopProvider { host, id }
    }

    fn put(value: &str) -> Action {
        let values = BTreeMap::from([("k".to_owned(), value.to_owned())]);
        Action::PutConfig {
            name: "shop-web".parse().unwrap(),
            values,
        }
    }

    fn sent(memory: &mut Memory, action: &Action, now: u64) -> bool {
        matches!(
            memory.admit(action.key(), action, seconds(now)),
            Admission::Send { .. }
        )
    }

    #[test]
    fn nothing_is_sent_again_before_its_time() {
        let mut memory = Memory::default();
        assert!(sent(&mut memory, &put("a"), 0));
        assert!(!sent(&mut memory, &put("a"), 4));
        assert!(
            sent(&mut memory, &put("a"), 5),
            "its effect should have been seen by now"
        );
        assert!(sent(&mut memory, &put("b"), 6), "something else is asked for");
        assert!(!sent(&mut memory, &put("b"), 7));
        assert!(sent(&mut memory, &stop(), 7), "something else altogether");
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        let mut memory = Memory::default();
        let (mut now, mut pauses) = (0, Vec::new());
        for _ in 0..9 {
            assert!(sent(&mut memory, &stop(), now));
            memory.failed(&stop().key(), "refused", seconds(now));
            let begun = now;
            while !sent(&mut memory.clone(), &stop(), now) {
                now += 1;
            }
            pauses.push(now - begun);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pause(u32::MAX), MAX_PAUSE);
    }

    #[test]
    fn what_dies_as_soon_as_it_runs_is_not_started_in_a_hurry() {
        let mut memory = Memory::default();
        let mut now = 0;
        let mut sends = 0;
        while now < 60 {
            if sent(&mut memory, &put("a"), now) {
                sends += 1;
                // Its effect is seen, and gone at the next look.
                memory.settle(|_| false, |_| true, seconds(now));
            }
            now += 1;
        }
        assert_eq!(sends, 6, "at 0, 1, 3, 7, 15, 31 seconds");
    }

    #[test]
    fn what_is_done_is_forgotten() {
        let mut memory = Memory::default();
        assert!(sent(&mut memory, &put("a"), 0) && sent(&mut memory, &stop(), 0));
        memory.settle(|_| false, |_| true, seconds(1));
        assert_eq!(memory.len(), 2);
        memory.settle(|_| false, |_| false, seconds(2));
        assert_eq!(memory.len(), 1, "what was sent to a host that is gone is void");
        memory.settle(|_| false, |_| true, seconds(1) + SETTLED_FOR);
        assert!(memory.is_empty());
    }

    #[test]
    fn a_host_that_starts_anew_is_asked_at_once() {
        let mut memory = Memory::default();
        assert!(sent(&mut memory, &stop(), 0));
        memory.failed(&stop().key(), "refused", seconds(0));
        memory.reset_host(&"N1".parse().unwrap());
        assert!(sent(&mut memory, &stop(), 0));
        memory.reset(&stop().key());
        assert!(sent(&mut memory, &stop(), 0));
    }
}
