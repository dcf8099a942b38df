//! The words of the state: names, subjects and values, each checked once.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{MAX_BUCKET_LEN, MAX_KEY_LEN, MAX_VALUE_LEN, SUBJECT_PREFIX};

/// What the subject of a bucket's changes ends with.
const CHANGED: &str = ".changed";

/// The name of a bucket: letters, digits, `_` and `-`, as JetStream has it for key-value buckets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(Arc<str>);

/// A key: letters, digits and `-/_=.`, with dots neither at the ends nor two in a row, as JetStream has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// The beginning of keys: what a key may consist of, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix(Arc<str>);

/// A name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Not a bucket.
    #[error(
        "`{0}` is no bucket name: 1 to {MAX_BUCKET_LEN} of the letters a-z and A-Z, digits, `_` and `-` are expected"
    )]
    Bucket(String),
    /// Not a key.
    #[error(
        "`{0}` is no key: 1 to {MAX_KEY_LEN} of the letters a-z and A-Z, digits and `-/_=.` are expected, with dots \
         only between others"
    )]
    Key(String),
    /// Not the beginning of a key.
    #[error(
        "`{0}` is no prefix of keys: at most {MAX_KEY_LEN} of the letters a-z and A-Z, digits and `-/_=.` are expected"
    )]
    Prefix(String),
}

/// A name in an error message; the whole of a hostile one would fill the log.
fn shown(raw: &str) -> String {
    raw.chars()
        .take(64)
        .collect::<String>()
        .escape_debug()
        .to_string()
}

impl FromStr for BucketName {
    type Err = InvalidName;

    fn from_str(raw: &str) -> Result<Self, InvalidName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if raw.is_empty() || raw.len() > MAX_BUCKET_LEN || !raw.bytes().all(allowed) {
            return Err(InvalidName::Bucket(shown(raw)));
        }
        Ok(Self(raw.into()))
    }
}

impl FromStr for Key {
    type Err = InvalidName;

    fn from_str(raw: &str) -> Result<Self, InvalidName> {
        let tokens = raw.split('.').all(|token| !token.is_empty());
        if raw.len() > MAX_KEY_LEN || !tokens || !raw.bytes().all(is_key_byte) {
            return Err(InvalidName::Key(shown(raw)));
        }
        Ok(Self(raw.into()))
    }
}

impl FromStr for Prefix {
    type Err = InvalidName;

    fn from_str(raw: &str) -> Result<Self, InvalidName> {
        if raw.len() > MAX_KEY_LEN || !raw.bytes().all(is_key_byte) {
            return Err(InvalidName::Prefix(shown(raw)));
        }
        Ok(Self(raw.into()))
    }
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-/_=.".contains(&byte)
}

/// What every name is: text that was checked once.
macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // Owned: text in JSON may have escapes.
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(D::Error::custom)
            }
        }
    };
}

name!(BucketName);
name!(Key);
name!(Prefix);

impl BucketName {
    /// Where requests for this bucket go.
    pub fn subject(&self) -> String {
        format!("{SUBJECT_PREFIX}.{self}")
    }

    /// Where the changes of this bucket are published.
    pub fn changes_subject(&self) -> String {
        format!("{SUBJECT_PREFIX}.{self}{CHANGED}")
    }
}

/// A subject that belongs to the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateSubject {
    /// Requests for a bucket.
    Requests(BucketName),
    /// Changes of a bucket.
    Changes(BucketName),
    /// One that begins like them and names no bucket, or something unknown of one.
    Unknown,
}

impl StateSubject {
    /// `None` if the subject is somebody else's.
    pub fn parse(subject: &[u8]) -> Option<Self> {
        let rest = subject
            .strip_prefix(SUBJECT_PREFIX.as_bytes())?
            .strip_prefix(b".")?;
        let parsed = match rest.strip_suffix(CHANGED.as_bytes()) {
            Some(bucket) => bucket_name(bucket).map(Self::Changes),
            None => bucket_name(rest).map(Self::Requests),
        };
        Some(parsed.unwrap_or(Self::Unknown))
    }
}

fn bucket_name(raw: &[u8]) -> Option<BucketName> {
    std::str::from_utf8(raw).ok()?.parse().ok()
}

/// A value of at most [`MAX_VALUE_LEN`] bytes. In JSON it is base64.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Value(Arc<[u8]>);

/// A value that is too long; the number is its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value has {0} bytes, the limit is {MAX_VALUE_LEN}")]
pub struct ValueTooLong(pub usize);

impl Value {
    /// Checks the length.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Result<Self, ValueTooLong> {
        let bytes = bytes.into();
        match bytes.len() {
            0..=MAX_VALUE_LEN => Ok(Self(bytes)),
            len => Err(ValueTooLong(len)),
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets, and long.
        write!(f, "Value({} bytes)", self.0.len())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        Self::new(bytes).map_err(D::Error::custom)
    }
}
