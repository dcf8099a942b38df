//! The file: making it, opening it, saying what is wrong with it, and reopening it after an I/O error.
//!
//! A new file is made under another name and moved into place when it is complete. So a file of no bytes, or with
//! other bytes, is never one of ours that was about to begin: it is damage, and nothing is made in its place.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ::redb::{Database, DatabaseError, ReadOnlyTable, ReadableDatabase as _, Table, TableDefinition};
use parking_lot::{RwLock, RwLockReadGuard};

use crate::store::StoreError;

/// Bucket and key.
pub(super) type EntryKey = (&'static str, &'static str);
/// Version and value.
pub(super) type EntryValue = (u64, &'static [u8]);
pub(super) type Entries = ReadOnlyTable<EntryKey, EntryValue>;
pub(super) type Counters<'txn> = Table<'txn, &'static str, u64>;

/// One table for all buckets: a bucket costs nothing and needs no making.
pub(super) const ENTRIES: TableDefinition<'_, EntryKey, EntryValue> = TableDefinition::new("entries");
pub(super) const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");

/// The counter of the latest write.
pub(super) const VERSION: &str = "version";

/// The counter that says how the tables are laid out.
const FORMAT: &str = "format";

/// How this code lays them out.
const OUR_FORMAT: u64 = 1;

/// What redb may keep of the file in memory. Its default, 1 GiB, is more than a host should need.
const CACHE: usize = 16 << 20;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another provider of this one, has it open.
    #[error(
        "the key-value file `{}` is in use by {holder}; hint: stop that one, or give this provider another `path`",
        .path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
        /// Who has it, as far as that is known.
        holder: String,
    },
    /// Its contents cannot be read.
    #[error(
        "the key-value file `{}` cannot be used, and was left as it is; hint: to start without its data, move it \
         away (`mv {} {}.damaged`)", .path.display(), .path.display(), .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file system refused.
    #[error("{what} the key-value file `{}`", .path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Opens an existing file. A parameter of [`SharedFile`] so that tests can give it a disk that fills up.
pub(super) type OpenDatabase = Box<dyn Fn(&Path) -> Result<Database, DatabaseError> + Send + Sync>;

pub(super) fn open_database(path: &Path) -> Result<Database, DatabaseError> {
    let name = path.display().to_string();
    Database::builder()
        .set_cache_size(CACHE)
        .set_repair_callback(move |session| {
            tracing::warn!(
                file = name,
                progress = session.progress(),
                "the key-value file was not closed properly, verifying it"
            );
        })
        .open(path)
}

/// The open file, shared by the write thread and the reads.
///
/// Reads and transactions hold the lock shared; only the write thread takes it alone, to reopen or close the file
/// when nobody uses it.
pub(super) struct SharedFile {
    path: PathBuf,
    open: OpenDatabase,
    state: RwLock<FileState>,
}

pub(super) enum FileState {
    Open(Database),
    /// An I/O error occurred; to be reopened.
    Failed(String),
    Closed,
}

impl SharedFile {
    pub(super) fn open(path: &Path, owner: &str, open: OpenDatabase) -> Result<Self, OpenError> {
        let at = |what, source| OpenError::Io {
            what,
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|source| at("make the folder of", source))?;
        }
        if !path.try_exists().map_err(|source| at("look for", source))? {
            create(path).map_err(|source| at("create", source))?;
        }
        let database = try_open(&open, path)?;
        if let Err(source) = check(&database) {
            return Err(OpenError::Damaged {
                path: path.to_owned(),
                source,
            });
        }
        // Only ever read by people; without it a conflict is reported all the same.
        if let Err(error) = fs::write(note_path(path), format!("{} {owner}\n", std::process::id())) {
            tracing::debug!(file = %path.display(), %error, "cannot write who holds the key-value file");
        }
        Ok(Self {
            path: path.to_owned(),
            open,
            state: RwLock::new(FileState::Open(database)),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn state(&self) -> RwLockReadGuard<'_, FileState> {
        self.state.read()
    }

    /// Reopens the file if an error made that necessary.
    pub(super) fn ensure_open(&self) -> Result<(), StoreError> {
        if !matches!(&*self.state(), FileState::Failed(_)) {
            return Ok(());
        }
        match try_open(&self.open, &self.path) {
            Ok(database) => {
                *self.state.write() = FileState::Open(database);
                tracing::info!(file = %self.path.display(), "the key-value file is in use again");
                Ok(())
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|source| format!(": {source}"));
                let text = format!("{error}{}", cause.unwrap_or_default());
                *self.state.write() = FileState::Failed(text);
                Err(self.failed())
            }
        }
    }

    /// Lets go of the file until [`SharedFile::ensure_open`].
    pub(super) fn fail(&self, error: &StoreError) {
        tracing::error!(file = %self.path.display(), %error, "the key-value file has to be reopened");
        let old = std::mem::replace(&mut *self.state.write(), FileState::Failed(error.to_string()));
        // Its last act is to write, which fails for the same reason; the next open repairs what that leaves.
        catch_unwind(AssertUnwindSafe(|| drop(old))).ok();
    }

    /// The error of those who find the file still closed after an error.
    pub(super) fn failed(&self) -> StoreError {
        match &*self.state() {
            FileState::Open(_) => StoreError::Other("the key-value file was just reopened".to_owned()),
            FileState::Failed(text) => StoreError::Other(text.clone()),
            FileState::Closed => StoreError::Closed,
        }
    }

    pub(super) fn close(&self) {
        let mut state = self.state.write();
        // The note first: once the lock on the file is gone, the next owner writes its own.
        fs::remove_file(note_path(&self.path)).ok();
        let old = std::mem::replace(&mut *state, FileState::Closed);
        catch_unwind(AssertUnwindSafe(|| drop(old))).ok();
    }

    /// What a component is told about an error of redb.
    pub(super) fn store_error(&self, verb: &str, error: &::redb::Error) -> StoreError {
        let text = format!("cannot {verb} `{}`: {error}", self.path.display());
        match error {
            ::redb::Error::Io(io)
                if matches!(
                    io.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
                ) =>
            {
                StoreError::Full(text)
            }
            _ => StoreError::Other(text),
        }
    }
}

fn try_open(open: &OpenDatabase, path: &Path) -> Result<Database, OpenError> {
    let damaged = |source| OpenError::Damaged {
        path: path.to_owned(),
        source,
    };
    // redb asserts in debug builds where release builds return an error.
    let opened = catch_unwind(AssertUnwindSafe(|| open(path)))
        .map_err(|_panic| damaged("its contents make no sense".into()))?;
    opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => OpenError::InUse {
            path: path.to_owned(),
            holder: holder(path),
        },
        DatabaseError::Storage(::redb::StorageError::Io(source))
            if !matches!(
                source.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            OpenError::Io {
                what: "open",
                path: path.to_owned(),
                source,
            }
        }
        other => damaged(Box::new(other)),
    })
}

/// Whether the tables are there and laid out as this code expects.
fn check(database: &Database) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let transaction = database.begin_read()?;
    let format = transaction
        .open_table(COUNTERS)?
        .get(FORMAT)?
        .map_or(0, |format| format.value());
    if format != OUR_FORMAT {
        return Err(format!("it has layout {format}, this version reads layout {OUR_FORMAT}").into());
    }
    transaction.open_table(ENTRIES)?;
    Ok(())
}

/// Makes an empty file at a path where there is none. Losing a race to another process is no error: opening tells.
fn create(path: &Path) -> io::Result<()> {
    static NEW: AtomicU64 = AtomicU64::new(0);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let number = NEW.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".new-{}-{number}", std::process::id()));
    let new = path.with_file_name(name);
    fs::remove_file(&new).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let made = initialize(&new).and_then(|()| publish(&new, path));
    fs::remove_file(&new).ok();
    made?;
    // The name is as durable as the contents only once the folder is.
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn initialize(new: &Path) -> io::Result<()> {
    let make = || -> Result<(), ::redb::Error> {
        let database = Database::builder().set_cache_size(CACHE).create(new)?;
        let transaction = database.begin_write()?;
        transaction.open_table(ENTRIES)?;
        transaction.open_table(COUNTERS)?.insert(FORMAT, OUR_FORMAT)?;
        transaction.commit()?;
        Ok(())
    };
    make().map_err(|error| match error {
        ::redb::Error::Io(error) => error,
        other => io::Error::other(other),
    })
}

/// Gives the new file its name, unless another process was faster. A hard link does that in one step; where the
/// file system has none, a rename after a look has to do.
fn publish(new: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(new, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) if path.try_exists()? => Ok(()),
        Err(_) => fs::rename(new, path),
    }
}

fn note_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".owner");
    path.with_file_name(name)
}

/// Who holds the file, in words.
fn holder(path: &Path) -> String {
    let note = fs::read_to_string(note_path(path)).unwrap_or_default();
    match note.trim().split_once(' ') {
        Some((pid, owner)) if pid == std::process::id().to_string() => {
            format!("this process ({owner})")
        }
        Some((pid, owner)) => format!("process {pid} ({owner})"),
        None => "another process".to_owned(),
    }
}
