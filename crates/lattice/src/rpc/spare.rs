//! Where it is of no use to look for somebody else who has a slot free: what the last look came to, for a while.
//!
//! So a host that serves a target alone does not ask the lattice for each call that finds its own slots in use, and
//! hosts that are all full do not make it worse by asking each other.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use wasmcloud_core::ComponentId;

/// Targets of which it is kept in mind. Of more, each call looks.
const MAX_TARGETS: usize = 10_000;

/// How long others are left alone that had no slot free.
const FULL: Duration = Duration::from_millis(10);

/// How long nobody is looked for where there was nobody else, or nobody that could be asked.
const NOBODY: Duration = Duration::from_secs(1);

/// How long nobody is looked for where one did not answer, and it is not certain that it does not take up the call.
const UNSAFE: Duration = Duration::from_secs(10);

/// How long it is believed that there are others after one of them has answered. That looks found nobody may be chance:
/// the server picks who gets a call.
const OTHERS: Duration = Duration::from_secs(10);

/// What a look came to that found no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Others, who are full.
    Full,
    /// Nobody else.
    Nobody,
    /// Somebody who does not answer.
    Unsafe,
}

/// What is kept in mind of targets.
#[derive(Default)]
pub(super) struct Spare(Mutex<HashMap<ComponentId, Looked>>);

struct Looked {
    /// Nobody is looked for until then.
    until: Instant,
    /// One call looks until then, for all.
    looking: Instant,
    /// There are others until then, as far as is known.
    others: Instant,
}

impl Looked {
    fn may_look(&self, now: Instant) -> bool {
        self.until.max(self.looking) <= now
    }
}

impl Spare {
    /// Whether it is time to look for somebody.
    pub(super) fn may_look(&self, target: &ComponentId) -> bool {
        let looked = self.0.lock();
        let now = Instant::now();
        looked.get(target).is_none_or(|looked| looked.may_look(now))
    }

    /// The same for a call that looks then. As long as it is not known that there is anybody, one looks at a time.
    pub(super) fn look(&self, target: &ComponentId) -> bool {
        let now = Instant::now();
        let looks = self.keep(target, now, |looked| {
            let may = looked.may_look(now);
            if may && looked.others <= now {
                looked.looking = now + NOBODY;
            }
            may
        });
        looks.unwrap_or(true)
    }

    /// Somebody else answered, yes or no.
    pub(super) fn others(&self, target: &ComponentId) {
        let now = Instant::now();
        self.keep(target, now, |looked| looked.others = now + OTHERS);
    }

    /// Somebody took a call.
    pub(super) fn one(&self, target: &ComponentId) {
        let now = Instant::now();
        self.keep(target, now, |looked| looked.looking = now);
    }

    /// Nobody took a call.
    pub(super) fn none(&self, target: &ComponentId, found: Found) {
        let now = Instant::now();
        self.keep(target, now, |looked| {
            looked.looking = now;
            let pause = match found {
                Found::Nobody if looked.others <= now => NOBODY,
                Found::Nobody | Found::Full => FULL,
                Found::Unsafe => UNSAFE,
            };
            looked.until = looked.until.max(now + pause);
        });
    }

    /// Nothing where there is no room.
    fn keep<T>(
        &self,
        target: &ComponentId,
        now: Instant,
        change: impl FnOnce(&mut Looked) -> T,
    ) -> Option<T> {
        let mut all = self.0.lock();
        if let Some(looked) = all.get_mut(target) {
            return Some(change(looked));
        }
        if all.len() >= MAX_TARGETS {
            // Rarely: so many components have to be called from here within seconds and find no slot.
            all.retain(|_, looked| looked.until.max(looked.looking).max(looked.others) > now);
        }
        (all.len() < MAX_TARGETS).then(|| {
            let looked = all.entry(target.clone()).or_insert(Looked {
                until: now,
                looking: now,
                others: now,
            });
            change(looked)
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn id(number: usize) -> ComponentId {
        format!("c{number}").parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_in_vain_is_repeated_after_a_while() {
        let spare = Spare::default();
        for (found, pause) in [
            (Found::Nobody, NOBODY),
            (Found::Full, FULL),
            (Found::Unsafe, UNSAFE),
        ] {
            assert!(spare.may_look(&id(0)), "{found:?}");
            spare.none(&id(0), found);
            assert!(!spare.may_look(&id(0)) && spare.may_look(&id(1)), "{found:?}");
            advance(pause - Duration::from_millis(1)).await;
            assert!(!spare.may_look(&id(0)), "{found:?}");
            advance(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_pause_does_not_end_a_longer_one() {
        let spare = Spare::default();
        spare.none(&id(0), Found::Nobody);
        spare.none(&id(0), Found::Full);
        advance(FULL).await;
        assert!(!spare.may_look(&id(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_knows_others_looks_again_soon() {
        let spare = Spare::default();
        spare.others(&id(0));
        assert!(spare.may_look(&id(0)));
        spare.none(&id(0), Found::Nobody);
        advance(FULL).await;
        assert!(spare.may_look(&id(0)));
        advance(OTHERS).await;
        spare.none(&id(0), Found::Nobody);
        advance(FULL).await;
        assert!(!spare.may_look(&id(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_is_known_one_looks_at_a_time() {
        let spare = Spare::default();
        assert!(spare.look(&id(0)));
        assert!(!spare.look(&id(0)) && !spare.may_look(&id(0)) && spare.look(&id(1)));
        spare.one(&id(0));
        assert!(spare.look(&id(0)));
        // One that never comes back does not hold up the others.
        advance(NOBODY).await;
        assert!(spare.look(&id(0)));
        spare.others(&id(0));
        spare.one(&id(0));
        assert!(spare.look(&id(0)) && spare.look(&id(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_a_cap_and_what_is_over_makes_room() {
        let spare = Spare::default();
        for number in 0..=MAX_TARGETS {
            spare.none(&id(number), Found::Nobody);
        }
        assert_eq!(spare.0.lock().len(), MAX_TARGETS);
        // One too many: it is not kept, and those before it are.
        assert!(spare.look(&id(MAX_TARGETS)) && spare.may_look(&id(MAX_TARGETS)));
        assert!(!spare.may_look(&id(0)));
        advance(NOBODY).await;
        spare.none(&id(MAX_TARGETS), Found::Nobody);
        assert_eq!(spare.0.lock().len(), 1);
        assert!(!spare.may_look(&id(MAX_TARGETS)) && spare.may_look(&id(0)));
    }
}
