//! `wasmcloud:bus/lattice`: a component with several links for one interface says which one it means.

use wasmcloud_capability::{Capability, InstanceState};
use wasmcloud_core::LinkName;
use wasmtime::component::{HasSelf, Linker, Resource};

mod bus_1 {
    wasmtime::component::bindgen!({
        inline: "
            package wasmcloud:host-bus;
            world host { import wasmcloud:bus/lattice@1.0.0; }
        ",
        path: "wit/bus-1",
        world: "wasmcloud:host-bus/host",
        imports: { default: trappable },
        require_store_data_send: true,
        with: { "wasmcloud:bus/lattice.call-target-interface": crate::bus::CallTarget },
    });
}

mod bus_2 {
    wasmtime::component::bindgen!({
        inline: "
            package wasmcloud:host-bus;
            world host { import wasmcloud:bus/lattice@2.0.0; }
        ",
        path: "wit/bus-2",
        world: "wasmcloud:host-bus/host",
        imports: { default: trappable },
        require_store_data_send: true,
        with: { "wasmcloud:bus/lattice.call-target-interface": crate::bus::CallTarget },
    });
}

pub(crate) use bus_1::wasmcloud::bus::lattice as lattice_1;
pub(crate) use bus_2::wasmcloud::bus::lattice as lattice_2;

/// `wasmcloud:bus/lattice` 1.0.0, 2.0.0 and 2.0.1.
///
/// A choice holds for one interface and for the invocation in which it is made. Version 1 cannot report that there is
/// no such link; the call that follows does. Version 2 checks all interfaces first and changes nothing if one has no
/// such link.
pub struct Bus;

impl Capability for Bus {
    fn link(&self, linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
        lattice_1::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
        lattice_2::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
        // 2.0.1 added another interface and left this one as it was.
        let mut instance = linker.instance("wasmcloud:bus/lattice@2.0.1")?;
        lattice_2::add_to_linker_instance::<_, HasSelf<InstanceState>>(&mut instance, |state| state)
    }

    fn interfaces(&self) -> &'static [&'static str] {
        &[
            "wasmcloud:bus/lattice@1.0.0",
            "wasmcloud:bus/lattice@2.0.0",
            "wasmcloud:bus/lattice@2.0.1",
        ]
    }
}

/// The interface that a guest names: `namespace:package/interface`.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct CallTarget(String);

/// Longest name of an interface, in bytes. A guest can hold thousands of them.
const MAX_INTERFACE: usize = 512;

impl CallTarget {
    fn new(namespace: &str, package: &str, interface: &str) -> wasmtime::Result<Self> {
        let name = format!("{namespace}:{package}/{interface}");
        if name.len() > MAX_INTERFACE {
            // The contract's constructor has no error to return.
            return Err(wasmtime::Error::msg(format!(
                "the name of an interface has {} bytes, the limit is {MAX_INTERFACE}",
                name.len()
            )));
        }
        Ok(Self(name))
    }
}

/// Takes the guest's handles out of its table: it gave them away with the call.
fn take(state: &mut InstanceState, targets: Vec<Resource<CallTarget>>) -> wasmtime::Result<Vec<String>> {
    targets
        .into_iter()
        .map(|target| Ok(state.table.delete(target)?.0))
        .collect()
}

fn choose(state: &mut InstanceState, interfaces: &[String], link: &LinkName) {
    for interface in interfaces {
        state.invocation_mut().set_link_name(interface, link.clone());
    }
}

impl lattice_1::Host for InstanceState {
    fn set_link_name(&mut self, name: String, interfaces: Vec<Resource<CallTarget>>) -> wasmtime::Result<()> {
        let mut interfaces = take(self, interfaces)?;
        // Going on without the choice would send calls to another target than the guest meant, and this version has
        // no error to return: a name that no link can have ends the guest.
        let link: LinkName = name.parse().map_err(wasmtime::Error::new)?;
        // Calls to an interface without any link fail whatever is chosen; not to note those keeps the choices few.
        let links = self.component().links();
        interfaces.retain(|interface| links.has_interface(interface));
        drop(links);
        choose(self, &interfaces, &link);
        Ok(())
    }
}

impl lattice_2::Host for InstanceState {
    fn set_link_name(
        &mut self,
        name: String,
        interfaces: Vec<Resource<CallTarget>>,
    ) -> wasmtime::Result<Result<(), String>> {
        let interfaces = take(self, interfaces)?;
        let link: LinkName = match name.parse() {
            Ok(link) => link,
            Err(error) => return Ok(Err(format!("{error}"))),
        };
        // `default` takes a choice back and needs no link for that (v1 wire reference §4.5).
        if link != LinkName::default_name() {
            let links = self.component().links();
            let missing = interfaces
                .iter()
                .find(|interface| links.find(interface, link.as_str()).is_none());
            if let Some(interface) = missing {
                return Ok(Err(format!(
                    "interface `{interface}` does not have an existing link with name `{link}`"
                )));
            }
        }
        choose(self, &interfaces, &link);
        Ok(Ok(()))
    }
}

macro_rules! call_target_interface {
    ($lattice:ident) => {
        impl $lattice::HostCallTargetInterface for InstanceState {
            fn new(
                &mut self,
                namespace: String,
                package: String,
                interface: String,
            ) -> wasmtime::Result<Resource<CallTarget>> {
                let target = CallTarget::new(&namespace, &package, &interface)?;
                Ok(self.table.push(target)?)
            }

            fn drop(&mut self, target: Resource<CallTarget>) -> wasmtime::Result<()> {
                self.table.delete(target)?;
                Ok(())
            }
        }
    };
}

call_target_interface!(lattice_1);
call_target_interface!(lattice_2);
