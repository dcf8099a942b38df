//! A container that is listed: folder by folder, in the order in which the file system has them, with as many names in
//! memory as one batch.

use std::os::fd::OwnedFd;

use async_trait::async_trait;
use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::io::Errno;
use tokio::sync::OwnedSemaphorePermit;

use super::{blocking, failed, name, tree};
use crate::store::{Names, StoreError};

/// Most names in one batch.
const BATCH: usize = 256;

/// A walk through the folders of a container. What has a name that no object can have is passed over.
pub(super) struct Walk {
    /// The folders from the container down to where it is, each with what stands before the names in it.
    open: Vec<(Dir, String)>,
    skip: u64,
    left: u64,
}

impl Walk {
    /// Without the first `offset` objects, and at most `limit`.
    pub(super) fn new(container: OwnedFd, limit: Option<u64>, offset: u64) -> Result<Self, StoreError> {
        let folder = Dir::new(container).map_err(|error| failed("list a container", error))?;
        Ok(Self {
            open: vec![(folder, String::new())],
            skip: offset,
            left: limit.unwrap_or(u64::MAX),
        })
    }

    /// The next names, at most [`BATCH`]; none at the end.
    fn batch(&mut self) -> Result<Vec<String>, Errno> {
        let mut names = Vec::new();
        while names.len() < BATCH && self.left > 0 {
            let Some(name) = self.next()? else { break };
            match self.skip.checked_sub(1) {
                Some(skip) => self.skip = skip,
                None => {
                    self.left -= 1;
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    fn next(&mut self) -> Result<Option<String>, Errno> {
        loop {
            let depth = self.open.len();
            let Some((folder, prefix)) = self.open.last_mut() else {
                return Ok(None);
            };
            let Some(entry) = folder.read() else {
                self.open.pop();
                continue;
            };
            let entry = entry?;
            let Ok(part) = entry.file_name().to_str() else {
                continue;
            };
            let name = format!("{prefix}{part}");
            if matches!(part, "." | "..") || name.len() > name::MAX_OBJECT {
                continue;
            }
            let found = match entry.file_type() {
                FileType::Unknown => {
                    match statat(folder.fd()?, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                        Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                        Err(Errno::NOENT) => continue,
                        Err(error) => return Err(error),
                    }
                }
                found => found,
            };
            match found {
                FileType::RegularFile => return Ok(Some(name)),
                FileType::Directory if depth < name::MAX_DEPTH => {
                    match tree::below(folder.fd()?, entry.file_name()) {
                        Ok(below) => self.open.push((Dir::new(below)?, name + "/")),
                        // It went meanwhile, or became something else.
                        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                        Err(error) => return Err(error),
                    }
                }
                _ => {}
            }
        }
    }
}

/// A walk with the permit that it needs.
pub(super) struct FsNames {
    /// Not there while it walks, nor after that went wrong.
    walk: Option<Walk>,
    _open: OwnedSemaphorePermit,
}

impl FsNames {
    pub(super) fn new(walk: Walk, open: OwnedSemaphorePermit) -> Self {
        Self {
            walk: Some(walk),
            _open: open,
        }
    }
}

#[async_trait]
impl Names for FsNames {
    async fn next(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        let Some(mut walk) = self.walk.take() else {
            return Err(StoreError::Other(
                "an earlier part of the listing failed".to_owned(),
            ));
        };
        let (walk, names) = blocking(move || {
            let names = walk.batch().map_err(|error| failed("list a container", error))?;
            Ok((walk, names))
        })
        .await?;
        self.walk = Some(walk);
        Ok((!names.is_empty()).then_some(names))
    }
}
