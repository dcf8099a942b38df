//! A capability provider that keeps key-value buckets in files: `wasi:keyvalue/store` and `wasi:keyvalue/atomics`, one
//! file for each bucket. This file is what makes it a provider; `store.rs` is what it is for, and knows nothing of that.

mod store;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use wasmcloud_provider_sdk::rpc::keyvalue::{
    Delete, Error, Exists, Get, Increment, KeyResponse, ListKeys, Set,
};
use wasmcloud_provider_sdk::{BoxError, CallContext, Functions, Health, Link, Provider, Start, async_trait};

use crate::store::{Bucket, Store, StoreError, is_name};

/// Where buckets are kept if the config of the provider has no `root`.
const DEFAULT_ROOT: &str = "keyvalue-data";

struct KeyValueFile {
    store: Arc<Store>,
}

#[async_trait]
impl Provider for KeyValueFile {
    async fn init(start: Start) -> Result<Self, BoxError> {
        let root = start.config.get("root").map_or(DEFAULT_ROOT, String::as_str);
        let store = Store::open(PathBuf::from(root))?;
        Ok(Self {
            store: Arc::new(store),
        })
    }

    fn functions(functions: Functions<Self>) -> Functions<Self> {
        functions
            .on(Self::get)
            .on(Self::set)
            .on(Self::delete)
            .on(Self::exists)
            .on(Self::list_keys)
            .on(Self::increment)
    }

    // Nothing to connect to; but what is wrong should be said now and not at the first call.
    async fn link_put(&self, link: &Link) -> Result<(), BoxError> {
        let folder = folder(link);
        match is_name(folder) {
            true => Ok(()),
            false => Err(format!(
                "the link's config `folder` is `{folder}`; letters, digits, `-` and `_` are allowed"
            )
            .into()),
        }
    }

    async fn health(&self) -> Health {
        match self.store.check() {
            Ok(()) => Health::well(),
            Err(error) => Health::ill(error.to_string()),
        }
    }
}

impl KeyValueFile {
    async fn get(self: Arc<Self>, context: CallContext, call: Get) -> Result<Option<Vec<u8>>, Error> {
        self.bucket(&context, call.bucket, move |bucket| bucket.get(&call.key))
            .await
    }

    async fn set(self: Arc<Self>, context: CallContext, call: Set) -> Result<(), Error> {
        self.bucket(&context, call.bucket, |bucket| bucket.set(call.key, call.value))
            .await
    }

    async fn delete(self: Arc<Self>, context: CallContext, call: Delete) -> Result<(), Error> {
        self.bucket(&context, call.bucket, move |bucket| bucket.delete(&call.key))
            .await
    }

    async fn exists(self: Arc<Self>, context: CallContext, call: Exists) -> Result<bool, Error> {
        self.bucket(&context, call.bucket, move |bucket| {
            Ok(bucket.get(&call.key)?.is_some())
        })
        .await
    }

    async fn list_keys(self: Arc<Self>, context: CallContext, call: ListKeys) -> Result<KeyResponse, Error> {
        self.bucket(&context, call.bucket, move |bucket| {
            let (keys, cursor) = bucket.keys(call.cursor.unwrap_or(0))?;
            Ok(KeyResponse { keys, cursor })
        })
        .await
    }

    async fn increment(self: Arc<Self>, context: CallContext, call: Increment) -> Result<u64, Error> {
        self.bucket(&context, call.bucket, move |bucket| {
            bucket.increment(call.key, call.delta)
        })
        .await
    }

    /// Does something with the bucket of a linked component. Files block, so it is done beside the async threads; and
    /// there it is done to its end, also if the caller goes away meanwhile.
    async fn bucket<T: Send + 'static>(
        &self,
        context: &CallContext,
        name: String,
        work: impl FnOnce(Bucket<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Error> {
        let link = context.link().map_err(|_| Error::AccessDenied)?;
        let store = Arc::clone(&self.store);
        let done = tokio::task::spawn_blocking(move || work(store.bucket(folder(&link), &name)?)).await;
        done.map_err(|error| Error::Other(error.to_string()))?
            .map_err(|error| match error {
                StoreError::Bucket(_) => Error::NoSuchStore,
                error => Error::Other(error.to_string()),
            })
    }
}

/// The folder that a link's buckets are in: one of its own, unless the link names one that several share.
fn folder(link: &Link) -> &str {
    let named = link.config.get("folder").map(String::as_str);
    named.unwrap_or(link.source.as_str())
}

fn main() -> ExitCode {
    wasmcloud_provider_sdk::main::<KeyValueFile>()
}
