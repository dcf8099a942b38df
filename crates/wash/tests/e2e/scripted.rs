//! Commands against hosts and a controller that do as a script says, in a lattice of the test's own.

use std::future::Future;

use anyhow::{Context as _, Result};
use serde_json::Value;
use wasmcloud_test_kit::process::{Ended, Launch};
use wasmcloud_test_lattice::TestLattice;

use crate::support::wash;

/// Patience for hosts of a busy machine, where no test is about their silence.
const TIMEOUT: &str = "20000";

/// Runs a test that has hosts in this process.
pub(crate) fn with_lattice<F: Future<Output = Result<()>>>(
    test: impl FnOnce(TestLattice) -> F,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async { test(TestLattice::embedded().await?).await })
}

pub(crate) fn launch(lattice: &TestLattice, args: &[&str]) -> Result<Launch> {
    Ok(wash(args)?
        .env("WASMCLOUD_NATS_URL", lattice.url())
        .env("WASMCLOUD_CTL_TIMEOUT_MS", TIMEOUT))
}

/// Runs a command to its end while the hosts go on.
pub(crate) async fn run(lattice: &TestLattice, args: &[&str]) -> Result<Ended> {
    let launch = launch(lattice, args)?;
    tokio::task::spawn_blocking(move || launch.run()).await?
}

/// The same for a command that works; its lines on stdout.
pub(crate) async fn text(lattice: &TestLattice, args: &[&str]) -> Result<String> {
    let ended = run(lattice, args).await?;
    assert_eq!(ended.code, 0, "{args:?}\n{}", ended.text());
    Ok(ended.stdout.join("\n"))
}

/// The same as JSON: one object, and nothing beside it.
pub(crate) async fn value(lattice: &TestLattice, args: &[&str]) -> Result<Value> {
    let ended = run(lattice, &[&["-o", "json"], args].concat()).await?;
    assert_eq!(ended.code, 0, "{args:?}\n{}", ended.text());
    assert!(
        ended.stdout.len() == 1 && ended.stderr.is_empty(),
        "{args:?}\n{}",
        ended.text()
    );
    ended.events().pop().context("JSON was printed")
}

/// The same for a command that fails: what it says.
pub(crate) async fn refused(lattice: &TestLattice, args: &[&str]) -> Result<String> {
    let ended = run(lattice, args).await?;
    assert_eq!(ended.code, 1, "{args:?}\n{}", ended.text());
    assert!(ended.stdout.is_empty(), "{args:?}\n{}", ended.text());
    Ok(ended.stderr.join("\n"))
}
