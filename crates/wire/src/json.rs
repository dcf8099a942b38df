//! The way in and out for every JSON message: size, then form, then a value; and what is said when one is wrong.

use std::error::Error;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A message that is one JSON value.
pub trait Message: Serialize + DeserializeOwned {
    /// What errors call it: `component scale command`.
    const WHAT: &'static str;
    /// How many bytes one may have, see the limits in the documentation of the crate.
    const MAX: usize;

    /// Reads a message from bytes that anybody may have sent.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(Self::WHAT, Self::MAX, bytes)
    }

    /// Writes a message, on one line and with its fields in the order v1 has them.
    fn encode(&self) -> Vec<u8> {
        encode(self)
    }
}

/// Bytes that are not the message they should be.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There are too many of them, so they were not looked at.
    #[error("{what} has {len} bytes, the limit is {limit}")]
    TooLarge {
        /// What it should have been.
        what: &'static str,
        /// How many bytes there are.
        len: usize,
        /// How many there may be.
        limit: usize,
    },
    /// They are not JSON, or a field is missing, has the wrong type, or a value that it may not have.
    ///
    /// v1 says `failed to deserialize` in every such reply (wire reference §16).
    #[error("failed to deserialize {what}{}", at(field))]
    Form {
        /// What it should have been.
        what: &'static str,
        /// Where it goes wrong, as `labels.zone` or `config[2]`; empty where the whole is wrong.
        field: String,
        /// What is wrong there.
        #[source]
        source: serde_json::Error,
    },
}

/// A field whose text is not what it should name.
#[derive(Debug, thiserror::Error)]
#[error("field `{field}`")]
pub struct InvalidField {
    /// Which field, as it is called in JSON: `component_ref` or `interfaces[2]`.
    pub field: String,
    /// What is wrong with it.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

impl InvalidField {
    pub(crate) fn new(field: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            field: field.into(),
            source: source.into(),
        }
    }
}

fn at(field: &str) -> String {
    if field.is_empty() {
        String::new()
    } else {
        format!(": field `{field}`")
    }
}

pub(crate) fn decode<T: DeserializeOwned>(
    what: &'static str,
    limit: usize,
    bytes: &[u8],
) -> Result<T, DecodeError> {
    check_size(what, limit, bytes)?;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| form(what, error))?;
    json.end().map_err(|source| DecodeError::Form {
        what,
        field: String::new(),
        source,
    })?;
    Ok(value)
}

/// The same where no payload at all asks for the same as an empty object.
pub(crate) fn decode_or_default<T: Message + Default>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.is_empty() {
        return Ok(T::default());
    }
    decode(T::WHAT, T::MAX, bytes)
}

pub(crate) fn check_size(what: &'static str, limit: usize, bytes: &[u8]) -> Result<(), DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLarge {
            what,
            len: bytes.len(),
            limit,
        });
    }
    Ok(())
}

pub(crate) fn form(what: &'static str, error: serde_path_to_error::Error<serde_json::Error>) -> DecodeError {
    // The path of the whole is written as a dot.
    let field = match error.path().to_string() {
        whole if whole == "." => String::new(),
        field => field,
    };
    DecodeError::Form {
        what,
        field,
        source: error.into_inner(),
    }
}

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value)
        .expect("the types of this crate have text for keys and no serialisation of their own that fails")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::ScaleComponent;
    use crate::message::chain;

    fn refused(json: &str) -> String {
        chain(&ScaleComponent::decode(json.as_bytes()).unwrap_err())
    }

    #[test]
    fn errors_name_the_field() {
        let scale = |id: &str, config: &str, count: &str| {
            format!(
                r#"{{"component_ref":"a/b:1","component_id":"{id}","host_id":"N1","count":{count},"config":{config}}}"#
            )
        };
        assert_eq!(
            refused(&scale("a.b", "[]", "1")),
            "failed to deserialize component scale command: field `component_id`: component id `a.b` contains '.'; \
             letters, digits, `-` and `_` are allowed at line 1 column 45"
        );
        assert!(refused(&scale("a", r#"["x","y z"]"#, "1")).contains("field `config[1]`: config name `y z`"));
        assert!(refused(&scale("a", "[]", "-1")).contains("field `count`: invalid value: integer `-1`"));
        assert!(refused("{}").contains("command: missing field `component_ref`"));
        assert!(refused("").contains("command: EOF while parsing"));
        assert!(refused("{} {}").contains("missing field"));
        let twice = format!("{0}{0}", scale("a", "[]", "1"));
        assert!(refused(&twice).contains("command: trailing characters"));
    }

    #[test]
    fn what_is_too_large_is_not_looked_at() {
        let error = ScaleComponent::decode(&vec![b' '; ScaleComponent::MAX + 1]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "component scale command has 1048577 bytes, the limit is 1048576"
        );
    }
}
