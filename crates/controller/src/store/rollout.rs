//! Rollouts that go on, end or are given up. Each change is of one generation: where somebody has deployed in between,
//! nothing happens.

use wasmcloud_core::AppName;
use wasmcloud_wire::app::{AppRecord, HistoryEntry, HistoryKind};

use super::Store;
use super::change::begin;
use super::error::StoreError;

impl Store {
    /// The next step of a rollout begins, after so many. Says whether it did.
    pub async fn step_rollout(
        &self,
        app: &AppName,
        generation: u64,
        over: usize,
    ) -> Result<bool, StoreError> {
        self.change(app, None, |record| {
            let rollout = of_generation(record, generation).and_then(|record| record.rollout.as_mut());
            Ok(rollout.is_some_and(|rollout| {
                let same = rollout.step == over;
                rollout.step += usize::from(same);
                same
            }))
        })
        .await
    }

    /// The deployed revision has taken over. Says whether that was news.
    pub async fn end_rollout(&self, app: &AppName, generation: u64) -> Result<bool, StoreError> {
        self.change(app, None, |record| {
            Ok(of_generation(record, generation).is_some_and(|record| record.rollout.take().is_some()))
        })
        .await
    }

    /// The deployed revision does not take over, because of `why`: the one before shall run again. Says whether it
    /// will.
    pub async fn give_up_rollout(
        &self,
        app: &AppName,
        generation: u64,
        why: &str,
    ) -> Result<bool, StoreError> {
        self.change(app, None, |record| {
            let Some(rollout) = of_generation(record, generation).and_then(|record| record.rollout.take())
            else {
                return Ok(false);
            };
            let version = record
                .versions
                .iter()
                .find(|version| version.revision == rollout.from);
            let entry = HistoryEntry {
                kind: HistoryKind::RolledBack,
                version: version.map(|version| version.version.clone()),
                why: why.to_owned(),
                ..HistoryEntry::default()
            };
            begin(app, record, Some(rollout.from), entry)?;
            Ok(true)
        })
        .await
    }
}

fn of_generation(record: &mut AppRecord, generation: u64) -> Option<&mut AppRecord> {
    (record.generation == generation).then_some(record)
}
