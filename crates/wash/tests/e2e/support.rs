//! What most tests begin with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use wasmcloud_test_kit::guests::{example, guest};
use wasmcloud_test_kit::manifest::Manifest;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Launch, Wash};

/// The program under test.
pub(crate) const WASH: &str = env!("CARGO_BIN_EXE_wash");

/// Compiled code, shared by all tests and kept between runs.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("wash-cache")
}

/// `wash up` with this manifest.
pub(crate) fn up(manifest: &str) -> Result<Launch> {
    Launch::up(WASH, &cache(), manifest)
}

/// Any other command.
pub(crate) fn wash(args: &[&str]) -> Result<Launch> {
    Launch::command(WASH, args)
}

/// The guest with everything a host has to survive, behind HTTP at this address.
pub(crate) fn misbehave(
    address: SocketAddr,
    limits: &[(&str, &str)],
    settings: &[(&str, &str)],
) -> Result<Manifest> {
    let manifest = Manifest::of("guest", &guest("http_misbehave")?).runtime(limits);
    let manifest = manifest.uses("http-client", "wasi", "http", &["outgoing-handler"]);
    Ok(manifest.http("guest", address, settings))
}

/// The same, running.
pub(crate) fn run_misbehave(
    limits: &[(&str, &str)],
    settings: &[(&str, &str)],
) -> Result<(Wash, SocketAddr)> {
    let address = free_address()?;
    let wash = up(&misbehave(address, limits, settings)?.text())?.ready()?;
    Ok((wash, address))
}

/// The smallest application, at this address.
pub(crate) fn hello(address: SocketAddr) -> Result<Manifest> {
    let file = example("http-hello-world", "http_hello_world")?;
    Ok(Manifest::of("hello", &file).http("hello", address, &[]))
}
