//! `wasi:keyvalue@0.2.0-draft2`: translates between the contract and [`crate::calls`]. It differs from the first draft
//! in its cursors (text), its numbers (signed), the reply of `get-many`, and has a compare-and-swap.

use wasmcloud_capability::InstanceState;
use wasmtime::component::{HasSelf, Linker, Resource};

use crate::calls::{self, Bucket, Cas};
use crate::store::{Cursor, Increment, StoreError};

mod generated {
    wasmtime::component::bindgen!({
        path: "wit/draft2",
        world: "imports",
        imports: { default: async | trappable },
        require_store_data_send: true,
        with: {
            "wasi:keyvalue/store.bucket": crate::calls::Bucket,
            "wasi:keyvalue/atomics.cas": crate::calls::Cas,
        },
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
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        let calls = calls::calls(self, &bucket)?;
        let from = match cursor.as_deref().map(parse_cursor).transpose() {
            Ok(from) => from,
            Err(error) => return Ok(Err(error.into())),
        };
        Ok(match calls.list_keys(from).await {
            Ok(page) => Ok(store::KeyResponse {
                keys: page.keys,
                cursor: page.next.map(cursor_text),
            }),
            Err(error) => Err(error.into()),
        })
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

/// The text of a cursor. A letter tells the two kinds apart.
fn cursor_text(cursor: Cursor) -> String {
    match cursor {
        Cursor::After(key) => format!("k{key}"),
        Cursor::Number(number) => format!("n{number}"),
    }
}

fn parse_cursor(text: &str) -> Result<Cursor, StoreError> {
    let number = text.strip_prefix('n').and_then(|number| number.parse().ok());
    match (text.strip_prefix('k'), number) {
        (Some(key), _) => Ok(Cursor::After(key.to_owned())),
        (None, Some(number)) => Ok(Cursor::Number(number)),
        (None, None) => Err(StoreError::Other(format!(
            "the cursor {:?} did not come from `list-keys`",
            text.chars().take(64).collect::<String>()
        ))),
    }
}

impl atomics::Host for InstanceState {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, store::Error>> {
        let calls = calls::calls(self, &bucket)?;
        let number = calls.increment(key, Increment::signed(delta)).await;
        Ok(number
            .map_err(Into::into)
            .and_then(|number| i64::try_from(number).map_err(|error| store::Error::Other(error.to_string()))))
    }

    async fn swap(
        &mut self,
        cas: Resource<Cas>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let cas = self.table.delete(cas)?;
        Ok(match cas.swap(self.invocation().deadline, value).await {
            Ok(None) => Ok(()),
            Ok(Some(cas)) => Err(atomics::CasError::CasFailed(self.table.push(cas)?)),
            Err(error) => Err(atomics::CasError::StoreError(error.into())),
        })
    }
}

impl atomics::HostCas for InstanceState {
    async fn new(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Resource<Cas>, store::Error>> {
        let calls = calls::calls(self, &bucket)?;
        match Cas::new(calls, key).await {
            Ok(cas) => Ok(Ok(self.table.push(cas)?)),
            Err(error) => Ok(Err(error.into())),
        }
    }

    async fn current(
        &mut self,
        cas: Resource<Cas>,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        let parts = self.table.get(&cas)?.parts(self.invocation().deadline);
        match Cas::current(parts).await {
            Ok((version, value)) => {
                self.table.get_mut(&cas)?.seen(version);
                Ok(Ok(value))
            }
            Err(error) => Ok(Err(error.into())),
        }
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl batch::Host for InstanceState {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<(String, Option<Vec<u8>>)>, store::Error>> {
        let calls = calls::calls(self, &bucket)?;
        Ok(calls.get_many(keys).await.map_err(Into::into))
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
