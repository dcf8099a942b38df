//! A provider on another host, called over the lattice (wire reference §4.6). It may be one of v1 or of another author,
//! so what it answers is checked like everything from outside.
//!
//! The wire knows less than [`Store`]: there are no versions, deltas are not negative, and cursors are numbers. What
//! cannot be said is refused with [`StoreError::CannotTravel`] before anything is sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use wasmcloud_lattice::rpc::{ProviderLink, RpcError};
use wasmcloud_wire::rpc::keyvalue as wire;
use wasmcloud_wire::rpc::{Call, Payload};

use crate::store::{
    BucketName, Cursor, Increment, Key, Page, Store, StoreError, Swap, Value, Version, check_batch,
    check_entries,
};

/// The store behind a link to a provider elsewhere, for one invocation.
pub struct LatticeStore {
    link: Arc<ProviderLink>,
    deadline: Instant,
    depth: u16,
}

impl LatticeStore {
    /// For calls that must have ended by `deadline`. `depth`: how many calls led to them.
    pub fn new(link: Arc<ProviderLink>, deadline: Instant, depth: u16) -> Self {
        Self {
            link,
            deadline,
            depth,
        }
    }

    async fn call<T, C>(&self, bucket: &BucketName, call: C) -> Result<T, StoreError>
    where
        T: Payload,
        C: Call<Result = Result<T, wire::Error>>,
    {
        let failed = |error: RpcError| self.failed::<C>(bucket, &error);
        let call = self.link.call(&call, self.deadline, self.depth).await;
        let call = call.map_err(failed)?;
        let results = call.some_results().await.map_err(failed)?;
        match C::Result::from_bytes(&results) {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(wire::Error::NoSuchStore)) => Err(StoreError::NoSuchBucket(bucket.to_string())),
            Ok(Err(wire::Error::AccessDenied)) => Err(StoreError::AccessDenied),
            // As it is: components may know the words of their provider.
            Ok(Err(wire::Error::Other(text))) => Err(StoreError::Other(text)),
            Err(error) => Err(self.elsewhere(format!(
                "it answers `{}` with something else than results of `{}`: {error}; hint: its version may not fit",
                C::FUNCTION,
                C::INSTANCE
            ))),
        }
    }

    fn failed<C: Call>(&self, bucket: &BucketName, error: &RpcError) -> StoreError {
        let Some(reason) = ProviderLink::reason(error) else {
            return StoreError::Deadline(format!(
                "`{}` of key-value provider `{}` in bucket `{bucket}`; if it is a write, it may still happen",
                C::FUNCTION,
                self.link.target()
            ));
        };
        self.elsewhere(reason)
    }

    fn elsewhere(&self, reason: String) -> StoreError {
        StoreError::Elsewhere {
            target: self.link.target().to_string(),
            reason,
        }
    }

    fn cannot_travel(&self, what: &'static str) -> StoreError {
        StoreError::CannotTravel {
            what,
            target: self.link.target().to_string(),
        }
    }
}

#[async_trait]
impl Store for LatticeStore {
    async fn get(&self, bucket: &BucketName, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let get = wire::Get {
            bucket: bucket.to_string(),
            key: key.as_str().to_owned(),
        };
        Ok(self.call(bucket, get).await?.map(Bytes::from))
    }

    async fn get_versioned(&self, _: &BucketName, _: &Key) -> Result<(Version, Option<Bytes>), StoreError> {
        Err(self.cannot_travel("a compare-and-swap"))
    }

    async fn exists(&self, bucket: &BucketName, key: &Key) -> Result<bool, StoreError> {
        let exists = wire::Exists {
            bucket: bucket.to_string(),
            key: key.as_str().to_owned(),
        };
        self.call(bucket, exists).await
    }

    async fn set(&self, bucket: &BucketName, key: Key, value: Value) -> Result<(), StoreError> {
        let set = wire::Set {
            bucket: bucket.to_string(),
            key: key.into_string(),
            value: value.into_bytes().into(),
        };
        self.call(bucket, set).await
    }

    async fn delete(&self, bucket: &BucketName, key: Key) -> Result<(), StoreError> {
        let delete = wire::Delete {
            bucket: bucket.to_string(),
            key: key.into_string(),
        };
        self.call(bucket, delete).await
    }

    /// How many keys a page has is the provider's choice.
    async fn list_keys(
        &self,
        bucket: &BucketName,
        from: Option<Cursor>,
        _limit: usize,
    ) -> Result<Page, StoreError> {
        let cursor = match from {
            None => None,
            Some(Cursor::Number(number)) => Some(number),
            Some(Cursor::After(_)) => return Err(self.cannot_travel("a listing that goes on after a key")),
        };
        let list = wire::ListKeys {
            bucket: bucket.to_string(),
            cursor,
        };
        let found = self.call(bucket, list).await?;
        Ok(Page {
            keys: found.keys,
            next: found.cursor.map(Cursor::Number),
        })
    }

    async fn increment(&self, bucket: &BucketName, key: Key, by: Increment) -> Result<i128, StoreError> {
        let delta = by
            .delta()
            .ok_or_else(|| self.cannot_travel("an increment by less than zero"))?;
        let increment = wire::Increment {
            bucket: bucket.to_string(),
            key: key.as_str().to_owned(),
            delta,
        };
        let number = self.call(bucket, increment).await?;
        by.made(&key, number)
    }

    async fn compare_and_set(
        &self,
        _: &BucketName,
        _: Key,
        _: Version,
        _: Value,
    ) -> Result<Swap, StoreError> {
        Err(self.cannot_travel("a compare-and-swap"))
    }

    async fn get_many(&self, bucket: &BucketName, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        check_batch(keys.len())?;
        let get = wire::GetMany {
            bucket: bucket.to_string(),
            keys: keys.iter().map(|key| key.as_str().to_owned()).collect(),
        };
        // By name: it does no harm if a provider leaves out what is absent, or has an order of its own.
        let found: HashMap<String, Bytes> = self
            .call(bucket, get)
            .await?
            .into_iter()
            .flatten()
            .map(|(key, value)| (key, value.into()))
            .collect();
        Ok(keys.iter().map(|key| found.get(key.as_str()).cloned()).collect())
    }

    async fn set_many(&self, bucket: &BucketName, entries: Vec<(Key, Value)>) -> Result<(), StoreError> {
        check_entries(&entries)?;
        let pair = |(key, value): (Key, Value)| (key.into_string(), value.into_bytes().into());
        let set = wire::SetMany {
            bucket: bucket.to_string(),
            key_values: entries.into_iter().map(pair).collect(),
        };
        self.call(bucket, set).await
    }

    async fn delete_many(&self, bucket: &BucketName, keys: Vec<Key>) -> Result<(), StoreError> {
        check_batch(keys.len())?;
        let delete = wire::DeleteMany {
            bucket: bucket.to_string(),
            keys: keys.into_iter().map(Key::into_string).collect(),
        };
        self.call(bucket, delete).await
    }

    async fn close(&self) {
        // It belongs to somebody else.
    }
}
