//! The folder that `wash app export` writes and `import` reads: `NAME/VERSION.yaml` as the manifests were put, and
//! `index.json`, which says in which order, and what was deployed.

use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use wasmcloud_core::AppName;

/// The name of the index.
pub(super) const INDEX: &str = "index.json";

/// The form that this program writes, and the only one it reads.
pub(super) const FORMAT: u32 = 1;

/// Largest index that is read: 1,000 versions of each of 1,000 applications have about half of it.
const MAX_INDEX: u64 = 256 << 20;

/// Longest name of a file without its ending, in bytes; file systems take 255.
const MAX_NAME: usize = 200;

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Index {
    pub(super) format: u32,
    /// Where it comes from, for people.
    pub(super) lattice: String,
    pub(super) applications: Vec<IndexedApp>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct IndexedApp {
    pub(super) name: String,
    /// The version that was deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deployed: Option<String>,
    /// In the order in which they were put.
    pub(super) versions: Vec<IndexedVersion>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct IndexedVersion {
    pub(super) version: String,
    /// The manifest, below the folder.
    pub(super) file: PathBuf,
    /// What files in it are relative to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base_dir: Option<String>,
}

impl Index {
    /// Reads the index of a folder.
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(INDEX);
        let doing = || format!("read {}", path.display());
        let meta = match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "{} has no {INDEX}, so `wash app export` has not written it; hint: name the manifests in it",
                dir.display()
            ),
            other => other.with_context(doing)?,
        };
        if meta.len() > MAX_INDEX {
            bail!("{} is larger than {MAX_INDEX} bytes", path.display());
        }
        let bytes = std::fs::read(&path).with_context(doing)?;
        let index: Self = serde_json::from_slice(&bytes).with_context(doing)?;
        if index.format != FORMAT {
            bail!(
                "{} has format {}, and this program reads format {FORMAT}; hint: another version of wash wrote it",
                path.display(),
                index.format
            );
        }
        Ok(index)
    }
}

impl IndexedVersion {
    /// The manifest in a folder. An index that names files elsewhere is not followed.
    pub(super) fn path(&self, dir: &Path) -> Result<PathBuf> {
        let below = |part: Component<'_>| matches!(part, Component::Normal(_));
        match self.file.components().all(below) && !self.file.as_os_str().is_empty() {
            true => Ok(dir.join(&self.file)),
            false => bail!(
                "{} names {}, which is not below the folder",
                dir.join(INDEX).display(),
                self.file.display()
            ),
        }
    }
}

/// Where the text of a version goes. Versions may be any text, names of files not: what could mean something else is
/// written `%2f`, and what is too long is numbered.
pub(super) fn file(app: &AppName, version: &str, text: &str, number: usize) -> PathBuf {
    let mut name = String::new();
    for (at, byte) in version.bytes().enumerate() {
        match byte {
            b'.' if at == 0 => name.push_str("%2e"),
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'.' => name.push(char::from(byte)),
            byte => name.push_str(&format!("%{byte:02x}")),
        }
    }
    if name.len() > MAX_NAME || name.is_empty() {
        name = format!("%version-{number}");
    }
    let ending = match text.trim_start().starts_with('{') {
        true => "json",
        false => "yaml",
    };
    Path::new(app.as_str()).join(format!("{name}.{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_version_is_a_file_below_the_folder() {
        let app: AppName = "shop".parse().unwrap();
        let check = |version: &str, expect: &str| {
            let file = file(&app, version, "kind: x", 7);
            assert_eq!(file.to_str(), Some(expect));
            let listed = IndexedVersion {
                version: version.to_owned(),
                file,
                base_dir: None,
            };
            assert!(listed.path(Path::new("/d")).unwrap().starts_with("/d/shop"));
        };
        check("1.0.0-rc_1", "shop/1.0.0-rc_1.yaml");
        check("../../etc/passwd", "shop/%2e.%2f..%2fetc%2fpasswd.yaml");
        check("a b\u{e9}", "shop/a%20b%c3%a9.yaml");
        check(&"x".repeat(300), "shop/%version-7.yaml");
        check("", "shop/%version-7.yaml");
        assert_eq!(file(&app, "1", " {}", 0).to_str(), Some("shop/1.json"));
    }

    #[test]
    fn an_index_does_not_name_files_elsewhere() {
        for bad in ["/etc/passwd", "../x", "a/../../x", "", "./x/../y"] {
            let listed = IndexedVersion {
                version: "1".to_owned(),
                file: bad.into(),
                base_dir: None,
            };
            assert!(listed.path(Path::new("/d")).is_err(), "{bad}");
        }
    }
}
