//! The interface `container`.

use wasmcloud_capability::InstanceState;
use wasmtime::component::Resource;

use super::wit::container::{Host, HostContainer, HostStreamObjectNames};
use super::wit::types::{ContainerMetadata, ObjectMetadata};
use super::{Answer, told};
use crate::calls::{self, Calls, Container};
use crate::incoming::{IncomingValue, Listing};
use crate::outgoing::OutgoingValue;
use crate::store::{ObjectId, check_batch, check_range};

/// The calls that a guest's handle stands for, in the invocation of now, and the name of the container.
fn opened(state: &InstanceState, container: &Resource<Container>) -> wasmtime::Result<(Calls, String)> {
    let container = state.table.get(container)?;
    Ok((Calls::new(state, &container.place), container.name.clone()))
}

/// The same with an object in it.
fn named(
    state: &InstanceState,
    container: &Resource<Container>,
    object: String,
) -> wasmtime::Result<(Calls, ObjectId)> {
    let (calls, container) = opened(state, container)?;
    Ok((calls, ObjectId { container, object }))
}

impl Host for InstanceState {}

impl HostContainer for InstanceState {
    async fn name(&mut self, container: Resource<Container>) -> Answer<String> {
        Ok(Ok(self.table.get(&container)?.name.clone()))
    }

    async fn info(&mut self, container: Resource<Container>) -> Answer<ContainerMetadata> {
        let (calls, name) = opened(self, &container)?;
        let info = calls.wait("`info`", calls.store.container_info(&name)).await;
        Ok(told(info.map(|info| ContainerMetadata {
            name,
            created_at: info.created_at,
        })))
    }

    async fn get_data(
        &mut self,
        container: Resource<Container>,
        name: String,
        start: u64,
        end: u64,
    ) -> Answer<Resource<IncomingValue>> {
        let (calls, id) = named(self, &container, name)?;
        let open = calls::open(self);
        let read = async {
            check_range(start, end)?;
            let open = open?;
            let read = calls.store.read(&id, start, end);
            Ok((calls.wait("`get-data`", read).await?, open))
        };
        match read.await {
            Ok((reader, open)) => {
                let value = IncomingValue {
                    calls,
                    id,
                    start,
                    end,
                    reader,
                    open,
                };
                Ok(Ok(self.table.push(value)?))
            }
            Err(error) => Ok(told(Err(error))),
        }
    }

    async fn write_data(
        &mut self,
        container: Resource<Container>,
        name: String,
        data: Resource<OutgoingValue>,
    ) -> Answer<()> {
        let (calls, id) = named(self, &container, name)?;
        if let Err(error) = self.table.get(&data)?.check_homeless() {
            return Ok(told(Err(error)));
        }
        match calls.wait("`write-data`", calls.store.write(&id)).await {
            Ok(writer) => {
                self.table.get_mut(&data)?.goes_to(id, writer, calls.deadline);
                Ok(Ok(()))
            }
            Err(error) => Ok(told(Err(error))),
        }
    }

    async fn list_objects(&mut self, container: Resource<Container>) -> Answer<Resource<Listing>> {
        let (calls, name) = opened(self, &container)?;
        let open = calls::open(self);
        let listed = async {
            let open = open?;
            let list = calls.store.list_objects(&name, None, 0);
            Ok(Listing::new(calls.wait("`list-objects`", list).await?, open))
        };
        match listed.await {
            Ok(listing) => Ok(Ok(self.table.push(listing)?)),
            Err(error) => Ok(told(Err(error))),
        }
    }

    async fn delete_object(&mut self, container: Resource<Container>, name: String) -> Answer<()> {
        let (calls, id) = named(self, &container, name)?;
        Ok(told(
            calls
                .wait("`delete-object`", calls.store.delete_object(&id))
                .await,
        ))
    }

    async fn delete_objects(&mut self, container: Resource<Container>, names: Vec<String>) -> Answer<()> {
        let (calls, name) = opened(self, &container)?;
        let deleted = async {
            check_batch(names.len())?;
            let delete = calls.store.delete_objects(&name, names);
            calls.wait("`delete-objects`", delete).await
        };
        Ok(told(deleted.await))
    }

    async fn has_object(&mut self, container: Resource<Container>, name: String) -> Answer<bool> {
        let (calls, id) = named(self, &container, name)?;
        Ok(told(
            calls.wait("`has-object`", calls.store.has_object(&id)).await,
        ))
    }

    async fn object_info(&mut self, container: Resource<Container>, name: String) -> Answer<ObjectMetadata> {
        let (calls, id) = named(self, &container, name)?;
        let info = calls.wait("`object-info`", calls.store.object_info(&id)).await;
        Ok(told(info.map(|info| ObjectMetadata {
            name: id.object,
            container: id.container,
            created_at: info.created_at,
            size: info.size,
        })))
    }

    async fn clear(&mut self, container: Resource<Container>) -> Answer<()> {
        let (calls, name) = opened(self, &container)?;
        Ok(told(
            calls.wait("`clear`", calls.store.clear_container(&name)).await,
        ))
    }

    async fn drop(&mut self, container: Resource<Container>) -> wasmtime::Result<()> {
        self.table.delete(container)?;
        Ok(())
    }
}

impl HostStreamObjectNames for InstanceState {
    async fn read_stream_object_names(
        &mut self,
        listing: Resource<Listing>,
        len: u64,
    ) -> Answer<(Vec<String>, bool)> {
        let deadline = self.invocation().deadline;
        Ok(told(self.table.get_mut(&listing)?.read(len, deadline).await))
    }

    async fn skip_stream_object_names(
        &mut self,
        listing: Resource<Listing>,
        num: u64,
    ) -> Answer<(u64, bool)> {
        let deadline = self.invocation().deadline;
        Ok(told(self.table.get_mut(&listing)?.skip(num, deadline).await))
    }

    async fn drop(&mut self, listing: Resource<Listing>) -> wasmtime::Result<()> {
        self.table.delete(listing)?;
        Ok(())
    }
}
