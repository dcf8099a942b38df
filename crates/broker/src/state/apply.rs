//! What a request does to the tables, inside a transaction.

use redb::{
    ReadableTable as _, ReadableTableMetadata as _, StorageError, Table, TableError, WriteTransaction,
};
use wasmcloud_wire::state_api::{
    BucketName, Change, ChangeOp, Done, ErrorKind, Key, MAX_TTL_MS, Refusal, Reply, Request, Value,
};

use super::file::{BUCKETS, BYTES, ENTRIES, EXPIRY, EntryKey, EntryValue, ExpiryKey, NUMBERS};
use super::refusal;
use crate::config::StateLimits;

/// What an entry costs besides its names and its value.
const OVERHEAD: usize = 64;

/// Changes in the order in which they happened; those of one bucket in the order of their revisions.
pub(super) type Changes = Vec<(BucketName, Change)>;

/// The tables of one transaction, and what it changes.
pub(super) struct Tables<'txn> {
    entries: Table<'txn, EntryKey, EntryValue>,
    buckets: Table<'txn, &'static str, u64>,
    expiry: Table<'txn, ExpiryKey, ()>,
    numbers: Table<'txn, &'static str, u64>,
    bytes: u64,
    changes: Changes,
    limits: &'txn StateLimits,
}

/// What is known of the entry that is there before a write.
#[derive(Clone, Copy, Default)]
struct Present {
    /// 0 is none.
    revision: u64,
    expires: u64,
    cost: u64,
}

impl<'txn> Tables<'txn> {
    pub(super) fn open(
        transaction: &'txn WriteTransaction,
        limits: &'txn StateLimits,
    ) -> Result<Self, TableError> {
        let numbers = transaction.open_table(NUMBERS)?;
        let bytes = numbers.get(BYTES)?.map_or(0, |bytes| bytes.value());
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            buckets: transaction.open_table(BUCKETS)?,
            expiry: transaction.open_table(EXPIRY)?,
            numbers,
            bytes,
            changes: Vec::new(),
            limits,
        })
    }

    /// Writes down what was counted. Returns the changes, and when the next entry
    /// expires.
    pub(super) fn finish(mut self) -> Result<(Changes, Option<u64>), StorageError> {
        self.numbers.insert(BYTES, self.bytes)?;
        let next = self.expiry.first()?.map(|(key, _)| key.value().0);
        Ok((self.changes, next))
    }

    /// Deletes entries whose time is over, at most `limit` of them.
    pub(super) fn expire(&mut self, now: u64, limit: usize) -> Result<(), StorageError> {
        let mut due = Vec::new();
        for entry in self.expiry.range(..=(now, "\u{10ffff}", ""))?.take(limit) {
            let (key, _) = entry?;
            let (expires, bucket, key) = key.value();
            due.push((expires, bucket.to_owned(), key.to_owned()));
        }
        for (expires, bucket, key) in due {
            self.expiry.remove((expires, bucket.as_str(), key.as_str()))?;
            // Only names that were parsed are ever written.
            let (Ok(bucket), Ok(key)) = (bucket.parse::<BucketName>(), key.parse::<Key>()) else {
                continue;
            };
            let present = self.present(&bucket, &key)?;
            if present.expires == expires {
                self.remove(&bucket, key, present)?;
            }
        }
        Ok(())
    }

    /// The outer error ends the transaction, the inner one is for this request's client.
    pub(super) fn apply(
        &mut self,
        bucket: &BucketName,
        request: &Request,
        now: u64,
    ) -> Result<Reply, StorageError> {
        match request {
            Request::Put {
                key,
                value,
                expected,
                ttl_ms,
            } => {
                let expires = match ttl_ms {
                    None => 0,
                    Some(ttl) if (1..=MAX_TTL_MS).contains(ttl) => now + ttl,
                    Some(_) => {
                        let text = format!("`ttl_ms` has to be between 1 and {MAX_TTL_MS}");
                        return Ok(Err(refusal(ErrorKind::Invalid, text)));
                    }
                };
                self.put(bucket, key, value, *expected, expires)
            }
            Request::Delete { key, expected } => {
                let present = self.present(bucket, key)?;
                if let Some(conflict) = conflict(key, *expected, present.revision) {
                    return Ok(Err(conflict));
                }
                let revision = match present.revision {
                    0 => self.revision(bucket)?.unwrap_or(0),
                    _ => self.remove(bucket, key.clone(), present)?,
                };
                Ok(Ok(Done::Written { revision }))
            }
            Request::Get { .. } | Request::List { .. } => {
                Ok(Err(refusal(ErrorKind::Unavailable, "reads are not written")))
            }
        }
    }

    fn put(
        &mut self,
        bucket: &BucketName,
        key: &Key,
        value: &Value,
        expected: Option<u64>,
        expires: u64,
    ) -> Result<Reply, StorageError> {
        let present = self.present(bucket, key)?;
        if let Some(conflict) = conflict(key, expected, present.revision) {
            return Ok(Err(conflict));
        }
        if self.revision(bucket)?.is_none() && self.buckets.len()? >= self.limits.max_buckets {
            let text = format!("the lattice has its most buckets, {}", self.limits.max_buckets);
            return Ok(Err(refusal(ErrorKind::Full, text)));
        }
        let bytes = self.bytes - present.cost.min(self.bytes) + cost(bucket, key, value.as_bytes());
        // What makes the state smaller is welcome even if a limit was lowered since.
        if bytes > self.limits.max_bytes && bytes > self.bytes {
            let text = format!(
                "the state of the lattice would have {bytes} bytes, the limit is {}",
                self.limits.max_bytes
            );
            return Ok(Err(refusal(ErrorKind::Full, text)));
        }
        self.bytes = bytes;
        self.forget_expiry(bucket, key, present)?;
        if expires > 0 {
            self.expiry.insert((expires, bucket.as_str(), key.as_str()), ())?;
        }
        let revision = self.next_revision(bucket)?;
        self.entries.insert(
            (bucket.as_str(), key.as_str()),
            (revision, expires, value.as_bytes()),
        )?;
        let op = ChangeOp::Put { value: value.clone() };
        self.note(bucket, revision, key.clone(), op);
        Ok(Ok(Done::Written { revision }))
    }

    fn remove(&mut self, bucket: &BucketName, key: Key, present: Present) -> Result<u64, StorageError> {
        self.forget_expiry(bucket, &key, present)?;
        self.entries.remove((bucket.as_str(), key.as_str()))?;
        self.bytes -= present.cost.min(self.bytes);
        let revision = self.next_revision(bucket)?;
        self.note(bucket, revision, key, ChangeOp::Delete);
        Ok(revision)
    }

    fn present(&self, bucket: &BucketName, key: &Key) -> Result<Present, StorageError> {
        let found = self.entries.get((bucket.as_str(), key.as_str()))?;
        Ok(found.map_or_else(Present::default, |entry| {
            let (revision, expires, value) = entry.value();
            Present {
                revision,
                expires,
                cost: cost(bucket, key, value),
            }
        }))
    }

    fn forget_expiry(
        &mut self,
        bucket: &BucketName,
        key: &Key,
        present: Present,
    ) -> Result<(), StorageError> {
        if present.expires > 0 {
            self.expiry
                .remove((present.expires, bucket.as_str(), key.as_str()))?;
        }
        Ok(())
    }

    fn revision(&self, bucket: &BucketName) -> Result<Option<u64>, StorageError> {
        Ok(self
            .buckets
            .get(bucket.as_str())?
            .map(|revision| revision.value()))
    }

    fn next_revision(&mut self, bucket: &BucketName) -> Result<u64, StorageError> {
        let revision = self.revision(bucket)?.unwrap_or(0) + 1;
        self.buckets.insert(bucket.as_str(), revision)?;
        Ok(revision)
    }

    fn note(&mut self, bucket: &BucketName, revision: u64, key: Key, op: ChangeOp) {
        self.changes.push((bucket.clone(), Change { revision, key, op }));
    }
}

fn conflict(key: &Key, expected: Option<u64>, found: u64) -> Option<Refusal> {
    let expected = expected.filter(|expected| *expected != found)?;
    let message = match (expected, found) {
        (0, _) => format!("`{key}` exists, with revision {found}"),
        (_, 0) => format!("`{key}` does not exist, revision {expected} was expected"),
        _ => format!("`{key}` has revision {found}, {expected} was expected"),
    };
    Some(Refusal {
        kind: ErrorKind::Conflict,
        message,
        revision: Some(found),
    })
}

fn cost(bucket: &BucketName, key: &Key, value: &[u8]) -> u64 {
    (bucket.as_str().len() + key.as_str().len() + value.len() + OVERHEAD) as u64
}
