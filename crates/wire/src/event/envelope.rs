//! The envelope of CloudEvents 1.0, structured mode, as v1 hosts fill it in.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wasmcloud_core::HostId;

use super::{Event, EventKind};
use crate::json::{self, DecodeError};
use crate::limit::MAX_REPLY;
use crate::message;

const WHAT: &str = "event";
const SPEC_VERSION: &str = "1.0";
/// What stands before the name of an event in its type.
const TYPE_PREFIX: &str = "com.wasmcloud.lattice.";
const JSON: &str = "application/json";

/// An event with who tells it and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudEvent {
    /// Different for each event of a source; a UUID in v1.
    pub id: String,
    /// The public key of the host that tells it.
    pub source: String,
    /// When it happened, as RFC 3339 has it, in UTC; empty where nobody said.
    pub time: String,
    /// What happened.
    pub event: Event,
}

/// A message that is not an event known here.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// It is not a CloudEvent, or its data is not what its type needs.
    #[error(transparent)]
    Form(#[from] DecodeError),
    /// It follows another version of CloudEvents.
    #[error("the event follows CloudEvents `{0}`, not `{SPEC_VERSION}`")]
    Version(String),
    /// It is of a type that is not known; perhaps a newer peer's.
    #[error("events of type `{0}` are not known")]
    Type(String),
    /// It has no data.
    #[error("the event `{}` has no data", .0.name())]
    NoData(EventKind),
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a, D> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, default)]
    datacontenttype: Cow<'a, str>,
    #[serde(borrow, default)]
    time: Cow<'a, str>,
    data: D,
}

impl CloudEvent {
    /// An event that `source` tells. `id` differs for each; `time` is RFC 3339.
    pub fn new(id: impl Into<String>, source: &HostId, time: impl Into<String>, event: Event) -> Self {
        Self {
            id: id.into(),
            source: source.to_string(),
            time: time.into(),
            event,
        }
    }

    /// Reads an event from bytes that anybody may have sent. The type says what it is, not the subject.
    pub fn decode(bytes: &[u8]) -> Result<Self, EventError> {
        // The data is read once its type is known, from the same bytes.
        let envelope: Envelope<'_, Option<&RawValue>> = decode(bytes)?;
        if envelope.specversion != SPEC_VERSION {
            return Err(EventError::Version(message::cut(&envelope.specversion, 64)));
        }
        let kind = envelope
            .kind
            .strip_prefix(TYPE_PREFIX)
            .and_then(EventKind::from_name)
            .ok_or_else(|| EventError::Type(message::cut(&envelope.kind, 256)))?;
        let data = envelope.data.ok_or(EventError::NoData(kind))?;
        Ok(Self {
            id: envelope.id.into_owned(),
            source: envelope.source.into_owned(),
            time: envelope.time.into_owned(),
            event: Event::from_json(kind, data.get())?,
        })
    }

    /// Writes the event as structured JSON.
    pub fn encode(&self) -> Vec<u8> {
        json::encode(&Envelope {
            specversion: SPEC_VERSION.into(),
            id: self.id.as_str().into(),
            kind: format!("{TYPE_PREFIX}{}", self.event.kind().name()).into(),
            source: self.source.as_str().into(),
            datacontenttype: JSON.into(),
            time: self.time.as_str().into(),
            data: &self.event,
        })
    }
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    json::check_size(WHAT, MAX_REPLY, bytes)?;
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut from).map_err(|error| json::form(WHAT, error))?;
    from.end().map_err(|source| DecodeError::Form {
        what: WHAT,
        field: String::new(),
        source,
    })?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        message::chain(&CloudEvent::decode(text.as_bytes()).unwrap_err())
    }

    fn event(spec: &str, kind: &str, data: &str) -> String {
        format!(r#"{{"specversion":"{spec}","id":"1","type":"{kind}","source":"N1","extension":[1]{data}}}"#)
    }

    #[test]
    fn what_is_not_an_event_says_why() {
        let type_of = |name: &str| format!("com.wasmcloud.lattice.{name}");
        assert_eq!(
            refused(&event("0.3", &type_of("config_set"), "")),
            "the event follows CloudEvents `0.3`, not `1.0`"
        );
        assert_eq!(
            refused(&event("1.0", "com.wadm.manifest_published", "")),
            "events of type `com.wadm.manifest_published` are not known"
        );
        assert_eq!(
            refused(&event("1.0", &type_of("config_set"), "")),
            "the event `config_set` has no data"
        );
        assert!(
            refused(&event(
                "1.0",
                &type_of("config_set"),
                r#","data":{"config_name":[]}"#
            ))
            .starts_with("failed to deserialize config_set: field `config_name`: invalid type: sequence")
        );
        assert!(refused("[]").starts_with("failed to deserialize event: "));
        assert!(refused("{}").starts_with("failed to deserialize event: missing field `specversion`"));
    }

    #[test]
    fn escapes_and_extensions_are_no_obstacle() {
        let text = event(
            "1.0",
            "com.wasmcloud.lattice.config_set",
            r#","time":"2026-11-22T09:47:20\u005a","data":{"config_name":"a","by":"b"}"#,
        );
        let event = CloudEvent::decode(text.as_bytes()).unwrap();
        assert_eq!(event.time, "2026-11-22T09:47:20Z");
        assert_eq!(CloudEvent::decode(&event.encode()).unwrap(), event);
    }
}
