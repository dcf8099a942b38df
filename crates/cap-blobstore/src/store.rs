//! What a blob store must do. Mentions neither WIT nor wasmtime.
//!
//! Names are what components and other hosts wrote: each backend says which ones it can have, and nothing before it
//! changes them. Who may use which container, and how long a call may take, is the caller's business.

use async_trait::async_trait;
use bytes::Bytes;

/// Most bytes of an object that are moved at once, 64 KiB; that of v1 (wire reference §5.2).
pub const CHUNK: usize = 64 << 10;

/// Most names in one call that deletes objects.
pub const MAX_BATCH: usize = 1000;

/// Why a store did not do what it was asked to. The texts are for the author of the component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot have a container or object of this name.
    #[error("{what} name {name:?} {reason}")]
    InvalidName {
        /// `container` or `object`.
        what: &'static str,
        /// The name as it was given, cut if it is long.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no container of this name.
    #[error("there is no container `{0}`")]
    NoSuchContainer(String),
    /// There is no object of this name.
    #[error("there is no object `{}` in container `{}`", .0.object, .0.container)]
    NoSuchObject(ObjectId),
    /// Something else is where the object would be.
    #[error("object `{}` in container `{}`: {reason}", .id.object, .id.container)]
    InTheWay {
        /// The object.
        id: ObjectId,
        /// What is there.
        reason: String,
    },
    /// A part of an object ends before it begins. Starts with the text of v1 (wire reference, appendix D).
    #[error("`end` must be greater than `start`: {start} to {end} was asked for")]
    Range {
        /// The first byte.
        start: u64,
        /// The byte behind the last one.
        end: u64,
    },
    /// Something is larger than its limit.
    #[error("{what} has {size} {unit}, the limit is {limit}{hint}")]
    TooLarge {
        /// The thing.
        what: &'static str,
        /// Its size.
        size: u64,
        /// What the size counts.
        unit: &'static str,
        /// The limit.
        limit: u64,
        /// What to do instead, if there is something.
        hint: &'static str,
    },
    /// As many objects and listings are open as may be.
    #[error(
        "{limit} objects and listings are open {place}, more are not allowed; hint: drop those that are done with"
    )]
    Busy {
        /// The limit.
        limit: usize,
        /// Where they are counted.
        place: &'static str,
    },
    /// The disk or the system said no.
    #[error("{what}: {reason}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system says.
        reason: String,
    },
    /// The invocation's time was over first.
    #[error("the invocation's deadline passed while waiting for {0}")]
    Deadline(String),
    /// The provider is on another host, and there is no answer of it that could be used.
    #[error("blobstore provider `{target}`: {reason}")]
    Elsewhere {
        /// The provider's id.
        target: String,
        /// Why not, and what to do about it.
        reason: String,
    },
    /// Who calls from another host has no link to the provider. Begins like the text of v1's provider (wire reference,
    /// appendix D).
    #[error(
        "failed to lookup {component} configuration: no link named `{link}` leads from it to blobstore provider \
         `{provider}`; hint: put a link for `wasi:blobstore` between them"
    )]
    NotLinked {
        /// Who calls.
        component: String,
        /// Over which link it says it does.
        link: String,
        /// The provider's id.
        provider: String,
    },
    /// The parameters of a call from another host make no sense.
    #[error("the parameters of `{function}` are malformed: {reason}")]
    Malformed {
        /// The function.
        function: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Something else, in words.
    #[error("{0}")]
    Other(String),
}

/// An object in a container, by the names that the caller wrote.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// The container.
    pub container: String,
    /// The name of the object in it.
    pub object: String,
}

/// What is known of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerInfo {
    /// When it was made, in seconds since 1970; 0 where that is not known.
    pub created_at: u64,
}

/// What is known of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// When it was made, in seconds since 1970; 0 where that is not known.
    pub created_at: u64,
    /// How many bytes it has.
    pub size: u64,
}

/// An object, or a part of one, as it is read.
#[async_trait]
pub trait Read: Send {
    /// How many bytes there are in all, where that is known without asking.
    fn size(&self) -> Option<u64>;

    /// The next bytes, never none; nothing when all were read. A call that was dropped or failed is the last one.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError>;
}

/// An object as it is written. Nobody sees it before [`Write::finish`]; one that is dropped leaves what was there.
#[async_trait]
pub trait Write: Send {
    /// Adds bytes. A call that was dropped or failed is the last one.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// The object is whole: it takes the place of the one that was there. What this acknowledges is kept.
    async fn finish(self: Box<Self>) -> Result<(), StoreError>;

    /// The object will not become whole.
    async fn abort(self: Box<Self>);
}

/// The names of the objects in a container, in no order, as they are listed.
#[async_trait]
pub trait Names: Send {
    /// Some more names, never none; nothing when all were listed. A call that was dropped or failed is the last one.
    async fn next(&mut self) -> Result<Option<Vec<String>>, StoreError>;
}

/// A blob store: containers with objects.
#[async_trait]
pub trait Store: Send + Sync {
    /// Makes a container. That it is there already is no error.
    async fn create_container(&self, container: &str) -> Result<(), StoreError>;

    /// Whether there is a container of this name.
    async fn container_exists(&self, container: &str) -> Result<bool, StoreError>;

    /// Removes a container with all its objects.
    async fn delete_container(&self, container: &str) -> Result<(), StoreError>;

    /// Removes all objects of a container.
    async fn clear_container(&self, container: &str) -> Result<(), StoreError>;

    /// What is known of a container.
    async fn container_info(&self, container: &str) -> Result<ContainerInfo, StoreError>;

    /// Lists the objects of a container without the first `offset`, and no more than `limit`.
    async fn list_objects(
        &self,
        container: &str,
        limit: Option<u64>,
        offset: u64,
    ) -> Result<Box<dyn Names>, StoreError>;

    /// Whether there is an object.
    async fn has_object(&self, id: &ObjectId) -> Result<bool, StoreError>;

    /// What is known of an object.
    async fn object_info(&self, id: &ObjectId) -> Result<ObjectInfo, StoreError>;

    /// Removes an object. That it is not there is no error.
    async fn delete_object(&self, id: &ObjectId) -> Result<(), StoreError>;

    /// Removes some objects of a container, at most [`MAX_BATCH`].
    async fn delete_objects(&self, container: &str, objects: Vec<String>) -> Result<(), StoreError>;

    /// Copies an object, over the one that is there. The container must be there.
    async fn copy_object(&self, from: &ObjectId, to: &ObjectId) -> Result<(), StoreError>;

    /// Moves an object, over the one that is there. The container must be there.
    async fn move_object(&self, from: &ObjectId, to: &ObjectId) -> Result<(), StoreError>;

    /// Reads an object from byte `start` up to and without byte `end`, or to its end if it is shorter. It is read as it
    /// was when this returned, also if it is written or deleted meanwhile.
    async fn read(&self, id: &ObjectId, start: u64, end: u64) -> Result<Box<dyn Read>, StoreError>;

    /// Writes an object, over the one that is there.
    async fn write(&self, id: &ObjectId) -> Result<Box<dyn Write>, StoreError>;
}

/// Refuses a batch with too many names.
pub fn check_batch(names: usize) -> Result<(), StoreError> {
    if names <= MAX_BATCH {
        return Ok(());
    }
    Err(StoreError::TooLarge {
        what: "the list of objects",
        size: names as u64,
        unit: "names",
        limit: MAX_BATCH as u64,
        hint: "",
    })
}

/// Refuses a part that ends before it begins.
pub fn check_range(start: u64, end: u64) -> Result<(), StoreError> {
    match start <= end {
        true => Ok(()),
        false => Err(StoreError::Range { start, end }),
    }
}
