//! The triggers of the applications that are deployed, for as long as a host leads.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use wasmcloud_core::HostId;
use wasmcloud_lattice::{Bucket, Lattice, StateError};
use wasmcloud_wire::app::app_bucket;
use wasmcloud_wire::state_api::InvalidName;

use super::clock::{MayAct, Triggers};
use super::counts::Counts;
use super::fire::{FireError, LatticeFire};
use super::ledger::Ledger;
use super::trigger::Trigger;
use crate::planning::StoreHealth;
use crate::store::Snapshot;

/// Why nothing can be called by the clock.
#[derive(Debug, thiserror::Error)]
pub enum TriggersError {
    /// The bucket of the records would have a name that cannot be one.
    #[error("use the bucket of the applications")]
    Bucket(#[from] InvalidName),
    /// The records cannot be opened.
    #[error("open the records of triggers")]
    State(#[from] StateError),
    /// Calls cannot be made.
    #[error(transparent)]
    Fire(#[from] FireError),
}

/// Calls for the triggers of the deployed applications until it is dropped.
#[derive(Debug)]
pub struct LatticeTriggers {
    _triggers: Triggers,
    follower: AbortHandle,
}

impl Drop for LatticeTriggers {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl LatticeTriggers {
    /// Begins to call for what is deployed, as the snapshots of the store say. While the store is not believed, the
    /// triggers stay as they were, and so do those of an application that cannot be read.
    pub async fn start(
        lattice: &Lattice,
        host: &HostId,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        may_act: MayAct,
        counts: Arc<Counts>,
    ) -> Result<Self, TriggersError> {
        let bucket = Bucket::new(&app_bucket(&lattice.name))?;
        let ledger = Ledger::new(lattice.open_state(bucket).await?.into());
        let fire = LatticeFire::start(lattice.rpc.clone(), lattice.name.clone(), host.as_str()).await?;
        let (list, triggers) = watch::channel(Arc::default());
        let follower = tokio::spawn(follow(snapshots, list)).abort_handle();
        Ok(Self {
            _triggers: Triggers::start(ledger, triggers, Arc::new(fire), may_act, counts),
            follower,
        })
    }
}

async fn follow(mut snapshots: watch::Receiver<Arc<Snapshot>>, list: watch::Sender<Arc<Vec<Trigger>>>) {
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        if snapshot.health == StoreHealth::Trusted {
            let deployed = snapshot
                .applications
                .iter()
                .filter_map(|app| app.deployed.as_ref());
            let mut triggers: Vec<Trigger> = deployed
                .flat_map(|revision| Trigger::of(&revision.desired))
                .collect();
            list.send_if_modified(|former| {
                // What cannot be read at the moment is not gone.
                let broken = |trigger: &&Trigger| snapshot.broken.contains_key(&trigger.app);
                triggers.extend(former.iter().filter(broken).cloned());
                let changed = **former != triggers;
                if changed {
                    *former = Arc::new(std::mem::take(&mut triggers));
                }
                changed
            });
        }
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}
