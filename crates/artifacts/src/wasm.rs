//! What a WebAssembly file says about itself, for the config of its artifact.

use std::time::SystemTime;

use serde::Serialize;
use wasmparser::{Encoding, Parser, Payload};

use crate::digest::Digest;
use crate::time::rfc3339;

/// Deepest nesting of components and modules that is looked into.
pub(crate) const MAX_DEPTH: usize = 64;

/// The config of the CNCF Wasm OCI artifact layout (`application/vnd.wasm.config.v0+json`).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WasmConfig {
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    architecture: &'static str,
    /// `wasip2` for components, `wasip1` for core modules.
    os: &'static str,
    /// Makes the config, whose digest some tools take for the id of the artifact, different for each content.
    layer_digests: Vec<String>,
    component: Option<World>,
}

/// What a component imports and exports, by the names in its binary.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct World {
    exports: Vec<String>,
    imports: Vec<String>,
    target: Option<String>,
}

impl WasmConfig {
    /// The config for a component or core module, or why it is neither.
    pub(crate) fn of(bytes: &[u8], created: SystemTime, author: Option<String>) -> Result<Self, String> {
        let component = world(bytes)?;
        Ok(Self {
            created: rfc3339(created),
            author,
            architecture: "wasm",
            os: if component.is_some() { "wasip2" } else { "wasip1" },
            layer_digests: vec![Digest::of(bytes).to_string()],
            component,
        })
    }
}

/// The outer imports and exports of a component; `None` for a core module.
fn world(bytes: &[u8]) -> Result<Option<World>, String> {
    let mut world = None;
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| error.to_string())? {
            Payload::Version { encoding, .. } => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(format!("it is nested more than {MAX_DEPTH} deep"));
                }
                if depth == 1 && encoding == Encoding::Component {
                    world = Some(World::default());
                }
            }
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let name = import.map_err(|error| error.to_string())?.name.name;
                    world.get_or_insert_default().imports.push(name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let name = export.map_err(|error| error.to_string())?.name.name;
                    world.get_or_insert_default().exports.push(name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(world)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn components_and_modules() {
        let component = r#"(component
            (import "wasi:keyvalue/store@0.2.0-draft" (instance))
            (component (import "inner" (func)))
            (instance $i)
            (export "wasi:http/incoming-handler@0.2.2" (instance $i)))"#;
        let bytes = wat::parse_str(component).unwrap();
        let config = WasmConfig::of(&bytes, SystemTime::UNIX_EPOCH, None).unwrap();
        assert_eq!(
            serde_json::to_value(&config).unwrap(),
            serde_json::json!({
                "created": "1970-01-01T00:00:00Z",
                "architecture": "wasm",
                "os": "wasip2",
                "layerDigests": [Digest::of(&bytes).to_string()],
                "component": {
                    "exports": ["wasi:http/incoming-handler@0.2.2"],
                    "imports": ["wasi:keyvalue/store@0.2.0-draft"],
                    "target": null,
                },
            })
        );
        let module = wat::parse_str("(module)").unwrap();
        let config = WasmConfig::of(&module, SystemTime::UNIX_EPOCH, Some("ada".to_owned())).unwrap();
        assert_eq!((config.os, &config.component), ("wasip1", &None));
        for bad in [
            b"".as_slice(),
            b"\0asm",
            b"no wasm at all",
            bytes.get(..20).unwrap(),
        ] {
            assert!(world(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), component: bool) {
            let mut file = b"\0asm".to_vec();
            file.extend(if component { [13, 0, 1, 0] } else { [1, 0, 0, 0] });
            file.extend(bytes);
            let _ = world(&file);
        }
    }
}
