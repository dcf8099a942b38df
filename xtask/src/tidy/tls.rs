//! One TLS stack: rustls with aws-lc-rs. `deny.toml` says the same for who has cargo-deny; this needs only Cargo.

use std::path::Path;

use super::{Findings, read};
use crate::shell;

/// Not even tests and tools use these.
const NOWHERE: [&str; 2] = ["openssl-sys", "native-tls"];

/// Tests may bring this in, the product may not.
const NOT_IN_THE_PRODUCT: &str = "ring";

pub(super) fn check(root: &Path) -> Findings {
    let lock = read(&root.join("Cargo.lock"))?;
    let mut findings: Vec<String> = NOWHERE
        .iter()
        .filter(|name| lock.lines().any(|line| line == format!("name = \"{name}\"")))
        .map(|name| format!("Cargo.lock has {name}; find out why with `cargo tree -i {name}`"))
        .collect();

    let mut tree = shell::cargo()?;
    tree.args([
        "tree",
        "--package=wash",
        "--edges=normal,build",
        "--prefix=none",
        "--format={p}",
        "--locked",
    ]);
    if mentions(&shell::output(&mut tree)?, NOT_IN_THE_PRODUCT) {
        findings.push(format!(
            "wash contains {NOT_IN_THE_PRODUCT}; find out why with \
             `cargo tree -p wash -e normal,build -i {NOT_IN_THE_PRODUCT}`"
        ));
    }
    Ok(findings)
}

fn mentions(tree: &str, package: &str) -> bool {
    tree.lines().any(|line| line.split(' ').next() == Some(package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_by_its_whole_name() {
        assert!(mentions("wash v0.1.0\nring v0.17.0\n", "ring"));
        assert!(!mentions("wash v0.1.0\nstring v1.0.0\nring-compat v1\n", "ring"));
    }
}
