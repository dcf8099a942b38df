//! An object that is read.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::{blocking, failed};
use crate::store::{CHUNK, Read, StoreError};

/// A part of a file. It stays readable when the object is deleted or written anew.
pub(super) struct FsRead {
    file: Arc<File>,
    at: u64,
    end: u64,
    size: u64,
    _open: OwnedSemaphorePermit,
}

impl FsRead {
    /// The bytes from `start` up to and without `end`.
    pub(super) fn new(file: File, start: u64, end: u64, open: OwnedSemaphorePermit) -> Self {
        Self {
            file: Arc::new(file),
            at: start,
            end,
            size: end.saturating_sub(start),
            _open: open,
        }
    }
}

#[async_trait]
impl Read for FsRead {
    fn size(&self) -> Option<u64> {
        Some(self.size)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let left = self.end.saturating_sub(self.at);
        if left == 0 {
            return Ok(None);
        }
        let (file, at) = (Arc::clone(&self.file), self.at);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK);
        let bytes = blocking(move || {
            let mut bytes = vec![0; most];
            let read = file
                .read_at(&mut bytes, at)
                .map_err(|error| failed("read an object", error))?;
            bytes.truncate(read);
            Ok(Bytes::from(bytes))
        })
        .await?;
        if bytes.is_empty() {
            // Nobody but a stranger cuts a file of ours.
            return Err(failed(
                "read an object",
                std::io::Error::new(
                    std::io::ErrorKind::UnexpectedEof,
                    "the file became shorter meanwhile",
                ),
            ));
        }
        self.at += bytes.len() as u64;
        Ok(Some(bytes))
    }
}
