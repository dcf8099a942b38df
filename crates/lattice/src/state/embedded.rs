//! The state of the embedded lattice, over `wasmcloud_wire::state_api`: requests on one subject per bucket, changes
//! on another.
//!
//! A watch subscribes to the changes, lets a barrier pass, lists page by page, and applies changes that are newer
//! than what was listed. Revisions of a bucket count by one: one that is not the last plus one means that changes
//! were missed, and so does a new connection; then it lists again. Because the last change before a silence can be
//! missed without a gap showing, a silent watch asks for the revision from time to time.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::watch as watch_channel;
use tokio::time::sleep;
use wasmcloud_wire::state_api::{
    self, Change as WireChange, ChangeOp, Done, ErrorKind, Key, MAX_VALUE_LEN, Prefix, Refusal, Request,
    Value, decode_reply,
};

use super::view::{Change, Snapshot};
use super::watch::{self, Feed, Heard, Source, Watch};
use super::{Bucket, Entry, MAX_ENTRIES, MIN_TTL, State, StateError};
use crate::connection::{Connection, ConnectionState, Subscription};

/// How long a watch may be silent before it asks whether it missed something.
const SILENCE: Duration = Duration::from_secs(15);

/// A bucket of the embedded lattice.
#[derive(Clone, Debug)]
pub struct EmbeddedState {
    connection: Connection,
    bucket: Bucket,
}

impl EmbeddedState {
    /// Opens a bucket. Buckets of the embedded lattice need not be made; this asks whether the state answers.
    pub async fn open(connection: Connection, bucket: Bucket) -> Result<Self, StateError> {
        let state = Self { connection, bucket };
        state.page(Prefix::default(), None, Some(1)).await?;
        Ok(state)
    }

    async fn ask(&self, operation: &str, request: &Request) -> Result<Result<Done, Refusal>, StateError> {
        let subject = self.bucket.name.subject();
        let deadline = self.connection.default_deadline();
        let asked = self
            .connection
            .request(&subject, None, request.encode().into(), deadline);
        let reply = asked
            .await
            .map_err(|source| StateError::call(self.bucket.name(), operation, source))?;
        decode_reply(&reply.payload)
            .map_err(|source| StateError::answer(self.bucket.name(), operation, source))
    }

    async fn page(
        &self,
        prefix: Prefix,
        after: Option<Key>,
        limit: Option<u32>,
    ) -> Result<(Vec<state_api::Entry>, u64, bool), StateError> {
        let request = Request::List {
            prefix: Some(prefix),
            after,
            limit,
        };
        match self.ask("list", &request).await? {
            Ok(Done::Page {
                entries,
                revision,
                more,
            }) => Ok((entries, revision, more)),
            Ok(_) => Err(self.unexpected("list")),
            Err(refusal) => Err(self.refused("list", refusal)),
        }
    }

    /// All entries, page by page.
    async fn snapshot(&self, prefix: &Prefix) -> Result<Snapshot, StateError> {
        let mut snapshot = Snapshot::default();
        let mut after = None;
        loop {
            let (entries, revision, more) = self.page(prefix.clone(), after, None).await?;
            if snapshot.parts.is_empty() {
                snapshot.revision = revision;
            }
            after = entries.last().map(|entry| entry.key.clone());
            snapshot.parts.push((
                after.as_ref().map_or_else(String::new, ToString::to_string),
                revision,
            ));
            snapshot.entries.extend(entries.into_iter().map(entry));
            if snapshot.entries.len() > MAX_ENTRIES {
                return Err(StateError::TooMany {
                    bucket: self.bucket.name().to_owned(),
                    prefix: prefix.to_string(),
                });
            }
            // A page without a last key has nothing behind it, whatever it says.
            if !more || after.is_none() {
                return Ok(snapshot);
            }
        }
    }

    async fn write(
        &self,
        key: &str,
        value: Bytes,
        expected: Option<u64>,
        ttl: Option<Duration>,
    ) -> Result<u64, StateError> {
        let size = value.len();
        let Ok(value) = Value::new(value.to_vec()) else {
            return Err(self.too_large(key, size, format!("the limit is {MAX_VALUE_LEN}")));
        };
        let ttl_ms = match ttl {
            Some(ttl) if ttl < MIN_TTL => return Err(StateError::InvalidTtl(ttl)),
            ttl => ttl.map(|ttl| {
                u64::try_from(ttl.as_millis())
                    .unwrap_or(u64::MAX)
                    .min(state_api::MAX_TTL_MS)
            }),
        };
        let request = Request::Put {
            key: self.key(key)?,
            value,
            expected,
            ttl_ms,
        };
        let operation = format!("put `{key}`");
        match self.ask(&operation, &request).await? {
            Ok(Done::Written { revision }) => Ok(revision),
            Ok(_) => Err(self.unexpected(&operation)),
            Err(refusal) if refusal.kind == ErrorKind::Conflict => {
                Err(self.conflict(key, expected, &refusal))
            }
            Err(refusal) if refusal.kind == ErrorKind::TooLarge => {
                Err(self.too_large(key, size, refusal.message))
            }
            Err(refusal) => Err(self.refused(&operation, refusal)),
        }
    }

    fn key(&self, key: &str) -> Result<Key, StateError> {
        key.parse().map_err(|source| StateError::InvalidKey {
            bucket: self.bucket.name().to_owned(),
            source,
        })
    }

    fn prefix(&self, prefix: &str) -> Result<Prefix, StateError> {
        prefix.parse().map_err(|source| StateError::InvalidKey {
            bucket: self.bucket.name().to_owned(),
            source,
        })
    }

    fn conflict(&self, key: &str, expected: Option<u64>, refusal: &Refusal) -> StateError {
        StateError::Conflict {
            bucket: self.bucket.name().to_owned(),
            key: key.to_owned(),
            expected: expected.unwrap_or(0),
            current: refusal.revision,
        }
    }

    fn too_large(&self, key: &str, size: usize, limit: String) -> StateError {
        StateError::TooLarge {
            bucket: self.bucket.name().to_owned(),
            key: key.to_owned(),
            size,
            limit,
        }
    }

    fn unexpected(&self, operation: &str) -> StateError {
        StateError::answer(
            self.bucket.name(),
            operation,
            "the answer belongs to another question",
        )
    }

    fn refused(&self, operation: &str, refusal: Refusal) -> StateError {
        let bucket = self.bucket.name().to_owned();
        match refusal.kind {
            ErrorKind::Full => StateError::Full {
                bucket,
                message: refusal.message,
            },
            ErrorKind::Unavailable => StateError::answer(&bucket, operation, refusal),
            _ => StateError::Refused {
                operation: operation.to_owned(),
                bucket,
                message: refusal.message,
            },
        }
    }
}

fn entry(entry: state_api::Entry) -> Entry {
    Entry {
        key: entry.key.to_string(),
        value: Bytes::copy_from_slice(entry.value.as_bytes()),
        revision: entry.revision,
    }
}

#[async_trait]
impl State for EmbeddedState {
    fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StateError> {
        let operation = format!("get `{key}`");
        match self
            .ask(&operation, &Request::Get { key: self.key(key)? })
            .await?
        {
            Ok(Done::Got(found)) => Ok(Some(entry(found))),
            Ok(_) => Err(self.unexpected(&operation)),
            Err(refusal) if refusal.kind == ErrorKind::NotFound => Ok(None),
            Err(refusal) => Err(self.refused(&operation, refusal)),
        }
    }

    async fn put(&self, key: &str, value: Bytes) -> Result<u64, StateError> {
        self.write(key, value, None, None).await
    }

    async fn set(
        &self,
        key: &str,
        value: Bytes,
        expected: u64,
        ttl: Option<Duration>,
    ) -> Result<u64, StateError> {
        self.write(key, value, Some(expected), ttl).await
    }

    async fn delete(&self, key: &str, expected: Option<u64>) -> Result<(), StateError> {
        let operation = format!("delete `{key}`");
        let request = Request::Delete {
            key: self.key(key)?,
            expected,
        };
        match self.ask(&operation, &request).await? {
            Ok(Done::Written { .. }) => Ok(()),
            Ok(_) => Err(self.unexpected(&operation)),
            Err(refusal) if refusal.kind == ErrorKind::Conflict => {
                Err(self.conflict(key, expected, &refusal))
            }
            Err(refusal) => Err(self.refused(&operation, refusal)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, StateError> {
        Ok(self.snapshot(&self.prefix(prefix)?).await?.entries)
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, StateError> {
        let source = Watched {
            state: self.clone(),
            prefix: self.prefix(prefix)?,
        };
        watch::start(source).await
    }
}

/// What a watch watches.
struct Watched {
    state: EmbeddedState,
    prefix: Prefix,
}

/// The changes that a watch hears.
struct Changes {
    state: EmbeddedState,
    prefix: Prefix,
    subscription: Subscription,
    connected: watch_channel::Receiver<ConnectionState>,
}

#[async_trait]
impl Source for Watched {
    type Feed = Changes;

    async fn open(&self) -> Result<(Snapshot, Changes), StateError> {
        let connection = &self.state.connection;
        let failed = |source| StateError::call(self.state.bucket.name(), "watch", source);
        let subject = self.state.bucket.name.changes_subject();
        let subscription = connection.subscribe(&subject).await.map_err(failed)?;
        // Before the barrier: a connection that is lost from here on makes a new look necessary.
        let mut connected = connection.state();
        connected.mark_unchanged();
        connection
            .barrier(connection.default_deadline())
            .await
            .map_err(failed)?;
        let snapshot = self.state.snapshot(&self.prefix).await?;
        let changes = Changes {
            state: self.state.clone(),
            prefix: self.prefix.clone(),
            subscription,
            connected,
        };
        Ok((snapshot, changes))
    }

    fn name(&self) -> String {
        self.state.bucket.name().to_owned()
    }
}

#[async_trait]
impl Feed for Changes {
    async fn next(&mut self, known: u64) -> Heard {
        let message = tokio::select! {
            // In this order: what was heard before the connection was lost is still good.
            biased;
            message = self.subscription.next() => message,
            _ = self.connected.changed() => return Heard::Lost("the connection was lost"),
            () = sleep(SILENCE) => return self.ask_revision(known).await,
        };
        let Some(message) = message else {
            return Heard::Lost("the subscription ended");
        };
        let change = match WireChange::decode(&message.payload) {
            Ok(change) => change,
            Err(_) => return Heard::Lost("a change could not be read"),
        };
        if change.revision > known + 1 {
            return Heard::Lost("changes were missed");
        }
        if !change.key.as_str().starts_with(self.prefix.as_str()) {
            return Heard::Passed(change.revision);
        }
        Heard::Change(Change {
            key: change.key.to_string(),
            revision: change.revision,
            value: match change.op {
                ChangeOp::Put { value } => Some(Bytes::copy_from_slice(value.as_bytes())),
                ChangeOp::Delete => None,
            },
        })
    }
}

impl Changes {
    async fn ask_revision(&self, known: u64) -> Heard {
        match self.state.page(Prefix::default(), None, Some(1)).await {
            Ok((_, revision, _)) if revision == known => Heard::Passed(known),
            // Or one comes just now, and this is a needless look, which costs little.
            Ok(_) => Heard::Lost("changes were missed in silence"),
            Err(_) => Heard::Lost("the state did not answer"),
        }
    }
}
