//! Compiled code on disk, shared by all hosts of one user on one machine.
//!
//! Compiled code is machine code: loading a file that somebody else wrote means running it. So each file carries a
//! MAC under a key that only this user can read, and a file that is torn, foreign or altered is ignored, reported
//! once and compiled again (design D8). The name of a file says what it was made from and for which engine, so
//! nothing is ever rewritten in place: files come into being whole, by rename.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use wasmtime::component::Component;

/// Length of the MAC at the end of each file: HMAC-SHA-256.
const MAC_LEN: u64 = 32;

/// Name of the file with the key.
const KEY_FILE: &str = "key";

pub(crate) struct Cache {
    dir: PathBuf,
    key: hmac::Key,
}

/// What one compiled component is called in the cache: digest of its bytes and of the engine's settings.
#[derive(Clone, Debug)]
pub(crate) struct CacheKey(pub(crate) String);

impl Cache {
    /// Opens or makes the cache. A cache that cannot be used costs time, not correctness, so this only warns.
    pub(crate) fn open(dir: PathBuf) -> Option<Self> {
        match open_key(&dir) {
            Ok(key) => Some(Self {
                dir,
                key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            }),
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "no cache for compiled code, components compile at each start");
                None
            }
        }
    }

    /// The compiled component under this name, or `None` where there is none that can be trusted.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, key: &CacheKey) -> Option<Component> {
        let path = self.path(key);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return self.ignore(&path, &error.to_string()),
        };
        match self.verify(&file) {
            Ok(true) => {}
            Ok(false) => {
                return self.ignore(
                    &path,
                    "its MAC does not match: torn, altered or written by another user",
                );
            }
            Err(error) => return self.ignore(&path, &error.to_string()),
        }
        // By descriptor, so that what was verified is what is mapped, also if the name is replaced meanwhile.
        match load_verified(engine, Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd()))) {
            Ok(component) => Some(component),
            Err(error) => self.ignore(&path, &format!("{error:#}")),
        }
    }

    /// Keeps compiled code. Failing to is reported and otherwise harmless.
    pub(crate) fn store(&self, key: &CacheKey, code: &[u8]) {
        if let Err(error) = self.write(key, code) {
            tracing::warn!(path = %self.path(key).display(), %error, "could not keep compiled code");
        }
    }

    fn write(&self, key: &CacheKey, code: &[u8]) -> io::Result<()> {
        let partial = partial(&self.dir, &key.0);
        let result = (|| {
            let mut file = create_private(&partial)?;
            file.write_all(code)?;
            file.write_all(hmac::sign(&self.key, code).as_ref())?;
            // Without this a crash of the machine may leave a file of zeroes under the final name. The MAC would
            // catch it; the sync saves compiling again.
            file.sync_data()?;
            fs::rename(&partial, self.path(key))
        })();
        if result.is_err() {
            // A full disk is the likely reason; do not leave the half file behind.
            let _ = fs::remove_file(&partial);
        }
        result
    }

    fn verify(&self, mut file: &File) -> io::Result<bool> {
        let len = file.metadata()?.len();
        let Some(code_len) = len.checked_sub(MAC_LEN) else {
            return Ok(false);
        };
        let mut context = hmac::Context::with_key(&self.key);
        let mut left = code_len;
        let mut block = vec![0; 64 << 10];
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
            let chunk = block.get_mut(..want).unwrap_or_default();
            file.read_exact(chunk)?;
            context.update(chunk);
            left -= chunk.len() as u64;
        }
        let mut mac = [0; MAC_LEN as usize];
        file.read_exact(&mut mac)?;
        file.seek(SeekFrom::Start(0))?;
        let expected = context.sign();
        Ok(aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref(), &mac).is_ok())
    }

    fn ignore<T>(&self, path: &Path, reason: &str) -> Option<T> {
        tracing::warn!(path = %path.display(), reason, "ignored a file in the cache for compiled code, compiling again");
        // Gone, so that the message comes once; a file that cannot be removed is replaced by the next rename.
        let _ = fs::remove_file(path);
        None
    }

    fn path(&self, key: &CacheKey) -> PathBuf {
        self.dir.join(format!("{}.cwasm", key.0))
    }
}

/// The only `unsafe` code of the project.
///
/// Loading compiled code is unsafe because the file's contents are executed. What makes it sound: the caller has
/// checked the file's MAC, made with a key that only this user can read, so the bytes are what
/// `Engine::precompile_component` gave this user; files are never changed after their rename; and wasmtime refuses
/// code for another version, other settings or another processor.
#[expect(
    unsafe_code,
    reason = "compiled code is loaded here and nowhere else, after its MAC was checked"
)]
fn load_verified(engine: &wasmtime::Engine, path: &Path) -> wasmtime::Result<Component> {
    unsafe { Component::deserialize_file(engine, path) }
}

fn open_key(dir: &Path) -> io::Result<[u8; 32]> {
    fs::create_dir_all(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    let path = dir.join(KEY_FILE);
    // Two tries: the second finds the key that another process made between our look and our link.
    for _ in 0..2 {
        match fs::read(&path) {
            Ok(bytes) => match <[u8; 32]>::try_from(bytes.as_slice()) {
                Ok(key) => return Ok(key),
                // A torn key (the disk was full, say) protects nothing that is worth keeping.
                Err(_) => fs::remove_file(&path)?,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| io::Error::other("no random bytes"))?;
        let partial = partial(dir, KEY_FILE);
        // One that a process with our number left behind.
        let _ = fs::remove_file(&partial);
        let mut file = create_private(&partial)?;
        file.write_all(&key)?;
        file.sync_data()?;
        // A link fails if the name exists, a rename would replace the key of the process that was first.
        let linked = fs::hard_link(&partial, &path);
        fs::remove_file(&partial)?;
        match linked {
            Ok(()) => return Ok(key),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("{} keeps changing", path.display())))
}

/// The name of a file that is not whole yet. Engines of one process have the same directory too, so the number of the
/// process is not enough.
fn partial(dir: &Path, name: &str) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let unique = NEXT.fetch_add(1, Ordering::Relaxed);
    dir.join(format!("{name}.{}.{unique}.tmp", std::process::id()))
}

fn create_private(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}
