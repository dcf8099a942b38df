//! The data of one store: everything the host keeps beside one live instance.

use std::any::Any;
use std::sync::Arc;

use wasmcloud_core::ComponentId;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::component::ComponentContext;
use crate::invocation::{CurrentInvocation, Invocation};
use crate::limiter::MemoryLimiter;
use crate::links::{Endpoint, LinkEntry, NoLink};
use crate::logs::{LogStream, Stdio};
use crate::provider::Handle;

/// Most handles a guest may hold at once (streams, bodies, fields, buckets). Each costs host memory.
const MAX_HANDLES: usize = 10_000;

/// Largest block of random bytes in one call, 1 MiB: the host allocates it.
const MAX_RANDOM: u64 = 1 << 20;

/// The data of one store.
///
/// Making one is on the path of every request, so it holds no more than what every instance needs; the WASI context
/// and the state of each capability come into being when the guest first uses them.
pub struct InstanceState {
    /// Counts the guest's memory.
    pub limiter: MemoryLimiter,
    invocation: Invocation,
    component: Arc<ComponentContext>,
    wasi: Option<Box<(WasiCtx, CurrentInvocation)>>,
    slots: Vec<Box<dyn Any + Send>>,
    /// The guest's handles. Last, so that it is dropped last: a capability's slot that is dropped may first break off
    /// what an unfinished body in here would otherwise end as if it were whole.
    pub table: ResourceTable,
}

impl InstanceState {
    /// The state of a fresh instance of `component` with at most `memory` bytes of linear memory.
    pub fn new(component: Arc<ComponentContext>, invocation: Invocation, memory: u64) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Self {
            invocation,
            table,
            limiter: MemoryLimiter::new(memory),
            component,
            wasi: None,
            slots: Vec::new(),
        }
    }

    /// The call this instance is handling.
    pub fn invocation(&self) -> &Invocation {
        &self.invocation
    }

    /// The call this instance is handling, to choose its link names.
    pub fn invocation_mut(&mut self) -> &mut Invocation {
        &mut self.invocation
    }

    /// Hands a reused instance its next call.
    pub fn set_invocation(&mut self, invocation: Invocation) {
        if let Some(wasi) = &self.wasi {
            wasi.1.set(invocation.id);
        }
        self.invocation = invocation;
    }

    /// What the instances of this component share.
    pub fn component(&self) -> &Arc<ComponentContext> {
        &self.component
    }

    /// The id of the component.
    pub fn component_id(&self) -> &ComponentId {
        self.component.id()
    }

    /// The state of one capability in this instance, made by `init` at its first use. Instances use few
    /// capabilities, so this walks a short list instead of hashing a type.
    pub fn slot<T: Send + 'static>(&mut self, init: impl FnOnce(&Arc<ComponentContext>) -> T) -> &mut T {
        self.slot_and_table(init).0
    }

    /// Like [`InstanceState::slot`], together with the guest's handles.
    pub fn slot_and_table<T: Send + 'static>(
        &mut self,
        init: impl FnOnce(&Arc<ComponentContext>) -> T,
    ) -> (&mut T, &mut ResourceTable) {
        let at = match self.slots.iter().position(|slot| slot.is::<T>()) {
            Some(at) => at,
            None => {
                self.slots.push(Box::new(init(&self.component)));
                self.slots.len() - 1
            }
        };
        let slot = self
            .slots
            .get_mut(at)
            .and_then(|slot| slot.downcast_mut::<T>())
            .expect("the slot at this position was found or pushed with this type above");
        (slot, &mut self.table)
    }

    /// The state of one capability, if the instance has used it.
    pub fn get_slot<T: Send + 'static>(&self) -> Option<&T> {
        self.slots.iter().find_map(|slot| slot.downcast_ref::<T>())
    }

    /// This invocation's link for `interface` (`namespace:package/interface`, no version).
    pub fn link(&self, interface: &str) -> Result<Arc<LinkEntry>, NoLink> {
        let name = self.invocation.link_name(interface);
        match self.component.links().find(interface, name) {
            Some(entry) => Ok(Arc::clone(entry)),
            None => Err(NoLink {
                component: self.component_id().clone(),
                link: name.to_owned(),
                interface: interface.to_owned(),
            }),
        }
    }

    /// The built-in provider's handle behind this invocation's link, as a type that its adapter knows. The error is
    /// a sentence for the guest.
    pub fn builtin<T: Send + Sync + 'static>(&self, interface: &str) -> Result<Arc<T>, String> {
        match &self.link(interface).map_err(|error| error.to_string())?.endpoint {
            Endpoint::Builtin(handle) => Handle::downcast::<T>(Arc::clone(handle)).map_err(|_| {
                format!("the target of the link for `{interface}` is a provider of something else")
            }),
            Endpoint::Component(_) => Err(format!("the target of the link for `{interface}` is a component")),
            Endpoint::Absent(reason) => Err(reason.to_string()),
        }
    }

    /// The same for a capability whose providers may be on other hosts, over a link whose calls do not
    /// [travel](LinkEntry::travels_by): says then what would let them. `what` is the kind of provider.
    pub fn builtin_here<T: Send + Sync + 'static>(
        &self,
        link: &LinkEntry,
        interface: &str,
        what: &str,
    ) -> Result<Arc<T>, String> {
        let hint = match (&link.endpoint, &link.elsewhere) {
            (Endpoint::Builtin(_), _) | (_, None) => "",
            _ => "; hint: the route of the link is `local`, with `auto` the provider may be on another host",
        };
        match (&link.endpoint, hint) {
            (Endpoint::Component(_), "") => Err(format!(
                "the target of the link for `{interface}` is a component; {what} served by a component is not \
                 supported yet"
            )),
            (Endpoint::Component(_), _) => Err(format!(
                "no {what} provider `{}` runs on this host{hint}",
                link.target
            )),
            _ => self.builtin(interface).map_err(|error| error + hint),
        }
    }
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| {
            // No environment, no files, no sockets, no stdin: nothing is allowed unless granted. The argument is the
            // one v1 passed (wire reference §2.3).
            let current = CurrentInvocation::new(self.invocation.id);
            let log = |stdio| LogStream::new(self.component.id().clone(), current.clone(), stdio);
            let ctx = WasiCtxBuilder::new()
                .arg("main.wasm")
                .stdout(log(Stdio::Out))
                .stderr(log(Stdio::Err))
                .max_random_size(MAX_RANDOM)
                .allow_tcp(false)
                .allow_udp(false)
                .build();
            Box::new((ctx, current))
        });
        WasiCtxView {
            ctx: &mut wasi.0,
            table: &mut self.table,
        }
    }
}
