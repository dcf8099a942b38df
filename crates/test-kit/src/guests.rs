//! The guests of this repository, compiled. Tests do not compile them: `cargo xtask test` has done so before.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A guest under `tests/guests`, by the name of its file without `.wasm`.
pub fn guest(name: &str) -> Result<PathBuf> {
    built(root().join(format!("tests/guests/build/{name}.wasm")))
}

/// A component of an example.
pub fn example(example: &str, name: &str) -> Result<PathBuf> {
    built(root().join(format!("examples/{example}/build/{name}.wasm")))
}

/// The manifest of an example, with files named absolutely and at another address than the one it has.
pub fn example_manifest(example: &str, address: std::net::SocketAddr) -> Result<String> {
    let folder = root().join("examples").join(example);
    let path = folder.join("wadm.yaml");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    ensure!(
        text.contains(EXAMPLE_ADDRESS),
        "{} does not listen on {EXAMPLE_ADDRESS}",
        path.display()
    );
    for line in text.lines().filter_map(|line| line.split_once("file://./")) {
        built(folder.join(line.1.trim()))?;
    }
    let text = text.replace("file://./", &format!("file://{}/", absolute(&folder)?.display()));
    Ok(text.replace(EXAMPLE_ADDRESS, &address.to_string()))
}

/// Where all examples listen.
const EXAMPLE_ADDRESS: &str = "127.0.0.1:8000";

fn built(path: PathBuf) -> Result<PathBuf> {
    ensure!(
        path.is_file(),
        "{} is not there: run `cargo xtask guests`",
        path.display()
    );
    absolute(&path)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).with_context(|| format!("find {}", path.display()))
}
