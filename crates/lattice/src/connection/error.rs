//! What can go wrong on a connection.

use std::time::Duration;

use async_nats::RequestErrorKind;

use super::ServerVersion;
use crate::options::OptionsError;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The options make no sense.
    #[error("read the options of the lattice")]
    Options(#[from] OptionsError),
    /// The server does not let us in. Not tried again.
    #[error(
        "connect to {address}: the server refused the login ({login}); \
         hint: check the user, token, seed or credentials against the server's configuration"
    )]
    Refused {
        /// Which.
        address: String,
        /// How we tried to log in, without secrets.
        login: &'static str,
        /// What it said.
        #[source]
        source: async_nats::ConnectError,
    },
    /// Encryption failed. Not tried again.
    #[error(
        "connect to {address}: TLS failed; \
         hint: name the server's certificate authority, and the host as its certificate has it"
    )]
    Tls {
        /// Which.
        address: String,
        /// Why.
        #[source]
        source: async_nats::ConnectError,
    },
    /// No attempt succeeded.
    #[error("connect to {address}: {cause}; tried {tries} times in {waited:.1?}; hint: {hint}")]
    Unreachable {
        /// Which.
        address: String,
        /// The last reason, in words.
        cause: String,
        /// How often.
        tries: u32,
        /// How long.
        waited: Duration,
        /// What may help.
        hint: &'static str,
    },
    /// The server is too old.
    #[error(
        "connect to {address}: the server is nats-server {found}, {needed} or later is needed; \
         hint: update nats-server, or leave out the address to use the embedded lattice"
    )]
    OldServer {
        /// Which.
        address: String,
        /// What it says it is.
        found: String,
        /// What is needed.
        needed: ServerVersion,
    },
}

/// Why a message was not sent, or not answered.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens on the subject. Nothing has happened.
    #[error("nobody listens on `{subject}`")]
    NoResponders {
        /// The subject.
        subject: String,
    },
    /// No answer in time. What was asked for may have happened.
    #[error("no answer on `{subject}` from {address} within {waited:.1?}")]
    TimedOut {
        /// The subject, or what was waited for.
        subject: String,
        /// The servers.
        address: String,
        /// How long was waited.
        waited: Duration,
    },
    /// No server in time. Nothing was sent.
    #[error(
        "`{subject}` was not sent: no connection to {address} since {since:.1?}; it is being tried again"
    )]
    Disconnected {
        /// The subject, or what was to be done.
        subject: String,
        /// The servers.
        address: String,
        /// How long there has been none.
        since: Duration,
    },
    /// The connection was closed by us.
    #[error("`{subject}` was not sent: the connection is closed")]
    Closed {
        /// The subject, or what was to be done.
        subject: String,
    },
    /// The message is longer than the server takes. Nothing was sent.
    #[error(
        "the message for `{subject}` has {size} bytes, the server takes {limit}; \
         hint: `max_payload` in the server's configuration"
    )]
    TooLarge {
        /// The subject.
        subject: String,
        /// Its length with headers, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The client would not take it: the subject is none, or the client has ended.
    #[error("`{subject}` was refused by the NATS client")]
    Refused {
        /// The subject.
        subject: String,
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl CallError {
    pub(super) fn refused(subject: &str, source: impl Into<BoxError>) -> Self {
        Self::Refused {
            subject: subject.to_owned(),
            source: source.into(),
        }
    }

    pub(super) fn closed(subject: &str) -> Self {
        Self::Closed {
            subject: subject.to_owned(),
        }
    }

    pub(super) fn request(subject: &str, source: async_nats::RequestError) -> Self {
        match source.kind() {
            RequestErrorKind::NoResponders => Self::NoResponders {
                subject: subject.to_owned(),
            },
            _ => Self::refused(subject, source),
        }
    }
}
