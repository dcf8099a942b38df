//! The envelope around every reply of a host.

use std::error::Error;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

use crate::json::Message;
use crate::limit::MAX_REPLY;
use crate::message;

/// What a host answers: whether it did or will do what it was asked, a text, and a value where one was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CtlResponse<T = Nothing> {
    /// Whether the host did it, or has begun what takes long.
    pub success: bool,
    /// What was done or why not; often empty on success. The texts stand in [`message`].
    #[serde(default)]
    pub message: String,
    /// What was asked for.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub response: Option<T>,
}

/// The response to requests that ask for nothing. It is never sent, and what a newer peer may send is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Nothing;

impl<'de> Deserialize<'de> for Nothing {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self)
    }
}

// Named, because serde's derive would ask for `T: Default` otherwise.
fn none<T>() -> Option<T> {
    None
}

impl<T> CtlResponse<T> {
    /// It worked, and this was asked for.
    pub fn ok(response: T) -> Self {
        Self {
            success: true,
            message: String::new(),
            response: Some(response),
        }
    }

    /// It worked, and this is all there is to say; a text of [`message`], or an empty one.
    pub fn success(message: impl Into<String>) -> Self {
        Self {
            success: true,
            message: message.into(),
            response: None,
        }
    }

    /// It did not work, for this reason; a text of [`message`].
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            success: false,
            message: message.into(),
            response: None,
        }
    }

    /// It did not work because of this error, told with its causes.
    pub fn failed(error: &dyn Error) -> Self {
        Self::error(message::chain(error))
    }
}

impl<T: Serialize + DeserializeOwned> Message for CtlResponse<T> {
    const WHAT: &'static str = "reply";
    const MAX: usize = MAX_REPLY;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Links;

    #[test]
    fn a_response_that_is_missing_or_null_is_none() {
        for text in [
            r#"{"success":true,"message":"x"}"#,
            r#"{"success":true,"message":"x","response":null,"trace":1}"#,
        ] {
            let reply = CtlResponse::<Links>::decode(text.as_bytes()).unwrap();
            assert_eq!(reply, CtlResponse::success("x"));
            assert_eq!(reply.encode(), br#"{"success":true,"message":"x"}"#);
        }
    }

    #[test]
    fn what_nobody_asked_for_is_ignored() {
        let text = br#"{"success":false,"response":{"operation":7}}"#;
        assert_eq!(
            CtlResponse::<Nothing>::decode(text).unwrap().response,
            Some(Nothing)
        );
    }
}
