//! A Rust file that no `mod` names is never compiled, and nobody notices. This follows the `mod` lines from the
//! root of each crate, as text: it knows lines of the form `mod name;` and the attribute `#[path = "…"]`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Findings, crates, read, relative, rust_files};

pub(super) fn check(root: &Path) -> Findings {
    let mut findings = Vec::new();
    for folder in crates(root)? {
        let source = folder.join("src");
        let reached = reach(&roots(&source)?)?;
        let lost = rust_files(&source)?
            .into_iter()
            .filter(|file| !reached.contains(file));
        findings.extend(lost.map(|file| format!("no `mod` leads to {}", relative(root, &file))));
    }
    Ok(findings)
}

/// The files a crate starts from.
fn roots(source: &Path) -> Result<Vec<PathBuf>> {
    let mut roots = vec![source.join("lib.rs"), source.join("main.rs")];
    roots.extend(rust_files(&source.join("bin"))?);
    roots.retain(|root| root.is_file());
    Ok(roots)
}

fn reach(roots: &[PathBuf]) -> Result<BTreeSet<PathBuf>> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<(PathBuf, bool)> = roots.iter().map(|root| (root.clone(), true)).collect();
    while let Some((file, is_root)) = open.pop() {
        let text = read(&file)?;
        for declared in declared(&text) {
            let candidates = candidates(&file, is_root, &declared);
            open.extend(
                candidates
                    .into_iter()
                    .filter(|candidate| candidate.is_file())
                    .map(|path| (path, false)),
            );
        }
        reached.insert(file);
        open.retain(|(path, _)| !reached.contains(path));
    }
    Ok(reached)
}

/// A module that lives in a file of its own.
#[derive(Debug, PartialEq, Eq)]
struct Declared {
    name: String,
    path: Option<String>,
}

fn declared(text: &str) -> Vec<Declared> {
    let mut found = Vec::new();
    let mut path = None;
    for line in text.lines() {
        let mut line = line.trim();
        while let Some((attribute, rest)) = line.strip_prefix("#[").and_then(|line| line.split_once(']')) {
            let value = attribute
                .trim()
                .strip_prefix("path")
                .and_then(|rest| rest.trim_start().strip_prefix('='));
            if let Some(value) = value {
                path = Some(value.trim().trim_matches('"').to_owned());
            }
            line = rest.trim_start();
        }
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        if let Some(name) = module(line) {
            found.push(Declared {
                name: name.to_owned(),
                path: path.take(),
            });
        }
        path = None;
    }
    found
}

/// The name in `mod name;`, with any visibility in front.
fn module(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("mod ")?;
    let before = before.trim();
    if !before.is_empty() && !before.starts_with("pub") {
        return None;
    }
    let name = rest.split_once(';')?.0.trim();
    name.chars()
        .all(|letter| letter.is_alphanumeric() || letter == '_')
        .then_some(name)
}

/// Where the file of a module may be: beside or below the file that declares it.
fn candidates(file: &Path, is_root: bool, declared: &Declared) -> Vec<PathBuf> {
    let beside = file.parent().unwrap_or(Path::new(""));
    if let Some(path) = &declared.path {
        return vec![beside.join(path)];
    }
    let is_mod = file.file_name().is_some_and(|name| name == "mod.rs");
    let below = if is_root || is_mod {
        beside.to_owned()
    } else {
        file.with_extension("")
    };
    let name = &declared.name;
    vec![below.join(format!("{name}.rs")), below.join(name).join("mod.rs")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, Option<&str>)]) {
        let found = declared(text);
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.name.as_str(), it.path.as_deref()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn modules_are_found_with_any_visibility_and_attribute() {
        check(
            "mod a;\npub mod b;\npub(crate) mod c;\n  #[cfg(test)] mod d;",
            &[("a", None), ("b", None), ("c", None), ("d", None)],
        );
        check(
            "#[path = \"other.rs\"]\n// why\nmod a;\nmod b;",
            &[("a", Some("other.rs")), ("b", None)],
        );
    }

    #[test]
    fn what_only_looks_like_a_module_is_not_one() {
        check(
            "mod tests {\n}\n// mod a;\nlet x = \"mod b;\";\nmod c { mod_d(); }",
            &[],
        );
    }

    #[test]
    fn a_module_lies_below_the_file_that_declares_it() {
        let inner = Declared {
            name: "x".to_owned(),
            path: None,
        };
        let at = |file: &str, is_root| candidates(Path::new(file), is_root, &inner);
        assert_eq!(
            at("src/lib.rs", true),
            [PathBuf::from("src/x.rs"), PathBuf::from("src/x/mod.rs")]
        );
        assert_eq!(
            at("src/a.rs", false),
            [PathBuf::from("src/a/x.rs"), PathBuf::from("src/a/x/mod.rs")]
        );
        assert_eq!(
            at("src/a/mod.rs", false),
            [PathBuf::from("src/a/x.rs"), PathBuf::from("src/a/x/mod.rs")]
        );
    }
}
