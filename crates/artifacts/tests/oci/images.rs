//! Images to serve, and the common steps of a test.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use wasmcloud_artifacts::{
    Artifact, ArtifactOptions, Artifacts, CacheOptions, Digest, FetchError, Kind, Origin, Pulled,
    RegistryError, RetryOptions, SizeLimits, Timeouts,
};

use crate::fake::Content;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const WASM: &str = "application/wasm";
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// An image in the making.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) manifest: Bytes,
    pub(crate) layer: Bytes,
}

impl Image {
    pub(crate) fn new(config_type: &str, layer_type: &str, layer: impl Into<Bytes>) -> Self {
        let layer = layer.into();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(config_type, b"{}"),
            "layers": [descriptor(layer_type, &layer)],
            "annotations": { "org.opencontainers.image.version": "1" },
        });
        Self {
            manifest: manifest.to_string().into(),
            layer,
        }
    }

    /// A component of a megabyte.
    pub(crate) fn component() -> Self {
        let layer: Vec<u8> = (0..1u32 << 18).flat_map(u32::to_le_bytes).collect();
        Self::new(WASM_CONFIG, WASM, layer)
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    /// Where its content is.
    pub(crate) fn blob(&self) -> String {
        format!("/v2/acme/cart/blobs/{}", Digest::of(&self.layer))
    }

    /// The content of a registry that has it as `acme/cart:1`.
    pub(crate) fn content(&self) -> Content {
        let mut content = Content::new();
        self.add(&mut content, "1");
        content
    }

    pub(crate) fn add(&self, content: &mut Content, tag: &str) {
        manifest(content, tag, MANIFEST, &self.manifest);
        content.insert(self.blob(), ("application/octet-stream", self.layer.clone()));
    }
}

/// Adds a manifest by tag and by digest.
pub(crate) fn manifest(content: &mut Content, tag: &str, media_type: &'static str, bytes: &Bytes) {
    for name in [tag, &Digest::of(bytes).to_string()] {
        content.insert(
            format!("/v2/acme/cart/manifests/{name}"),
            (media_type, bytes.clone()),
        );
    }
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": Digest::of(bytes).to_string(),
        "size": bytes.len(),
    })
}

/// Options with which failures come quickly.
pub(crate) fn options() -> ArtifactOptions {
    ArtifactOptions {
        retry: RetryOptions {
            attempts: 3,
            first: Duration::from_millis(10),
            longest: Duration::from_millis(50),
            longest_retry_after: Duration::from_secs(3),
        },
        timeouts: Timeouts {
            total: Duration::from_secs(60),
            ..Timeouts::default()
        },
        ..ArtifactOptions::default()
    }
}

pub(crate) fn cached(dir: &Path) -> ArtifactOptions {
    ArtifactOptions {
        cache: Some(CacheOptions::new(dir)),
        ..options()
    }
}

pub(crate) fn artifacts(options: ArtifactOptions) -> Artifacts {
    Artifacts::new(options).unwrap()
}

pub(crate) async fn fetch(artifacts: &Artifacts, image: &str, kind: Kind) -> Result<Artifact, FetchError> {
    let image = image.parse().unwrap();
    artifacts.fetch(&image, kind, SizeLimits::default(), None).await
}

/// A pull of a component that must succeed.
pub(crate) async fn pull(artifacts: &Artifacts, image: &str) -> (Bytes, Pulled) {
    let artifact = match fetch(artifacts, image, Kind::Component).await {
        Ok(artifact) => artifact,
        Err(error) => panic!("{}", chain(&error)),
    };
    let Origin::Registry(pulled) = artifact.origin else {
        panic!("not from a registry")
    };
    (artifact.bytes, (*pulled).clone())
}

/// A pull of a component that must fail: the error, and all it says.
pub(crate) async fn refused(artifacts: &Artifacts, image: &str) -> (std::sync::Arc<RegistryError>, String) {
    let error = fetch(artifacts, image, Kind::Component)
        .await
        .map(|_| ())
        .unwrap_err();
    let text = chain(&error);
    match error {
        FetchError::Pull { source, .. } => (source, text),
        other => panic!("{other}"),
    }
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}
