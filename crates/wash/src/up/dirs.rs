//! Where files go if nobody says otherwise: the XDG base directories.

use std::path::PathBuf;

/// Data that must last.
pub(crate) fn data() -> PathBuf {
    base("XDG_DATA_HOME", ".local/share")
        .unwrap_or_else(|| PathBuf::from("."))
        .join("wasmcloud")
}

/// Files that can be made again. `None` where there is no home directory.
pub(crate) fn cache() -> Option<PathBuf> {
    Some(base("XDG_CACHE_HOME", ".cache")?.join("wasmcloud"))
}

fn base(variable: &str, in_home: &str) -> Option<PathBuf> {
    // The specification has relative paths ignored.
    let named = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    named.or_else(|| {
        let home = std::env::home_dir().filter(|home| home.is_absolute())?;
        Some(home.join(in_home))
    })
}
