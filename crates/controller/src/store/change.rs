//! The one way in which a record is changed: read, changed, and written if nobody else did in between; else again.
//!
//! Revisions come before the record that names them, and go after it. That one is not removed while somebody puts it
//! again is seen to in this way: who puts writes it anew, so that its entry has another revision, after having read
//! the record; who removes has looked at the entry before writing the record, and removes only what he saw.

use std::collections::BTreeSet;

use bytes::Bytes;
use wasmcloud_core::AppName;
use wasmcloud_lattice::{Entry, Retry, StateError};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{
    AppRecord, HistoryEntry, HistoryKind, MAX_HISTORY, MAX_VERSIONS, RolloutRecord, app_key, revision_key,
};

use super::clock::Stamp;
use super::error::StoreError;
use super::{LIMIT, Store, revisions_of};

/// A revision that a change needs: its key and what is to be there.
#[derive(Clone, Debug)]
pub(super) struct Needs {
    pub(super) key: String,
    pub(super) value: Bytes,
}

impl Store {
    /// Changes the record of an application, or makes one of nothing. A record that says nothing any more is removed.
    /// Where the change leaves everything as it was, nothing is written.
    pub(super) async fn change<T>(
        &self,
        app: &AppName,
        needs: Option<&Needs>,
        mut change: impl FnMut(&mut AppRecord) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let key = app_key(app);
        let mut retry = Retry::new(&key, LIMIT);
        loop {
            let (before, revision) = self.entry(app).await?.unwrap_or_default();
            let mut after = before.clone();
            let value = change(&mut after)?;
            if let Some(needs) = needs {
                self.refresh(needs).await?;
            }
            if after == before {
                return Ok(value);
            }
            let unneeded = self.unneeded(app, &before, &after).await?;
            let written = match is_empty(&after) {
                true if revision == 0 => Ok(()),
                true => self.0.state.delete(&key, Some(revision)).await,
                false => {
                    let value = Bytes::from(after.encode());
                    self.0.state.set(&key, value, revision, None).await.map(|_| ())
                }
            };
            match written {
                Ok(()) => {
                    self.remove(unneeded).await;
                    return Ok(value);
                }
                Err(StateError::Conflict { .. }) => retry.again().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes a revision, also where it is there already.
    async fn refresh(&self, needs: &Needs) -> Result<(), StoreError> {
        let mut retry = Retry::new(&needs.key, LIMIT);
        loop {
            let there = self.0.state.get(&needs.key).await?;
            let expected = there.map_or(0, |entry| entry.revision);
            let written = self.0.state.set(&needs.key, needs.value.clone(), expected, None);
            match written.await {
                Ok(_) => return Ok(()),
                Err(StateError::Conflict { .. }) => retry.again().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The entries of revisions that nobody needs after a change.
    async fn unneeded(
        &self,
        app: &AppName,
        before: &AppRecord,
        after: &AppRecord,
    ) -> Result<Vec<Entry>, StoreError> {
        let needed = needed(after);
        if is_empty(after) {
            // What was left behind by somebody who died half way goes as well.
            return Ok(self.0.state.list(&revisions_of(app)).await?);
        }
        let mut entries = Vec::new();
        for revision in super::change::needed(before).difference(&needed) {
            entries.extend(self.0.state.get(&revision_key(app, revision)).await?);
        }
        Ok(entries)
    }

    /// Removes entries that are still as they were seen. That one stays costs a little room and nothing else.
    async fn remove(&self, entries: Vec<Entry>) {
        for entry in entries {
            let removed = self.0.state.delete(&entry.key, Some(entry.revision)).await;
            match removed {
                Ok(()) | Err(StateError::Conflict { .. }) => {}
                Err(error) => {
                    let error = wasmcloud_wire::message::chain(&error);
                    tracing::info!(
                        key = entry.key,
                        error,
                        "a revision that nobody needs was not removed"
                    );
                }
            }
        }
    }
}

/// The revisions that a record names.
pub(super) fn needed(record: &AppRecord) -> BTreeSet<&str> {
    let versions = record.versions.iter().map(|version| version.revision.as_str());
    let former = record.former.iter().map(String::as_str);
    let before = record.rollout.iter().map(|rollout| rollout.from.as_str());
    versions
        .chain(former)
        .chain(before)
        .chain(record.deployed.as_deref())
        .collect()
}

/// Whether a record says nothing any more.
fn is_empty(record: &AppRecord) -> bool {
    needed(record).is_empty()
}

/// Makes `revision` the one that shall run, or none, and begins a generation with it.
pub(super) fn begin(
    app: &AppName,
    record: &mut AppRecord,
    revision: Option<String>,
    mut entry: HistoryEntry,
) -> Result<u64, StoreError> {
    let stamp = Stamp::now();
    record.rollout = rollout(record, revision.as_deref(), entry.kind);
    if let Some(former) = std::mem::replace(&mut record.deployed, revision)
        && !record.former.contains(&former)
    {
        record.former.push(former);
    }
    if let Some(deployed) = &record.deployed {
        record.former.retain(|former| former != deployed);
    }
    if record.former.len() > MAX_VERSIONS {
        return Err(StoreError::TooManyFormer(app.clone()));
    }
    record.generation = stamp.generation(record.generation);
    entry.generation = record.generation;
    entry.at = stamp.text;
    record.history.push(entry);
    let over = record.history.len().saturating_sub(MAX_HISTORY);
    record.history.drain(..over);
    Ok(record.generation)
}

/// The rollout that begins when `revision` is deployed: what is rolled back to takes over at once, and what is deployed
/// while another rollout is under way would go back to where that one began.
fn rollout(record: &AppRecord, revision: Option<&str>, kind: HistoryKind) -> Option<RolloutRecord> {
    let under_way = record.rollout.as_ref().map(|rollout| rollout.from.clone());
    let from = under_way.or_else(|| record.deployed.clone())?;
    let begins = kind == HistoryKind::Deployed && revision.is_some_and(|revision| revision != from);
    begins.then_some(RolloutRecord { from, step: 0 })
}
