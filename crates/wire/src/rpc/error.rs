//! Why a call failed, as one line of JSON in the header [`wasmcloud-error`](super::header::ERROR). v1 had nothing for it:
//! whatever went wrong, the results just ended (wire reference §4.2).

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::message::cut;

/// Longest message in bytes.
pub const MAX_MESSAGE: usize = 2 << 10;
/// Longest name of a component or host in bytes; longer ones are cut off.
const MAX_NAME: usize = 256;
/// Longest code that is not known here, in bytes.
const MAX_CODE: usize = 64;

/// What kind of failure it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RpcErrorCode {
    /// `trap`: the component stopped in the middle.
    Trap,
    /// `deadline`: it took longer than the caller waits, or than it may.
    Deadline,
    /// `limit`: it needed more memory, or sent more, than it may.
    Limit,
    /// `mismatch`: the function is not there, or has other parameters than the caller thinks.
    Mismatch,
    /// `malformed`: the bytes of the parameters are not what they should be.
    Malformed,
    /// `not-running`: whoever took the request no longer runs the component.
    NotRunning,
    /// `full`: as many calls as allowed are running.
    Full,
    /// `draining`: the host is stopping.
    Draining,
    /// `denied`: a policy says no.
    Denied,
    /// `too-deep`: too many calls led here.
    TooDeep,
    /// `internal`: the host failed, not the component.
    Internal,
    /// What a later version says.
    Unknown(String),
}

impl RpcErrorCode {
    /// All that are known, with their text.
    pub const NAMES: [(&'static str, Self); 11] = [
        ("trap", Self::Trap),
        ("deadline", Self::Deadline),
        ("limit", Self::Limit),
        ("mismatch", Self::Mismatch),
        ("malformed", Self::Malformed),
        ("not-running", Self::NotRunning),
        ("full", Self::Full),
        ("draining", Self::Draining),
        ("denied", Self::Denied),
        ("too-deep", Self::TooDeep),
        ("internal", Self::Internal),
    ];

    /// The code as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Limit => "limit",
            Self::Mismatch => "mismatch",
            Self::Malformed => "malformed",
            Self::NotRunning => "not-running",
            Self::Full => "full",
            Self::Draining => "draining",
            Self::Denied => "denied",
            Self::TooDeep => "too-deep",
            Self::Internal => "internal",
            Self::Unknown(code) => code,
        }
    }

    /// Whether nothing was executed, so that the call may be sent to another host without being done twice. A code that
    /// is not known may mean anything.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::NotRunning | Self::Full | Self::Draining | Self::TooDeep => true,
            Self::Trap
            | Self::Deadline
            | Self::Limit
            | Self::Mismatch
            | Self::Malformed
            | Self::Denied
            | Self::Internal
            | Self::Unknown(_) => false,
        }
    }
}

impl From<&str> for RpcErrorCode {
    fn from(text: &str) -> Self {
        Self::NAMES
            .into_iter()
            .find(|(name, _)| *name == text)
            .map_or_else(|| Self::Unknown(short(text, MAX_CODE)), |(_, code)| code)
    }
}

impl fmt::Display for RpcErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for RpcErrorCode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&short(self.as_str(), MAX_CODE))
    }
}

impl<'de> Deserialize<'de> for RpcErrorCode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(from).map(|text| text.as_ref().into())
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}{}: {message}", place(component.as_deref(), host.as_deref()))]
pub struct RpcErrorBody {
    /// What kind of failure it was.
    pub code: RpcErrorCode,
    /// What a person needs to know; at most [`MAX_MESSAGE`] bytes of it travel.
    #[serde(default)]
    pub message: String,
    /// The component or provider that failed, where that is not the one that was called: it may have called others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The host on which it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// At most `limit` bytes, an ellipsis included.
fn short(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    cut(text, limit - "…".len())
}

fn place(component: Option<&str>, host: Option<&str>) -> String {
    match (component, host) {
        (None, None) => String::new(),
        (Some(component), None) => format!(" in {component}"),
        (None, Some(host)) => format!(" on {host}"),
        (Some(component), Some(host)) => format!(" in {component} on {host}"),
    }
}

impl RpcErrorBody {
    /// A failure of which nobody needs to know where it was.
    pub fn new(code: RpcErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            component: None,
            host: None,
        }
    }

    /// The value of the header: JSON on one line, of ASCII only, with long texts cut off.
    pub fn to_header(&self) -> String {
        let short = Self {
            code: self.code.clone(),
            message: short(&self.message, MAX_MESSAGE),
            component: self.component.as_deref().map(|name| short(name, MAX_NAME)),
            host: self.host.as_deref().map(|name| short(name, MAX_NAME)),
        };
        let json = crate::json::encode(&short);
        let mut header = String::with_capacity(json.len());
        // Outside of texts JSON is ASCII, and in texts a character may be written as the number of its UTF-16 units.
        // Control characters are escaped already, all but DEL.
        for character in String::from_utf8_lossy(&json).chars() {
            if character.is_ascii() && character != '\x7f' {
                header.push(character);
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(header, "\\u{unit:04x}");
                }
            }
        }
        header
    }

    /// Reads the header. Anything else than what it should be is a failure too, with the text as its message and a code
    /// that nobody knows.
    pub fn from_header(value: &str) -> Self {
        let read: Self = serde_json::from_str(value)
            .unwrap_or_else(|_| Self::new(RpcErrorCode::Unknown("unreadable".to_owned()), value));
        Self {
            code: read.code,
            message: short(&read.message, MAX_MESSAGE),
            component: read.component.map(|name| short(&name, MAX_NAME)),
            host: read.host.map(|name| short(&name, MAX_NAME)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_travel_in_a_header() {
        for (name, code) in RpcErrorCode::NAMES {
            assert_eq!(RpcErrorCode::from(name), code);
            let body = RpcErrorBody::new(code, "why");
            assert_eq!(
                body.to_header(),
                format!(r#"{{"code":"{name}","message":"why"}}"#)
            );
            assert_eq!(RpcErrorBody::from_header(&body.to_header()), body);
        }
        let body = RpcErrorBody {
            code: RpcErrorCode::Unknown("later".to_owned()),
            message: "line\r\nline é 🦀 \x7f \"quoted\" \\".to_owned(),
            component: Some("cart".to_owned()),
            host: Some("N1".to_owned()),
        };
        let header = body.to_header();
        assert!(
            header.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '),
            "{header}"
        );
        assert_eq!(RpcErrorBody::from_header(&header), body);
        assert!(body.to_string().starts_with("later in cart on N1: line"));
    }

    #[test]
    fn long_texts_are_cut_off_between_characters() {
        let body = RpcErrorBody::new(RpcErrorCode::Trap, "é".repeat(MAX_MESSAGE));
        let read = RpcErrorBody::from_header(&body.to_header());
        assert!(read.message.len() <= MAX_MESSAGE && read.message.ends_with("é…"));
        assert_eq!(RpcErrorBody::from_header(&read.to_header()), read);
    }

    #[test]
    fn anything_is_a_failure() {
        for text in ["", "nonsense", "{}", "null", r#"{"code":1}"#, "[[[["] {
            let body = RpcErrorBody::from_header(text);
            assert_eq!(body.code, RpcErrorCode::Unknown("unreadable".to_owned()));
            assert_eq!(body.message, text);
            assert!(!body.code.is_refusal());
        }
        let least = RpcErrorBody::from_header(r#"{"code":"full","more":[1]}"#);
        assert!(least.code.is_refusal());
    }
}
