//! Who leads: of all controllers of a lattice the one that has the lease (ADR 3).
//!
//! | file | is for |
//! |---|---|
//! | `keeper` | the task that waits for the lease, takes it and writes it again |
//! | `stored` | the lease in its bucket: looked at, written, deleted |
//! | `rival` | v1's controller, which comes first |
//!
//! The lease is a key with a time to live, which its holder writes again by compare-and-set; who takes it does so with
//! a write whose revision is the epoch. A holder that cannot write it stops acting before the time to live is over.
//! That alone does not hold back what is on its way already, so commands carry the epoch and hosts refuse older ones.
//!
//! What a leader does is the business of others.

mod keeper;
pub mod rival;
mod stored;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wasmcloud_core::HostId;
use wasmcloud_lattice::Lattice;
use wasmcloud_wire::control::Epoch;
use wasmcloud_wire::state::LeaseRecord;

use crate::alone::Alone;
use keeper::Keeper;

/// How long the lease lasts when nobody writes it again (ADR 3).
pub const TTL: Duration = Duration::from_secs(5);

/// How often its holder writes it again (ADR 3).
pub const RENEW: Duration = Duration::from_millis(1_500);

/// How long its holder may act after the beginning of the last write that succeeded (ADR 3): less than [`TTL`], which
/// begins later, so that it has stopped before another one can begin.
pub const ACT: Duration = Duration::from_millis(3_500);

/// Longest wait for the lease to be given back.
const RELEASE: Duration = Duration::from_secs(3);

/// Whose controller this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The host it belongs to.
    pub host: HostId,
    /// The friendly name of the host.
    pub name: String,
}

/// Who may lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Candidacy {
    /// This one, whoever else manages applications.
    Always,
    /// This one, unless a controller of v1 is at work.
    #[default]
    UnlessRival,
}

/// Who leads, as far as this controller knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// Another controller, or none.
    Follower {
        /// Who, with the epoch. `None` if nobody does, or nobody that is known.
        leader: Option<LeaseRecord>,
    },
    /// This one.
    Leader {
        /// Since when; each time that a controller of the lattice begins to lead, it is greater.
        epoch: Epoch,
    },
}

impl LeaseState {
    /// The epoch, if this controller leads.
    pub fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Leader { epoch } => Some(*epoch),
            Self::Follower { .. } => None,
        }
    }
}

/// Says whether a leader may still act, by a clock and not by what it has heard: a process that was frozen has heard
/// nothing. The clock stands still while the whole machine sleeps; then the hosts are the ones that refuse. Cheap to
/// clone and to ask.
#[derive(Clone, Debug, Default)]
pub struct Guard(Arc<Mutex<Option<Term>>>);

/// Until when somebody may act.
#[derive(Clone, Copy, Debug)]
struct Term {
    epoch: Epoch,
    until: Instant,
}

impl Guard {
    /// Whether who leads in this epoch may act at this moment. Ask right before each message.
    pub fn may_act(&self, epoch: Epoch) -> bool {
        let term = *self.0.lock();
        term.is_some_and(|term| term.epoch == epoch && Instant::now() < term.until)
    }

    fn set(&self, term: Option<Term>) {
        *self.0.lock() = term;
    }
}

/// A candidate for the lead of a lattice, and its leader when it has the lease. Dropping it is a death without a word:
/// others take over when the time to live is over.
#[derive(Debug)]
pub struct Lease {
    state: watch::Receiver<LeaseState>,
    guard: Guard,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Lease {
    /// Becomes a candidate. As long as the lease cannot be read it follows, and tries again.
    pub fn start(lattice: &Lattice, holder: Holder, candidacy: Candidacy, alone: Alone) -> Self {
        let (told, state) = watch::channel(LeaseState::Follower { leader: None });
        let guard = Guard::default();
        let (stop, stopped) = oneshot::channel();
        let keeper = Keeper::new(lattice.clone(), holder, candidacy, alone, told, guard.clone());
        Self {
            state,
            guard,
            stop: Some(stop),
            task: tokio::spawn(keeper.run(stopped)),
        }
    }

    /// Who leads, and when that changes.
    pub fn state(&self) -> watch::Receiver<LeaseState> {
        self.state.clone()
    }

    /// What says whether one may act.
    pub fn guard(&self) -> Guard {
        self.guard.clone()
    }

    /// Stops leading, and gives the lease back so that the next one takes over at once. Without a connection the others
    /// find out when the time to live is over.
    pub async fn release(mut self) {
        self.guard.set(None);
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
        if timeout(RELEASE, &mut self.task).await.is_err() {
            tracing::debug!("the lease was not given back in time");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.task.abort();
        self.guard.set(None);
    }
}
