//! `wasi:keyvalue@0.2.0-draft`: translates between the contract and [`crate::calls`].
//!
//! Every failure is the contract's own error. (v1 trapped in `set`, `delete`, `exists`, `list-keys` and `batch`.)

use wasmcloud_capability::InstanceState;
use wasmtime::component::{HasSelf, Linker, Resource};

use crate::calls::{self, Bucket};
use crate::store::{Increment, StoreError};

mod generated {
    wasmtime::component::bindgen!({
        path: "wit/draft",
        world: "imports",
        imports: { default: async | trappable },
        require_store_data_send: true,
        with: { "wasi:keyvalue/store.bucket": crate::calls::Bucket },
    });
}

pub(crate) use generated::wasi::keyvalue::{atomics, batch, store};

pub(crate) fn link(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
    atomics::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
    batch::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)
}

impl From<StoreError> for store::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchBucket(_) => Self::NoSuchStore,
            StoreError::AccessDenied => Self::AccessDenied,
            other => Self::Other(other.to_string()),
        }
    }
}

impl store::Host for InstanceState {
    async fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<Bucket>, store::Error>> {
        match calls::open(self, &identifier) {
            Ok(bucket) => Ok(Ok(self.table.push(bucket)?)),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl store::HostBucket for InstanceState {
    async fn get(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        Ok(calls::calls(self, &bucket)?.get(key).await.map_err(Into::into))
    }

    async fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let calls = calls::calls(self, &bucket)?;
        Ok(calls.set(key, value).await.map_err(Into::into))
    }

    async fn delete(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        Ok(calls::calls(self, &bucket)?.delete(key).await.map_err(Into::into))
    }

    async fn exists(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<bool, store::Error>> {
        Ok(calls::calls(self, &bucket)?.exists(key).await.map_err(Into::into))
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        let from = match cursor {
            Some(number) => Some(self.table.get(&bucket)?.cursor(number)),
            None => None,
        };
        match calls::calls(self, &bucket)?.list_keys(from).await {
            Ok(mut page) => {
                let cursor = self.table.get_mut(&bucket)?.number(cursor, &mut page);
                let keys = page.keys;
                Ok(Ok(store::KeyResponse { keys, cursor }))
            }
            Err(error) => Ok(Err(error.into())),
        }
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for InstanceState {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> wasmtime::Result<Result<u64, store::Error>> {
        let calls = calls::calls(self, &bucket)?;
        let number = calls.increment(key, Increment::unsigned(delta)).await;
        Ok(number
            .map_err(Into::into)
            .and_then(|number| u64::try_from(number).map_err(|error| store::Error::Other(error.to_string()))))
    }
}

impl batch::Host for InstanceState {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Option<(String, Vec<u8>)>>, store::Error>> {
        let pairs = calls::calls(self, &bucket)?.get_many(keys).await;
        let present = |(key, value): (String, Option<Vec<u8>>)| value.map(|value| (key, value));
        Ok(pairs
            .map(|pairs| pairs.into_iter().map(present).collect())
            .map_err(Into::into))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        entries: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let calls = calls::calls(self, &bucket)?;
        Ok(calls.set_many(entries).await.map_err(Into::into))
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let calls = calls::calls(self, &bucket)?;
        Ok(calls.delete_many(keys).await.map_err(Into::into))
    }
}
