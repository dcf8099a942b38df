//! Buckets in files: `ROOT/FOLDER/BUCKET.kv` holds the keys and values of one bucket, and is replaced whole.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wasmcloud_provider_sdk::rpc::Payload as _;

/// Longest name of a folder or bucket in bytes; with its ending it is a file name on every system.
const MAX_NAME: usize = 100;

/// Most bytes that a bucket may have in its file: each change writes all of it.
const MAX_BUCKET: u64 = 16 << 20;

/// Keys that are listed at a time.
const PAGE: usize = 100;

/// Buckets whose files may change at the same time.
const LOCKS: usize = 16;

/// All buckets.
pub(crate) struct Store {
    root: PathBuf,
    /// A bucket is changed by one at a time; which lock is its own, its path decides.
    locks: [Mutex<()>; LOCKS],
}

/// One bucket, which nobody else reads or writes meanwhile.
pub(crate) struct Bucket<'a> {
    path: PathBuf,
    _lock: MutexGuard<'a, ()>,
}

/// Why a bucket cannot be used.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// It has a name that it cannot have.
    Bucket(String),
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// A file holds something else.
    Contents(PathBuf),
    /// A bucket would be too large.
    Full,
    /// What should be counted is no number.
    NotANumber(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket(name) => write!(f, "there can be no bucket `{}`", name.escape_debug()),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Contents(path) => write!(f, "{} is not a bucket", path.display()),
            Self::Full => write!(f, "the bucket would have more than {MAX_BUCKET} bytes"),
            Self::NotANumber(key) => write!(f, "the value of `{}` is not a number", key.escape_debug()),
        }
    }
}

impl std::error::Error for StoreError {}

/// Whether a folder or bucket can be called so. Neither dots nor slashes: the name is part of a path.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(allowed)
}

impl Store {
    /// Makes the folder for all buckets, if it is not there.
    pub(crate) fn open(root: PathBuf) -> Result<Self, StoreError> {
        fs::create_dir_all(&root).map_err(|error| StoreError::File(root.clone(), error))?;
        Ok(Self {
            root,
            locks: Default::default(),
        })
    }

    /// Whether the folder is still there.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match fs::metadata(&self.root) {
            Ok(_) => Ok(()),
            Err(error) => Err(StoreError::File(self.root.clone(), error)),
        }
    }

    /// A bucket. It need not exist: one without keys is the same as none.
    pub(crate) fn bucket(&self, folder: &str, name: &str) -> Result<Bucket<'_>, StoreError> {
        if !is_name(folder) || !is_name(name) {
            return Err(StoreError::Bucket(name.to_owned()));
        }
        let path = self.root.join(folder).join(format!("{name}.kv"));
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        let [first, ..] = &self.locks;
        let place = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or(0);
        // A panic elsewhere left no file half written, for files are replaced whole.
        let lock = self.locks.get(place).unwrap_or(first).lock();
        Ok(Bucket {
            path,
            _lock: lock.unwrap_or_else(PoisonError::into_inner),
        })
    }
}

impl Bucket<'_> {
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read()?.remove(key))
    }

    pub(crate) fn set(&self, key: String, value: Vec<u8>) -> Result<(), StoreError> {
        let mut values = self.read()?;
        values.insert(key, value);
        self.write(values)
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), StoreError> {
        let mut values = self.read()?;
        match values.remove(key) {
            Some(_) => self.write(values),
            None => Ok(()),
        }
    }

    /// Some keys in their order, and where to go on.
    pub(crate) fn keys(&self, from: u64) -> Result<(Vec<String>, Option<u64>), StoreError> {
        let values = self.read()?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let keys: Vec<String> = values.keys().skip(from).take(PAGE).cloned().collect();
        let next = from.saturating_add(keys.len());
        let more = !keys.is_empty() && next < values.len();
        Ok((keys, more.then_some(next as u64)))
    }

    /// Adds to the number that a key has as decimal text, and returns the sum.
    pub(crate) fn increment(&self, key: String, delta: u64) -> Result<u64, StoreError> {
        let mut values = self.read()?;
        let before = match values.get(&key) {
            None => Some(0),
            Some(value) => std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
        };
        let sum = before
            .and_then(|before: u64| before.checked_add(delta))
            .ok_or_else(|| StoreError::NotANumber(key.clone()))?;
        values.insert(key, sum.to_string().into_bytes());
        self.write(values)?;
        Ok(sum)
    }

    fn read(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(self.failed(error)),
        };
        let values = Vec::<(String, Vec<u8>)>::from_bytes(&bytes);
        let values = values.map_err(|_| StoreError::Contents(self.path.clone()))?;
        Ok(values.into_iter().collect())
    }

    /// Replaces the file: whoever reads it, now or after a crash, finds the old values or the new ones.
    fn write(&self, values: BTreeMap<String, Vec<u8>>) -> Result<(), StoreError> {
        let bytes = values.into_iter().collect::<Vec<_>>().to_bytes();
        if bytes.len() as u64 > MAX_BUCKET {
            return Err(StoreError::Full);
        }
        let written = || -> io::Result<()> {
            let folder = self.path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder)?;
            let half = self.path.with_extension("tmp");
            let mut file = File::create(&half)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&half, &self.path)?;
            File::open(folder)?.sync_all()
        };
        written().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> StoreError {
        StoreError::File(self.path.clone(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().join("data")).unwrap();
        (dir, store)
    }

    #[test]
    fn values_are_there_after_a_restart() {
        let (dir, store) = store();
        store
            .bucket("f", "b")
            .unwrap()
            .set("k".to_owned(), vec![0, 255])
            .unwrap();
        let again = Store::open(dir.path().join("data")).unwrap();
        let bucket = again.bucket("f", "b").unwrap();
        assert_eq!(bucket.get("k").unwrap(), Some(vec![0, 255]));
        bucket.delete("k").unwrap();
        bucket.delete("k").unwrap();
        assert_eq!(bucket.get("k").unwrap(), None);
        drop(bucket);
        assert_eq!(again.bucket("g", "b").unwrap().get("k").unwrap(), None);
    }

    #[test]
    fn names_cannot_lead_elsewhere() {
        let (_dir, store) = store();
        for bad in ["", "..", "a/b", "a.b", "é", "a\0", &"x".repeat(MAX_NAME + 1)] {
            assert!(
                store.bucket("f", bad).is_err() && store.bucket(bad, "b").is_err(),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn keys_come_in_pages() {
        let (_dir, store) = store();
        let bucket = store.bucket("f", "b").unwrap();
        assert_eq!(bucket.keys(0).unwrap(), (Vec::new(), None));
        let all: Vec<String> = (0..PAGE + 1).map(|n| format!("{n:03}")).collect();
        bucket
            .write(all.iter().map(|key| (key.clone(), Vec::new())).collect())
            .unwrap();
        let (first, cursor) = bucket.keys(0).unwrap();
        assert_eq!((first.as_slice(), cursor), (&all[..PAGE], Some(PAGE as u64)));
        assert_eq!(bucket.keys(PAGE as u64).unwrap(), (all[PAGE..].to_vec(), None));
        assert_eq!(bucket.keys(u64::MAX).unwrap(), (Vec::new(), None));
    }

    #[test]
    fn numbers_are_counted_by_all_at_once() {
        let (_dir, store) = store();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        let bucket = store.bucket("f", "b").unwrap();
                        bucket.increment("n".to_owned(), 2).unwrap();
                    }
                });
            }
        });
        let bucket = store.bucket("f", "b").unwrap();
        assert_eq!(bucket.increment("n".to_owned(), 0).unwrap(), 200);
        assert!(bucket.increment("n".to_owned(), u64::MAX).is_err());
        bucket.set("n".to_owned(), b"x".to_vec()).unwrap();
        assert!(bucket.increment("n".to_owned(), 1).is_err());
    }

    #[test]
    fn what_is_no_bucket_is_left_alone() {
        let (dir, store) = store();
        let bucket = store.bucket("f", "b").unwrap();
        bucket.set("k".to_owned(), vec![1]).unwrap();
        let file = dir.path().join("data/f/b.kv");
        fs::write(&file, b"\xff\xff").unwrap();
        assert!(matches!(bucket.get("k"), Err(StoreError::Contents(_))));
        assert!(bucket.set("k".to_owned(), vec![2]).is_err());
        assert_eq!(fs::read(&file).unwrap(), b"\xff\xff");
    }
}
