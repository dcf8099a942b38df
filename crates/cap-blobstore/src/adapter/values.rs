//! The interface `types`: values that come and go.

use wasmcloud_capability::InstanceState;
use wasmtime::component::Resource;
use wasmtime::error::Context as _;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};

use super::wit::types::{Host, HostIncomingValue, HostOutgoingValue};
use super::{Answer, told};
use crate::calls;
use crate::incoming::IncomingValue;
use crate::outgoing::OutgoingValue;

impl Host for InstanceState {}

impl HostOutgoingValue for InstanceState {
    async fn new_outgoing_value(&mut self) -> wasmtime::Result<Resource<OutgoingValue>> {
        let open = calls::open(self);
        Ok(self.table.push(OutgoingValue::new(open))?)
    }

    async fn outgoing_value_write_body(
        &mut self,
        value: Resource<OutgoingValue>,
    ) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        let Some(body) = self.table.get_mut(&value)?.body() else {
            return Ok(Err(()));
        };
        let body: DynOutputStream = Box::new(body);
        Ok(Ok(self.table.push_child(body, &value)?))
    }

    async fn finish(&mut self, value: Resource<OutgoingValue>) -> Answer<()> {
        let value = self
            .table
            .delete(value)
            .context("finish an outgoing-value whose stream was not dropped")?;
        Ok(told(value.finish().await))
    }

    async fn drop(&mut self, value: Resource<OutgoingValue>) -> wasmtime::Result<()> {
        self.table
            .delete(value)
            .context("drop an outgoing-value whose stream was not dropped")?;
        Ok(())
    }
}

impl HostIncomingValue for InstanceState {
    async fn incoming_value_consume_sync(&mut self, value: Resource<IncomingValue>) -> Answer<Vec<u8>> {
        let value = self.table.delete(value)?;
        Ok(told(value.whole().await))
    }

    async fn incoming_value_consume_async(
        &mut self,
        value: Resource<IncomingValue>,
    ) -> Answer<Resource<DynInputStream>> {
        let stream: DynInputStream = Box::new(self.table.delete(value)?.into_stream());
        Ok(Ok(self.table.push(stream)?))
    }

    /// The contract has no error here, so one is a trap with its reason.
    async fn size(&mut self, value: Resource<IncomingValue>) -> wasmtime::Result<u64> {
        let size = self.table.get(&value)?.size();
        Ok(size.await?)
    }

    async fn drop(&mut self, value: Resource<IncomingValue>) -> wasmtime::Result<()> {
        self.table.delete(value)?;
        Ok(())
    }
}
