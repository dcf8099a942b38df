//! The records of triggers, in the bucket of the applications, read and written by compare-and-set.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use wasmcloud_lattice::{Retry, State, StateError};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::CronRecord;
use wasmcloud_wire::message::chain;

/// How long a record is read anew because somebody else has written it meanwhile.
const LIMIT: Duration = Duration::from_secs(2);

/// Pauses before an outcome is written again while the state is not available.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
];

/// Where the records of triggers are.
#[derive(Clone, Debug)]
pub struct Ledger {
    state: Arc<dyn State>,
}

impl Ledger {
    /// Keeps them in this bucket, that of the applications (`wire::app::app_bucket`).
    pub fn new(state: Arc<dyn State>) -> Self {
        Self { state }
    }

    /// Makes another record of the one there is and writes it, if it is another; answers what was made with it. When
    /// somebody else writes in between, it is made anew. `None`: others were always quicker.
    pub(crate) async fn change<T>(
        &self,
        key: &str,
        make: impl Fn(Option<&CronRecord>) -> (CronRecord, T),
    ) -> Result<Option<T>, StateError> {
        let mut retry = Retry::new(key, LIMIT);
        loop {
            let (record, revision) = match self.state.get(key).await? {
                Some(entry) => (self.read(key, &entry.value), entry.revision),
                None => (None, 0),
            };
            let (new, made) = make(record.as_ref());
            if record.as_ref() == Some(&new) {
                return Ok(Some(made));
            }
            match self.state.set(key, new.encode().into(), revision, None).await {
                Ok(_) => return Ok(Some(made)),
                Err(StateError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
            if retry.again().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// The same for what has to be written, with patience: an outcome that is not written looks like a call that never
    /// ended. Makes no record where there is none any more.
    pub(crate) async fn settle(&self, key: &str, make: impl Fn(&CronRecord) -> CronRecord) {
        for pause in PAUSES.into_iter().map(Some).chain([None]) {
            let error = match self.try_settle(key, &make).await {
                Ok(()) => return,
                Err(error) => error,
            };
            match pause {
                Some(pause) => {
                    tracing::debug!(
                        key,
                        error = chain(&error),
                        "what became of a tick is written later"
                    );
                    sleep(pause).await;
                }
                None => tracing::warn!(
                    key,
                    error = chain(&error),
                    "what became of a tick could not be written"
                ),
            }
        }
    }

    async fn try_settle(
        &self,
        key: &str,
        make: impl Fn(&CronRecord) -> CronRecord,
    ) -> Result<(), StateError> {
        let mut retry = Retry::new(key, LIMIT);
        loop {
            let Some(entry) = self.state.get(key).await? else {
                return Ok(());
            };
            let Some(record) = self.read(key, &entry.value) else {
                return Ok(());
            };
            let new = make(&record).encode().into();
            match self.state.set(key, new, entry.revision, None).await {
                Err(error @ StateError::Conflict { .. }) if retry.again().await.is_err() => {
                    return Err(error);
                }
                Err(StateError::Conflict { .. }) => {}
                other => return other.map(drop),
            }
        }
    }

    /// Forgets a trigger.
    pub(crate) async fn forget(&self, key: &str) -> Result<(), StateError> {
        self.state.delete(key, None).await
    }

    /// One that cannot be read is written anew, as if the trigger had not been seen before.
    fn read(&self, key: &str, value: &[u8]) -> Option<CronRecord> {
        CronRecord::decode(value)
            .inspect_err(|error| {
                let bucket = self.state.bucket().name();
                tracing::warn!(
                    bucket,
                    key,
                    error = chain(error),
                    "the record of a trigger cannot be read"
                );
            })
            .ok()
    }
}
