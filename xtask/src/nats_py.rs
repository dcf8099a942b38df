//! The public NATS client for Python, as `nats-py/VERSION` in the target directory: with it a test drives a host as
//! somebody does who has nothing of ours.
//!
//! It is Python alone and needs no other package, so a folder on `PYTHONPATH` is all of the installation: a virtual
//! environment would take one more Debian package, and does not survive being moved.

use std::fs;

use anyhow::{Context as _, Result};

use crate::pypi::{self, Wheel};
use crate::repo;

/// The same on all machines.
const WHEEL: Wheel = Wheel {
    package: "nats-py",
    version: "2.16.0",
    hash: "aeb1ff123966c05833d26c7df7e1d54c1c6d32b612428b21677a2e921f1fecae",
};

/// Installs it if it is missing.
pub(crate) fn setup() -> Result<()> {
    let folder = repo::target_dir()?.join("nats-py");
    let home = folder.join(WHEEL.version);
    // It got its name after everything was checked.
    if !home.is_dir() {
        let scratch = folder.join(format!("{}.new", WHEEL.version));
        let unpacked = WHEEL
            .unpack(&scratch)
            .with_context(|| format!("install nats-py {}", WHEEL.version))?;
        fs::rename(&unpacked, &home).with_context(|| format!("move nats-py to {}", home.display()))?;
        pypi::clear(&scratch)?;
    }
    eprintln!("nats-py: {} is in place", WHEEL.version);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_complete() {
        assert!(WHEEL.hash.len() == 64 && WHEEL.hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
