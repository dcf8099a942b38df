//! Every Rust file starts with what it is for.

use std::path::Path;

use super::{Findings, crates, read, relative, rust_files};

pub(super) fn check(root: &Path) -> Findings {
    let mut folders = crates(root)?;
    folders.extend(["examples", "fuzz", "tests"].map(|folder| root.join(folder)));
    let mut findings = Vec::new();
    for folder in folders {
        for file in rust_files(&folder)? {
            if !has_header(&read(&file)?) {
                findings.push(format!(
                    "{} does not start with a `//!` header",
                    relative(root, &file)
                ));
            }
        }
    }
    Ok(findings)
}

/// Attributes of the whole file may come before the header.
fn has_header(text: &str) -> bool {
    let mut lines = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("#!["));
    lines.next().is_some_and(|line| line.starts_with("//! "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_first() {
        assert!(has_header("//! What it is for.\nuse a;"));
        assert!(has_header("#![no_std]\n\n//! What it is for.\n"));
        assert!(!has_header("// A remark.\n//! Too late."));
        assert!(!has_header("//!\n"));
        assert!(!has_header(""));
    }
}
