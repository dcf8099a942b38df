//! What should run in a lattice: its applications, each with the revision that is deployed.

use std::sync::Arc;
use std::time::Duration;

use wasmcloud_core::AppName;
use wasmcloud_manifest::Desired;

use crate::planning::autoscale::Scales;

/// A moment, as the time since an origin that the caller chose. It never runs backwards.
pub type Moment = Duration;

/// What should run in one lattice, as whoever leads it has read it.
#[derive(Clone, Debug, Default)]
pub struct Lattice {
    /// The fencing epoch of the lease under which this is planned. Every plan carries it.
    pub epoch: u64,
    /// The applications that the store knows, undeployed ones as long as something of them may be left.
    pub applications: Vec<Application>,
    /// How many instances there shall be of components with an `autoscaler`; one that is missing gets its fewest.
    pub scales: Arc<Scales>,
}

/// An application that the store knows.
#[derive(Clone, Debug)]
pub struct Application {
    /// Its name.
    pub name: AppName,
    /// How often it was deployed or undeployed. It grows with each of them and is written on what is started, so that
    /// something that runs with a greater one shows that the store has lost writes.
    pub generation: u64,
    /// What should run; nothing where it is undeployed.
    pub deployed: Option<Revision>,
    /// How many of a hundred calls the deployed revision gets where a former one runs, in a rollout that shifts them
    /// bit by bit; `None` where it takes the place of the former one.
    pub weight: Option<u8>,
    /// Whether it is left as it is until somebody resumes it.
    pub paused: bool,
    /// What should have run before. Links and configs carry no annotation, so only these say which of them are ours
    /// to remove. They have no order.
    pub former: Vec<Revision>,
}

impl Application {
    /// The revision that is deployed and all former ones.
    pub(crate) fn revisions(&self) -> impl Iterator<Item = &Revision> {
        self.deployed.iter().chain(&self.former)
    }
}

/// One immutable version of an application.
#[derive(Clone, Debug)]
pub struct Revision {
    /// What identifies it, a hash or a version.
    pub id: String,
    /// What should run because of it.
    pub desired: Arc<Desired>,
}

/// What planning depends on besides what should run and what does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// A host that was not seen for so long is lost: what ran there is started elsewhere. Default 5 s (design §8);
    /// whoever observes asks hosts each second, as v1 hosts send a heartbeat only every 30 s.
    pub lost_after: Duration,
    /// How far a host may be above its even share of a spread before the spread is balanced anew, in percent of the
    /// share. Default `None`: what runs is never moved for balance alone, because each move costs a start, and a
    /// host that joins or comes back would cause many of them. With `Some(100)`, a spread is balanced when a host has
    /// more than twice its share. Only components with one spread are balanced anew: with several, which share an
    /// instance belongs to is not told by the host.
    pub rebalance_over: Option<u32>,
    /// Most steps in one plan; the rest follows when these are under way. Default 5,000.
    pub max_steps: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lost_after: Duration::from_secs(5),
            rebalance_over: None,
            max_steps: 5_000,
        }
    }
}
