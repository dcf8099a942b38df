//! The lease in its bucket: looked at, written and deleted, each time with the revision that is expected there, and each
//! time no longer than [`ASK`].

use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;
use wasmcloud_lattice::{Entry, State, StateError};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::control::Epoch;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::state::{CONTROLLER_LEASE, LeaseRecord};

use super::{Holder, TTL};

/// Longest wait for one question to the store, so that another fits in before [`ACT`](super::ACT) is over.
const ASK: Duration = Duration::from_secs(1);

/// The bucket has to be opened again.
pub(super) struct Reopen;

/// Why a question to the store was of no use.
pub(super) enum Trouble {
    /// What is there is something else than was expected.
    Conflict,
    /// No answer, or no good one. A write may have happened.
    Failed(String),
}

/// The lease as the store has it, for one who may hold it.
pub(super) struct Stored {
    /// None until the bucket was opened.
    state: Option<Box<dyn State>>,
    holder: Holder,
}

impl Stored {
    /// In a bucket that is not open yet.
    pub(super) fn new(holder: Holder) -> Self {
        Self { state: None, holder }
    }

    /// In this bucket from now on.
    pub(super) fn open(&mut self, state: Box<dyn State>) {
        self.state = Some(state);
    }

    fn state(&self) -> Result<&dyn State, Reopen> {
        self.state.as_deref().ok_or(Reopen)
    }

    /// What is there.
    pub(super) async fn look(&self) -> Result<Result<Option<Entry>, Trouble>, Reopen> {
        answered(self.state()?.get(CONTROLLER_LEASE)).await
    }

    /// Writes our lease in place of the entry of this revision, or of none (0). Answers the revision of what was written.
    pub(super) async fn write(
        &self,
        epoch: Option<Epoch>,
        term: Uuid,
        expected: u64,
    ) -> Result<Result<u64, Trouble>, Reopen> {
        let record = LeaseRecord {
            holder: self.holder.host.clone(),
            name: self.holder.name.clone(),
            epoch: epoch.map(Epoch::get),
            term: term.to_string(),
        };
        let record = record.encode().into();
        let written = self.state()?.set(CONTROLLER_LEASE, record, expected, Some(TTL));
        answered(written).await
    }

    /// Deletes the entry of this revision.
    pub(super) async fn delete(&self, revision: u64) -> Result<Result<(), Trouble>, Reopen> {
        answered(self.state()?.delete(CONTROLLER_LEASE, Some(revision))).await
    }

    /// Whether an entry is our lease of this epoch.
    pub(super) fn is_ours(&self, entry: &Entry, epoch: Epoch) -> bool {
        LeaseRecord::decode(&entry.value).is_ok_and(|record| {
            record.holder == self.holder.host && record.epoch(entry.revision) == Some(epoch)
        })
    }
}

/// Whether an entry was written by who took the lease in this term.
pub(super) fn is_of_term(entry: &Entry, term: &str) -> bool {
    // One that cannot be read states none.
    let stated = LeaseRecord::decode(&entry.value).map(|record| record.term);
    stated.unwrap_or_default() == term
}

/// Waits for an answer of the store, no longer than [`ASK`].
async fn answered<T>(
    asked: impl Future<Output = Result<T, StateError>>,
) -> Result<Result<T, Trouble>, Reopen> {
    match timeout(ASK, asked).await {
        Ok(Ok(answer)) => Ok(Ok(answer)),
        Ok(Err(StateError::Conflict { .. })) => Ok(Err(Trouble::Conflict)),
        Ok(Err(StateError::NoBucket { .. })) => Err(Reopen),
        Ok(Err(error)) => Ok(Err(Trouble::Failed(chain(&error)))),
        Err(_) => Ok(Err(Trouble::Failed(format!("no answer within {ASK:?}")))),
    }
}
