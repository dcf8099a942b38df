//! What of a manifest or an index is wanted: the layer of the right type, the manifest for this machine.

use std::env::consts::{ARCH, OS};

use crate::manifest::{Descriptor, Entry, Manifest, Platform};
use crate::options::Kind;

/// A component as v1 pushed it first.
const WASM_LAYER_V1: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
/// Used for both kinds by early tools; the content is no tar.
const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// A component by the CNCF Wasm OCI artifact layout.
pub(crate) const WASM: &str = "application/wasm";
/// The config that goes with [`WASM`].
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// A provider archive.
pub(crate) const PAR: &str = "application/vnd.wasmcloud.provider.archive.layer.v1+par";
/// The config that goes with [`PAR`] (wire reference §7).
pub(crate) const PAR_CONFIG: &str = "application/vnd.wasmcloud.provider.archive.config";

/// Longest list of names in a message.
const NAMES: usize = 8;

/// Why nothing of a manifest fits.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// No layer of a type that counts.
    #[error(
        "it is not a {wanted}: it is a `{artifact_type}` with layers of type {}; {wanted}s have {}",
        names(found),
        names(accepted)
    )]
    Type {
        /// What was wanted.
        wanted: &'static str,
        /// The type of the whole.
        artifact_type: String,
        /// The types of its layers.
        found: Vec<String>,
        /// The types that count.
        accepted: Vec<String>,
    },
    /// More than one layer that could be meant.
    #[error("it has {0} layers of which each could be meant; there must be exactly one")]
    Several(usize),
    /// The index has nothing for this machine.
    #[error("it has nothing for {wanted}, only for {}", names(found))]
    Platform {
        /// What was looked for.
        wanted: String,
        /// What there is.
        found: Vec<String>,
    },
    /// An index inside an index.
    #[error("it is an index within an index")]
    Nested,
}

fn names(names: &[String]) -> String {
    let mut quoted: Vec<_> = names
        .iter()
        .take(NAMES)
        .map(|name| format!("`{}`", short(name)))
        .collect();
    if names.len() > NAMES {
        quoted.push(format!("{} more", names.len() - NAMES));
    }
    if quoted.is_empty() {
        "none".to_owned()
    } else {
        quoted.join(", ")
    }
}

/// Media types come from outside and end in messages.
fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

impl Kind {
    fn accepts(self) -> &'static [&'static str] {
        match self {
            Self::Component => &[WASM, WASM_LAYER_V1, TAR],
            Self::Provider => &[PAR, TAR],
            Self::Either => &[WASM, WASM_LAYER_V1, PAR, TAR],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Provider => "capability provider",
            Self::Either => "component or provider",
        }
    }
}

/// The one layer that holds what is wanted.
pub(crate) fn layer(manifest: &Manifest, kind: Kind) -> Result<&Descriptor, SelectError> {
    let mut fitting = manifest
        .layers
        .iter()
        .filter(|layer| kind.accepts().contains(&layer.media_type.as_str()));
    let (Some(layer), more) = (fitting.next(), fitting.count()) else {
        return Err(SelectError::Type {
            wanted: kind.name(),
            artifact_type: short(&manifest.artifact_type),
            found: manifest
                .layers
                .iter()
                .map(|layer| layer.media_type.clone())
                .collect(),
            accepted: kind.accepts().iter().map(|&name| name.to_owned()).collect(),
        });
    };
    // By the artifact layout a wasm config goes with one layer, whatever the others are (wire reference §2.6).
    if manifest.artifact_type == WASM_CONFIG && manifest.layers.len() > 1 {
        return Err(SelectError::Several(manifest.layers.len()));
    }
    if more > 0 {
        return Err(SelectError::Several(more + 1));
    }
    Ok(layer)
}

/// Which layers are WebAssembly by their type.
pub(crate) fn is_provider(media_type: &str, kind: Kind) -> bool {
    media_type == PAR || (media_type == TAR && kind == Kind::Provider)
}

/// The manifest of an index for this machine. WebAssembly runs everywhere: for components the entry for `wasm` is
/// taken, else one that names no platform. Providers are programs: this operating system and architecture, else an
/// entry that names no platform, because a provider archive holds several machines' programs.
pub(crate) fn manifest(entries: &[Entry], kind: Kind) -> Result<&Descriptor, SelectError> {
    let (os, arch) = machine();
    let wasm = |platform: &Platform| platform.architecture == "wasm";
    let here = |platform: &Platform| platform.os == os && platform.architecture == arch;
    let by = |fits: &dyn Fn(&Platform) -> bool| {
        entries
            .iter()
            .find(|entry| entry.platform.as_ref().is_some_and(fits))
    };
    let found = match kind {
        Kind::Component => by(&wasm),
        Kind::Provider => by(&here),
        Kind::Either => by(&wasm).or_else(|| by(&here)),
    };
    let found = found.or_else(|| entries.iter().find(|entry| entry.platform.is_none()));
    found
        .map(|entry| &entry.manifest)
        .ok_or_else(|| SelectError::Platform {
            wanted: match kind {
                Kind::Component => "wasm".to_owned(),
                Kind::Provider => format!("{os}/{arch}"),
                Kind::Either => format!("wasm or {os}/{arch}"),
            },
            found: entries
                .iter()
                .filter_map(|entry| entry.platform.as_ref())
                .map(|platform| format!("{}/{}", platform.os, platform.architecture))
                .collect(),
        })
}

/// Operating system and architecture of this machine as OCI spells them (the names of Go).
fn machine() -> (&'static str, &'static str) {
    let os = match OS {
        "macos" => "darwin",
        other => other,
    };
    let arch = match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    };
    (os, arch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn descriptor(media_type: &str) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(media_type.as_bytes()),
            size: 1,
        }
    }

    fn pick(artifact_type: &str, layers: &[&str], kind: Kind) -> Result<String, String> {
        let manifest = Manifest {
            artifact_type: artifact_type.to_owned(),
            layers: layers.iter().map(|name| descriptor(name)).collect(),
            annotations: Default::default(),
        };
        let picked = layer(&manifest, kind).map(|layer| layer.media_type.clone());
        picked.map_err(|error| error.to_string())
    }

    #[test]
    fn both_families_of_media_types() {
        for media_type in [WASM, WASM_LAYER_V1, TAR] {
            assert_eq!(
                pick(WASM_CONFIG, &[media_type], Kind::Component).as_deref(),
                Ok(media_type)
            );
            assert_eq!(
                pick("x", &["readme", media_type], Kind::Either).as_deref(),
                Ok(media_type)
            );
        }
        for media_type in [PAR, TAR] {
            assert_eq!(
                pick(PAR_CONFIG, &[media_type], Kind::Provider).as_deref(),
                Ok(media_type)
            );
        }
    }

    #[test]
    fn what_was_found_is_named() {
        let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
        let error = pick(
            "application/vnd.oci.image.config.v1+json",
            &[gzip; 20],
            Kind::Component,
        )
        .unwrap_err();
        assert!(
            error.contains(gzip) && error.contains("image.config") && error.contains("12 more"),
            "{error}"
        );
        assert!(
            pick(PAR_CONFIG, &[PAR], Kind::Component)
                .unwrap_err()
                .contains("not a component")
        );
        assert!(
            pick(WASM_CONFIG, &[], Kind::Component)
                .unwrap_err()
                .contains("none")
        );
        assert!(
            pick(WASM_CONFIG, &[WASM, "x"], Kind::Component)
                .unwrap_err()
                .contains("2 layers")
        );
        assert!(
            pick("x", &[WASM, TAR], Kind::Component)
                .unwrap_err()
                .contains("2 layers")
        );
    }

    #[test]
    fn platforms() {
        let entry = |name: &str, platform: Option<(&str, &str)>| Entry {
            manifest: descriptor(name),
            platform: platform.map(|(os, architecture)| Platform {
                os: os.to_owned(),
                architecture: architecture.to_owned(),
            }),
        };
        let (os, arch) = machine();
        let entries = [
            entry("attestation", Some(("unknown", "unknown"))),
            entry("elsewhere", Some(("plan9", arch))),
            entry("here", Some((os, arch))),
            entry("wasm", Some(("wasip2", "wasm"))),
            entry("any", None),
        ];
        let pick = |entries: &[Entry], kind| {
            manifest(entries, kind)
                .map(|found| found.media_type.clone())
                .map_err(|error| error.to_string())
        };
        assert_eq!(pick(&entries, Kind::Component).as_deref(), Ok("wasm"));
        assert_eq!(pick(&entries, Kind::Provider).as_deref(), Ok("here"));
        assert_eq!(pick(&entries[4..], Kind::Component).as_deref(), Ok("any"));
        assert_eq!(pick(&entries[4..], Kind::Provider).as_deref(), Ok("any"));
        let error = pick(&entries[..2], Kind::Provider).unwrap_err();
        assert!(
            error.contains(&format!("{os}/{arch}")) && error.contains("plan9"),
            "{error}"
        );
    }
}
