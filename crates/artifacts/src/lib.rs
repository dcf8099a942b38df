//! From an image reference to verified bytes, and back into a registry.
//!
//! [`Artifacts`] reads files, pulls from OCI registries through a content-addressed cache, and pushes. Everything that
//! comes from a registry is checked against its digest before anybody sees it. What the bytes mean is for others:
//! nothing here compiles or runs anything.
//!
//! In the order of a pull: `reference` parses what is written, `artifacts` decides whether it may be had, `flight`
//! joins those who want the same, `pull` goes from tag to manifest to layer and asks `cache` first, `registry` speaks
//! to the registry with `auth` and `retry`, over `transport`.
//!
//! HTTP is spoken with hyper directly. The library for registries, `oci-client` 0.18, reads manifests without a size
//! limit, does not repeat requests or honour `Retry-After`, does not check sizes while it receives, and brings
//! `reqwest`, a second HTTP client, into a program that has one.

mod answer;
mod artifact;
mod artifacts;
mod auth;
mod cache;
mod challenge;
mod credentials;
mod dial;
mod digest;
mod docker;
mod error;
mod file;
mod flight;
mod helper;
mod manifest;
mod options;
mod progress;
mod pull;
mod push;
mod reference;
mod registry;
mod registry_error;
mod retry;
mod select;
mod time;
mod transport;
mod trust;
mod upload;
mod wasm;

use wasmcloud_core::ImageRef;

pub use artifact::{Artifact, Freshness, Origin, Pulled};
pub use artifacts::Artifacts;
pub use credentials::{Credentials, Secret};
pub use digest::{Digest, InvalidDigest};
pub use error::{BoxError, FetchError, OptionsError, PushError};
pub use manifest::{InvalidManifest, MAX_MANIFEST_BYTES};
pub use options::{
    ArtifactOptions, CacheOptions, Kind, Protocol, Proxies, RegistryOptions, RetryOptions, SizeLimits,
    Timeouts,
};
pub use progress::{Progress, Stage};
pub use push::{PushOptions, Pushed};
pub use reference::{InvalidReference, Reference};
pub use registry_error::RegistryError;
pub use select::SelectError;

/// Reads what an image reference names if it is a file of at most `limit` bytes, for programs that have no
/// [`Artifacts`]. Relative file paths are relative to the process.
pub async fn fetch(image: &ImageRef, limit: u64) -> Result<Artifact, FetchError> {
    match image {
        ImageRef::File(path) => file::read(path, limit).await,
        ImageRef::Oci(reference) => Err(FetchError::Registry {
            reference: reference.clone(),
        }),
        ImageRef::Builtin(name) => Err(FetchError::Builtin { name: name.clone() }),
    }
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
