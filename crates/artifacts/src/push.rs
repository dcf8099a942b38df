//! Putting a component or provider archive into a registry, with the media types that other tools read.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, StatusCode, Uri};
use serde::Serialize;

use crate::digest::Digest;
use crate::error::PushError;
use crate::manifest::{MANIFEST, RawDescriptor};
use crate::options::Kind;
use crate::progress::Stage;
use crate::pull::Annotations;
use crate::reference::Reference;
use crate::registry::Registry;
use crate::registry_error::RegistryError;
use crate::select::{PAR, PAR_CONFIG, WASM, WASM_CONFIG};
use crate::transport::{Ask, resolve};
use crate::wasm::WasmConfig;

/// What goes with pushed content.
#[derive(Clone, Debug, Default)]
pub struct PushOptions {
    /// Annotations of the manifest, such as `org.opencontainers.image.source`.
    pub annotations: Annotations,
    /// Who made it, for the config of a component.
    pub author: Option<String>,
    /// When it was made, for the config of a component. Unless set this is 1970, so that the same content always has
    /// the same digest.
    pub created: Option<SystemTime>,
}

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The reference that was pushed to.
    pub reference: Reference,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The digest of the content.
    pub layer: Digest,
    /// The media type of the content.
    pub media_type: &'static str,
}

/// An artifact ready to be sent.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) media_type: &'static str,
    layer: Bytes,
    config: Bytes,
    manifest: Bytes,
}

/// A manifest as it is written. The order of the fields is that of the specification.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManifestOut<'a> {
    schema_version: u32,
    media_type: &'a str,
    config: RawDescriptor,
    layers: [RawDescriptor; 1],
    #[serde(skip_serializing_if = "Annotations::is_empty")]
    annotations: &'a Annotations,
}

impl Package {
    /// Makes config and manifest. With [`Kind::Either`] the content decides.
    pub(crate) fn new(kind: Kind, layer: Bytes, options: &PushOptions) -> Result<Self, PushError> {
        let wrong = |expected, reason: String| PushError::Content { expected, reason };
        let wasm = layer.starts_with(b"\0asm");
        if layer.is_empty() {
            return Err(wrong("component or provider archive", "it is empty".to_owned()));
        }
        let (media_type, config_type, config) = if kind == Kind::Component || (kind == Kind::Either && wasm) {
            let created = options.created.unwrap_or(SystemTime::UNIX_EPOCH);
            let config = WasmConfig::of(&layer, created, options.author.clone())
                .map_err(|reason| wrong("component", reason))?;
            (WASM, WASM_CONFIG, json(&config)?)
        } else if wasm {
            return Err(wrong(
                "provider archive",
                "it is WebAssembly; hint: push it as a component".to_owned(),
            ));
        } else {
            (PAR, PAR_CONFIG, b"{}".to_vec())
        };
        let manifest = ManifestOut {
            schema_version: 2,
            media_type: MANIFEST,
            config: RawDescriptor::new(config_type, &config),
            layers: [RawDescriptor::new(media_type, &layer)],
            annotations: &options.annotations,
        };
        Ok(Self {
            media_type,
            manifest: json(&manifest)?.into(),
            config: config.into(),
            layer,
        })
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, PushError> {
    serde_json::to_vec(value).map_err(|error| PushError::Content {
        expected: "component",
        reason: error.to_string(),
    })
}

/// Sends content, config and at last the manifest, so that nobody sees a tag whose content is missing.
pub(crate) async fn push(
    registry: &Registry<'_>,
    reference: &Reference,
    package: &Package,
) -> Result<Pushed, RegistryError> {
    let layer = blob(registry, &package.layer, true).await?;
    blob(registry, &package.config, false).await?;
    let digest = Digest::of(&package.manifest);
    let tag = reference.tag_or_latest();
    let mut ask = Ask::new(Method::PUT, registry.uri(&format!("manifests/{tag}")))
        .header(CONTENT_TYPE, HeaderValue::from_static(MANIFEST));
    ask.body = package.manifest.clone();
    let mut backoff = registry.backoff();
    loop {
        match registry.once(&ask, &[], &|| registry.what("manifest", tag)).await {
            Ok(_) => break,
            Err(error) => backoff.pause(error, &registry.call.reporter).await?,
        }
    }
    registry.call.reporter.stage(Stage::Done);
    Ok(Pushed {
        reference: reference.clone(),
        digest,
        layer,
        media_type: package.media_type,
    })
}

/// Sends one blob unless the registry has it; `counts` if it is the content whose progress is told. Starts over when that fails: registries differ in what they keep of an
/// upload that broke off.
async fn blob(registry: &Registry<'_>, bytes: &Bytes, counts: bool) -> Result<Digest, RegistryError> {
    let digest = Digest::of(bytes);
    let mut backoff = registry.backoff();
    loop {
        match upload(registry, bytes, digest, counts).await {
            Ok(()) => return Ok(digest),
            Err(error) => backoff.pause(error, &registry.call.reporter).await?,
        }
    }
}

async fn upload(
    registry: &Registry<'_>,
    bytes: &Bytes,
    digest: Digest,
    counts: bool,
) -> Result<(), RegistryError> {
    let what = || registry.what("blob", &digest.to_string());
    let ask = Ask::new(Method::HEAD, registry.uri(&format!("blobs/{digest}")));
    let progress = |done: usize| {
        if counts {
            registry
                .call
                .reporter
                .set(Stage::Uploading, done as u64, bytes.len() as u64);
        }
    };
    if registry
        .once(&ask, &[StatusCode::NOT_FOUND], &what)
        .await?
        .status()
        .is_success()
    {
        progress(bytes.len());
        return Ok(());
    }
    let begin = || format!("the upload of {}", what());
    let ask = Ask::new(Method::POST, registry.uri("blobs/uploads/"));
    let response = registry.once(&ask, &[], &begin).await?;
    let to = resolve(&registry.base, response.headers().get(LOCATION)).and_then(|to| with_digest(to, digest));
    let to = to.map_err(|reason| RegistryError::Redirect {
        what: begin(),
        reason: reason.to_owned(),
    })?;
    let mut ask =
        Ask::new(Method::PUT, to).header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    ask.body = bytes.clone();
    ask.counts = counts;
    progress(0);
    registry.once(&ask, &[], &begin).await?;
    Ok(())
}

/// The address of an upload with what it will be.
fn with_digest(to: Uri, digest: Digest) -> Result<Uri, &'static str> {
    let path = to.path_and_query().map_or("/", |path| path.as_str());
    let glue = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{glue}digest={}", crate::auth::encode(&digest.to_string()));
    let mut parts = to.into_parts();
    parts.path_and_query = Some(path.parse().map_err(|_| "its target is no URL")?);
    Uri::from_parts(parts).map_err(|_| "its target is no URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_decides_what_it_may_be_pushed_as() {
        let wasm = Bytes::from(wat::parse_str("(component)").unwrap());
        let archive = Bytes::from_static(b"PAR\0");
        let pack = |kind, bytes: &Bytes| {
            Package::new(kind, bytes.clone(), &PushOptions::default())
                .map(|package| package.media_type)
                .map_err(|error| error.to_string())
        };
        assert_eq!(pack(Kind::Component, &wasm).as_deref(), Ok(WASM));
        assert_eq!(pack(Kind::Either, &wasm).as_deref(), Ok(WASM));
        assert_eq!(pack(Kind::Either, &archive).as_deref(), Ok(PAR));
        assert!(
            pack(Kind::Component, &archive)
                .unwrap_err()
                .contains("not a component")
        );
        assert!(
            pack(Kind::Provider, &wasm)
                .unwrap_err()
                .contains("push it as a component")
        );
        assert!(pack(Kind::Provider, &Bytes::new()).unwrap_err().contains("empty"));
    }

    #[test]
    fn the_same_content_has_the_same_manifest_and_it_parses() {
        let wasm = Bytes::from(wat::parse_str("(component)").unwrap());
        let options = PushOptions {
            annotations: Annotations::from([("a".to_owned(), "b".to_owned())]),
            ..PushOptions::default()
        };
        let one = Package::new(Kind::Component, wasm.clone(), &options).unwrap();
        let two = Package::new(Kind::Component, wasm, &options).unwrap();
        assert_eq!(one.manifest, two.manifest);
        let document = crate::manifest::parse(&one.manifest).unwrap();
        let crate::manifest::Document::Manifest(manifest) = document else {
            panic!("a manifest")
        };
        assert_eq!(manifest.artifact_type, WASM_CONFIG);
        assert_eq!(manifest.annotations, options.annotations);
        assert_eq!(
            crate::select::layer(&manifest, Kind::Component).unwrap().size,
            one.layer.len() as u64
        );
    }
}
