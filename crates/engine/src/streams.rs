//! Streams of `wasi:io` on their way from one instance to another: the host has them, so they move from one table to
//! the other, and whoever reads or writes goes on where the other was.

use wasmcloud_capability::InstanceState;
use wasmtime::component::{ResourceAny, ResourceTableError};
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use crate::shape::Kind;
use crate::values::mismatch;

/// A stream that is in no table.
pub(crate) enum Moved {
    Input(DynInputStream),
    Output(DynOutputStream),
}

/// Takes a stream away from the instance that had it.
pub(crate) fn take(
    store: &mut StoreContextMut<'_, InstanceState>,
    kind: Kind,
    stream: ResourceAny,
) -> wasmtime::Result<Moved> {
    let taken = if kind == Kind::InputStream {
        let stream = stream.try_into_resource::<DynInputStream>(store.as_context_mut())?;
        store.data_mut().table.delete(stream).map(Moved::Input)
    } else {
        let stream = stream.try_into_resource::<DynOutputStream>(store.as_context_mut())?;
        store.data_mut().table.delete(stream).map(Moved::Output)
    };
    taken.map_err(|error| match error {
        ResourceTableError::HasChildren => {
            let what =
                "it passes a stream on of which it still has a pollable; hint: drop the pollable first";
            mismatch(store.data().component_id(), what).into()
        }
        error => error.into(),
    })
}

/// Gives a stream to an instance.
pub(crate) fn put(
    mut store: StoreContextMut<'_, InstanceState>,
    stream: Moved,
) -> wasmtime::Result<ResourceAny> {
    let table = &mut store.data_mut().table;
    match stream {
        Moved::Input(stream) => ResourceAny::try_from_resource(table.push(stream)?, store),
        Moved::Output(stream) => ResourceAny::try_from_resource(table.push(stream)?, store),
    }
}
