//! Artifacts that are files of this machine.

use std::io;
use std::path::Path;

use tokio::io::AsyncReadExt as _;

use crate::artifact::{Artifact, Origin};
use crate::error::FetchError;
use crate::options::Kind;

pub(crate) fn build_hint(path: &Path) -> &'static str {
    let example = path.components().any(|part| part.as_os_str() == "examples");
    if example {
        "`cargo xtask guests` builds the components of all examples"
    } else {
        "build the component first; a Rust project does with `cargo build --release --target wasm32-wasip2`"
    }
}

/// Only components have a limit that is set on a command line.
pub(crate) fn limit_hint(kind: Kind) -> &'static str {
    match kind {
        Kind::Component => "; hint: raise it with --max-component-size-bytes",
        Kind::Provider | Kind::Either => "",
    }
}

/// Reads a file of at most `limit` bytes. Relative paths are relative to the process.
pub(crate) async fn read(path: &Path, kind: Kind, limit: u64) -> Result<Artifact, FetchError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => FetchError::Missing {
            path: path.to_owned(),
        },
        _ => FetchError::Read {
            path: path.to_owned(),
            source,
        },
    };
    // Asked before opening: opening a pipe waits for its other end.
    let meta = tokio::fs::metadata(path).await.map_err(failed)?;
    if !meta.is_file() {
        return Err(FetchError::NotAFile {
            path: path.to_owned(),
        });
    }
    let too_large = |size| FetchError::TooLarge {
        path: path.to_owned(),
        kind,
        size,
        limit,
    };
    if meta.len() > limit {
        return Err(too_large(meta.len()));
    }
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    // It may grow while it is read.
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .await
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(Artifact {
        name: path.display().to_string(),
        bytes: bytes.into(),
        origin: Origin::File,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn error(path: &Path, limit: u64) -> String {
        read(path, Kind::Component, limit).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        std::fs::write(file("large"), [0; 11]).unwrap();
        let gone = error(&file("gone"), 10).await;
        assert!(
            gone.contains("does not exist; hint: build the component first"),
            "{gone}"
        );
        let example = error(&file("examples/a/build/a.wasm"), 10).await;
        assert!(example.contains("cargo xtask guests"), "{example}");
        let large = error(&file("large"), 10).await;
        assert!(large.contains("has 11 bytes, the limit is 10"), "{large}");
        let folder = error(dir.path(), 10).await;
        assert!(folder.contains("is not a file"), "{folder}");
    }

    #[tokio::test]
    async fn reads_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        std::fs::write(&path, b"abc").unwrap();
        assert_eq!(
            read(&path, Kind::Provider, 3).await.unwrap().bytes,
            b"abc".as_slice()
        );
    }
}
