//! What `interfaces()` promises is linked: a component that imports everything in a contract finds all of it.

use anyhow::{Context as _, Result};
use wasmcloud_cap_keyvalue::KeyValue;
use wasmcloud_capability::{Capability, InstanceState};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// A component that imports the given interface with all of its functions.
fn importing(contract: &str, interface: &str) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let path = format!("{}/wit/{contract}", env!("CARGO_MANIFEST_DIR"));
    resolve.push_dir(path)?;
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
    KeyValue.link(&mut linker)?;
    for name in KeyValue.interfaces() {
        let (unversioned, version) = name.split_once('@').context("a version")?;
        assert!(KeyValue.linked_interfaces().contains(&unversioned), "{name}");
        let contract = version.trim_start_matches("0.2.0-");
        let component = Component::new(&engine, importing(contract, name)?)?;
        linker
            .instantiate_pre(&component)
            .map_err(|error| anyhow::anyhow!("link {name}: {error:?}"))?;
    }
    Ok(())
}
