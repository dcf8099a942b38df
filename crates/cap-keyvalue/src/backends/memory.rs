//! Keys and values in this process's memory, for development and caches: gone when the provider stops.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;

use crate::store::{
    BucketName, Cursor, Increment, Key, Page, ReplyBudget, Store, StoreError, Swap, Value, Version,
    check_batch, check_entries,
};
use crate::watch::Changes;

/// How much a memory store holds where nobody said otherwise, 64 MiB.
pub const DEFAULT_MAX_BYTES: u64 = 64 << 20;

/// What an entry costs beside its key and value: tree node, lengths, version. An estimate on the high side.
const ENTRY_OVERHEAD: u64 = 128;

/// A store in memory with an upper bound.
pub struct MemoryStore {
    max_bytes: AtomicU64,
    data: RwLock<Data>,
    changes: Arc<Changes>,
}

#[derive(Default)]
struct Data {
    closed: bool,
    /// Told within the lock, so in the order of the writes.
    changes: Arc<Changes>,
    /// What all entries cost together.
    bytes: u64,
    /// Of the latest write, in whatever bucket, so that a key that is deleted and set again has a new version.
    version: u64,
    buckets: BTreeMap<BucketName, BTreeMap<String, Entry>>,
}

struct Entry {
    version: Version,
    value: Bytes,
}

fn cost(key: &str, value: &[u8]) -> u64 {
    key.len() as u64 + value.len() as u64 + ENTRY_OVERHEAD
}

impl MemoryStore {
    /// An empty store that holds at most `max_bytes`.
    pub fn new(max_bytes: u64) -> Self {
        let data = Data::default();
        Self {
            max_bytes: AtomicU64::new(max_bytes),
            changes: Arc::clone(&data.changes),
            data: RwLock::new(data),
        }
    }

    /// Who is told of what is written.
    pub(crate) fn changes(&self) -> &Arc<Changes> {
        &self.changes
    }

    /// Changes the bound. What is stored stays, even if it is more; then nothing can be added.
    pub fn set_max_bytes(&self, max_bytes: u64) {
        self.max_bytes.store(max_bytes, Ordering::Relaxed);
    }

    fn read<T>(&self, read: impl FnOnce(&Data) -> T) -> Result<T, StoreError> {
        let data = self.data.read();
        if data.closed {
            return Err(StoreError::Closed);
        }
        Ok(read(&data))
    }

    fn write<T>(&self, write: impl FnOnce(&mut Data, u64) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut data = self.data.write();
        if data.closed {
            return Err(StoreError::Closed);
        }
        write(&mut data, self.max_bytes.load(Ordering::Relaxed))
    }
}

impl Data {
    fn entry(&self, bucket: &BucketName, key: &Key) -> Option<&Entry> {
        self.buckets.get(bucket)?.get(key.as_str())
    }

    fn version(&self, bucket: &BucketName, key: &Key) -> Version {
        self.entry(bucket, key)
            .map_or(Version::ABSENT, |entry| entry.version)
    }

    fn set(&mut self, bucket: &BucketName, key: Key, value: Bytes, max: u64) -> Result<(), StoreError> {
        let old = self
            .entry(bucket, &key)
            .map_or(0, |entry| cost(key.as_str(), &entry.value));
        let new = cost(key.as_str(), &value);
        let bytes = self.bytes - old + new;
        // A store above its bound (which can be lowered while it runs) still takes what makes it smaller.
        if bytes > max && new > old {
            return Err(StoreError::Full(format!(
                "{max} bytes are allowed, {} are used; hint: raise `max_bytes` in the provider's config",
                self.bytes
            )));
        }
        self.bytes = bytes;
        self.version += 1;
        self.changes.set(bucket, key.as_str(), &value);
        // Values share the memory of the call they came with; a copy keeps no more alive than what is stored.
        let entry = Entry {
            version: Version(self.version),
            value: Bytes::copy_from_slice(&value),
        };
        self.buckets
            .entry(bucket.clone())
            .or_default()
            .insert(key.into_string(), entry);
        Ok(())
    }

    fn delete(&mut self, bucket: &BucketName, key: &Key) {
        let Some(keys) = self.buckets.get_mut(bucket) else {
            return;
        };
        if let Some(entry) = keys.remove(key.as_str()) {
            self.bytes -= cost(key.as_str(), &entry.value);
            self.changes.removed(bucket, key.as_str());
            if keys.is_empty() {
                self.buckets.remove(bucket);
            }
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, bucket: &BucketName, key: &Key) -> Result<Option<Bytes>, StoreError> {
        self.read(|data| data.entry(bucket, key).map(|entry| entry.value.clone()))
    }

    async fn get_versioned(
        &self,
        bucket: &BucketName,
        key: &Key,
    ) -> Result<(Version, Option<Bytes>), StoreError> {
        self.read(|data| match data.entry(bucket, key) {
            Some(entry) => (entry.version, Some(entry.value.clone())),
            None => (Version::ABSENT, None),
        })
    }

    async fn exists(&self, bucket: &BucketName, key: &Key) -> Result<bool, StoreError> {
        self.read(|data| data.entry(bucket, key).is_some())
    }

    async fn set(&self, bucket: &BucketName, key: Key, value: Value) -> Result<(), StoreError> {
        self.write(|data, max| data.set(bucket, key, value.into_bytes(), max))
    }

    async fn delete(&self, bucket: &BucketName, key: Key) -> Result<(), StoreError> {
        self.write(|data, _| {
            data.delete(bucket, &key);
            Ok(())
        })
    }

    async fn list_keys(
        &self,
        bucket: &BucketName,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.read(|data| {
            let Some(keys) = data.buckets.get(bucket) else {
                return Ok(Page::default());
            };
            let (after, skip) = match &from {
                None => (Bound::Unbounded, 0),
                Some(Cursor::After(key)) => (Bound::Excluded(key.as_str()), 0),
                Some(Cursor::Number(skip)) => {
                    (Bound::Unbounded, usize::try_from(*skip).unwrap_or(usize::MAX))
                }
            };
            let range = keys.range::<str, _>((after, Bound::Unbounded));
            Page::collect(range.skip(skip).map(|(key, _)| Ok(key.clone())), limit)
        })?
    }

    async fn increment(&self, bucket: &BucketName, key: Key, by: Increment) -> Result<i128, StoreError> {
        self.write(|data, max| {
            let stored = data.entry(bucket, &key).map(|entry| &*entry.value);
            let number = by.apply(&key, stored)?;
            data.set(bucket, key, number.to_string().into(), max)?;
            Ok(number)
        })
    }

    async fn compare_and_set(
        &self,
        bucket: &BucketName,
        key: Key,
        expected: Version,
        value: Value,
    ) -> Result<Swap, StoreError> {
        self.write(|data, max| {
            if data.version(bucket, &key) != expected {
                return Ok(Swap::Changed);
            }
            data.set(bucket, key, value.into_bytes(), max)?;
            Ok(Swap::Done)
        })
    }

    async fn get_many(&self, bucket: &BucketName, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        check_batch(keys.len())?;
        self.read(|data| {
            let mut budget = ReplyBudget::default();
            keys.iter()
                .map(|key| match data.entry(bucket, key) {
                    Some(entry) => {
                        budget.take(entry.value.len())?;
                        Ok(Some(entry.value.clone()))
                    }
                    None => Ok(None),
                })
                .collect()
        })?
    }

    async fn set_many(&self, bucket: &BucketName, entries: Vec<(Key, Value)>) -> Result<(), StoreError> {
        check_entries(&entries)?;
        self.write(|data, max| {
            entries
                .into_iter()
                .try_for_each(|(key, value)| data.set(bucket, key, value.into_bytes(), max))
        })
    }

    async fn delete_many(&self, bucket: &BucketName, keys: Vec<Key>) -> Result<(), StoreError> {
        check_batch(keys.len())?;
        self.write(|data, _| {
            keys.iter().for_each(|key| data.delete(bucket, key));
            Ok(())
        })
    }

    async fn close(&self) {
        let mut data = self.data.write();
        *data = Data {
            closed: true,
            ..Data::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn refuses_what_does_not_fit_and_counts_exactly() {
        let store = MemoryStore::new(1000);
        let bucket = BucketName::new("b").unwrap();
        let key = |k: &str| Key::new(k).unwrap();
        let value = |n: usize| Value::new(vec![0; n]).unwrap();

        store.set(&bucket, key("a"), value(800)).await.unwrap();
        let full = store.set(&bucket, key("b"), value(100)).await.unwrap_err();
        assert!(full.to_string().contains("max_bytes"), "{full}");

        // Replacing counts the difference, deleting gives back, and shrinking is always possible.
        store.set(&bucket, key("a"), value(100)).await.unwrap();
        store.set(&bucket, key("b"), value(100)).await.unwrap();
        store.set_max_bytes(10);
        store.set(&bucket, key("a"), value(1)).await.unwrap();
        assert!(store.set(&bucket, key("a"), value(2)).await.is_err());
        for name in ["a", "b"] {
            store.delete(&bucket, key(name)).await.unwrap();
        }
        assert_eq!(store.data.read().bytes, 0);
        assert!(store.data.read().buckets.is_empty());
    }
}
