//! What only this backend has: damage, locks, and a disk that fills up.

use std::error::Error as _;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use ::redb::{Database, StorageBackend, backends::FileBackend};

use super::*;

fn bucket() -> BucketName {
    BucketName::new("b").unwrap()
}

fn key(key: &str) -> Key {
    Key::new(key).unwrap()
}

fn value(bytes: impl Into<Bytes>) -> Value {
    Value::new(bytes).unwrap()
}

#[tokio::test]
async fn what_was_set_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made/on the way/kv.redb");
    let store = RedbStore::open(&path, "first").unwrap();
    store.set(&bucket(), key("k"), value("v")).await.unwrap();
    let (version, _) = store.get_versioned(&bucket(), &key("k")).await.unwrap();
    store.close().await;

    let store = RedbStore::open(&path, "second").unwrap();
    let found = store.get_versioned(&bucket(), &key("k")).await.unwrap();
    assert_eq!(found, (version, Some(Bytes::from("v"))));
    store.set(&bucket(), key("k"), value("v")).await.unwrap();
    let (newer, _) = store.get_versioned(&bucket(), &key("k")).await.unwrap();
    assert!(newer.0 > version.0, "versions go on where they were");
    store.close().await;

    // Nothing else stays in the folder: no lock note, no half-made file.
    let names: Vec<_> = std::fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["kv.redb"]);
}

#[test]
fn a_file_in_use_names_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kv.redb");
    let _holder = RedbStore::open(&path, "provider `cache`").unwrap();
    let error = RedbStore::open(&path, "provider `other`").err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("in use by this process (provider `cache`)"),
        "{error}"
    );
}

#[tokio::test]
async fn a_damaged_file_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let whole = {
        let path = dir.path().join("whole.redb");
        let store = RedbStore::open(&path, "t").unwrap();
        store
            .set(&bucket(), key("k"), value(vec![1; 100_000]))
            .await
            .unwrap();
        store.close().await;
        std::fs::read(&path).unwrap()
    };
    let half = whole[..whole.len() / 2].to_vec();
    let mut scratched = whole.clone();
    scratched[..512].fill(0xa5);
    let foreign = Database::create(dir.path().join("foreign.redb")).unwrap();
    drop(foreign);
    let foreign = std::fs::read(dir.path().join("foreign.redb")).unwrap();

    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("text", b"not a database".to_vec()),
        ("half", half),
        ("scratched", scratched),
        ("foreign", foreign),
    ] {
        let path = dir.path().join(what);
        std::fs::write(&path, &bytes).unwrap();
        let error = RedbStore::open(&path, "t").err();
        let error = error.unwrap_or_else(|| panic!("{what} must be refused"));
        assert!(matches!(error, OpenError::Damaged { .. }), "{what}: {error:?}");
        assert!(error.source().is_some());
        let text = error.to_string();
        assert!(
            text.contains(&*path.to_string_lossy()) && text.contains("mv "),
            "{text}"
        );
        assert!(path.exists(), "{what} is left where it is");
    }
}

/// A file whose disk is full while the flag is set.
#[derive(Debug)]
struct FullDisk {
    file: FileBackend,
    full: Arc<AtomicBool>,
}

impl FullDisk {
    fn check(&self) -> io::Result<()> {
        match self.full.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl StorageBackend for FullDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

#[tokio::test]
async fn a_full_disk_is_an_error_for_as_long_as_it_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kv.redb");
    RedbStore::open(&path, "t").unwrap().close().await;

    let full = Arc::new(AtomicBool::new(false));
    let disk = Arc::clone(&full);
    let open = move |path: &Path| {
        let file = std::fs::File::options().read(true).write(true).open(path)?;
        Database::builder().create_with_backend(FullDisk {
            file: FileBackend::new(file)?,
            full: Arc::clone(&disk),
        })
    };
    let store = RedbStore::with_file(SharedFile::open(&path, "t", Box::new(open)).unwrap()).unwrap();
    store.set(&bucket(), key("before"), value("v")).await.unwrap();

    full.store(true, Ordering::Relaxed);
    let error = store.set(&bucket(), key("during"), value("v")).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Full(text) if text.contains("kv.redb")),
        "{error:?}"
    );
    let error = store.get(&bucket(), &key("before")).await.unwrap_err();
    assert!(error.to_string().contains("kv.redb"), "{error}");

    full.store(false, Ordering::Relaxed);
    let found = store.get(&bucket(), &key("before")).await.unwrap();
    assert_eq!(
        found.as_deref(),
        Some(b"v".as_slice()),
        "a read is enough to recover"
    );
    assert_eq!(store.get(&bucket(), &key("during")).await.unwrap(), None);
    store.set(&bucket(), key("after"), value("v")).await.unwrap();
    assert!(store.exists(&bucket(), &key("after")).await.unwrap());
    store.close().await;
}
