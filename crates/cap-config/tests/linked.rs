//! What `interfaces()` promises is linked: a component that imports everything in a contract finds all of it.

use anyhow::{Context as _, Result};
use wasmcloud_cap_config::{Bus, Config, Logging};
use wasmcloud_capability::{Capability, InstanceState};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// The file that has each interface.
const CONTRACTS: &[(&str, &str)] = &[
    ("wasi:config/runtime", "config-runtime/runtime_config.wit"),
    ("wasi:config/store", "config-store/store.wit"),
    ("wasi:logging/logging", "logging/logging.wit"),
    ("wasmcloud:bus/lattice@1", "bus-1/bus.wit"),
    ("wasmcloud:bus/lattice@2", "bus-2/bus.wit"),
];

/// A component that imports the given interface with all of its functions, whatever version its contract states.
fn importing(interface: &str) -> Result<Vec<u8>> {
    let (_, file) = CONTRACTS
        .iter()
        .find(|(name, _)| interface.starts_with(name))
        .with_context(|| format!("{interface} has no contract here"))?;
    let text = std::fs::read_to_string(format!("{}/wit/{file}", env!("CARGO_MANIFEST_DIR")))?;
    let (name, version) = match interface.split_once('@') {
        Some((name, version)) => (name, format!("@{version}")),
        None => (interface, String::new()),
    };
    let (package, _) = name.split_once('/').context("an interface")?;
    let mut contract = format!("package {package}{version};\n");
    for line in text.lines().filter(|line| !line.starts_with("package ")) {
        contract.push_str(line);
        contract.push('\n');
    }

    let mut resolve = Resolve::default();
    resolve.push_str("contract.wit", &contract)?;
    let world = format!("package test:test; world guest {{ import {interface}; }}");
    let package = resolve.push_str("guest.wit", &world)?;
    let world = resolve.select_world(&[package], None)?;
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.encode()
}

#[test]
fn every_interface_is_linked_with_all_its_functions() -> Result<()> {
    let engine = Engine::default();
    let mut linker: Linker<InstanceState> = Linker::new(&engine);
    let capabilities: [&dyn Capability; 3] = [&Config, &Logging, &Bus];
    for capability in capabilities {
        capability.link(&mut linker)?;
    }
    for capability in capabilities {
        assert!(
            capability.linked_interfaces().is_empty(),
            "none of these needs a link"
        );
        for name in capability.interfaces() {
            let component = Component::new(&engine, importing(name)?)?;
            linker
                .instantiate_pre(&component)
                .map_err(|error| anyhow::anyhow!("link {name}: {error:?}"))?;
        }
    }
    Ok(())
}
