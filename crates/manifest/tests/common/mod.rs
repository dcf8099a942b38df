//! What the tests of this crate share: finding fixtures, and comparing with a file.

#![allow(dead_code, reason = "each test uses its part")]

use std::path::{Path, PathBuf};

/// The manifests in a folder of fixtures, in order.
pub(crate) fn manifests(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(folder);
    let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml" || extension == "json")
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{} has no manifests", folder.display());
    found
}

/// Compares with a file, or writes it if `UPDATE_GENERATED` is set.
pub(crate) fn compare(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, actual).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    let path = path.display();
    assert!(
        actual == expected,
        "{path} differs (UPDATE_GENERATED=1 writes it anew)\n--- expected\n{expected}\n--- actual\n{actual}"
    );
}
