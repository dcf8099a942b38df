//! Finding the store behind a link, and calls that end by the invocation's deadline. The adapter only translates.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmcloud_capability::{InstanceState, LinkEntry};
use wasmcloud_lattice::rpc::{Caller, ProviderLink};

use crate::backends::LatticeStore;
use crate::store::{Store, StoreError};

/// The interface whose link decides where containers are; those are then passed to the other interfaces.
pub(crate) const BLOBSTORE: &str = "wasi:blobstore/blobstore";

/// What a link to a blobstore provider gives a component's calls.
pub struct BlobstoreEndpoint {
    pub(crate) store: Arc<dyn Store>,
}

impl BlobstoreEndpoint {
    /// An endpoint whose guests get this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }
}

/// Values and listings that one instance may have open: each may hold buffers of the host, up to a mebibyte.
const MAX_OPEN: usize = 64;

/// The values and listings that an instance has open.
struct Open(Arc<Semaphore>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Opened {
    _permit: OwnedSemaphorePermit,
}

#[cfg(test)]
impl Opened {
    pub(crate) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: permit }
    }
}

/// Room for one more value or listing of this instance.
pub(crate) fn open(state: &mut InstanceState) -> Result<Opened, StoreError> {
    let open = state.slot(|_| Open(Arc::new(Semaphore::new(MAX_OPEN))));
    match Arc::clone(&open.0).try_acquire_owned() {
        Ok(permit) => Ok(Opened { _permit: permit }),
        Err(_) => Err(StoreError::Busy {
            limit: MAX_OPEN,
            place: "in this instance",
        }),
    }
}

/// Where containers are.
#[derive(Clone)]
pub(crate) enum Place {
    /// In a provider of this host.
    Here(Arc<dyn Store>),
    /// In one of another host.
    Elsewhere(Arc<ProviderLink>),
}

/// A guest's handle to a container. It keeps the store that the link led to when it was opened.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Container {
    pub(crate) place: Place,
    pub(crate) name: String,
}

/// The place to which the link of this invocation leads.
pub(crate) fn place(state: &InstanceState) -> Result<Place, StoreError> {
    let link = state
        .link(BLOBSTORE)
        .map_err(|error| StoreError::Other(error.to_string()))?;
    Ok(match link.travels_by::<Caller>() {
        Some(caller) => {
            let (source, target) = (state.component_id().clone(), link.target.clone());
            Place::Elsewhere(ProviderLink::new(
                Caller::clone(&caller),
                source,
                link.name.clone(),
                target,
            ))
        }
        None => Place::Here(Arc::clone(&here(state, &link)?.store)),
    })
}

fn here(state: &InstanceState, link: &LinkEntry) -> Result<Arc<BlobstoreEndpoint>, StoreError> {
    let here = state.builtin_here(link, BLOBSTORE, "blobstore");
    here.map_err(StoreError::Other)
}

/// Calls to a store on behalf of one invocation.
#[derive(Clone)]
pub(crate) struct Calls {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) deadline: Instant,
}

impl Calls {
    /// The calls of the invocation of now.
    pub(crate) fn new(state: &InstanceState, place: &Place) -> Self {
        let invocation = state.invocation();
        let store = match place {
            Place::Here(store) => Arc::clone(store),
            Place::Elsewhere(link) => {
                // The calls of this one stand below it.
                let depth = invocation.depth.saturating_add(1);
                Arc::new(LatticeStore::new(Arc::clone(link), invocation.deadline, depth))
            }
        };
        Self {
            store,
            deadline: invocation.deadline,
        }
    }

    /// Waits no longer than the invocation may take; the error says for what.
    pub(crate) async fn wait<T>(
        &self,
        what: &str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        within(self.deadline, what, call).await
    }
}

/// Waits until a deadline; the error says for what.
pub(crate) async fn within<T>(
    deadline: Instant,
    what: &str,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout_at(deadline.into(), call).await {
        Ok(result) => result,
        Err(_elapsed) => Err(StoreError::Deadline(format!(
            "{what}; if it changes something, that may still happen"
        ))),
    }
}
