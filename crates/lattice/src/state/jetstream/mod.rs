//! The state on JetStream: a bucket is a stream `KV_{bucket}`, a key is the subject `$KV.{bucket}.{key}`, a revision
//! is a sequence of the stream, as the key-value buckets of NATS and thus of v1 have it.
//!
//! `api` speaks to JetStream, `feed` follows a stream. The helpers of the NATS client for this are not used: their
//! watch goes on by itself after a store was lost, as if nothing had happened, and their errors do not tell apart
//! what callers must.

mod api;
mod feed;

use std::time::Duration;

use async_nats::HeaderMap;
use async_trait::async_trait;
use bytes::Bytes;
use wasmcloud_wire::state_api::{Key, Prefix};

use super::watch::{self, Source as _, Watch};
use super::{Bucket, Entry, MIN_TTL, State, StateError};
use crate::connection::{CallError, Connection};
use api::{Api, Found, Written};
use feed::Watched;

/// What a delete leaves in place of the entry (`nats kv del`, v1).
const OPERATION: &str = "KV-Operation";
/// What the server leaves in place of an entry whose time is over.
const MARKER: &str = "Nats-Marker-Reason";

/// A bucket on JetStream.
#[derive(Clone, Debug)]
pub struct JetStreamState {
    api: Api,
}

impl JetStreamState {
    /// Opens a bucket, and makes it if it is not there: with one replica, as v1. One that is there is taken as it is,
    /// as long as it can do what is needed.
    pub async fn open(
        connection: Connection,
        bucket: Bucket,
        domain: Option<&str>,
    ) -> Result<Self, StateError> {
        let api = Api::new(connection, bucket, domain)?;
        api.ensure().await?;
        Ok(Self { api })
    }

    /// Opens a bucket that somebody else makes: `None` if it is not there.
    pub async fn find(
        connection: Connection,
        bucket: Bucket,
        domain: Option<&str>,
    ) -> Result<Option<Self>, StateError> {
        let api = Api::new(connection, bucket, domain)?;
        Ok(api.find().await?.map(|_| Self { api }))
    }

    /// The entry, and what holds its place if there is none: 0, or the revision of a marker.
    async fn look(&self, key: &Key) -> Result<(Option<Entry>, u64), StateError> {
        match self.api.last(key).await? {
            Found::Nothing => Ok((None, 0)),
            Found::Marker { revision } => Ok((None, revision)),
            Found::Entry(entry) => {
                let revision = entry.revision;
                Ok((Some(entry), revision))
            }
        }
    }

    async fn write(
        &self,
        key: &Key,
        value: Bytes,
        expected: u64,
        mut headers: HeaderMap,
        operation: &str,
    ) -> Result<u64, StateError> {
        let mut place = expected;
        // A second round is for an entry that is not there but has left a marker: the marker has to be expected.
        for round in 0..2 {
            headers.insert("Nats-Expected-Last-Subject-Sequence", place.to_string().as_str());
            match self
                .api
                .write(key, headers.clone(), value.clone(), operation)
                .await?
            {
                Written::At(revision) => return Ok(revision),
                Written::Conflict => {}
            }
            let (entry, holds) = self.look(key).await?;
            let current = entry.map_or(0, |entry| entry.revision);
            if round == 0 && expected == 0 && current == 0 && holds != 0 {
                place = holds;
                continue;
            }
            return Err(self.conflict(key, expected, Some(current)));
        }
        Err(self.conflict(key, expected, None))
    }

    fn conflict(&self, key: &Key, expected: u64, current: Option<u64>) -> StateError {
        StateError::Conflict {
            bucket: self.api.bucket.name().to_owned(),
            key: key.to_string(),
            expected,
            current,
        }
    }

    fn key(&self, key: &str) -> Result<Key, StateError> {
        key.parse().map_err(|source| StateError::InvalidKey {
            bucket: self.api.bucket.name().to_owned(),
            source,
        })
    }

    fn watched(&self, prefix: &str) -> Result<Watched, StateError> {
        let prefix: Prefix = prefix.parse().map_err(|source| StateError::InvalidKey {
            bucket: self.api.bucket.name().to_owned(),
            source,
        })?;
        Ok(Watched::new(self.api.clone(), prefix))
    }
}

#[async_trait]
impl State for JetStreamState {
    fn bucket(&self) -> &Bucket {
        &self.api.bucket
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>, StateError> {
        Ok(self.look(&self.key(key)?).await?.0)
    }

    async fn put(&self, key: &str, value: Bytes) -> Result<u64, StateError> {
        let key = self.key(key)?;
        match self
            .api
            .write(&key, HeaderMap::new(), value, &format!("put `{key}`"))
            .await?
        {
            Written::At(revision) => Ok(revision),
            Written::Conflict => Err(self.conflict(&key, 0, None)),
        }
    }

    async fn set(
        &self,
        key: &str,
        value: Bytes,
        expected: u64,
        ttl: Option<Duration>,
    ) -> Result<u64, StateError> {
        let key = self.key(key)?;
        let mut headers = HeaderMap::new();
        if let Some(ttl) = ttl {
            if ttl < MIN_TTL {
                return Err(StateError::InvalidTtl(ttl));
            }
            let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
            headers.insert("Nats-TTL", format!("{seconds}s").as_str());
        }
        self.write(&key, value, expected, headers, &format!("put `{key}`"))
            .await
    }

    async fn delete(&self, key: &str, expected: Option<u64>) -> Result<(), StateError> {
        let key = self.key(key)?;
        let (entry, _) = self.look(&key).await?;
        let current = entry.map_or(0, |entry| entry.revision);
        let expected = match expected {
            Some(expected) if expected != current => {
                return Err(self.conflict(&key, expected, Some(current)));
            }
            // Nothing to delete: no marker for it.
            None if current == 0 => return Ok(()),
            expected => expected.filter(|expected| *expected != 0),
        };
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "DEL");
        let operation = format!("delete `{key}`");
        match expected {
            Some(expected) => {
                self.write(&key, Bytes::new(), expected, headers, &operation)
                    .await?;
            }
            None if current != 0 => {
                self.api.write(&key, headers, Bytes::new(), &operation).await?;
            }
            None => {}
        }
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Entry>, StateError> {
        let (snapshot, _) = self.watched(prefix)?.open().await?;
        Ok(snapshot.entries)
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, StateError> {
        watch::start(self.watched(prefix)?).await
    }
}

/// Whether a message of the stream stands for "deleted".
fn is_marker(headers: Option<&HeaderMap>) -> bool {
    let Some(headers) = headers else { return false };
    let operation = headers.get(OPERATION).map(|operation| operation.as_str());
    matches!(operation, Some("DEL" | "PURGE")) || headers.get(MARKER).is_some()
}

/// What a call to JetStream that was not answered means.
fn unanswered(api: &Api, operation: &str, source: CallError) -> StateError {
    match source {
        CallError::NoResponders { .. } => StateError::NoBucket {
            bucket: api.bucket.name().to_owned(),
        },
        CallError::TooLarge { size, limit, .. } => StateError::TooLarge {
            bucket: api.bucket.name().to_owned(),
            key: operation.to_owned(),
            size,
            limit: format!("the server takes {limit}"),
        },
        source => StateError::call(api.bucket.name(), operation, source),
    }
}
