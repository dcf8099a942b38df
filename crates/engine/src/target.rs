//! Where a component is found by those who call it, also while it is replaced, and while two revisions of it share its
//! calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use wasmcloud_core::ComponentId;

use crate::error::Refused;
use crate::prepared::Prepared;

/// A place in this host for one component. Callers keep the place; the component in it may be started, replaced
/// and stopped, and a call that found one runs to its end in it.
pub struct Target {
    id: ComponentId,
    /// Everything that a call looks at, replaced as a whole: no call sees one revision gone and the next not there.
    occupied: ArcSwapOption<Occupied>,
    reason: Mutex<String>,
}

struct Occupied {
    current: Arc<Prepared>,
    candidate: Option<Candidate>,
}

/// Another revision, which gets a share of the calls.
struct Candidate {
    prepared: Arc<Prepared>,
    turns: Turns,
}

impl Target {
    /// An empty place.
    pub fn new(id: ComponentId, reason: &str) -> Arc<Self> {
        Arc::new(Self {
            id,
            occupied: ArcSwapOption::empty(),
            reason: Mutex::new(reason.to_owned()),
        })
    }

    /// The id of the component.
    pub fn id(&self) -> &ComponentId {
        &self.id
    }

    /// The component, if it runs here. For who looks at it; who calls it asks [`Target::choose`].
    pub fn get(&self) -> Result<Arc<Prepared>, Refused> {
        self.choose_among(|occupied| Arc::clone(&occupied.current))
    }

    /// The revision of the component that a call goes to that begins now, if the component runs here. `serves` says
    /// whether a revision has what is called; it is asked only while there are two. A call that only one of them can
    /// answer goes to that one, unless it is a candidate that shall have none.
    pub fn choose(&self, serves: impl Fn(&Prepared) -> bool) -> Result<Arc<Prepared>, Refused> {
        self.choose_among(|Occupied { current, candidate }| match candidate {
            None => Arc::clone(current),
            Some(candidate) => Arc::clone(candidate.choose(current, serves)),
        })
    }

    fn choose_among(
        &self,
        choose: impl FnOnce(&Occupied) -> Arc<Prepared>,
    ) -> Result<Arc<Prepared>, Refused> {
        match &*self.occupied.load() {
            Some(occupied) => Ok(choose(occupied)),
            None => Err(Refused::NotRunning {
                component: self.id.clone(),
                reason: self.reason.lock().clone(),
            }),
        }
    }

    /// Puts a component in, alone. Calls that found what was there go on in it.
    pub fn set(&self, prepared: Arc<Prepared>) {
        self.put(prepared, None);
    }

    /// Puts two revisions in, of which the second gets `weight` percent of the calls, evenly spread.
    pub fn share(&self, current: Arc<Prepared>, candidate: Arc<Prepared>, weight: u8) {
        let turns = Turns::new(weight);
        let candidate = Candidate {
            prepared: candidate,
            turns,
        };
        self.put(current, Some(candidate));
    }

    fn put(&self, current: Arc<Prepared>, candidate: Option<Candidate>) {
        self.occupied
            .store(Some(Arc::new(Occupied { current, candidate })));
    }

    /// Takes everything out; callers learn `reason`.
    pub fn clear(&self, reason: &str) {
        *self.reason.lock() = reason.to_owned();
        self.occupied.store(None);
    }
}

impl Candidate {
    fn choose<'a>(
        &'a self,
        current: &'a Arc<Prepared>,
        serves: impl Fn(&Prepared) -> bool,
    ) -> &'a Arc<Prepared> {
        let its_turn = match (serves(current), serves(&self.prepared)) {
            // Nobody's turn: what only one of them has must not shift the shares of what both have.
            (_, false) => return current,
            (false, true) => self.turns.weight > 0,
            (true, true) => self.turns.take(),
        };
        if its_turn { &self.prepared } else { current }
    }
}

/// Whose turn it is: of each hundred in a row exactly `weight`, as far apart as can be.
struct Turns {
    weight: u64,
    taken: AtomicU64,
}

impl Turns {
    fn new(weight: u8) -> Self {
        Self {
            weight: weight.into(),
            taken: AtomicU64::new(0),
        }
    }

    fn take(&self) -> bool {
        let turn = self.taken.fetch_add(1, Ordering::Relaxed) % 100;
        (turn * self.weight) % 100 + self.weight >= 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact_and_even() {
        for weight in 0..=100 {
            let turns = Turns::new(weight);
            let taken: Vec<usize> = (0..1_000).filter(|_| turns.take()).collect();
            assert_eq!(taken.len(), usize::from(weight) * 10, "{weight}");
            let most = 100_usize.div_ceil(usize::from(weight.max(1)));
            for pair in taken.windows(2) {
                let apart = pair[1] - pair[0];
                assert!(apart == most || apart + 1 == most, "{weight}: {pair:?}");
            }
        }
    }

    #[test]
    fn shares_are_exact_when_many_call_at_once() {
        let turns = Turns::new(33);
        let taken = std::thread::scope(|scope| {
            let all: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..250).filter(|_| turns.take()).count()))
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).sum::<usize>()
        });
        assert_eq!(taken, 330);
    }
}
