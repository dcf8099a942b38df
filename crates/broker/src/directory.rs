//! The folder of a lattice: its credentials, and where its broker listens.
//!
//! `broker.lock` is locked for as long as a broker runs and holds its pid; the kernel lets go of the lock whatever way
//! the broker ends, so an endpoint file without that lock is known to be stale. Files are made under another name and
//! moved into place, so that a reader sees all of one or none.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nkeys::KeyPair;
use serde::{Deserialize, Serialize};

use crate::owner;

const LOCK: &str = "broker.lock";
const ENDPOINT: &str = "endpoint.json";
const CREDENTIALS: &str = "credentials.json";

/// Longest file that is read. Ours have some hundred bytes.
const MAX_FILE: u64 = 64 << 10;

/// Why the folder of a lattice cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The file system refused.
    #[error("{action} {}", .path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another broker uses the folder.
    #[error(
        "the lattice in {} is run by process {owner}; hint: connect to that one, stop it, or use another folder",
        .path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Pid and name, as far as they are known.
        owner: String,
    },
    /// A file is not what it should be.
    #[error(
        "{} makes no sense ({reason}); hint: remove it, and restart the lattice and what is connected to it",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// How to log in to the lattice of a folder. Either way gives all rights: by name and password, or by nkey.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
    /// The seed (`SU…`) of the user's nkey, whose signature of the server's nonce logs in as well.
    pub nkey_seed: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Where the broker of a folder listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The address, on loopback.
    pub address: SocketAddr,
    /// The process.
    pub pid: u32,
    /// What the server calls itself in `INFO`; a new one with each start.
    pub server_id: String,
}

impl Credentials {
    /// Reads the credentials of the lattice in `dir`; `None` if no broker was ever started there.
    pub fn load(dir: &Path) -> Result<Option<Self>, DirectoryError> {
        let path = dir.join(CREDENTIALS);
        let Some(found) = read::<Self>(&path)? else {
            return Ok(None);
        };
        if let Err(error) = KeyPair::from_seed(&found.nkey_seed) {
            return Err(DirectoryError::Damaged {
                path,
                reason: format!("its nkey_seed: {error}"),
            });
        }
        Ok(Some(found))
    }

    fn generate() -> Result<Self, DirectoryError> {
        let secret = |key: KeyPair| {
            key.seed().map_err(|error| DirectoryError::Io {
                action: "make a key for",
                path: CREDENTIALS.into(),
                source: io::Error::other(error),
            })
        };
        Ok(Self {
            user: "wasmcloud".to_owned(),
            // A seed that is used for nothing else is 32 random bytes as text.
            password: secret(KeyPair::new_user())?,
            nkey_seed: secret(KeyPair::new_user())?,
        })
    }
}

impl Endpoint {
    /// Where the broker of the lattice in `dir` listens; `None` if none runs there, whatever files an earlier one has
    /// left.
    pub fn load(dir: &Path) -> Result<Option<Self>, DirectoryError> {
        let path = dir.join(LOCK);
        let mut lock = match File::open(&path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error("open", &path)(source)),
        };
        match lock.try_lock_shared() {
            // Free: nobody runs. Our lock ends with the file.
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(io_error("lock", &path)(source)),
        }
        let owner = read_pid(&mut lock);
        let endpoint = read::<Self>(&dir.join(ENDPOINT))?;
        // A broker that has just started may not have replaced the file of its predecessor yet.
        Ok(endpoint.filter(|endpoint| owner == Some(endpoint.pid)))
    }
}

/// The folder, held by this process.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Locked until it is closed.
    _lock: File,
}

impl Directory {
    /// Makes the folder if need be, and takes it.
    pub(crate) async fn hold(path: &Path) -> Result<Self, DirectoryError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(io_error("create", path))?;
        // The folder may have been there before, open to others.
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(path, private).map_err(io_error("make private", path))?;
        let lock = lock(path).await?;
        let directory = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        directory.remove_endpoint();
        Ok(directory)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The credentials; made at the first start.
    pub(crate) fn credentials(&self) -> Result<Credentials, DirectoryError> {
        if let Some(found) = Credentials::load(&self.path)? {
            return Ok(found);
        }
        let made = Credentials::generate()?;
        write(&self.file(CREDENTIALS), &made)?;
        Ok(made)
    }

    pub(crate) fn write_endpoint(&self, endpoint: &Endpoint) -> Result<(), DirectoryError> {
        write(&self.file(ENDPOINT), endpoint)
    }

    pub(crate) fn remove_endpoint(&self) {
        let path = self.file(ENDPOINT);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %path.display(), "cannot remove the endpoint file");
            }
            _ => {}
        }
    }
}

async fn lock(dir: &Path) -> Result<File, DirectoryError> {
    /// Who looks for an endpoint holds the lock for a moment, so one refusal says nothing yet.
    const ATTEMPTS: u32 = 20;
    const PAUSE: Duration = Duration::from_millis(10);

    let path = dir.join(LOCK);
    let mut file = private_file()
        .read(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io_error("open", &path))?;
    for attempt in 1.. {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(source)) => return Err(io_error("lock", &path)(source)),
            Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE).await,
            Err(TryLockError::WouldBlock) => {
                let owner = read_pid(&mut file);
                return Err(DirectoryError::InUse {
                    path: dir.to_owned(),
                    owner: owner.map_or_else(|| "unknown".to_owned(), owner::process),
                });
            }
        }
    }
    let note = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{}", std::process::id())
    };
    note(&mut file).map_err(io_error("write", &path))?;
    Ok(file)
}

fn read_pid(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, DirectoryError> {
    let mut text = Vec::new();
    match File::open(path) {
        Ok(file) => file
            .take(MAX_FILE)
            .read_to_end(&mut text)
            .map_err(io_error("read", path))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error("open", path)(source)),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| DirectoryError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
        })
}

/// Writes a file that only this user may read, whole or not at all, and durable.
fn write(path: &Path, value: &impl Serialize) -> Result<(), DirectoryError> {
    let text = serde_json::to_vec_pretty(value).map_err(io::Error::from);
    let mut new = path.as_os_str().to_owned();
    // Whoever holds the folder is the only writer, so a left-over of this name is nobody's.
    new.push(".new");
    let new = PathBuf::from(new);
    let done = text.and_then(|text| {
        let mut file = private_file().create(true).truncate(true).open(&new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    });
    done.map_err(io_error("write", path))
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::Io { action, path, source }
}
