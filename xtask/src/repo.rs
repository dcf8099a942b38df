//! Where things are: the root of the repository and the directories that builds write to.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The root of the repository that this program was built from.
pub(crate) fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().context("find the folder above xtask/")?;
    root.canonicalize()
        .with_context(|| format!("open the repository at {}", root.display()))
}

/// Where Cargo puts what it builds for the host.
pub(crate) fn target_dir() -> Result<PathBuf> {
    match env::var_os("CARGO_TARGET_DIR") {
        // A relative directory means the one the caller stands in, as it does for Cargo.
        Some(dir) => std::path::absolute(dir).context("make CARGO_TARGET_DIR absolute"),
        None => Ok(root()?.join("target")),
    }
}

/// The folders directly below `parent`, sorted, so that output has the same order everywhere.
pub(crate) fn folders(parent: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(parent).with_context(|| format!("list {}", parent.display()))?;
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry
            .with_context(|| format!("list {}", parent.display()))?
            .path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}
