//! An object that is written: a file beside the containers, which is moved to its place when it is whole.
//!
//! Whoever writes holds a lock on the file, so one that nobody holds was left by a crash.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, flock, fstat, openat, unlinkat};
use rustix::io::Errno;
use tokio::sync::OwnedSemaphorePermit;

use super::tree::Root;
use super::{blocking, failed};
use crate::store::{ObjectId, StoreError, Write};

/// For objects, before the umask.
const MODE: Mode = Mode::RUSR
    .union(Mode::WUSR)
    .union(Mode::RGRP)
    .union(Mode::WGRP)
    .union(Mode::ROTH)
    .union(Mode::WOTH);

/// Names that are tried for a file before the folder is taken for broken.
const ATTEMPTS: usize = 100;

/// A file that is being written. Removed when it is dropped before [`Upload::finish`].
pub(super) struct Upload {
    root: Arc<Root>,
    uploads: OwnedFd,
    name: String,
    file: File,
    to: ObjectId,
    placed: bool,
}

impl Upload {
    /// An empty one for an object.
    pub(super) fn new(root: Arc<Root>, to: ObjectId) -> Result<Self, StoreError> {
        let opened = root
            .uploads()
            .and_then(|uploads| Ok((create(&uploads)?, uploads)));
        let ((name, file), uploads) =
            opened.map_err(|error| failed(format!("make a file for object `{}`", to.object), error))?;
        Ok(Self {
            root,
            uploads,
            name,
            file: file.into(),
            to,
            placed: false,
        })
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Moves it to its place. Blocks until the disk has it.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        let synced = self.file.sync_data();
        synced.map_err(|error| failed("wait for the disk to have an object", error))?;
        self.root.put(&self.uploads, &self.name, &self.to)?;
        self.placed = true;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.placed
            && let Err(error) = unlinkat(&self.uploads, &*self.name, AtFlags::empty())
        {
            tracing::debug!(%error, file = self.name, "a file of a write that was broken off stays until the next start");
        }
    }
}

/// A new file that is locked, under a name that nobody has.
fn create(uploads: &OwnedFd) -> Result<(String, OwnedFd), Errno> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..ATTEMPTS {
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let file = match openat(uploads, &*name, flags, MODE) {
            Ok(file) => file,
            Err(Errno::EXIST) => continue,
            Err(error) => return Err(error),
        };
        // Between the two lines above somebody who cleans up may have taken it for one that was left.
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && fstat(&file)?.st_nlink > 0 {
            return Ok((name, file));
        }
    }
    Err(Errno::EXIST)
}

/// Removes the files that a crash left.
pub(super) fn remove_stale(root: &Root) -> io::Result<()> {
    let uploads = root.uploads()?;
    for entry in Dir::read_from(&uploads)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = openat(&uploads, name, flags, Mode::empty()) else {
            continue;
        };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            match unlinkat(&uploads, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// An upload with the permit that it needs.
pub(super) struct FsWrite {
    /// Not there while it is being written to, nor after that went wrong.
    upload: Option<Upload>,
    _open: OwnedSemaphorePermit,
}

impl FsWrite {
    pub(super) fn new(upload: Upload, open: OwnedSemaphorePermit) -> Self {
        Self {
            upload: Some(upload),
            _open: open,
        }
    }

    fn take(&mut self) -> Result<Upload, StoreError> {
        let upload = self.upload.take();
        upload.ok_or_else(|| StoreError::Other("an earlier part of the object was not written".to_owned()))
    }
}

#[async_trait]
impl Write for FsWrite {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let mut upload = self.take()?;
        let upload = blocking(move || {
            let written = upload.file().write_all(&bytes);
            written.map_err(|error| failed("write an object", error))?;
            Ok(upload)
        });
        self.upload = Some(upload.await?);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), StoreError> {
        let upload = self.take()?;
        blocking(move || upload.finish()).await
    }

    async fn abort(mut self: Box<Self>) {
        let upload = self.upload.take();
        // What could not be removed is said in the log.
        let removed = blocking(move || {
            drop(upload);
            Ok(())
        });
        removed.await.ok();
    }
}
