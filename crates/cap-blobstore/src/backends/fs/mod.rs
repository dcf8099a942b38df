//! Objects as files (wire reference §6.8): a container is a folder in the root, an object a file in it, and `/` in its
//! name a folder on the way.
//!
//! | file | is for |
//! |---|---|
//! | `name` | which names can be files |
//! | `tree` | the way from the root to a file, which never leaves it |
//! | `read`, `upload`, `walk` | an object that is read or written, a container that is listed |
//!
//! A file is reached step by step from the root, and no step follows a symbolic link: whatever a name says and whoever
//! changes the folders meanwhile, nothing outside of the root is touched. Only the root itself may be a link. An object
//! is written to a file beside the containers and moved to its place when it is whole and on the disk.
//!
//! All of it blocks, so it is done on the threads that Tokio has for that, a chunk at a time.

mod name;
mod read;
mod tree;
mod upload;
mod walk;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::read::FsRead;
use self::tree::Root;
use self::upload::{FsWrite, Upload};
use self::walk::{FsNames, Walk};
use crate::store::{
    ContainerInfo, Names, ObjectId, ObjectInfo, Read, Store, StoreError, Write, check_batch, check_range,
};

/// Objects and listings that may be open at a time, for each link: each has a file open, and a guest may hold many
/// handles.
pub const MAX_OPEN: usize = 256;

/// Bytes that are copied between two looks at whether anybody still waits.
const COPIED_AT_ONCE: u64 = 8 << 20;

/// A folder of containers.
pub struct FsStore {
    root: Arc<Root>,
    open: Arc<Semaphore>,
}

impl FsStore {
    /// The containers in a folder, which is made if it is not there. Files of writes that a crash broke off are removed.
    /// Blocks.
    pub fn open(path: &Path) -> io::Result<Self> {
        let root = Root::open(path)?;
        upload::remove_stale(&root)?;
        Ok(Self {
            root: Arc::new(root),
            open: Arc::new(Semaphore::new(MAX_OPEN)),
        })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Root>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let root = Arc::clone(&self.root);
        blocking(move || work(&root)).await
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let permit = Arc::clone(&self.open).try_acquire_owned();
        permit.map_err(|_| StoreError::Busy {
            limit: MAX_OPEN,
            place: "over this link",
        })
    }
}

/// Does something that blocks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(StoreError::Other(format!("work with files: {error}"))))
}

/// What the system says, and what was being done.
fn failed(what: impl Into<String>, error: impl Into<io::Error>) -> StoreError {
    StoreError::Io {
        what: what.into(),
        reason: error.into().to_string(),
    }
}

/// When something was made; 0 where the file system does not know.
fn created_at(metadata: &std::fs::Metadata) -> u64 {
    let created = metadata.created().ok();
    let since = created.and_then(|created| created.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_secs())
}

/// Says to work that blocks that nobody waits for it any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Copies as long as somebody waits.
fn copy(root: &Arc<Root>, from: &ObjectId, to: &ObjectId, waiting: &AtomicBool) -> Result<(), StoreError> {
    root.container(&to.container)?;
    let (source, _) = root.object(from)?;
    let mut upload = Upload::new(Arc::clone(root), to.clone())?;
    loop {
        if !waiting.load(Ordering::Relaxed) {
            return Err(StoreError::Other("nobody waits for the copy any more".to_owned()));
        }
        let mut part = io::Read::take(&source, COPIED_AT_ONCE);
        let copied = io::copy(&mut part, upload.file());
        if copied.map_err(|error| failed("copy an object", error))? == 0 {
            return upload.finish();
        }
    }
}

#[async_trait]
impl Store for FsStore {
    async fn create_container(&self, container: &str) -> Result<(), StoreError> {
        let container = container.to_owned();
        self.blocking(move |root| root.make_container(&container).map(drop))
            .await
    }

    async fn container_exists(&self, container: &str) -> Result<bool, StoreError> {
        let container = container.to_owned();
        self.blocking(move |root| match root.container(&container) {
            Ok(_) => Ok(true),
            Err(StoreError::NoSuchContainer(_)) => Ok(false),
            Err(error) => Err(error),
        })
        .await
    }

    async fn delete_container(&self, container: &str) -> Result<(), StoreError> {
        let container = container.to_owned();
        self.blocking(move |root| root.remove_container(&container)).await
    }

    async fn clear_container(&self, container: &str) -> Result<(), StoreError> {
        let container = container.to_owned();
        self.blocking(move |root| root.clear_container(&container)).await
    }

    async fn container_info(&self, container: &str) -> Result<ContainerInfo, StoreError> {
        let container = container.to_owned();
        self.blocking(move |root| {
            let folder = File::from(root.container(&container)?);
            let metadata = folder
                .metadata()
                .map_err(|error| failed(format!("look at container `{container}`"), error))?;
            Ok(ContainerInfo {
                created_at: created_at(&metadata),
            })
        })
        .await
    }

    async fn list_objects(
        &self,
        container: &str,
        limit: Option<u64>,
        offset: u64,
    ) -> Result<Box<dyn Names>, StoreError> {
        let (container, permit) = (container.to_owned(), self.permit()?);
        self.blocking(move |root| {
            let walk = Walk::new(root.container(&container)?, limit, offset)?;
            Ok(Box::new(FsNames::new(walk, permit)) as Box<dyn Names>)
        })
        .await
    }

    async fn has_object(&self, id: &ObjectId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.blocking(move |root| match root.object(&id) {
            Ok(_) => Ok(true),
            Err(StoreError::NoSuchObject(_)) => Ok(false),
            Err(error) => Err(error),
        })
        .await
    }

    async fn object_info(&self, id: &ObjectId) -> Result<ObjectInfo, StoreError> {
        let id = id.clone();
        self.blocking(move |root| {
            let (_, metadata) = root.object(&id)?;
            Ok(ObjectInfo {
                created_at: created_at(&metadata),
                size: metadata.len(),
            })
        })
        .await
    }

    async fn delete_object(&self, id: &ObjectId) -> Result<(), StoreError> {
        let id = id.clone();
        self.blocking(move |root| root.remove_object(&id)).await
    }

    async fn delete_objects(&self, container: &str, objects: Vec<String>) -> Result<(), StoreError> {
        check_batch(objects.len())?;
        let container = container.to_owned();
        self.blocking(move |root| {
            for object in objects {
                let container = container.clone();
                root.remove_object(&ObjectId { container, object })?;
            }
            Ok(())
        })
        .await
    }

    async fn copy_object(&self, from: &ObjectId, to: &ObjectId) -> Result<(), StoreError> {
        let (from, to, _permit) = (from.clone(), to.clone(), self.permit()?);
        let waiting = Arc::new(AtomicBool::new(true));
        let _guard = Waiting(Arc::clone(&waiting));
        self.blocking(move |root| copy(root, &from, &to, &waiting)).await
    }

    async fn move_object(&self, from: &ObjectId, to: &ObjectId) -> Result<(), StoreError> {
        let (from, to) = (from.clone(), to.clone());
        self.blocking(move |root| {
            root.container(&to.container)?;
            root.object(&from)?;
            root.move_object(&from, &to)
        })
        .await
    }

    async fn read(&self, id: &ObjectId, start: u64, end: u64) -> Result<Box<dyn Read>, StoreError> {
        check_range(start, end)?;
        let (id, permit) = (id.clone(), self.permit()?);
        self.blocking(move |root| {
            let (file, metadata) = root.object(&id)?;
            let end = end.min(metadata.len());
            Ok(Box::new(FsRead::new(file, start.min(end), end, permit)) as Box<dyn Read>)
        })
        .await
    }

    /// Makes the container if it is not there, as v1 does.
    async fn write(&self, id: &ObjectId) -> Result<Box<dyn Write>, StoreError> {
        let (id, permit) = (id.clone(), self.permit()?);
        self.blocking(move |root| {
            root.make_way(&id)?;
            let upload = Upload::new(Arc::clone(root), id)?;
            Ok(Box::new(FsWrite::new(upload, permit)) as Box<dyn Write>)
        })
        .await
    }
}
