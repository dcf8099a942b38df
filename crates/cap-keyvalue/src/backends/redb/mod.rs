//! Keys and values in one redb file: durable, for one host.
//!
//! One thread writes. It takes every write that waits, makes them one transaction and answers after the commit, so
//! that many small writes share one fsync and each acknowledged one survives a kill. Reads run beside it on blocking
//! threads, a bounded number at a time. Opening and the file itself are the business of [`file`], what a write does
//! of [`write`].
//!
//! After an I/O error redb wants the file reopened; the write thread does so before its next transaction. A full
//! disk is therefore an error to those who write while it is full, and nothing else.

mod file;
mod write;

use std::path::Path;
use std::sync::Arc;

use ::redb::{ReadableDatabase, TableError};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use self::file::{ENTRIES, Entries, FileState, SharedFile};
use self::write::{Op, Outcome, Write};
use crate::store::{
    BucketName, Cursor, Increment, Key, Page, ReplyBudget, Store, StoreError, Swap, Value, Version,
    check_batch, check_entries,
};
use crate::watch::Changes;

pub use self::file::OpenError;

/// Most reads that run at once; others wait. Each occupies a blocking thread.
const READERS: usize = 16;

/// Most writes that wait for the write thread; others wait to be among them.
const QUEUE: usize = 1024;

/// Most memory of writes that wait, 64 MiB in KiB: two batches of the largest size.
const QUEUE_KIB: usize = 64 << 10;

/// A store in a redb file.
pub struct RedbStore {
    file: Arc<SharedFile>,
    readers: Arc<Semaphore>,
    room: Arc<Semaphore>,
    /// Taken by `close`; the write thread ends when the last sender is gone.
    writes: Mutex<Option<mpsc::Sender<Write>>>,
    /// Closed when the write thread has ended and let go of the file.
    ended: watch::Receiver<()>,
    changes: Arc<Changes>,
}

impl RedbStore {
    /// Opens the file, or makes it if there is none. `owner` names the holder to whoever finds the file locked.
    ///
    /// Blocks, and takes time in proportion to the file if the last process was killed: redb verifies it then.
    pub fn open(path: &Path, owner: &str) -> Result<Self, OpenError> {
        Self::with_file(SharedFile::open(path, owner, Box::new(file::open_database))?)
    }

    fn with_file(file: SharedFile) -> Result<Self, OpenError> {
        let file = Arc::new(file);
        let (writes, queue) = mpsc::channel(QUEUE);
        let (end, ended) = watch::channel(());
        let writer = Arc::clone(&file);
        let changes = Arc::<Changes>::default();
        let told = Arc::clone(&changes);
        std::thread::Builder::new()
            .name("keyvalue-write".to_owned())
            .spawn(move || {
                write::run(&writer, queue, &told);
                drop(writer);
                drop(end);
            })
            .map_err(|source| OpenError::Io {
                what: "start the write thread for",
                path: file.path().to_owned(),
                source,
            })?;
        Ok(Self {
            file,
            readers: Arc::new(Semaphore::new(READERS)),
            room: Arc::new(Semaphore::new(QUEUE_KIB)),
            writes: Mutex::new(Some(writes)),
            ended,
            changes,
        })
    }

    /// Who is told of what is written.
    pub(crate) fn changes(&self) -> &Arc<Changes> {
        &self.changes
    }

    async fn write(&self, bucket: &BucketName, op: Op) -> Result<Outcome, StoreError> {
        let Some(writes) = self.writes.lock().clone() else {
            return Err(StoreError::Closed);
        };
        let kib = u32::try_from(op.size() / 1024 + 1).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room)
            .acquire_many_owned(kib)
            .await
            .map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let write = Write {
            bucket: bucket.clone(),
            op,
            reply,
            _room: room,
        };
        writes.send(write).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&Entries) -> Result<T, ReadError> + Send + Sync + 'static,
    ) -> Result<T, StoreError> {
        let read = Arc::new(read);
        match self.try_read(Arc::clone(&read)).await? {
            Some(value) => Ok(value),
            None => {
                // The file awaits its reopening, which the write thread does before whatever it does next.
                self.write(&BucketName::new("recover")?, Op::Nothing).await?;
                self.try_read(read).await?.ok_or_else(|| self.file.failed())
            }
        }
    }

    /// `None` if the file must be reopened first.
    async fn try_read<T: Send + 'static>(
        &self,
        read: Arc<impl Fn(&Entries) -> Result<T, ReadError> + Send + Sync + 'static>,
    ) -> Result<Option<T>, StoreError> {
        let permit = Arc::clone(&self.readers)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let file = Arc::clone(&self.file);
        let task = tokio::task::spawn_blocking(move || {
            // Held here and not by the caller, who may stop waiting while the thread still works.
            let _permit = permit;
            let state = file.state();
            let database = match &*state {
                FileState::Open(database) => database,
                FileState::Failed(_) => return Ok(None),
                FileState::Closed => return Err(StoreError::Closed),
            };
            let broken = |error: ReadError| error.into_store_error(&file);
            let entries = database
                .begin_read()
                .map_err(|error| broken(ReadError::Redb(error.into())))?
                .open_table(ENTRIES)
                .map_err(|error: TableError| broken(ReadError::Redb(error.into())))?;
            read(&entries).map(Some).map_err(broken)
        });
        task.await.map_err(|error| {
            StoreError::Other(format!("a read of `{}` {error}", self.file.path().display()))
        })?
    }
}

/// Why a read gave nothing.
enum ReadError {
    Redb(::redb::Error),
    Store(StoreError),
}

impl ReadError {
    fn into_store_error(self, file: &SharedFile) -> StoreError {
        match self {
            Self::Redb(error) => file.store_error("read", &error),
            Self::Store(error) => error,
        }
    }
}

impl From<::redb::StorageError> for ReadError {
    fn from(error: ::redb::StorageError) -> Self {
        Self::Redb(error.into())
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

#[async_trait]
impl Store for RedbStore {
    async fn get(&self, bucket: &BucketName, key: &Key) -> Result<Option<Bytes>, StoreError> {
        Ok(self.get_versioned(bucket, key).await?.1)
    }

    async fn get_versioned(
        &self,
        bucket: &BucketName,
        key: &Key,
    ) -> Result<(Version, Option<Bytes>), StoreError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        self.read(move |entries| {
            Ok(match entries.get((bucket.as_str(), key.as_str()))? {
                Some(entry) => {
                    let (version, value) = entry.value();
                    (Version(version), Some(Bytes::copy_from_slice(value)))
                }
                None => (Version::ABSENT, None),
            })
        })
        .await
    }

    async fn exists(&self, bucket: &BucketName, key: &Key) -> Result<bool, StoreError> {
        let (bucket, key) = (bucket.clone(), key.clone());
        self.read(move |entries| Ok(entries.get((bucket.as_str(), key.as_str()))?.is_some()))
            .await
    }

    async fn set(&self, bucket: &BucketName, key: Key, value: Value) -> Result<(), StoreError> {
        self.write(bucket, Op::Set(vec![(key, value)])).await?;
        Ok(())
    }

    async fn delete(&self, bucket: &BucketName, key: Key) -> Result<(), StoreError> {
        self.write(bucket, Op::Delete(vec![key])).await?;
        Ok(())
    }

    async fn list_keys(
        &self,
        bucket: &BucketName,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let bucket = bucket.clone();
        self.read(move |entries| {
            let bucket = bucket.as_str();
            let (start, skip) = match &from {
                None => ("", 0),
                Some(Cursor::After(key)) => (key.as_str(), 0),
                Some(Cursor::Number(skip)) => ("", usize::try_from(*skip).unwrap_or(usize::MAX)),
            };
            let after = matches!(from, Some(Cursor::After(_))).then_some(start);
            let keys = entries
                .range((bucket, start)..)?
                .map(|entry| entry.map(|(key, _)| key))
                .take_while(|key| key.as_ref().map_or(true, |key| key.value().0 == bucket))
                .filter(|key| key.as_ref().map_or(true, |key| Some(key.value().1) != after))
                .map(|key| key.map(|key| key.value().1.to_owned()).map_err(ReadError::from))
                .skip(skip);
            Page::collect(keys, limit)
        })
        .await
    }

    async fn increment(&self, bucket: &BucketName, key: Key, by: Increment) -> Result<i128, StoreError> {
        match self.write(bucket, Op::Increment(key, by)).await? {
            Outcome::Number(number) => Ok(number),
            other => Err(other.unexpected()),
        }
    }

    async fn compare_and_set(
        &self,
        bucket: &BucketName,
        key: Key,
        expected: Version,
        value: Value,
    ) -> Result<Swap, StoreError> {
        match self.write(bucket, Op::Swap(key, expected, value)).await? {
            Outcome::Swap(swap) => Ok(swap),
            other => Err(other.unexpected()),
        }
    }

    async fn get_many(&self, bucket: &BucketName, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        check_batch(keys.len())?;
        let (bucket, keys) = (bucket.clone(), keys.to_vec());
        self.read(move |entries| {
            let mut budget = ReplyBudget::default();
            keys.iter()
                .map(|key| match entries.get((bucket.as_str(), key.as_str()))? {
                    Some(entry) => {
                        let (_, value) = entry.value();
                        budget.take(value.len())?;
                        Ok(Some(Bytes::copy_from_slice(value)))
                    }
                    None => Ok(None),
                })
                .collect()
        })
        .await
    }

    async fn set_many(&self, bucket: &BucketName, entries: Vec<(Key, Value)>) -> Result<(), StoreError> {
        check_entries(&entries)?;
        self.write(bucket, Op::Set(entries)).await?;
        Ok(())
    }

    async fn delete_many(&self, bucket: &BucketName, keys: Vec<Key>) -> Result<(), StoreError> {
        check_batch(keys.len())?;
        self.write(bucket, Op::Delete(keys)).await?;
        Ok(())
    }

    async fn close(&self) {
        self.writes.lock().take();
        let mut ended = self.ended.clone();
        // Nothing is ever sent: an error means that the write thread has ended.
        while ended.changed().await.is_ok() {}
    }
}

#[cfg(test)]
mod tests;
