//! Files of people: read within a limit, written whole or not at all.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Reads a file of at most `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let doing = || format!("read {}", path.display());
    // Asked before opening: opening a pipe waits for its other end.
    let meta = fs::metadata(path).with_context(doing)?;
    if !meta.is_file() {
        bail!("{} is not a file", path.display());
    }
    let file = File::open(path).with_context(doing)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(doing)?;
    if bytes.len() as u64 > limit {
        bail!("{} has more than {limit} bytes", path.display());
    }
    Ok(bytes)
}

/// Writes a file, under another name first, so that there is never half of it. Folders on the way are made.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    if !folder.as_os_str().is_empty() {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let doing = || format!("write {}", path.display());
    let mut name = path.file_name().with_context(doing)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = File::create(&new)
        .and_then(|mut to| to.write_all(content))
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.with_context(doing)
}

/// The name of a file without its folder and its last ending, as a key or another file is called after it.
pub(super) fn stem(path: &Path) -> Result<String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    match stem {
        Some(stem) => Ok(stem.to_owned()),
        None => bail!(
            "{} has no name in UTF-8 that something could be called after",
            path.display()
        ),
    }
}

/// The same path with something after its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
