//! `cargo xtask setup interop`: programs that tests run beside ours, built with what v1 has published.
//!
//! They are one workspace below `tests/interop`, with a lock of its own, because what they bring must not get into ours:
//! another NATS client, another wRPC, another TLS stack. Tests look for them in the target directory, in
//! `interop/debug`.

use std::path::PathBuf;

use anyhow::Result;

use crate::{repo, shell};

/// The root folder of the workspace.
pub(crate) fn root() -> Result<PathBuf> {
    Ok(repo::root()?.join("tests/interop"))
}

/// Builds them.
pub(crate) fn setup() -> Result<()> {
    shell::run(
        shell::cargo()?
            .args(["build", "--quiet", "--locked", "--workspace"])
            .env("CARGO_TARGET_DIR", repo::target_dir()?.join("interop"))
            .current_dir(root()?),
    )?;
    eprintln!("interop: the programs of v1 are built");
    Ok(())
}
