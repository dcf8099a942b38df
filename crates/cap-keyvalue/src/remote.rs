//! What a built-in provider answers callers on other hosts (wire reference §4.6): bytes become [`Calls`], and results
//! become bytes. Every failure is the contract's own error.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;
use wasmcloud_capability::{Params, ProviderCall, RemoteProvider};
use wasmcloud_core::{ComponentId, LinkName};
use wasmcloud_wire::rpc::keyvalue::{
    ATOMICS, BATCH, Delete, DeleteMany, Error, Exists, Get, GetMany, Increment, KeyResponse, ListKeys, STORE,
    Set, SetMany,
};
use wasmcloud_wire::rpc::{Call, Payload};
use wasmcloud_wire::value::DecodeError;

use crate::calls::{Calls, KeyValueEndpoint};
use crate::positions::Positions;
use crate::store::{Increment as By, StoreError};

/// The links to a provider, for calls that come from elsewhere: those from here find theirs in the link table of the
/// component. As many as the host has links.
#[derive(Default)]
pub(crate) struct Linked {
    links: RwLock<BTreeMap<(ComponentId, LinkName), Arc<KeyValueEndpoint>>>,
    positions: Positions,
}

impl Linked {
    /// A link was made, or turned.
    pub(crate) fn put(&self, source: ComponentId, name: LinkName, endpoint: Arc<KeyValueEndpoint>) {
        self.links.write().insert((source, name), endpoint);
    }

    /// A link is gone.
    pub(crate) fn remove(&self, source: &ComponentId, name: &LinkName) {
        self.links.write().remove(&(source.clone(), name.clone()));
    }
}

/// The side of a provider that takes calls from elsewhere.
pub(crate) struct Remote {
    /// The provider.
    pub(crate) id: ComponentId,
    pub(crate) linked: Arc<Linked>,
}

/// How the parameters of a function are looked at.
type Look = fn(&[u8]) -> Params;

fn look<C: Call>(params: &[u8]) -> Params {
    match C::from_bytes(params) {
        Err(DecodeError::Incomplete { .. }) => Params::Incomplete,
        _ => Params::Whole,
    }
}

#[async_trait]
impl RemoteProvider for Remote {
    fn params(&self, instance: &str, function: &str, params: &[u8]) -> Params {
        let look: Look = match (instance, function) {
            (STORE, Get::FUNCTION) => look::<Get>,
            (STORE, Set::FUNCTION) => look::<Set>,
            (STORE, Delete::FUNCTION) => look::<Delete>,
            (STORE, Exists::FUNCTION) => look::<Exists>,
            (STORE, ListKeys::FUNCTION) => look::<ListKeys>,
            (ATOMICS, Increment::FUNCTION) => look::<Increment>,
            (BATCH, GetMany::FUNCTION) => look::<GetMany>,
            (BATCH, SetMany::FUNCTION) => look::<SetMany>,
            (BATCH, DeleteMany::FUNCTION) => look::<DeleteMany>,
            _ => return Params::Unknown,
        };
        look(params)
    }

    async fn answer(&self, call: ProviderCall<'_>) -> Bytes {
        match (call.instance, call.function) {
            (STORE, Get::FUNCTION) => {
                let get = async |calls: Calls, get: Get| calls.get(get.key).await;
                self.typed(&call, |get| &get.bucket, get).await
            }
            (STORE, Set::FUNCTION) => {
                let set = async |calls: Calls, set: Set| calls.set(set.key, set.value).await;
                self.typed(&call, |set| &set.bucket, set).await
            }
            (STORE, Delete::FUNCTION) => {
                let delete = async |calls: Calls, delete: Delete| calls.delete(delete.key).await;
                self.typed(&call, |delete| &delete.bucket, delete).await
            }
            (STORE, Exists::FUNCTION) => {
                let exists = async |calls: Calls, exists: Exists| calls.exists(exists.key).await;
                self.typed(&call, |exists| &exists.bucket, exists).await
            }
            (STORE, ListKeys::FUNCTION) => {
                let list = async |calls: Calls, list: ListKeys| self.list_keys(calls, list.cursor).await;
                self.typed(&call, |list| &list.bucket, list).await
            }
            (ATOMICS, Increment::FUNCTION) => {
                self.typed(&call, |increment| &increment.bucket, increment).await
            }
            (BATCH, GetMany::FUNCTION) => self.typed(&call, |many| &many.bucket, get_many).await,
            (BATCH, SetMany::FUNCTION) => {
                let set = async |calls: Calls, many: SetMany| calls.set_many(many.key_values).await;
                self.typed(&call, |many| &many.bucket, set).await
            }
            (BATCH, DeleteMany::FUNCTION) => {
                let delete = async |calls: Calls, many: DeleteMany| calls.delete_many(many.keys).await;
                self.typed(&call, |many| &many.bucket, delete).await
            }
            // Not reached after a look at the parameters. The type of a function that does not exist is not known, but
            // the errors of all have the same form.
            (instance, function) => failed(StoreError::Other(format!(
                "`{}` has no function `{function}` of `{instance}`",
                self.id
            ))),
        }
    }
}

impl Remote {
    async fn typed<C, T, F>(
        &self,
        call: &ProviderCall<'_>,
        bucket: impl FnOnce(&C) -> &str,
        run: impl FnOnce(Calls, C) -> F,
    ) -> Bytes
    where
        C: Call<Result = Result<T, Error>>,
        Result<T, Error>: Payload,
        F: Future<Output = Result<T, StoreError>>,
    {
        // Who may not call learns nothing about what it sent.
        let endpoint = match self.endpoint(call) {
            Ok(endpoint) => endpoint,
            Err(error) => return failed(error),
        };
        let params = match C::from_bytes(&call.params) {
            Ok(params) => params,
            Err(error) => {
                return failed(StoreError::Malformed {
                    function: C::FUNCTION,
                    reason: error.to_string(),
                });
            }
        };
        let outcome = match endpoint.calls(bucket(&params), call.deadline) {
            Ok(calls) => run(calls, params).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(result) => Ok::<T, Error>(result).to_bytes().into(),
            Err(error) => failed(error),
        }
    }

    /// The link that a call came over.
    fn endpoint(&self, call: &ProviderCall<'_>) -> Result<Arc<KeyValueEndpoint>, StoreError> {
        let linked = call.source.and_then(|source| {
            let links = self.linked.links.read();
            links.get(&(source.clone(), call.link_name.clone())).cloned()
        });
        linked.ok_or_else(|| StoreError::NotLinked {
            component: call.source.map(ToString::to_string).unwrap_or_default(),
            link: call.link_name.to_string(),
            provider: self.id.to_string(),
        })
    }

    async fn list_keys(&self, calls: Calls, from: Option<u64>) -> Result<KeyResponse, StoreError> {
        let positions = &self.linked.positions;
        let cursor = from.map(|number| positions.cursor(calls.bucket(), number));
        let page = calls.list_keys(cursor).await?;
        let listed = page.keys.len();
        Ok(KeyResponse {
            cursor: page
                .next
                .map(|next| positions.number(calls.bucket(), from, listed, next)),
            keys: page.keys,
        })
    }
}

async fn increment(calls: Calls, increment: Increment) -> Result<u64, StoreError> {
    let number = calls
        .increment(increment.key, By::unsigned(increment.delta))
        .await?;
    u64::try_from(number).map_err(|error| StoreError::Other(error.to_string()))
}

async fn get_many(calls: Calls, many: GetMany) -> Result<Vec<Option<(String, Vec<u8>)>>, StoreError> {
    let pairs = calls.get_many(many.keys).await?;
    let present = |(key, value): (String, Option<Vec<u8>>)| value.map(|value| (key, value));
    Ok(pairs.into_iter().map(present).collect())
}

/// The results of a call that failed: the same bytes for every function.
fn failed(error: StoreError) -> Bytes {
    Err::<(), Error>(error.into()).to_bytes().into()
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchBucket(_) => Self::NoSuchStore,
            StoreError::AccessDenied => Self::AccessDenied,
            other => Self::Other(other.to_string()),
        }
    }
}
