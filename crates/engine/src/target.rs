//! Where a component is found by those who call it, also while it is replaced, while two revisions of it share its
//! calls, and while it sleeps: then a call waits until it is awake.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::timeout_at;
use wasmcloud_core::ComponentId;

use crate::error::Refused;
use crate::permits::Waiting;
use crate::prepared::Prepared;
use crate::profile::Profile;

/// How long after a failure to wake a component calls get that answer at once.
const WAKE_PAUSE: Duration = Duration::from_secs(1);

/// Brings a component that sleeps back into its [`Target`]. The host implements it.
#[async_trait]
pub trait Wake: Send + Sync + 'static {
    /// Returns when the component is in its place, or says why it cannot be. What was begun goes on when the caller goes
    /// away, and who asks next waits for that.
    async fn wake(&self) -> Result<(), String>;
}

/// A place in this host for one component. Callers keep the place; the component in it may be started, replaced
/// and stopped, and a call that found one runs to its end in it.
pub struct Target {
    id: ComponentId,
    /// Everything that a call looks at, replaced as a whole: no call sees one revision gone and the next not there.
    occupied: ArcSwapOption<Occupied>,
    vacant: Mutex<Vacant>,
}

/// What callers find in an empty place.
struct Vacant {
    reason: String,
    sleeper: Option<Arc<Sleeper>>,
}

/// A component that sleeps.
struct Sleeper {
    wake: Box<dyn Wake>,
    /// Calls that wait for it, and how many may.
    waiting: AtomicU32,
    most: u32,
    /// Longest wait of one.
    patience: Duration,
    /// One after the other asks for it to wake, and finds it awake or what became of that a moment ago.
    turn: tokio::sync::Mutex<Option<(Instant, String)>>,
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
            vacant: Mutex::new(Vacant {
                reason: reason.to_owned(),
                sleeper: None,
            }),
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
            None => Err(self.not_running(self.vacant.lock().reason.clone())),
        }
    }

    fn not_running(&self, reason: String) -> Refused {
        Refused::NotRunning {
            component: self.id.clone(),
            reason,
        }
    }

    /// The same as [`Target::choose`]; a component that sleeps is woken and waited for until `deadline`, where the caller
    /// has one.
    pub async fn choose_awake(
        &self,
        deadline: Option<Instant>,
        serves: impl Fn(&Prepared) -> bool,
    ) -> Result<Arc<Prepared>, Refused> {
        match self.choose(&serves) {
            Err(_) if self.is_asleep() => {
                // In a box: hardly any call has to do with it.
                Box::pin(self.wake(deadline)).await?;
                self.choose(&serves)
            }
            chosen => chosen,
        }
    }

    /// Whether the component sleeps, so that [`Target::wake`] would help.
    pub fn is_asleep(&self) -> bool {
        self.occupied.load().is_none() && self.vacant.lock().sleeper.is_some()
    }

    /// Returns when the component does not sleep any more, at `deadline` at the latest, and after no longer than an
    /// invocation may take. As many calls wait as may run or be in line when it is awake; others are refused.
    pub async fn wake(&self, deadline: Option<Instant>) -> Result<(), Refused> {
        let Some(sleeper) = self.vacant.lock().sleeper.clone() else {
            return Ok(());
        };
        let begun = Instant::now();
        let limit = begun + sleeper.patience;
        let deadline = deadline.map_or(limit, |deadline| deadline.min(limit));
        let _waiting = Waiting::enter(&sleeper.waiting, sleeper.most).map_err(|waiting| Refused::Full {
            component: self.id.clone(),
            running: 0,
            waiting,
        })?;
        match timeout_at(deadline.into(), self.woken(&sleeper)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(self.not_running(format!("it sleeps and cannot be woken: {reason}"))),
            Err(_elapsed) => {
                let waited = begun.elapsed();
                Err(self.not_running(format!("it sleeps and was not awake in {waited:?}")))
            }
        }
    }

    async fn woken(&self, sleeper: &Sleeper) -> Result<(), String> {
        let mut turn = sleeper.turn.lock().await;
        if self.occupied.load().is_some() {
            return Ok(());
        }
        if let Some((at, reason)) = &*turn
            && at.elapsed() < WAKE_PAUSE
        {
            return Err(reason.clone());
        }
        let woken = sleeper.wake.wake().await;
        if let Err(reason) = &woken {
            *turn = Some((Instant::now(), reason.clone()));
        }
        woken
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
        let mut vacant = self.vacant.lock();
        self.occupied
            .store(Some(Arc::new(Occupied { current, candidate })));
        vacant.sleeper = None;
    }

    /// Takes everything out; callers learn `reason`.
    pub fn clear(&self, reason: &str) {
        self.leave(reason, None);
    }

    /// Takes everything out until somebody calls: then it is woken. Calls wait for that within the component's limits.
    pub fn sleep(&self, profile: &Profile, wake: Box<dyn Wake>) {
        let limits = profile.limits();
        let sleeper = Sleeper {
            wake,
            waiting: AtomicU32::new(0),
            most: profile.concurrency().saturating_add(limits.queue),
            patience: limits.deadline,
            turn: tokio::sync::Mutex::default(),
        };
        self.leave("it sleeps", Some(Arc::new(sleeper)));
    }

    fn leave(&self, reason: &str, sleeper: Option<Arc<Sleeper>>) {
        let mut vacant = self.vacant.lock();
        self.occupied.store(None);
        *vacant = Vacant {
            reason: reason.to_owned(),
            sleeper,
        };
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
