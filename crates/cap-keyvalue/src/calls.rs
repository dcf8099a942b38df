//! What both versions of the contract share: finding the store behind a link, and calls that end by the
//! invocation's deadline. The adapters only translate.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use wasmcloud_capability::{InstanceState, LinkEntry};
use wasmcloud_core::ComponentId;
use wasmcloud_lattice::rpc::{Caller, ProviderLink};
use wasmtime::component::Resource;

use crate::backends::LatticeStore;
use crate::store::{
    BucketName, Cursor, Increment, Key, MAX_PAGE, Page, Store, StoreError, Swap, Value, Version,
};
use crate::watch::ToldBucket;

/// The interface whose link decides which store a bucket is in; buckets are then passed to the other interfaces.
const STORE: &str = "wasi:keyvalue/store";

/// The names under which a guest asks for the bucket that the link chose.
const DEFAULT_NAMES: [&str; 2] = ["", "default"];

/// What a link to a key-value provider gives a component's calls.
pub struct KeyValueEndpoint {
    store: Arc<dyn Store>,
    default_bucket: BucketName,
}

impl KeyValueEndpoint {
    /// An endpoint whose guests get `default_bucket` when they open `""` or `"default"`.
    pub fn new(store: Arc<dyn Store>, default_bucket: BucketName) -> Self {
        Self {
            store,
            default_bucket,
        }
    }

    fn bucket(&self, identifier: &str) -> Result<BucketName, StoreError> {
        if DEFAULT_NAMES.contains(&identifier) {
            Ok(self.default_bucket.clone())
        } else {
            BucketName::new(identifier)
        }
    }

    /// Calls to a bucket, by the name with which a component opened it.
    pub(crate) fn calls(&self, identifier: &str, deadline: Instant) -> Result<Calls, StoreError> {
        Ok(Calls {
            store: Ok(Arc::clone(&self.store)),
            bucket: self.bucket(identifier)?,
            deadline,
        })
    }
}

/// Where a bucket is.
enum Place {
    /// In a provider of this host.
    Here(Arc<dyn Store>),
    /// In one of another host.
    Elsewhere(Arc<ProviderLink>),
    /// The component was told of it, and has no link to where it is. Each call says so.
    Unlinked(StoreError),
}

/// A guest's handle to a bucket. It keeps the store that the link led to when it was opened.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Bucket {
    place: Place,
    name: BucketName,
    /// Where the latest page of `list-keys` ended, by the number that stands for it. A cursor of the first draft is
    /// a number, those of the stores are keys; see [`Bucket::cursor`].
    listed: Option<(u64, String)>,
}

impl Bucket {
    /// The cursor that a number stands for: the key where the page with this number ended, else the number, with
    /// which a store counts keys from the beginning. The first is exact and fast, and what a guest does that lists
    /// page by page; the second lets a guest go on in a later invocation.
    pub(crate) fn cursor(&self, number: u64) -> Cursor {
        match &self.listed {
            Some((known, key)) if *known == number => Cursor::After(key.clone()),
            _ => Cursor::Number(number),
        }
    }

    /// The number for the cursor of a page that began at `start`.
    pub(crate) fn number(&mut self, start: Option<u64>, page: &mut Page) -> Option<u64> {
        match page.next.take()? {
            Cursor::Number(number) => Some(number),
            Cursor::After(key) => {
                let number = start.unwrap_or(0).saturating_add(page.keys.len() as u64);
                self.listed = Some((number, key));
                Some(number)
            }
        }
    }
}

/// A guest's handle to a compare-and-swap. It does not keep the value: a guest may hold many handles.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Cas {
    calls: Calls,
    key: Key,
    version: Version,
}

/// Opens a bucket over the link that the invocation has for the store. One that is elsewhere is not asked for before
/// its first call, as on v1 (wire reference §5.2), and has the name that the guest wrote.
pub(crate) fn open(state: &InstanceState, identifier: &str) -> Result<Bucket, StoreError> {
    let link = state
        .link(STORE)
        .map_err(|error| StoreError::Other(error.to_string()))?;
    open_over(state, &link, identifier)
}

/// The bucket that a component is told of by the provider `by`: what it can do with it is what its own link to the
/// provider lets it do. Without `by` it is the link that the calls of the component take.
pub(crate) fn told(state: &InstanceState, by: Option<&ComponentId>, bucket: &ToldBucket) -> Bucket {
    let written = match bucket {
        ToldBucket::Named(name) => name.as_str(),
        ToldBucket::Opened(written) => written,
    };
    let opened = match by {
        None => open(state, written),
        Some(by) => {
            let links = state.component().links();
            let to_provider = |link: &&Arc<LinkEntry>| {
                link.target == *by && link.interfaces.iter().any(|interface| **interface == *STORE)
            };
            match links.entries().iter().find(to_provider) {
                Some(link) => open_over(state, link, written),
                None => Err(StoreError::Other(format!(
                    "component `{}` was told of this bucket by key-value provider `{by}` and has no link to it; hint: \
                     put a link for `{STORE}` from the component to the provider",
                    state.component_id()
                ))),
            }
        }
    };
    let mut opened = opened.unwrap_or_else(|error| Bucket {
        place: Place::Unlinked(error),
        name: BucketName::as_written(written),
        listed: None,
    });
    // The provider means this bucket, whatever the link would make of the name.
    if let (Place::Here(_), ToldBucket::Named(name)) = (&opened.place, bucket) {
        opened.name = name.clone();
    }
    opened
}

fn open_over(state: &InstanceState, link: &LinkEntry, identifier: &str) -> Result<Bucket, StoreError> {
    let (place, name) = match link.travels_by::<Caller>() {
        Some(caller) => {
            let (source, target) = (state.component_id().clone(), link.target.clone());
            let link = ProviderLink::new(Caller::clone(&caller), source, link.name.clone(), target);
            (Place::Elsewhere(link), BucketName::as_written(identifier))
        }
        None => {
            let endpoint = here(state, link)?;
            let name = endpoint.bucket(identifier)?;
            (Place::Here(Arc::clone(&endpoint.store)), name)
        }
    };
    Ok(Bucket {
        place,
        name,
        listed: None,
    })
}

fn here(state: &InstanceState, link: &LinkEntry) -> Result<Arc<KeyValueEndpoint>, StoreError> {
    let here = state.builtin_here(link, STORE, "key-value");
    here.map_err(StoreError::Other)
}

/// Calls to one bucket on behalf of one invocation.
#[derive(Clone)]
pub(crate) struct Calls {
    /// Or why there is none.
    store: Result<Arc<dyn Store>, StoreError>,
    bucket: BucketName,
    deadline: Instant,
}

/// The calls that a guest's handle stands for, in the invocation of now.
pub(crate) fn calls(state: &InstanceState, bucket: &Resource<Bucket>) -> wasmtime::Result<Calls> {
    let bucket = state.table.get(bucket)?;
    let invocation = state.invocation();
    let store = match &bucket.place {
        Place::Here(store) => Ok(Arc::clone(store)),
        Place::Unlinked(error) => Err(error.clone()),
        Place::Elsewhere(link) => {
            // The calls of this one stand below it.
            let depth = invocation.depth.saturating_add(1);
            let store = LatticeStore::new(Arc::clone(link), invocation.deadline, depth);
            Ok(Arc::new(store) as Arc<dyn Store>)
        }
    };
    Ok(Calls {
        store,
        bucket: bucket.name.clone(),
        deadline: invocation.deadline,
    })
}

impl Calls {
    /// The bucket.
    pub(crate) fn bucket(&self) -> &BucketName {
        &self.bucket
    }

    fn store(&self) -> Result<&Arc<dyn Store>, StoreError> {
        self.store.as_ref().map_err(StoreError::clone)
    }

    /// Waits no longer than the invocation may take; the error says for what.
    async fn wait<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout_at(self.deadline.into(), call).await {
            Ok(result) => result,
            Err(_elapsed) => Err(StoreError::Deadline(format!(
                "{what} in bucket `{}`; if it is a write, it may still happen",
                self.bucket
            ))),
        }
    }

    pub(crate) async fn get(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        let key = Key::new(key)?;
        let value = self.wait("`get`", self.store()?.get(&self.bucket, &key)).await?;
        Ok(value.map(Vec::from))
    }

    pub(crate) async fn set(&self, key: String, value: Vec<u8>) -> Result<(), StoreError> {
        let (key, value) = (Key::new(key)?, Value::new(value)?);
        self.wait("`set`", self.store()?.set(&self.bucket, key, value))
            .await
    }

    pub(crate) async fn delete(&self, key: String) -> Result<(), StoreError> {
        let key = Key::new(key)?;
        self.wait("`delete`", self.store()?.delete(&self.bucket, key))
            .await
    }

    pub(crate) async fn exists(&self, key: String) -> Result<bool, StoreError> {
        let key = Key::new(key)?;
        self.wait("`exists`", self.store()?.exists(&self.bucket, &key))
            .await
    }

    pub(crate) async fn list_keys(&self, from: Option<Cursor>) -> Result<Page, StoreError> {
        let page = self.store()?.list_keys(&self.bucket, from, MAX_PAGE);
        self.wait("`list-keys`", page).await
    }

    pub(crate) async fn increment(&self, key: String, by: Increment) -> Result<i128, StoreError> {
        let key = Key::new(key)?;
        self.wait("`increment`", self.store()?.increment(&self.bucket, key, by))
            .await
    }

    pub(crate) async fn get_many(
        &self,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, StoreError> {
        let keys = all(keys, Key::new)?;
        let values = self
            .wait("`get-many`", self.store()?.get_many(&self.bucket, &keys))
            .await?;
        let pairs = keys.into_iter().zip(values);
        Ok(pairs
            .map(|(key, value)| (key.into_string(), value.map(Vec::from)))
            .collect())
    }

    pub(crate) async fn set_many(&self, entries: Vec<(String, Vec<u8>)>) -> Result<(), StoreError> {
        let entries = all(entries, |(key, value)| Ok((Key::new(key)?, Value::new(value)?)))?;
        self.wait("`set-many`", self.store()?.set_many(&self.bucket, entries))
            .await
    }

    pub(crate) async fn delete_many(&self, keys: Vec<String>) -> Result<(), StoreError> {
        let keys = all(keys, Key::new)?;
        self.wait("`delete-many`", self.store()?.delete_many(&self.bucket, keys))
            .await
    }

    async fn get_versioned(&self, key: &Key) -> Result<(Version, Option<Bytes>), StoreError> {
        self.wait(
            "the value to swap",
            self.store()?.get_versioned(&self.bucket, key),
        )
        .await
    }
}

fn all<T, U>(items: Vec<T>, check: impl FnMut(T) -> Result<U, StoreError>) -> Result<Vec<U>, StoreError> {
    crate::store::check_batch(items.len())?;
    items.into_iter().map(check).collect()
}

impl Cas {
    /// A swap that succeeds if the key is not written from now on.
    pub(crate) async fn new(calls: Calls, key: String) -> Result<Self, StoreError> {
        let key = Key::new(key)?;
        let (version, _) = calls.get_versioned(&key).await?;
        Ok(Self { calls, key, version })
    }

    /// What is needed to read the current value while the handle stays in its table.
    pub(crate) fn parts(&self, deadline: Instant) -> (Calls, Key) {
        let calls = Calls {
            deadline,
            ..self.calls.clone()
        };
        (calls, self.key.clone())
    }

    /// The value now and its version, for [`Cas::seen`].
    pub(crate) async fn current(
        (calls, key): (Calls, Key),
    ) -> Result<(Version, Option<Vec<u8>>), StoreError> {
        let (version, value) = calls.get_versioned(&key).await?;
        Ok((version, value.map(Vec::from)))
    }

    /// From now on the swap depends on what the guest saw last.
    pub(crate) fn seen(&mut self, version: Version) {
        self.version = version;
    }

    /// Swaps, or returns a handle to the key as it is now.
    pub(crate) async fn swap(self, deadline: Instant, value: Vec<u8>) -> Result<Option<Self>, StoreError> {
        let value = Value::new(value)?;
        let (calls, key) = self.parts(deadline);
        let swap = calls
            .store()?
            .compare_and_set(&calls.bucket, key.clone(), self.version, value);
        match calls.wait("`swap`", swap).await? {
            Swap::Done => Ok(None),
            Swap::Changed => Self::new(calls, key.into_string()).await.map(Some),
        }
    }
}
