//! `wasi:keyvalue` for components: the WIT adapters, written once, and the backends behind a small trait.
//!
//! Reading order: [`Store`] is what a backend must do and mentions neither WIT nor wasmtime; `backends` has those
//! that exist; [`KeyValueProvider`] turns config into a backend and a link into a [`KeyValueEndpoint`];
//! [`KeyValue`] is what a linker gets. `calls` holds what both versions of the contract share; `remote` is what a provider
//! answers callers on other hosts; `watch` is about components that are told of changes.
//!
//! Which link a call takes, and who may have one, is decided by the host.

mod adapter;
mod adapter_draft2;
pub mod backends;
mod calls;
mod positions;
mod provider;
mod remote;
mod store;
mod watch;

use wasmcloud_capability::{Capability, InstanceState};
use wasmtime::component::Linker;

#[cfg(test)]
mod tests;

pub use calls::KeyValueEndpoint;
pub use provider::{Backend, KeyValueProvider};
pub use store::{
    BucketName, Cursor, Increment, Key, MAX_BATCH, MAX_BATCH_BYTES, MAX_BUCKET_NAME, MAX_KEY, MAX_PAGE,
    MAX_VALUE, Page, ReplyBudget, Store, StoreError, Swap, Value, Version, check_batch, check_entries,
};
pub use watch::{RemoteChange, WatchResolver};

/// `wasi:keyvalue/{store,atomics,batch}` in the versions that guests are built against.
pub struct KeyValue;

impl Capability for KeyValue {
    fn link(&self, linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
        adapter::link(linker)?;
        adapter_draft2::link(linker)
    }

    fn interfaces(&self) -> &'static [&'static str] {
        &[
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:keyvalue/atomics@0.2.0-draft",
            "wasi:keyvalue/batch@0.2.0-draft",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:keyvalue/atomics@0.2.0-draft2",
            "wasi:keyvalue/batch@0.2.0-draft2",
        ]
    }

    fn linked_interfaces(&self) -> &'static [&'static str] {
        &[
            "wasi:keyvalue/store",
            "wasi:keyvalue/atomics",
            "wasi:keyvalue/batch",
        ]
    }
}
