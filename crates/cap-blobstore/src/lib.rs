//! `wasi:blobstore` for components: the WIT adapter, and the backends behind a small trait.
//!
//! Reading order: [`Store`] is what a backend must do and mentions neither WIT nor wasmtime; `backends` has those
//! that exist; [`BlobstoreProvider`] turns config into folders and a link into a [`BlobstoreEndpoint`]; [`Blobstore`] is
//! what a linker gets. `calls` finds the store behind a link, `incoming` and `outgoing` are objects on their way to and
//! from a guest; `remote` is what a provider answers callers on other hosts, `travel` how objects travel there.
//!
//! An object of any size costs a few chunks of memory: whoever is slower is waited for. Which link a call takes, and who
//! may have one, is decided by the host.

mod adapter;
pub mod backends;
mod calls;
mod incoming;
mod outgoing;
mod provider;
mod remote;
mod store;
mod travel;

use wasmcloud_capability::{Capability, InstanceState};
use wasmtime::component::Linker;

pub use calls::BlobstoreEndpoint;
pub use provider::BlobstoreProvider;
pub use store::{
    CHUNK, ContainerInfo, MAX_BATCH, Names, ObjectId, ObjectInfo, Read, Store, StoreError, Write,
    check_batch, check_range,
};

/// `wasi:blobstore/{blobstore,container,types}` in the version that guests are built against.
pub struct Blobstore;

impl Capability for Blobstore {
    fn link(&self, linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
        adapter::link(linker)
    }

    fn interfaces(&self) -> &'static [&'static str] {
        &[
            "wasi:blobstore/blobstore@0.2.0-draft",
            "wasi:blobstore/container@0.2.0-draft",
            "wasi:blobstore/types@0.2.0-draft",
        ]
    }

    /// Containers come from the first, and objects from those.
    fn linked_interfaces(&self) -> &'static [&'static str] {
        &[calls::BLOBSTORE]
    }
}
