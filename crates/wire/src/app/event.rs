//! What v1's wadm tells when what shall run has changed: CloudEvents on `wadm.evt.{lattice}.…` (recorded).

use serde::Serialize;
use serde_json::{Value, json};
use wasmcloud_core::{AppName, LatticeName};

use crate::json;

/// What shall run has changed.
#[derive(Clone, Debug, PartialEq)]
pub enum ManifestEvent {
    /// A version was deployed: its manifest as JSON, with its version.
    Published(Value),
    /// Nothing of an application shall run any more.
    Unpublished(AppName),
}

#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'a str,
    id: &'a str,
    #[serde(rename = "type")]
    kind: String,
    source: &'a str,
    datacontenttype: &'a str,
    time: &'a str,
    data: &'a Value,
}

impl ManifestEvent {
    /// Where it is told.
    pub fn subject(&self, lattice: &LatticeName) -> String {
        format!("wadm.evt.{lattice}.{}", self.name())
    }

    /// Writes it. `id` differs for each event; `time` is RFC 3339.
    pub fn encode(&self, id: &str, time: &str) -> Vec<u8> {
        let unpublished;
        let data = match self {
            Self::Published(manifest) => manifest,
            Self::Unpublished(app) => {
                unpublished = json!({ "name": app.as_str() });
                &unpublished
            }
        };
        json::encode(&Envelope {
            specversion: "1.0",
            id,
            kind: format!("com.wadm.{}", self.name()),
            source: "wadm",
            datacontenttype: "application/json",
            time,
            data,
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Published(_) => "manifest_published",
            Self::Unpublished(_) => "manifest_unpublished",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from wadm 0.21.1 (`applications.jsonl` of the captures).
    #[test]
    fn events_are_written_as_in_v1() {
        let lattice = "default".parse().unwrap();
        let event = ManifestEvent::Unpublished("hello".parse().unwrap());
        assert_eq!(event.subject(&lattice), "wadm.evt.default.manifest_unpublished");
        let text = r#"{"specversion":"1.0","id":"25f7","type":"com.wadm.manifest_unpublished","source":"wadm","datacontenttype":"application/json","time":"2026-11-22T09:49:12.197562854Z","data":{"name":"hello"}}"#;
        let written = event.encode("25f7", "2026-11-22T09:49:12.197562854Z");
        assert_eq!(String::from_utf8(written).unwrap(), text);
        let event = ManifestEvent::Published(json!({"kind": "Application"}));
        assert_eq!(event.subject(&lattice), "wadm.evt.default.manifest_published");
        let written = String::from_utf8(event.encode("1", "now")).unwrap();
        assert!(
            written.ends_with(r#""data":{"kind":"Application"}}"#),
            "{written}"
        );
    }
}
