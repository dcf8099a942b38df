//! `wasi:http` in the linker, for the 0.2 and the 0.3 version.

use wasmcloud_capability::{Capability, InstanceState};
use wasmtime::component::Linker;
use wasmtime_wasi_http::{WasiHttp, WasiHttpCtxView, p2, p3};

use crate::egress;
use crate::hooks::{HttpSlot, outgoing_context};

/// The HTTP capability as guests import it.
pub struct Http;

impl Capability for Http {
    fn link(&self, linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
        let options = p2::bindings::LinkOptions::default();
        p2::bindings::http::types::add_to_linker::<_, WasiHttp>(linker, &options.into(), view)?;
        p2::bindings::http::outgoing_handler::add_to_linker::<_, WasiHttp>(linker, outgoing_view)
    }

    fn link_concurrent(&self, linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
        p3::bindings::http::types::add_to_linker::<_, WasiHttp>(linker, view)?;
        p3::bindings::http::client::add_to_linker::<_, WasiHttp>(linker, outgoing_view)
    }

    fn interfaces(&self) -> &'static [&'static str] {
        &[
            "wasi:http/types@0.2.12",
            "wasi:http/outgoing-handler@0.2.12",
            "wasi:http/types@0.3.0",
            "wasi:http/client@0.3.0",
        ]
    }

    fn linked_interfaces(&self) -> &'static [&'static str] {
        &[egress::INTERFACE, egress::INTERFACE_P3]
    }
}

/// The `wasi:http` state of an instance.
pub(crate) fn view(state: &mut InstanceState) -> WasiHttpCtxView<'_> {
    let (slot, table) = state.slot_and_table(HttpSlot::new);
    WasiHttpCtxView {
        hooks: &mut slot.hooks,
        ctx: &mut slot.ctx,
        table,
    }
}

/// The same for calls that send a request, which need to know the invocation's deadline and link.
fn outgoing_view(state: &mut InstanceState) -> WasiHttpCtxView<'_> {
    let (deadline, depth, link) = outgoing_context(state);
    let (slot, table) = state.slot_and_table(HttpSlot::new);
    slot.hooks.refresh(deadline, depth, &link);
    WasiHttpCtxView {
        hooks: &mut slot.hooks,
        ctx: &mut slot.ctx,
        table,
    }
}
