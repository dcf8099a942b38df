//! Manifests and indexes of OCI, parsed once into what a pull needs.
//!
//! They come from outside: size, number of entries, depth and every field are checked here and nowhere else. Whether a
//! document is a manifest or an index follows from the document alone, not from the `Content-Type` it came with: one
//! digest must never mean two things (CVE-2021-41190).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, InvalidDigest};

/// Largest manifest or index in bytes, the size that registries have to accept (OCI distribution spec).
pub const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// Most layers of a manifest. Images have a dozen, artifacts one.
const MAX_LAYERS: usize = 128;

/// Most manifests of an index: a few machines, each with an attestation.
const MAX_ENTRIES: usize = 512;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What a registry is told that we understand.
pub(crate) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";

/// Why a document is no manifest for us.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    /// Not JSON, or a field of the wrong type.
    #[error("it is not a manifest{}", if looks_like_html(start) { " but a web page; hint: is there a login page or a proxy in between?" } else { "" })]
    Json {
        /// Its first bytes.
        start: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// Another schema.
    #[error("schema version {0} is not supported, only 2 is")]
    Schema(u64),
    /// A document of another kind.
    #[error("its media type is `{0}`, which is neither an image manifest nor an image index")]
    MediaType(String),
    /// Layers and manifests at once, or neither.
    #[error("it must have either `layers` and `config` or `manifests`")]
    Ambiguous,
    /// Too long.
    #[error("it has {count} {what}, the limit is {limit}")]
    TooMany {
        /// Layers or manifests.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many are accepted.
        limit: usize,
    },
    /// A digest that cannot be used.
    #[error("one of its entries cannot be used")]
    Digest(#[source] InvalidDigest),
}

fn looks_like_html(start: &str) -> bool {
    start.trim_start().starts_with('<')
}

/// What a digest of the registry names.
#[derive(Debug)]
pub(crate) enum Document {
    Manifest(Manifest),
    Index(Vec<Entry>),
}

#[derive(Debug)]
pub(crate) struct Manifest {
    /// The type of the whole where it is said, else of the config, as OCI has it.
    pub(crate) artifact_type: String,
    pub(crate) layers: Vec<Descriptor>,
    pub(crate) annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// One manifest of an index.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) manifest: Descriptor,
    pub(crate) platform: Option<Platform>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Platform {
    #[serde(default)]
    pub(crate) os: String,
    #[serde(default)]
    pub(crate) architecture: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDocument {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
    manifests: Option<Vec<RawDescriptor>>,
    annotations: Option<BTreeMap<String, String>>,
}

/// A descriptor as it is written in both kinds of document.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RawDescriptor {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(skip_serializing)]
    platform: Option<Platform>,
}

impl RawDescriptor {
    pub(crate) fn new(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes).to_string(),
            size: bytes.len() as u64,
            platform: None,
        }
    }

    fn parse(&self) -> Result<Descriptor, InvalidManifest> {
        Ok(Descriptor {
            media_type: self.media_type.clone(),
            digest: self.digest.parse().map_err(InvalidManifest::Digest)?,
            size: self.size,
        })
    }
}

/// Reads a manifest or index of at most [`MAX_MANIFEST_BYTES`].
pub(crate) fn parse(bytes: &[u8]) -> Result<Document, InvalidManifest> {
    let raw: RawDocument = serde_json::from_slice(bytes).map_err(|source| InvalidManifest::Json {
        start: bytes.iter().take(64).map(|byte| char::from(*byte)).collect(),
        source,
    })?;
    if raw.schema_version != 2 {
        return Err(InvalidManifest::Schema(raw.schema_version));
    }
    let said = raw.media_type.as_deref();
    match (raw.layers, raw.manifests, raw.config) {
        (Some(layers), None, Some(config)) => match said {
            None | Some(MANIFEST | DOCKER_MANIFEST) => Ok(Document::Manifest(Manifest {
                artifact_type: raw.artifact_type.unwrap_or(config.media_type),
                layers: descriptors(&layers, "layers", MAX_LAYERS)?,
                annotations: raw.annotations.unwrap_or_default(),
            })),
            Some(other) => Err(InvalidManifest::MediaType(other.to_owned())),
        },
        (None, Some(manifests), None) => match said {
            None | Some(INDEX | DOCKER_LIST) => {
                let parsed = descriptors(&manifests, "manifests", MAX_ENTRIES)?;
                let platforms = manifests.into_iter().map(|raw| raw.platform);
                let entries = parsed.into_iter().zip(platforms);
                Ok(Document::Index(
                    entries
                        .map(|(manifest, platform)| Entry { manifest, platform })
                        .collect(),
                ))
            }
            Some(other) => Err(InvalidManifest::MediaType(other.to_owned())),
        },
        (None, None, _)
            if said.is_some_and(|said| ![MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].contains(&said)) =>
        {
            Err(InvalidManifest::MediaType(said.unwrap_or_default().to_owned()))
        }
        _ => Err(InvalidManifest::Ambiguous),
    }
}

fn descriptors(
    raw: &[RawDescriptor],
    what: &'static str,
    limit: usize,
) -> Result<Vec<Descriptor>, InvalidManifest> {
    if raw.len() > limit {
        return Err(InvalidManifest::TooMany {
            what,
            count: raw.len(),
            limit,
        });
    }
    raw.iter().map(RawDescriptor::parse).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::chain;

    fn descriptor(size: &str) -> String {
        format!(
            r#"{{"mediaType":"application/wasm","digest":"{}","size":{size}}}"#,
            Digest::of(b"x")
        )
    }

    fn error(text: &str) -> String {
        chain(&parse(text.as_bytes()).unwrap_err())
    }

    #[test]
    fn manifest_and_index() {
        let one = descriptor("1");
        let text = format!(
            r#"{{"schemaVersion":2,"config":{one},"layers":[{one}],"annotations":{{"a":"b"}},"extra":[1]}}"#
        );
        let Document::Manifest(manifest) = parse(text.as_bytes()).unwrap() else {
            panic!("a manifest")
        };
        assert_eq!(manifest.layers.len(), 1);
        assert_eq!(manifest.annotations["a"], "b");
        let entry = one.replace('}', r#","platform":{"os":"linux","architecture":"amd64"}}"#);
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{entry},{one}]}}"#);
        let Document::Index(entries) = parse(text.as_bytes()).unwrap() else {
            panic!("an index")
        };
        assert_eq!(entries[0].platform.as_ref().unwrap().architecture, "amd64");
        assert!(entries[1].platform.is_none());
    }

    #[test]
    fn hostile_documents_are_refused_with_a_reason() {
        let one = descriptor("1");
        let manifest = |layer: &str| format!(r#"{{"schemaVersion":2,"config":{one},"layers":[{layer}]}}"#);
        for (text, reason) in [
            (String::new(), "EOF"),
            ("<html>".to_owned(), "web page"),
            ("[".repeat(100_000), "not a manifest"),
            (
                format!(r#"{{"schemaVersion":2,"x":{}1"#, "[".repeat(100_000)),
                "EOF",
            ),
            (manifest(&descriptor("-1")), "-1"),
            (manifest(&descriptor("1e300")), "not a manifest"),
            (manifest(&descriptor("18446744073709551616")), "not a manifest"),
            (manifest(&descriptor(r#""1""#)), "invalid type: string"),
            (manifest("null"), "invalid type: null"),
            (
                manifest(&vec![one.as_str(); 10_000].join(",")),
                "10000 layers, the limit is 128",
            ),
            (manifest(&one.replace("sha256", "sha512")), "another algorithm"),
            (manifest(&one.replace("sha256", "../../x")), "another algorithm"),
            (r#"{"schemaVersion":1,"name":"x"}"#.to_owned(), "schema version 1"),
            (r#"{"schemaVersion":2}"#.to_owned(), "either"),
            (
                format!(r#"{{"schemaVersion":2,"config":{one},"layers":[],"manifests":[]}}"#),
                "either",
            ),
            (
                format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","config":{one},"layers":[]}}"#),
                "neither",
            ),
            (
                format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","manifests":[]}}"#),
                "neither",
            ),
            (
                r#"{"schemaVersion":2,"mediaType":"text/plain"}"#.to_owned(),
                "text/plain",
            ),
        ] {
            let error = error(&text);
            assert!(
                error.contains(reason),
                "{}: {error}",
                text.get(..80).unwrap_or(&text)
            );
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
        }

        /// Documents that are nearly right reach further than noise does.
        #[test]
        fn altered_documents_never_panic(at in 0usize..300, with in "\\PC{0,3}", cut in 0usize..300) {
            let one = descriptor("1");
            let mut text = format!(r#"{{"schemaVersion":2,"config":{one},"layers":[{one}]}}"#);
            let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.insert_str(at, &with);
            let _ = parse(text.as_bytes());
            let _ = parse(text.as_bytes().get(cut..).unwrap_or_default());
        }
    }
}
