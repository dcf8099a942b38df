//! What most tests begin with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;
use wasmcloud_test_kit::guests::{example, guest};
use wasmcloud_test_kit::manifest::Manifest;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Ended, Launch, Wash};

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

/// A host with a lattice of its own, as `wash up` starts them, which commands find by its folder.
pub(crate) struct Machine {
    pub(crate) host: Wash,
    pub(crate) data: PathBuf,
}

impl Machine {
    /// `wash up`, ready.
    pub(crate) fn start() -> Result<Self> {
        let launch = Launch::command(WASH, &["-o", "json", "up"])?;
        let data = launch.file("data");
        let launch = launch
            .arg("--data-dir")
            .arg(&data)
            .arg("--cache-dir")
            .arg(cache());
        Ok(Self {
            host: launch.ready()?,
            data,
        })
    }

    /// A command that finds the lattice, to be run.
    pub(crate) fn launch(&self, args: &[&str]) -> Result<Launch> {
        Ok(wash(args)?
            .env("WASMCLOUD_DATA_DIR", &self.data)
            .env("WASMCLOUD_CTL_TIMEOUT_MS", "20000"))
    }

    /// The same, run to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Result<Ended> {
        self.launch(args)?.run()
    }

    /// The JSON that a command prints that works.
    pub(crate) fn value(&self, args: &[&str]) -> Result<Value> {
        let ended = self.run(&[&["-o", "json"], args].concat())?;
        assert_eq!(ended.code, 0, "{args:?}\n{}", ended.text());
        assert_eq!(ended.stdout.len(), 1, "{args:?}\n{}", ended.text());
        ended.events().pop().context("JSON was printed")
    }
}
