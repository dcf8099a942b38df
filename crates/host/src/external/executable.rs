//! The program of a provider as a file, under the hash of its content.
//!
//! v1 kept programs under the name of their image and ran whatever was there (wire reference §2.5): another image of
//! the same name ran the old program. Here the name is the hash, and what is there is compared before it is used.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use sha2::{Digest as _, Sha256};

/// Held while a program is written, and while a process is made: a process that is made while the file is open for
/// writing holds it open for a moment, and a program that somebody writes cannot be run.
static WRITING: Mutex<()> = Mutex::new(());

/// Nobody writes a program while this is held.
pub(super) fn nobody_writes() -> MutexGuard<'static, ()> {
    WRITING.lock()
}

/// Times that a program which somebody still seems to write is tried. A process that is being made elsewhere holds
/// the file open for the moment between its `fork` and `exec`.
const TRIES: u32 = 40;

/// How long to wait between them.
const PAUSE: Duration = Duration::from_millis(5);

/// Runs a program, again while somebody still seems to write it. Blocks for 0.2 s at most.
pub(super) fn when_written<T>(mut run: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut tries = 1;
    loop {
        match run() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < TRIES => {
                tries += 1;
                std::thread::park_timeout(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Puts a program into the folder, unless it is there, and says where. Only the user of the host may read the folder,
/// and nobody may change what is in it. Blocks.
pub(crate) fn store(dir: &Path, program: &[u8]) -> io::Result<PathBuf> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    // It may have been there with other rights.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    let mut name = String::with_capacity(64);
    for byte in Sha256::digest(program) {
        name.push_str(&format!("{byte:02x}"));
    }
    let path = dir.join(name);
    if is_there(&path, program) {
        return Ok(path);
    }
    let part = dir.join(format!(".{}-{}", std::process::id(), next()));
    let _writing = WRITING.lock();
    let written = write(&part, program).and_then(|()| fs::rename(&part, &path));
    if let Err(error) = written {
        fs::remove_file(&part).ok();
        return Err(error);
    }
    Ok(path)
}

fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Whether exactly this program is there, and may be run.
fn is_there(path: &Path, program: &[u8]) -> bool {
    let Ok(mut file) = File::open(path) else {
        return false;
    };
    let Ok(metadata) = file.metadata() else {
        return false;
    };
    if !metadata.is_file()
        || metadata.len() != program.len() as u64
        || metadata.permissions().mode() & 0o777 != 0o500
    {
        return false;
    }
    let mut rest = program;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return rest.is_empty(),
            Ok(read) => match (rest.split_at_checked(read), buffer.get(..read)) {
                (Some((part, after)), Some(found)) if part == found => rest = after,
                _ => return false,
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}

fn write(path: &Path, program: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o700)
        .open(path)?;
    file.write_all(program)?;
    // The name is a promise about the content, also after the machine has lost its power.
    file.sync_all()?;
    file.set_permissions(fs::Permissions::from_mode(0o500))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_kept_under_its_hash_and_mended() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("a/b");
        let path = store(&dir, b"one").unwrap();
        let hash = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
        assert_eq!(path.file_name().unwrap(), hash);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&path)), (0o700, 0o500));
        let made = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(store(&dir, b"one").unwrap(), path);
        assert_eq!(
            fs::metadata(&path).unwrap().modified().unwrap(),
            made,
            "it was written again"
        );
        assert_ne!(store(&dir, b"two").unwrap(), path);

        let damage: [(&[u8], u32); 4] = [
            (b"on", 0o500),
            (b"onE", 0o500),
            (b"one more", 0o500),
            (b"one", 0o600),
        ];
        for (content, rights) in damage {
            fs::remove_file(&path).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(rights)).unwrap();
            store(&dir, b"one").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"one");
            assert_eq!(mode(&path), 0o500);
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "parts are left");
    }
}
