//! Finding the store behind a link, and calls that end by the invocation's deadline. The adapter only translates.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmcloud_capability::{Endpoint, Handle, InstanceState, LinkEntry};
use wasmcloud_core::Route;
use wasmcloud_lattice::rpc::Caller;

use crate::backends::LatticeLink;
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
    Elsewhere(Arc<LatticeLink>),
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
    Ok(match elsewhere(&link) {
        Some(caller) => {
            let (source, target) = (state.component_id().clone(), link.target.clone());
            Place::Elsewhere(LatticeLink::new(caller, source, link.name.clone(), target))
        }
        None => Place::Here(Arc::clone(&here(state, &link)?.store)),
    })
}

/// What takes the calls over a link to other hosts, if that is where they go (design decision D4).
fn elsewhere(link: &LinkEntry) -> Option<Caller> {
    let travels = match link.route {
        Route::Lattice => true,
        Route::Auto => !matches!(link.endpoint, Endpoint::Builtin(_)),
        Route::Local => false,
    };
    let caller = link.elsewhere.as_ref().filter(|_| travels)?;
    let caller = Handle::downcast::<Caller>(Arc::clone(caller)).ok()?;
    Some(Caller::clone(&caller))
}

fn here(state: &InstanceState, link: &LinkEntry) -> Result<Arc<BlobstoreEndpoint>, StoreError> {
    let hint = match (&link.endpoint, &link.elsewhere) {
        (Endpoint::Builtin(_), _) | (_, None) => "",
        _ => "; hint: the route of the link is `local`, with `auto` the provider may be on another host",
    };
    if let Endpoint::Component(_) = link.endpoint {
        let text = match hint {
            "" => format!(
                "the target of the link for `{BLOBSTORE}` is a component; blobstore served by a component is not supported yet"
            ),
            _ => format!("no blobstore provider `{}` runs on this host{hint}", link.target),
        };
        return Err(StoreError::Other(text));
    }
    state
        .builtin::<BlobstoreEndpoint>(BLOBSTORE)
        .map_err(|error| StoreError::Other(error + hint))
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
                Arc::new(link.store(invocation.deadline, depth))
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
