//! The file of the state: making it, opening it, and saying what is wrong with it.
//!
//! A new file is made under another name and moved into place when it is complete. So a file of no bytes, or of other
//! bytes, is damage, and nothing is ever made in its place. After an I/O error redb wants a file reopened; the write
//! thread does that before its next transaction.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parking_lot::{RwLock, RwLockReadGuard};
use redb::{Database, DatabaseError, ReadableDatabase as _, TableDefinition};

/// Bucket and key.
pub(super) type EntryKey = (&'static str, &'static str);
/// Revision, when it expires, value. The time is in milliseconds since 1970; 0 is never.
pub(super) type EntryValue = (u64, u64, &'static [u8]);
/// When it expires, bucket, key.
pub(super) type ExpiryKey = (u64, &'static str, &'static str);

pub(super) const ENTRIES: TableDefinition<'_, EntryKey, EntryValue> = TableDefinition::new("entries");
/// The latest revision of each bucket. A bucket stays when its last entry goes, and so do its revisions.
pub(super) const BUCKETS: TableDefinition<'_, &str, u64> = TableDefinition::new("buckets");
pub(super) const EXPIRY: TableDefinition<'_, ExpiryKey, ()> = TableDefinition::new("expiry");
pub(super) const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");

/// The number that says how much all entries take.
pub(super) const BYTES: &str = "bytes";
/// The number that says how the tables are laid out, and how this code lays them out.
const FORMAT: &str = "format";
const OUR_FORMAT: u64 = 1;

/// What redb may keep of the file in memory. Its default is 1 GiB.
const CACHE: usize = 16 << 20;

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process has the file open, without having the folder.
    #[error("{} is open in another process; hint: stop that one", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The contents make no sense.
    #[error(
        "{} cannot be read and was left as it is; hint: restore it from a backup, or, to start with an empty lattice, \
         move it away (`mv {} {}.damaged`)", .path.display(), .path.display(), .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file system refused.
    #[error("{action} {}", .path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// No thread for it.
    #[error("start a thread for the state")]
    Thread(#[source] io::Error),
    /// Opening it panicked; what about was printed.
    #[error("opening the state panicked")]
    Panicked,
}

/// The file, shared by the threads.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// `None` after an error, and once it is closed.
    database: RwLock<Option<Database>>,
}

impl StateFile {
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        let io_error = |action, source| StateError::Io {
            action,
            path: path.to_owned(),
            source,
        };
        let exists = path.try_exists().map_err(|source| io_error("look for", source))?;
        if !exists {
            create(path).map_err(|source| io_error("create", source))?;
        }
        let database = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            database: RwLock::new(Some(database)),
        })
    }

    /// The database, if it is usable now.
    pub(super) fn database(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read()
    }

    /// Opens it again if an error made that necessary.
    pub(super) fn ensure_open(&self) -> Result<(), StateError> {
        if self.database.read().is_some() {
            return Ok(());
        }
        let database = open(&self.path)?;
        *self.database.write() = Some(database);
        tracing::info!(file = %self.path.display(), "the state is in use again");
        Ok(())
    }

    /// Lets go of it.
    pub(super) fn close(&self) {
        let database = self.database.write().take();
        // Its last act is to write, which may fail for the reason that made us close it.
        catch_unwind(AssertUnwindSafe(|| drop(database))).ok();
    }
}

fn open(path: &Path) -> Result<Database, StateError> {
    let damaged = |source| StateError::Damaged {
        path: path.to_owned(),
        source,
    };
    let name = path.display().to_string();
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE).set_repair_callback(move |session| {
        let progress = session.progress();
        tracing::info!(
            file = name,
            progress,
            "the state was not closed properly, verifying it"
        );
    });
    // redb asserts where a release build would return an error.
    let opened = catch_unwind(AssertUnwindSafe(|| builder.open(path)))
        .map_err(|_panic| damaged("its contents make no sense".into()))?;
    let database = opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => StateError::InUse {
            path: path.to_owned(),
        },
        DatabaseError::Storage(redb::StorageError::Io(source)) if !says_damage(&source) => StateError::Io {
            action: "open",
            path: path.to_owned(),
            source,
        },
        other => damaged(Box::new(other)),
    })?;
    let checked = catch_unwind(AssertUnwindSafe(|| check(&database)));
    match checked {
        Ok(Ok(())) => Ok(database),
        Ok(Err(source)) => Err(damaged(source)),
        Err(_panic) => Err(damaged("its contents make no sense".into())),
    }
}

fn says_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

/// Whether the tables are there and laid out as this code expects.
fn check(database: &Database) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let transaction = database.begin_read()?;
    let numbers = transaction.open_table(NUMBERS)?;
    let format = numbers.get(FORMAT)?.map_or(0, |format| format.value());
    if format != OUR_FORMAT {
        return Err(format!("it has layout {format}, this version reads layout {OUR_FORMAT}").into());
    }
    transaction.open_table(ENTRIES)?;
    transaction.open_table(BUCKETS)?;
    transaction.open_table(EXPIRY)?;
    Ok(())
}

/// Makes an empty file where there is none. Whoever holds the folder is the only one to do so.
fn create(path: &Path) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let make = || -> Result<(), redb::Error> {
        let database = Database::builder().set_cache_size(CACHE).create(&new)?;
        let transaction = database.begin_write()?;
        transaction.open_table(ENTRIES)?;
        transaction.open_table(BUCKETS)?;
        transaction.open_table(EXPIRY)?;
        let mut numbers = transaction.open_table(NUMBERS)?;
        numbers.insert(FORMAT, OUR_FORMAT)?;
        numbers.insert(BYTES, 0)?;
        drop(numbers);
        transaction.commit()?;
        Ok(())
    };
    make().map_err(|error| match error {
        redb::Error::Io(error) => error,
        other => io::Error::other(other),
    })?;
    fs::rename(&new, path)?;
    // The name is as durable as the contents only once the folder is.
    path.parent()
        .map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}
