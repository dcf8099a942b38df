//! `wasi:config`: a component reads its named values as they are now.

use wasmcloud_capability::{Capability, InstanceState};
use wasmtime::component::{HasSelf, Linker};

mod draft_runtime {
    wasmtime::component::bindgen!({
        path: "wit/config-runtime",
        world: "imports",
        imports: { default: trappable },
        require_store_data_send: true,
    });
}

mod draft_store {
    wasmtime::component::bindgen!({
        path: "wit/config-store",
        world: "imports",
        imports: { default: trappable },
        require_store_data_send: true,
    });
}

pub(crate) use draft_runtime::wasi::config::runtime;
pub(crate) use draft_store::wasi::config::store;

/// `wasi:config/{runtime,store}`: the first name of the interface and the present one, in all versions in use.
///
/// Every call reads the component's config of that moment, so a change shows in instances that already run. A config
/// is in memory, so the contract's errors do not occur.
pub struct Config;

/// Versions of `store` beside the one that the bindings are made from, with the same functions and types.
const SAME_STORE: &[&str] = &[
    "wasi:config/store@0.2.0-draft-2024-09-27",
    "wasi:config/store@0.2.0-rc.1",
];

impl Capability for Config {
    fn link(&self, linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
        runtime::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
        store::add_to_linker::<_, HasSelf<InstanceState>>(linker, |state| state)?;
        for name in SAME_STORE {
            let mut instance = linker.instance(name)?;
            store::add_to_linker_instance::<_, HasSelf<InstanceState>>(&mut instance, |state| state)?;
        }
        Ok(())
    }

    fn interfaces(&self) -> &'static [&'static str] {
        &[
            "wasi:config/runtime@0.2.0-draft",
            "wasi:config/store@0.2.0-draft",
            "wasi:config/store@0.2.0-draft-2024-09-27",
            "wasi:config/store@0.2.0-rc.1",
        ]
    }
}

fn get(state: &InstanceState, key: &str) -> Option<String> {
    state.component().config().get(key).cloned()
}

/// All values, in the order of their keys.
fn get_all(state: &InstanceState) -> Vec<(String, String)> {
    let config = state.component().config();
    config
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

impl runtime::Host for InstanceState {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, runtime::ConfigError>> {
        Ok(Ok(get(self, &key)))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, runtime::ConfigError>> {
        Ok(Ok(get_all(self)))
    }
}

impl store::Host for InstanceState {
    fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, store::Error>> {
        Ok(Ok(get(self, &key)))
    }

    fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, store::Error>> {
        Ok(Ok(get_all(self)))
    }
}
