//! Which imports a component finds answered without any link: WASI itself and what the host's capabilities add.

use std::sync::{Arc, OnceLock};

use wasmcloud_capability::{Capability, InstanceState};
use wasmcloud_core::InterfaceName;
use wasmtime::component::Linker;

use crate::compile::Compiled;
use crate::imports::UnsatisfiedImport;
use crate::runtime::{Engine, Flavor};

/// The interfaces of WASI 0.2 that every component may import (wasmtime-wasi 48). Files and sockets are there and
/// deny everything, as in v1 (wire reference §2.3).
const WASI_P2: &[&str] = &[
    "wasi:cli/environment@0.2.12",
    "wasi:cli/exit@0.2.12",
    "wasi:cli/stderr@0.2.12",
    "wasi:cli/stdin@0.2.12",
    "wasi:cli/stdout@0.2.12",
    "wasi:cli/terminal-input@0.2.12",
    "wasi:cli/terminal-output@0.2.12",
    "wasi:cli/terminal-stderr@0.2.12",
    "wasi:cli/terminal-stdin@0.2.12",
    "wasi:cli/terminal-stdout@0.2.12",
    "wasi:clocks/monotonic-clock@0.2.12",
    "wasi:clocks/wall-clock@0.2.12",
    "wasi:filesystem/preopens@0.2.12",
    "wasi:filesystem/types@0.2.12",
    "wasi:io/error@0.2.12",
    "wasi:io/poll@0.2.12",
    "wasi:io/streams@0.2.12",
    "wasi:random/insecure-seed@0.2.12",
    "wasi:random/insecure@0.2.12",
    "wasi:random/random@0.2.12",
    "wasi:sockets/instance-network@0.2.12",
    "wasi:sockets/ip-name-lookup@0.2.12",
    "wasi:sockets/network@0.2.12",
    "wasi:sockets/tcp-create-socket@0.2.12",
    "wasi:sockets/tcp@0.2.12",
    "wasi:sockets/udp-create-socket@0.2.12",
    "wasi:sockets/udp@0.2.12",
];

/// The interfaces of WASI 0.3, for components that use it.
const WASI_P3: &[&str] = &[
    "wasi:cli/environment@0.3.0",
    "wasi:cli/exit@0.3.0",
    "wasi:cli/stderr@0.3.0",
    "wasi:cli/stdin@0.3.0",
    "wasi:cli/stdout@0.3.0",
    "wasi:cli/terminal-input@0.3.0",
    "wasi:cli/terminal-output@0.3.0",
    "wasi:cli/terminal-stderr@0.3.0",
    "wasi:cli/terminal-stdin@0.3.0",
    "wasi:cli/terminal-stdout@0.3.0",
    "wasi:cli/types@0.3.0",
    "wasi:clocks/monotonic-clock@0.3.0",
    "wasi:clocks/system-clock@0.3.0",
    "wasi:clocks/types@0.3.0",
    "wasi:filesystem/preopens@0.3.0",
    "wasi:filesystem/types@0.3.0",
    "wasi:random/insecure-seed@0.3.0",
    "wasi:random/insecure@0.3.0",
    "wasi:random/random@0.3.0",
    "wasi:sockets/ip-name-lookup@0.3.0",
    "wasi:sockets/types@0.3.0",
];

/// The linkers that all components start from, one for each flavor, made at first use.
pub struct Linkers {
    engine: Engine,
    capabilities: Vec<Arc<dyn Capability>>,
    plain: OnceLock<Linker<InstanceState>>,
    concurrent: OnceLock<Linker<InstanceState>>,
}

impl Linkers {
    /// Linkers with WASI and the given capabilities.
    pub fn new(engine: Engine, capabilities: Vec<Arc<dyn Capability>>) -> Self {
        Self {
            engine,
            capabilities,
            plain: OnceLock::new(),
            concurrent: OnceLock::new(),
        }
    }

    /// A linker for this component, to which its own imports can be added.
    pub fn for_component(&self, compiled: &Compiled) -> wasmtime::Result<Linker<InstanceState>> {
        let cell = match compiled.flavor {
            Flavor::Plain => &self.plain,
            Flavor::Concurrent => &self.concurrent,
        };
        if let Some(linker) = cell.get() {
            return Ok(linker.clone());
        }
        let linker = self.build(compiled.flavor)?;
        Ok(cell.get_or_init(|| linker).clone())
    }

    fn build(&self, flavor: Flavor) -> wasmtime::Result<Linker<InstanceState>> {
        let mut linker = Linker::new(self.engine.wasmtime(flavor)?);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        if flavor == Flavor::Concurrent {
            wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        }
        for capability in &self.capabilities {
            capability.link(&mut linker)?;
            if flavor == Flavor::Concurrent {
                capability.link_concurrent(&mut linker)?;
            }
        }
        Ok(linker)
    }

    /// Everything that is answered, with version.
    pub fn offered(&self) -> Vec<InterfaceName> {
        let own = self
            .capabilities
            .iter()
            .flat_map(|capability| capability.interfaces().iter());
        WASI_P2
            .iter()
            .chain(WASI_P3)
            .chain(own)
            .filter_map(|name| name.parse().ok())
            .collect()
    }

    /// The interfaces a component imports that are not part of the host, by their full names, and the problems: what
    /// nobody offers or what needs a link and has none. `linked` says whether a link answers an interface
    /// (`namespace:package/interface`).
    pub fn check(
        &self,
        compiled: &Compiled,
        linked: impl Fn(&str) -> bool,
    ) -> (Vec<String>, Vec<UnsatisfiedImport>) {
        let offered = self.offered();
        let needs_link = |interface: &str| {
            self.capabilities
                .iter()
                .any(|capability| capability.linked_interfaces().contains(&interface))
        };
        let (mut custom, mut problems) = (Vec::new(), Vec::new());
        for item in &compiled.described().imports {
            // A world may import functions and types at its root; the linker judges those.
            let Some(import) = item.interface() else { continue };
            let unversioned = import.unversioned();
            if offered.iter().any(|offer| offer.satisfies(&import)) {
                if needs_link(&unversioned) && !linked(&unversioned) {
                    problems.push(UnsatisfiedImport {
                        import: item.name.clone(),
                        closest: None,
                        needs_link: true,
                    });
                }
            } else if linked(&unversioned) || item.functions.is_empty() {
                // Interfaces of types only need nobody to answer them, but do need an entry in the linker.
                custom.push(item.name.clone());
            } else {
                let closest = import.closest(&offered).map(ToString::to_string);
                problems.push(UnsatisfiedImport {
                    import: item.name.clone(),
                    closest,
                    needs_link: false,
                });
            }
        }
        (custom, problems)
    }
}
