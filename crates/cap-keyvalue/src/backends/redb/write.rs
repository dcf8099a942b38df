//! The write thread: many writes, one transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::redb::{ReadableDatabase as _, ReadableTable as _, Table};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::file::{COUNTERS, Counters, ENTRIES, EntryKey, EntryValue, FileState, SharedFile, VERSION};
use crate::store::{BucketName, Increment, Key, StoreError, Swap, Value, Version};
use crate::watch::Changes;

/// Most writes in one transaction: bounds how long the first of them waits for the last.
const GROUP: usize = 512;

/// Most bytes in one transaction, beyond the first write.
const GROUP_BYTES: usize = 8 << 20;

/// A write under way.
pub(super) struct Write {
    pub(super) bucket: BucketName,
    pub(super) op: Op,
    pub(super) reply: oneshot::Sender<Result<Outcome, StoreError>>,
    /// The write's share of the memory that may wait.
    pub(super) _room: OwnedSemaphorePermit,
}

pub(super) enum Op {
    Set(Vec<(Key, Value)>),
    Delete(Vec<Key>),
    Increment(Key, Increment),
    Swap(Key, Version, Value),
    /// Only sees to it that the file is open.
    Nothing,
}

impl Op {
    /// Roughly how much memory it holds.
    pub(super) fn size(&self) -> usize {
        let entry = |key: &Key, value: &Value| key.as_str().len() + value.as_bytes().len();
        match self {
            Self::Set(entries) => entries.iter().map(|(key, value)| entry(key, value)).sum(),
            Self::Delete(keys) => keys.iter().map(|key| key.as_str().len()).sum(),
            Self::Increment(key, _) => key.as_str().len(),
            Self::Swap(key, _, value) => entry(key, value),
            Self::Nothing => 0,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Done,
    /// Of each key, whether it was there.
    Removed(Vec<bool>),
    Number(i128),
    Swap(Swap),
}

impl Outcome {
    /// For a caller that got the outcome of another kind of write.
    pub(super) fn unexpected(&self) -> StoreError {
        StoreError::Other(format!("the write thread answered {self:?} to something else"))
    }
}

/// Writes until the last sender is gone, then closes the file. What was committed is told to `changes`, in the order in
/// which it was written.
pub(super) fn run(file: &SharedFile, mut queue: mpsc::Receiver<Write>, changes: &Changes) {
    while let Some(first) = queue.blocking_recv() {
        let mut bytes = 0;
        let mut group = vec![first];
        while group.len() < GROUP && bytes < GROUP_BYTES {
            let Ok(next) = queue.try_recv() else { break };
            bytes += next.op.size();
            group.push(next);
        }
        // Nobody waits for these any more: their deadline passed in the queue.
        group.retain(|write| !write.reply.is_closed());
        let outcomes = commit(file, &group);
        match outcomes {
            Ok(outcomes) => {
                if changes.is_watched() {
                    for (write, outcome) in group.iter().zip(&outcomes) {
                        tell(changes, write, outcome);
                    }
                }
                for (write, outcome) in group.into_iter().zip(outcomes) {
                    write.reply.send(outcome).ok();
                }
            }
            Err(error) => {
                for write in group {
                    write.reply.send(Err(error.clone())).ok();
                }
            }
        }
    }
    file.close();
}

/// Says what a write has changed.
fn tell(changes: &Changes, write: &Write, outcome: &Result<Outcome, StoreError>) {
    let bucket = &write.bucket;
    match (&write.op, outcome) {
        (Op::Set(pairs), Ok(_)) => pairs
            .iter()
            .for_each(|(key, value)| changes.set(bucket, key.as_str(), value.as_bytes())),
        (Op::Delete(keys), Ok(Outcome::Removed(removed))) => keys
            .iter()
            .zip(removed)
            .filter(|(_, was_there)| **was_there)
            .for_each(|(key, _)| changes.removed(bucket, key.as_str())),
        (Op::Increment(key, _), Ok(Outcome::Number(number))) => {
            changes.set(bucket, key.as_str(), number.to_string().as_bytes());
        }
        (Op::Swap(key, _, value), Ok(Outcome::Swap(Swap::Done))) => {
            changes.set(bucket, key.as_str(), value.as_bytes());
        }
        _ => {}
    }
}

/// One transaction. An error is everyone's: nothing was written.
fn commit(file: &SharedFile, group: &[Write]) -> Result<Vec<Result<Outcome, StoreError>>, StoreError> {
    if group.is_empty() {
        return Ok(Vec::new());
    }
    file.ensure_open()?;
    // redb asserts in debug builds where release builds return an error; a panic here must not end the thread that
    // everybody waits for.
    let result = catch_unwind(AssertUnwindSafe(|| transaction(file, group)));
    match result {
        Ok(Ok(outcomes)) => Ok(outcomes),
        Ok(Err(error)) => {
            let text = file.store_error("write to", &error);
            file.fail(&text);
            Err(text)
        }
        Err(_panic) => {
            let text = StoreError::Other(format!("writing to `{}` panicked", file.path().display()));
            file.fail(&text);
            Err(text)
        }
    }
}

fn transaction(
    file: &SharedFile,
    group: &[Write],
) -> Result<Vec<Result<Outcome, StoreError>>, ::redb::Error> {
    let state = file.state();
    let FileState::Open(database) = &*state else {
        return Err(::redb::StorageError::DatabaseClosed.into());
    };
    if group.iter().all(|write| matches!(write.op, Op::Nothing)) {
        // Proves that the file can be used, without an fsync.
        database.begin_read()?;
        return Ok(group.iter().map(|_| Ok(Outcome::Done)).collect());
    }
    let transaction = database.begin_write()?;
    let outcomes = {
        let mut entries = transaction.open_table(ENTRIES)?;
        let mut counters: Counters<'_> = transaction.open_table(COUNTERS)?;
        let before = counters.get(VERSION)?.map_or(0, |version| version.value());
        let mut version = before;
        let outcomes = group
            .iter()
            .map(|write| apply(&mut entries, &mut version, write))
            .collect::<Result<Vec<_>, _>>()?;
        if version != before {
            counters.insert(VERSION, version)?;
        }
        outcomes
    };
    transaction.commit()?;
    Ok(outcomes)
}

/// The outer error ends the transaction, the inner one is for this write's caller.
fn apply(
    entries: &mut Table<'_, EntryKey, EntryValue>,
    version: &mut u64,
    write: &Write,
) -> Result<Result<Outcome, StoreError>, ::redb::StorageError> {
    let bucket = write.bucket.as_str();
    let mut set = |entries: &mut Table<'_, EntryKey, EntryValue>, key: &Key, value: &[u8]| {
        *version += 1;
        entries
            .insert((bucket, key.as_str()), (*version, value))
            .map(drop)
    };
    Ok(match &write.op {
        Op::Set(pairs) => {
            for (key, value) in pairs {
                set(entries, key, value.as_bytes())?;
            }
            Ok(Outcome::Done)
        }
        Op::Delete(keys) => {
            let mut removed = Vec::with_capacity(keys.len());
            for key in keys {
                removed.push(entries.remove((bucket, key.as_str()))?.is_some());
            }
            Ok(Outcome::Removed(removed))
        }
        Op::Increment(key, by) => {
            let number = {
                let stored = entries.get((bucket, key.as_str()))?;
                by.apply(key, stored.as_ref().map(|entry| entry.value().1))
            };
            match number {
                Ok(number) => {
                    set(entries, key, number.to_string().as_bytes())?;
                    Ok(Outcome::Number(number))
                }
                Err(error) => Err(error),
            }
        }
        Op::Swap(key, expected, value) => {
            let found = entries
                .get((bucket, key.as_str()))?
                .map_or(Version::ABSENT, |entry| Version(entry.value().0));
            if found == *expected {
                set(entries, key, value.as_bytes())?;
                Ok(Outcome::Swap(Swap::Done))
            } else {
                Ok(Outcome::Swap(Swap::Changed))
            }
        }
        Op::Nothing => Ok(Outcome::Done),
    })
}
