//! The state that the hosts of a lattice share: small values under keys, in buckets, with compare-and-set and watch.
//!
//! [`State`] says what can be done; `jetstream` and `embedded` do it. `watch` turns what either of them hears into
//! one sequence of [`Event`]s and decides, with `view`, what a gap, a reconnect or a lost store mean.

mod embedded;
mod error;
mod jetstream;
mod retry;
mod view;
mod watch;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wasmcloud_core::LatticeName;
use wasmcloud_wire::state::lease_bucket;
use wasmcloud_wire::state_api::{BucketName, InvalidName};

use crate::connection::Connection;

pub use embedded::EmbeddedState;
pub use error::StateError;
pub use jetstream::JetStreamState;
pub use retry::{Contended, Retry};
pub use watch::{WATCH_QUEUE, Watch};

/// Most entries that are listed or watched; more are an error.
pub const MAX_ENTRIES: usize = 200_000;

/// Shortest time to live. JetStream knows whole seconds only; others are rounded up.
pub const MIN_TTL: Duration = Duration::from_secs(1);

/// A bucket of the lattice's state.
///
/// Every wait ends by itself, after the request timeout of the connection. [`StateError::Unavailable`] from a write
/// means that it may have happened.
#[async_trait]
pub trait State: Send + Sync + fmt::Debug {
    /// Which bucket it is.
    fn bucket(&self) -> &Bucket;

    /// Reads an entry. `None` if there is none.
    async fn get(&self, key: &str) -> Result<Option<Entry>, StateError>;

    /// Writes an entry, whatever was there. Answers its revision.
    async fn put(&self, key: &str, value: Bytes) -> Result<u64, StateError>;

    /// Writes an entry if its revision is still `expected`; 0 says that there must be none. With `ttl` it is deleted
    /// after that time, unless it is written again; at least [`MIN_TTL`], and the bucket has to be one
    /// [`with_ttl`](Bucket::with_ttl). Answers its revision.
    async fn set(
        &self,
        key: &str,
        value: Bytes,
        expected: u64,
        ttl: Option<Duration>,
    ) -> Result<u64, StateError>;

    /// Deletes an entry, if its revision is `expected` where one is given. Without, it is no error if there is none.
    async fn delete(&self, key: &str, expected: Option<u64>) -> Result<(), StateError>;

    /// Reads all entries whose keys begin with `prefix`, ordered by key. An empty prefix means all.
    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, StateError>;

    /// Follows the entries whose keys begin with `prefix`. Returns when the present entries are known.
    async fn watch(&self, prefix: &str) -> Result<Watch, StateError>;

    /// Writes an entry if there is none. Answers its revision.
    async fn create(&self, key: &str, value: Bytes) -> Result<u64, StateError> {
        self.set(key, value, 0, None).await
    }
}

/// A key, what is there, and since which write.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// The revision of the write that stored it. Grows with each write in the bucket.
    pub revision: u64,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets, and long.
        write!(f, "{}@{} ({} bytes)", self.key, self.revision, self.value.len())
    }
}

/// What a watch yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An entry is there, or has changed.
    Put(Entry),
    /// An entry was deleted, or its time was over.
    Delete {
        /// Which.
        key: String,
        /// Up to which revision of the bucket this is known.
        revision: u64,
    },
    /// All present entries have been yielded. Comes once at the start, and once after each [`Event::Reset`].
    Ready,
    /// The store is not the one that was watched before: it was lost and is empty, or an older copy was put in its
    /// place. What is in it follows as [`Event::Put`] up to [`Event::Ready`]; what is missing from it is **not**
    /// deleted. Whoever runs something because of an entry goes on running it: he keeps what he knew, writes again
    /// what he is the owner of (`create`, so that what somebody else has restored wins), and takes nothing away until
    /// somebody deletes it anew.
    Reset,
}

/// A bucket: its name, and what it has to be able to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub(crate) name: BucketName,
    pub(crate) ttl: bool,
}

impl Bucket {
    /// A bucket of any name.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        Ok(Self {
            name: name.parse()?,
            ttl: false,
        })
    }

    /// Components, links and claims of a lattice (wire reference §3.4): `LATTICEDATA_{lattice}`.
    pub fn lattice_data(lattice: &LatticeName) -> Result<Self, InvalidName> {
        Self::new(&format!("LATTICEDATA_{lattice}"))
    }

    /// Configs of a lattice (wire reference §3.4): `CONFIGDATA_{lattice}`.
    pub fn config_data(lattice: &LatticeName) -> Result<Self, InvalidName> {
        Self::new(&format!("CONFIGDATA_{lattice}"))
    }

    /// The leases of a lattice (ADR 3), whose entries have a time to live: `LEASES_{lattice}`.
    pub fn leases(lattice: &LatticeName) -> Result<Self, InvalidName> {
        Self::new(&lease_bucket(lattice)).map(Self::with_ttl)
    }

    /// One whose entries may have a time to live, as leases need it. On JetStream this is a property of the bucket;
    /// those of v1 do not have it.
    #[must_use]
    pub fn with_ttl(mut self) -> Self {
        self.ttl = true;
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

/// Opens a bucket where the connection leads to, and makes it if it is not there: on the embedded lattice, or on
/// JetStream, in its domain if one is given.
pub async fn open_state(
    connection: &Connection,
    bucket: Bucket,
    domain: Option<&str>,
) -> Result<Box<dyn State>, StateError> {
    if connection.is_embedded() {
        return Ok(Box::new(EmbeddedState::open(connection.clone(), bucket).await?));
    }
    Ok(Box::new(
        JetStreamState::open(connection.clone(), bucket, domain).await?,
    ))
}

/// Opens a bucket that somebody else makes: `None` if it is not there. The embedded lattice has all buckets, with
/// nothing in them.
pub async fn find_state(
    connection: &Connection,
    bucket: Bucket,
    domain: Option<&str>,
) -> Result<Option<Box<dyn State>>, StateError> {
    if connection.is_embedded() {
        return open_state(connection, bucket, domain).await.map(Some);
    }
    let found = JetStreamState::find(connection.clone(), bucket, domain).await?;
    Ok(found.map(|state| Box::new(state) as Box<dyn State>))
}
