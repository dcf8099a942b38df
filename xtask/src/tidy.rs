//! `cargo xtask tidy`: rules of this repository that no compiler and no linter knows.
//!
//! Each rule is a module with one function from the repository to what is wrong with it. Everything wrong is
//! printed, not only the first thing.

mod contracts;
mod edges;
mod headers;
mod modules;
mod pages;
mod paths;
mod tls;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::repo;

/// What breaks a rule, one sentence each.
type Findings = Result<Vec<String>>;

/// What should be true, and how to find where it is not.
type Rule = (&'static str, fn(&Path) -> Findings);

const RULES: [Rule; 7] = [
    ("crates know only whom they may know", edges::check),
    ("every source file belongs to a crate", modules::check),
    ("every source file says what it is for", headers::check),
    ("crates and examples are documented", pages::check),
    ("contracts are the same everywhere", contracts::check),
    ("nothing names a machine", paths::check),
    ("there is one TLS stack", tls::check),
];

pub(crate) fn run() -> Result<()> {
    let root = repo::root()?;
    let mut total = 0;
    for (rule, check) in RULES {
        let findings = check(&root).with_context(|| format!("check that {rule}"))?;
        if findings.is_empty() {
            eprintln!("tidy: {rule}: ok");
        }
        for finding in &findings {
            eprintln!("tidy: {rule}: {finding}");
        }
        total += findings.len();
    }
    match total {
        0 => Ok(()),
        1 => bail!("one thing is not tidy"),
        more => bail!("{more} things are not tidy"),
    }
}

/// All Rust files below a folder, sorted. What Cargo built and what tests use as data is left out.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(folder, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry
            .with_context(|| format!("list {}", folder.display()))?
            .path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if path.is_dir() {
            if !["target", "build", "fixtures"].contains(&name.as_str()) {
                collect(&path, found)?;
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The folders of the crates of the main workspace.
fn crates(root: &Path) -> Result<Vec<PathBuf>> {
    let mut crates = repo::folders(&root.join("crates"))?;
    crates.extend([root.join("xtask"), root.join("xtask/bench-kit")]);
    Ok(crates)
}

/// A path as it reads from the root of the repository.
fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}
