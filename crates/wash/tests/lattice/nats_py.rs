//! The script under `tests/nats-py`, which has nothing of ours, against a host on each lattice.

use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use wasmcloud_test_kit::guests::root;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Launch, SOON, Wash};

use crate::support::{embedded, hello, host, nats, up};

/// The version that `cargo xtask setup nats-py` installs.
const VERSION: &str = "2.16.0";

/// Where it is: beside the test's own executable, or in a folder above it.
fn nats_py() -> Result<PathBuf> {
    let here = env::current_exe()?;
    let mut above = here.ancestors().map(|dir| dir.join("nats-py").join(VERSION));
    above
        .find(|path| path.is_dir())
        .with_context(|| format!("nats-py {VERSION} is not there: run `cargo xtask setup nats-py`"))
}

fn drive(wash: &Wash, nats_url: &str) -> Result<()> {
    let script = root().join("tests/nats-py/drive.py");
    let ended = Launch::command("/usr/bin/env", &["python3", "-B"])?
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("PYTHONPATH", nats_py()?)
        .arg(script)
        .arg(nats_url)
        .arg("default")
        .arg(hello()?)
        .arg(free_address()?.to_string())
        .run()?;
    ensure!(ended.code == 0, "{}", ended.text());
    let last = ended.stdout.last().map(String::as_str);
    ensure!(last == Some("host: stopped"), "{}", ended.text());
    // The script has asked it to stop.
    let left = wash.wait_exit(SOON)?;
    ensure!(left.code == 0, "{}", left.text());
    Ok(())
}

#[test]
fn a_python_client_drives_a_host_on_nats() -> Result<()> {
    let nats = nats()?;
    let wash = host(&nats.url())?.ready()?;
    drive(&wash, &nats.url())
}

#[test]
fn a_python_client_drives_a_host_on_the_embedded_lattice() -> Result<()> {
    let launch = up()?.arg("--allow-file-load");
    let wash = launch.ready()?;
    let (address, login) = embedded(&launch.file("data"))?;
    drive(
        &wash,
        &format!("nats://{}:{}@{address}", login.user, login.password),
    )
}
