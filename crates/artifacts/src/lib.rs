//! From an image reference to verified bytes.
//!
//! Files are read here; providers that are part of the host have no bytes, and registries come with the lattice. The
//! digest of what was read goes with the bytes, so that others can name exactly this content.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use wasmcloud_core::ImageRef;

/// The bytes behind an image reference.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// What people call it, for messages: the path of a file.
    pub name: String,
    /// The content.
    pub bytes: Bytes,
}

/// Why there are no bytes.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no such file.
    #[error("{} does not exist; hint: {}", path.display(), build_hint(path))]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The reference is a directory, a pipe or a device.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },
    /// The content is over the limit.
    #[error("{} has {size} bytes, the limit is {limit}; hint: raise it with --max-component-size-bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A registry reference, which this host cannot pull yet.
    #[error(
        "{reference} is in a registry, and this version of wash runs images from files only; hint: save it and use `file://`"
    )]
    Registry {
        /// The reference.
        reference: String,
    },
    /// A built-in provider has no bytes.
    #[error("`{name}` is a provider inside the host, not an image")]
    Builtin {
        /// Its name.
        name: String,
    },
}

fn build_hint(path: &Path) -> &'static str {
    let example = path.components().any(|part| part.as_os_str() == "examples");
    if example {
        "`cargo xtask guests` builds the components of all examples"
    } else {
        "build the component first; a Rust project does with `cargo build --release --target wasm32-wasip2`"
    }
}

/// Reads what an image reference names, at most `limit` bytes. Relative file paths are relative to the process.
pub async fn fetch(image: &ImageRef, limit: u64) -> Result<Artifact, FetchError> {
    match image {
        ImageRef::File(path) => read(path, limit).await,
        ImageRef::Oci(reference) => Err(FetchError::Registry {
            reference: reference.clone(),
        }),
        ImageRef::Builtin(name) => Err(FetchError::Builtin { name: name.clone() }),
    }
}

async fn read(path: &Path, limit: u64) -> Result<Artifact, FetchError> {
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn error(image: &str, limit: u64) -> String {
        fetch(&image.parse().unwrap(), limit)
            .await
            .unwrap_err()
            .to_string()
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let image = |name: &str| format!("file://{}", dir.path().join(name).display());
        std::fs::write(dir.path().join("large"), [0; 11]).unwrap();
        assert!(
            error(&image("gone"), 10)
                .await
                .contains("does not exist; hint: build the component first")
        );
        assert!(
            error(&image("examples/a/build/a.wasm"), 10)
                .await
                .contains("cargo xtask guests")
        );
        assert!(
            error(&image("large"), 10)
                .await
                .contains("has 11 bytes, the limit is 10")
        );
        assert!(error(&image(""), 10).await.contains("is not a file"));
        assert!(error("ghcr.io/acme/cart:1", 10).await.contains("in a registry"));
    }

    #[tokio::test]
    async fn reads_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        std::fs::write(&path, b"abc").unwrap();
        let artifact = fetch(&ImageRef::File(path), 3).await.unwrap();
        assert_eq!(artifact.bytes, b"abc".as_slice());
    }
}
