//! `wasi:blobstore@0.2.0-draft`: translates between the contract and [`crate::store`]. Every failure is the contract's
//! own error, a text.

mod container;
mod values;

use wasmcloud_capability::InstanceState;
use wasmtime::component::{HasSelf, Linker, Resource};

use crate::calls::{self, Calls, Container, Place};
use crate::store::{ObjectId, StoreError};

mod generated {
    wasmtime::component::bindgen!({
        path: "wit/draft",
        world: "imports",
        imports: { default: async | trappable },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:blobstore/container.container": crate::calls::Container,
            "wasi:blobstore/container.stream-object-names": crate::incoming::Listing,
            "wasi:blobstore/types.incoming-value": crate::incoming::IncomingValue,
            "wasi:blobstore/types.outgoing-value": crate::outgoing::OutgoingValue,
        },
    });
}

use generated::wasi::blobstore as wit;

pub(crate) fn link(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    wit::types::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
    wit::container::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
    wit::blobstore::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)
}

/// What a function of the contract returns: its own error, or a trap.
type Answer<T> = wasmtime::Result<Result<T, String>>;

/// The error as the contract has it.
fn told<T>(result: Result<T, StoreError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// The place behind the link of this invocation, and the calls to it.
fn linked(state: &InstanceState) -> Result<(Place, Calls), StoreError> {
    let place = calls::place(state)?;
    let calls = Calls::new(state, &place);
    Ok((place, calls))
}

fn object(id: wit::types::ObjectId) -> ObjectId {
    ObjectId {
        container: id.container,
        object: id.object,
    }
}

impl wit::blobstore::Host for InstanceState {
    async fn create_container(&mut self, name: String) -> Answer<Resource<Container>> {
        let linked = linked(self);
        let made = async {
            let (place, calls) = linked?;
            let create = calls.store.create_container(&name);
            calls.wait("`create-container`", create).await?;
            Ok(place)
        };
        match made.await {
            Ok(place) => Ok(Ok(self.table.push(Container { place, name })?)),
            Err(error) => Ok(told(Err(error))),
        }
    }

    async fn get_container(&mut self, name: String) -> Answer<Resource<Container>> {
        let linked = linked(self);
        let found = async {
            let (place, calls) = linked?;
            let exists = calls.store.container_exists(&name);
            match calls.wait("`get-container`", exists).await? {
                true => Ok(place),
                false => Err(StoreError::NoSuchContainer(name.clone())),
            }
        };
        match found.await {
            Ok(place) => Ok(Ok(self.table.push(Container { place, name })?)),
            Err(error) => Ok(told(Err(error))),
        }
    }

    async fn delete_container(&mut self, name: String) -> Answer<()> {
        let linked = linked(self);
        let deleted = async {
            let (_, calls) = linked?;
            calls
                .wait("`delete-container`", calls.store.delete_container(&name))
                .await
        };
        Ok(told(deleted.await))
    }

    async fn container_exists(&mut self, name: String) -> Answer<bool> {
        let linked = linked(self);
        let exists = async {
            let (_, calls) = linked?;
            calls
                .wait("`container-exists`", calls.store.container_exists(&name))
                .await
        };
        Ok(told(exists.await))
    }

    async fn copy_object(&mut self, src: wit::types::ObjectId, dest: wit::types::ObjectId) -> Answer<()> {
        let (from, to) = (object(src), object(dest));
        let linked = linked(self);
        let copied = async {
            let (_, calls) = linked?;
            calls
                .wait("`copy-object`", calls.store.copy_object(&from, &to))
                .await
        };
        Ok(told(copied.await))
    }

    async fn move_object(&mut self, src: wit::types::ObjectId, dest: wit::types::ObjectId) -> Answer<()> {
        let (from, to) = (object(src), object(dest));
        let linked = linked(self);
        let moved = async {
            let (_, calls) = linked?;
            calls
                .wait("`move-object`", calls.store.move_object(&from, &to))
                .await
        };
        Ok(told(moved.await))
    }
}
