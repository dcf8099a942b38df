//! An instance during one call.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::error::Elapsed;
use wasmcloud_capability::{InstanceState, Invocation};
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::error::{CallError, DeadlineExceeded};
use crate::handles;
use crate::kept::Idle;
use crate::permits::Slot;
use crate::prepared::Prepared;

/// A live instance for one call. Whoever holds it holds a slot of the component; dropping it gives the slot back.
///
/// After the call, [`Live::settle`] says how it went. An instance whose call did not end well, or whose caller went
/// away, is never used again.
pub struct Live {
    // Taken out only when the instance is kept, on drop.
    running: Option<(Store<InstanceState>, Instance)>,
    prepared: Arc<Prepared>,
    begun: Instant,
    uses: u32,
    outcome: Outcome,
    bad_answer: bool,
    counted: bool,
    _slot: Slot,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Unsettled,
    Unused,
    Ended,
    Failed,
    Resting,
}

impl Live {
    pub(crate) fn new(
        prepared: Arc<Prepared>,
        store: Store<InstanceState>,
        instance: Instance,
        slot: Slot,
        begun: Instant,
        uses: u32,
    ) -> Self {
        let running = Some((store, instance));
        Self {
            running,
            prepared,
            begun,
            uses,
            outcome: Outcome::Unsettled,
            bad_answer: false,
            counted: true,
            _slot: slot,
        }
    }

    /// The store and the instance in it.
    pub fn parts(&mut self) -> (&mut Store<InstanceState>, Instance) {
        let (store, instance) = self.running.as_mut().expect("taken only on drop");
        (store, *instance)
    }

    /// The component.
    pub fn prepared(&self) -> &Arc<Prepared> {
        &self.prepared
    }

    /// When the call must have ended.
    pub fn deadline(&self) -> tokio::time::Instant {
        let (store, _) = self.running.as_ref().expect("taken only on drop");
        store.data().invocation().deadline.into()
    }

    /// Says how the call, wrapped in `timeout_at(live.deadline(), …)`, went. A failure is logged here, once, with the
    /// wasm backtrace.
    pub fn settle<T>(&mut self, outcome: Result<wasmtime::Result<T>, Elapsed>) -> Result<T, CallError> {
        let error = match outcome {
            Ok(Ok(value)) => {
                self.outcome = Outcome::Ended;
                return Ok(value);
            }
            Ok(Err(error)) => error,
            Err(_elapsed) => DeadlineExceeded.into(),
        };
        self.outcome = Outcome::Failed;
        let (store, _) = self.running.as_ref().expect("taken only on drop");
        Err(self.prepared.failed(&error, store))
    }

    /// Ends a call that ended well, but not the instance's time with its caller, who has handles into it: it waits,
    /// with its slot, until it is resumed or dropped.
    pub(crate) fn rest(&mut self) {
        if self.outcome == Outcome::Ended {
            self.count();
            self.uses += 1;
        }
        self.outcome = Outcome::Resting;
    }

    /// Begins the next call of an instance that rested.
    pub(crate) fn resume(&mut self, invocation: Invocation) {
        let (store, _) = self.parts();
        store.data_mut().set_invocation(invocation);
        store.set_epoch_deadline(1);
        self.begun = Instant::now();
        self.outcome = Outcome::Unsettled;
    }

    /// What the call answers is a failure of the component, though the instance is sound: an HTTP 500, for example.
    pub fn answered_badly(&mut self) {
        self.bad_answer = true;
    }

    /// Nobody made this call but the host, to see something: counters do not show it.
    pub fn uncounted(&mut self) {
        self.counted = false;
    }

    /// What ended well was no call of a function.
    pub(crate) fn do_not_count(&mut self) {
        self.outcome = Outcome::Unused;
    }

    fn count(&self) {
        if !self.counted {
            return;
        }
        let failed = self.outcome == Outcome::Failed;
        let stats = &self.prepared.profile.stats;
        stats.finished(self.begun.elapsed(), failed, self.uses == 0);
        self.prepared.profile.tally.ended(failed || self.bad_answer);
    }

    /// Gives back an instance that was made to see whether it can be.
    pub(crate) fn release_unused(mut self) {
        self.outcome = Outcome::Unused;
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let Some((store, instance)) = self.running.take() else {
            return;
        };
        if !matches!(self.outcome, Outcome::Unused | Outcome::Resting) {
            self.count();
        }
        // One that has handles into others would keep their slots until somebody happens to call it again.
        if matches!(self.outcome, Outcome::Ended | Outcome::Unused) && !handles::any(store.data()) {
            let uses = self.uses + u32::from(self.outcome == Outcome::Ended);
            self.prepared.keep(Idle {
                store,
                instance,
                uses,
                since: Instant::now(),
            });
        }
        // Otherwise the store goes here, before its slot: a free slot means a free instance.
    }
}
