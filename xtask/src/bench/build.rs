//! What is measured, built as users get it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{guests, repo, shell};

/// Builds a guest project and these programs of `wash` and `bench-kit`, unless what is there is to be used.
pub(super) fn prepare(no_build: bool, guest_project: &str, programs: &[&str]) -> Result<()> {
    if no_build {
        return Ok(());
    }
    guests::run(&guests::Args::only(guest_project))?;
    let names = programs.join(", ");
    eprintln!("bench: building {names} as a release, which takes minutes the first time");
    let mut cargo = shell::cargo()?;
    // Always the same packages, so that what they share is built once.
    cargo.args([
        "build",
        "--release",
        "--locked",
        "--package",
        "wash",
        "--package",
        "bench-kit",
    ]);
    for program in programs {
        cargo.args(["--bin", program]);
    }
    shell::run(&mut cargo)
}

/// A program of the release build.
pub(super) fn program(name: &str) -> Result<PathBuf> {
    present(repo::target_dir()?.join("release").join(name))
}

/// A component of an example, or of the tests.
pub(super) fn component(project: &str, name: &str) -> Result<PathBuf> {
    present(repo::root()?.join(project).join("build").join(name))
}

fn present(path: PathBuf) -> Result<PathBuf> {
    if !path.is_file() {
        bail!("{} does not exist; run without --no-build", path.display());
    }
    Ok(path)
}

/// A folder for what one bench leaves behind. The next one starts without it, also if this one is killed.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Result<Self> {
        let dir = repo::target_dir()?.join("bench");
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("remove {}", dir.display()))?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        Ok(Self(dir))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// A folder below it that is there.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let dir = self.0.join(name);
        fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        Ok(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
