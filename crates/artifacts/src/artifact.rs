//! What a fetch gives.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use crate::digest::Digest;
use crate::pull::Annotations;
use crate::reference::Reference;

/// The bytes behind an image reference.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// What people call it, for messages: the path of a file, or the reference.
    pub name: String,
    /// The content.
    pub bytes: Bytes,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where an artifact comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A file.
    File,
    /// A registry, now or at some time.
    Registry(Arc<Pulled>),
}

/// What a registry gave, verified against its digests.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The reference as it was asked for, in full.
    pub reference: Reference,
    /// What it means: the digest of the manifest, or of the index if there is one for several machines.
    /// `reference.registry()/reference.repository()@digest` names exactly this content for ever.
    pub digest: Digest,
    /// The media type of the content.
    pub media_type: String,
    /// The digest of the content.
    pub layer: Digest,
    /// Annotations of the manifest.
    pub annotations: Annotations,
    /// How sure it is that the reference means this today.
    pub freshness: Freshness,
    pub(crate) bytes: Bytes,
}

impl Pulled {
    /// The reference that names exactly this content: `REGISTRY/REPOSITORY@DIGEST`.
    #[must_use]
    pub fn resolved(&self) -> String {
        format!(
            "{}/{}@{}",
            self.reference.registry(),
            self.reference.repository(),
            self.digest
        )
    }
}

/// How sure it is that a reference means what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It names a digest.
    Exact,
    /// The registry said so just now.
    Checked,
    /// The registry did not answer; it is what it said at this time.
    Stale {
        /// When the registry last said so.
        checked: SystemTime,
    },
}
