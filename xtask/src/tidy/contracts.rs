//! Every project carries its own copies of the WIT packages it uses, so that it can be copied. All copies of one
//! version are the same, and `deps.lock` says where each came from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{Findings, read, relative};
use crate::repo;

pub(super) fn check(root: &Path) -> Findings {
    let mut projects = repo::folders(&root.join("examples"))?;
    projects.push(root.join("tests/guests"));
    projects.extend(repo::folders(&root.join("tests/interop"))?);
    let mut findings = Vec::new();
    let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
    for wit in projects
        .iter()
        .map(|project| project.join("wit"))
        .filter(|wit| wit.join("deps").is_dir())
    {
        let lock = read(&wit.join("deps.lock"))?;
        let lock: toml::Table =
            toml::from_str(&lock).with_context(|| format!("parse {}/deps.lock", wit.display()))?;
        for folder in repo::folders(&wit.join("deps"))? {
            let here = relative(root, &folder);
            let (package, text) = contents(&folder)?;
            if package.starts_with("test:") {
                continue;
            }
            let name = folder
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            let locked = lock
                .get(&name)
                .and_then(|entry| entry.get("package"))
                .and_then(toml::Value::as_str);
            if locked != Some(package.as_str()) {
                findings.push(format!(
                    "{here} holds {package}, deps.lock beside it says {}",
                    locked.unwrap_or("nothing")
                ));
            }
            match first.get(&package) {
                Some(other) if contents(other)?.1 != text => {
                    findings.push(format!(
                        "{here} differs from {}, both are {package}",
                        relative(root, other)
                    ));
                }
                Some(_) => {}
                None => {
                    first.insert(package, folder);
                }
            }
        }
    }
    Ok(findings)
}

/// The package that a folder holds, and everything in it.
fn contents(folder: &Path) -> Result<(String, String)> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut text = String::new();
    for file in files {
        text.push_str(&format!(
            "// {}\n",
            file.file_name().unwrap_or_default().display()
        ));
        text.push_str(&read(&file)?);
    }
    let package = package(&text).with_context(|| format!("find the package in {}", folder.display()))?;
    Ok((package, text))
}

fn package(text: &str) -> Option<String> {
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("package "))?;
    Some(line.split(';').next()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_named_on_a_line_of_its_own() {
        assert_eq!(
            package("// file\npackage wasi:io@0.2.2;\n").as_deref(),
            Some("wasi:io@0.2.2")
        );
        assert_eq!(package("/// a package of things\n"), None);
    }
}
