//! `cargo xtask setup interop`: programs that tests run beside ours, built with what v1 has published.
//!
//! Each folder below `tests/interop` is a workspace with a lock of its own, because what it brings must not get into
//! ours: another NATS client, another wRPC, another TLS stack. All share the target directory `interop`, in which tests
//! look for `debug/NAME`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{repo, shell};

/// The root folders of all of them.
pub(crate) fn roots() -> Result<Vec<PathBuf>> {
    let mut roots = repo::folders(&repo::root()?.join("tests/interop"))?;
    roots.retain(|root| root.join("Cargo.toml").is_file());
    Ok(roots)
}

/// Builds them.
pub(crate) fn setup() -> Result<()> {
    let target = repo::target_dir()?.join("interop");
    for root in roots()? {
        let name = root.file_name().unwrap_or_default().to_string_lossy();
        shell::run(
            shell::cargo()?
                .args(["build", "--quiet", "--locked"])
                .env("CARGO_TARGET_DIR", &target)
                .current_dir(&root),
        )
        .with_context(|| format!("build {name}"))?;
        eprintln!("interop: {name} is built");
    }
    Ok(())
}
