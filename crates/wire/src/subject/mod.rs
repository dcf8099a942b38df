//! Subjects, each parsed into a value and made from one here and nowhere else.
//!
//! | subject | type |
//! |---|---|
//! | `{prefix}.v1.{lattice}.…` | [`ControlInterface`], [`Operation`] |
//! | `wasmbus.evt.{lattice}.{event}` | [`EventSubject`] |
//! | `wasmbus.rpc.{lattice}.{provider}.…` | [`ProviderSubject`] |
//! | `wasmbus.cfg.{lattice}.req` | [`config_service`] |
//!
//! Those of calls are in [`rpc::subject`](crate::rpc::subject), those of the manifest API in [`app`](crate::app).

mod control;
mod event;
mod provider;

use std::fmt;
use std::str::FromStr;

use wasmcloud_core::{ComponentId, InvalidName, LatticeName, PublicKey};

pub use control::{Auctions, ControlInterface, Operation};
pub use event::EventSubject;
pub use provider::{ProviderOperation, ProviderSubject};

/// What every control subject starts with where nobody chose otherwise (wire reference §3.1).
pub const DEFAULT_CONTROL_PREFIX: &str = "wasmbus.ctl";

/// Longest topic in bytes; with two ids behind it a subject stays far below the 4 KiB line of a NATS server.
const MAX_TOPIC: usize = 256;

/// Where a starting host asks for its settings (wire reference §2.2).
pub fn config_service(lattice: &LatticeName) -> String {
    format!("wasmbus.cfg.{lattice}.req")
}

/// Something to subscribe to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The subject, wildcards included.
    pub subject: String,
    /// With a group, each message goes to one subscriber of the group; without, to all subscribers.
    pub queue_group: Option<String>,
}

/// A subject that is none of those known here, with what a reply needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedSubject {
    /// It belongs to something else: another prefix, another lattice, another protocol.
    #[error("subject `{0}` belongs to something else")]
    Foreign(String),
    /// It is one of ours but names nothing that can be done.
    #[error("subject `{0}` names nothing that can be asked for or told")]
    Unknown(String),
    /// It names something that can be done, to a host, provider or config that cannot exist.
    #[error("subject `{subject}` names what cannot exist")]
    Name {
        /// The subject, cut off where it is long.
        subject: String,
        /// What is wrong with the name.
        #[source]
        source: InvalidName,
    },
}

/// How much of a subject errors repeat, in bytes.
const SHOWN: usize = 512;

impl UnsupportedSubject {
    pub(crate) fn foreign(subject: &str) -> Self {
        Self::Foreign(shorten(subject))
    }

    pub(crate) fn unknown(subject: &str) -> Self {
        Self::Unknown(shorten(subject))
    }

    pub(crate) fn name(subject: &str) -> impl Fn(InvalidName) -> Self {
        move |source| Self::Name {
            subject: shorten(subject),
            source,
        }
    }
}

fn shorten(subject: &str) -> String {
    crate::message::cut(subject, SHOWN)
}

/// A subject without wildcards: letters, digits, `-` and `_` between dots. What a person may choose as a prefix of
/// control subjects or as the topic of a policy or secrets service (wire reference §2.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Topic(String);

/// Text that is not a [`Topic`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is not a topic; write words of letters, digits, `-` and `_` with dots between them, at most {MAX_TOPIC} bytes",
    shorten(.0)
)]
pub struct InvalidTopic(String);

impl Topic {
    /// [`DEFAULT_CONTROL_PREFIX`].
    pub fn control() -> Self {
        Self(DEFAULT_CONTROL_PREFIX.to_owned())
    }

    /// The topic as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Topic {
    type Err = InvalidTopic;

    fn from_str(raw: &str) -> Result<Self, InvalidTopic> {
        let word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if raw.len() <= MAX_TOPIC && raw.split('.').all(word) {
            Ok(Self(raw.to_owned()))
        } else {
            Err(InvalidTopic(raw.to_owned()))
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One part of a subject that names a provider: its id, or the public key of one of its processes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token(ComponentId);

impl Token {
    /// The token as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Token {
    type Err = InvalidName;

    fn from_str(raw: &str) -> Result<Self, InvalidName> {
        raw.parse().map(Self)
    }
}

impl From<ComponentId> for Token {
    fn from(id: ComponentId) -> Self {
        Self(id)
    }
}

impl TryFrom<&PublicKey> for Token {
    type Error = InvalidName;

    fn try_from(key: &PublicKey) -> Result<Self, InvalidName> {
        key.as_str().parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics() {
        for good in ["wasmbus.ctl", "a", "A_b-9.c"] {
            assert_eq!(good.parse::<Topic>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a.*",
            ">",
            "a b",
            "é",
            &"x".repeat(257),
        ] {
            assert!(bad.parse::<Topic>().is_err(), "{bad:?} must be refused");
        }
        assert_eq!(Topic::control(), DEFAULT_CONTROL_PREFIX.parse().unwrap());
    }
}
