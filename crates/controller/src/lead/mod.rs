//! Leading a lattice: waiting for the lease, and while it is ours observing, planning, carrying out and answering.
//!
//! | file | is for |
//! |---|---|
//! | `hosts`, `state` | what is seen: hosts and what runs on them; links and configs |
//! | `sighting` | one thing that was seen, and the picture of all of them |
//! | `leader` | the loop of whoever leads: a picture, a plan, what is told of it |
//! | `rollouts` | rollouts under way: steps, ends, and what is given up |
//! | `carry` | steps as control requests |
//!
//! What wakes the loop carries no instructions, so nothing depends on hearing everything in order. Nothing here decides
//! what runs where: that is [`plan`](crate::plan)'s.

mod carry;
mod hosts;
mod leader;
mod rollouts;
mod sighting;
mod state;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use wasmcloud_core::HostId;
use wasmcloud_lattice::{CallError, Lattice, StateError};
use wasmcloud_manifest::ResolveOptions;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::state_api::InvalidName;
use wasmcloud_wire::subject::InvalidTopic;

use crate::alone::Alone;
use crate::lease::{Candidacy, Holder, Lease, LeaseState};
use crate::planning::Options;
use crate::store::StoreError;
use crate::triggers::Counts;

/// Pause before trying again what keeps us from leading.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a controller may take to stop: a little longer than its lease may take to be given back.
const RELEASE: Duration = Duration::from_secs(4);

/// What a controller needs to know.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// The host it lives in.
    pub host: HostId,
    /// What people call that host.
    pub name: String,
    /// Whether it leads even though a controller of v1 is at work in the lattice.
    pub candidacy: Candidacy,
    /// What tells whether anybody else can be in the lattice.
    pub alone: Alone,
    /// How manifests are resolved; the directory is that of each manifest.
    pub resolve: ResolveOptions,
    /// What planning depends on.
    pub planning: Options,
}

/// One of the controllers of a lattice. It leads when it has the lease, and waits otherwise.
#[derive(Debug)]
pub struct Controller {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    /// Whether this one leads and answers.
    serves: watch::Receiver<bool>,
    ticks: Arc<Counts>,
}

impl Controller {
    /// Starts to wait for the lease. What keeps it from leading is logged, and tried again until it is stopped.
    pub fn start(lattice: Lattice, options: ControllerOptions) -> Self {
        let (stop, stopped) = watch::channel(false);
        let ticks = Arc::new(Counts::default());
        let (serving, serves) = watch::channel(false);
        let leading = Leading {
            lattice,
            options,
            ticks: Arc::clone(&ticks),
            serving,
        };
        let task = tokio::spawn(leading.run(stopped));
        Self {
            stop,
            task,
            serves,
            ticks,
        }
    }

    /// How many functions this host has called by the clock, for metrics.
    pub fn ticks(&self) -> Arc<Counts> {
        Arc::clone(&self.ticks)
    }

    /// Whether this controller leads and answers the manifest API, and when that changes.
    pub fn serves(&self) -> watch::Receiver<bool> {
        self.serves.clone()
    }

    /// Gives the lease back, so that another controller leads at once.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let abort = self.task.abort_handle();
        if timeout(RELEASE, self.task).await.is_err() {
            abort.abort();
        }
    }
}

/// What keeps a controller from leading.
#[derive(Debug, thiserror::Error)]
enum LeadError {
    #[error("open the applications of the lattice")]
    Store(#[from] StoreError),
    #[error("follow the state of the lattice")]
    State(#[from] StateError),
    #[error("listen on the lattice")]
    Call(#[from] CallError),
    #[error(transparent)]
    Topic(#[from] InvalidTopic),
    #[error("name the buckets of the lattice")]
    Name(#[from] InvalidName),
    #[error("the {0} cannot be followed any more")]
    Ended(&'static str),
}

/// What the task of a controller has.
struct Leading {
    lattice: Lattice,
    options: ControllerOptions,
    ticks: Arc<Counts>,
    serving: watch::Sender<bool>,
}

impl Leading {
    /// Leads whenever the lease is ours, until it is told to stop.
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let holder = Holder {
            host: self.options.host.clone(),
            name: self.options.name.clone(),
        };
        let (candidacy, alone) = (self.options.candidacy, self.options.alone.clone());
        let lease = Lease::start(&self.lattice, holder, candidacy, alone);
        tokio::select! {
            () = self.lead_whenever(&lease) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
        lease.release().await;
    }

    async fn lead_whenever(&self, lease: &Lease) {
        let (mut state, guard) = (lease.state(), lease.guard());
        loop {
            let ours = state.wait_for(|state| state.epoch().is_some()).await;
            let Ok(Some(epoch)) = ours.map(|state| state.epoch()) else {
                return;
            };
            tracing::info!(%epoch, "this host leads the applications of the lattice");
            let over = async |mut state: watch::Receiver<LeaseState>| {
                drop(state.wait_for(|state| state.epoch() != Some(epoch)).await);
            };
            let failed = tokio::select! {
                failed = leader::lead(self, epoch, &guard) => Some(failed),
                () = over(state.clone()) => None,
            };
            self.serving.send_replace(false);
            match failed {
                Some(failed) => {
                    tracing::warn!(error = chain(&failed), "leading was interrupted; beginning anew");
                    sleep(PAUSE).await;
                }
                None => tracing::info!(%epoch, "this host does not lead any more"),
            }
        }
    }
}
