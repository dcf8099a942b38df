//! What `interfaces()` promises is linked: a component that imports everything in a contract finds all of it.

use anyhow::Result;
use wasmcloud_cap_blobstore::Blobstore;
use wasmcloud_capability::{Capability, InstanceState};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

/// A component that imports the given interface with all of its functions.
fn importing(interface: &str) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/wit/draft"))?;
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
    Blobstore.link(&mut linker)?;
    // Streams are the engine's: it links them for every component.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    for name in Blobstore.interfaces() {
        let component = Component::new(&engine, importing(name)?)?;
        linker
            .instantiate_pre(&component)
            .map_err(|error| anyhow::anyhow!("link {name}: {error:?}"))?;
    }
    Ok(())
}
