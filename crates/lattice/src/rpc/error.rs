//! What can go wrong with a call over the lattice, and whether the callee may have begun.

use std::time::Duration;

use wasmcloud_wire::rpc::RpcErrorBody;

use crate::connection::CallError;

/// Why a call has no results.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RpcError {
    /// Nobody serves this. Nothing has happened.
    #[error("nobody in the lattice answers on `{subject}`")]
    NoResponders {
        /// The subject of the call.
        subject: String,
    },
    /// The callee does not take the call. Nothing has happened.
    #[error("{}", .0.message)]
    Refused(RpcErrorBody),
    /// Nobody accepted the call in time: who got it stands still, or is gone.
    #[error("nobody accepted the call on `{subject}` within {waited:.1?}")]
    NotAccepted {
        /// The subject of the call.
        subject: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The callee failed and says why.
    #[error("{}", .0.message)]
    Failed(RpcErrorBody),
    /// The callee ended the call without results and without saying why. Hosts of v1 do so when a call traps.
    #[error("the callee on `{subject}` ended the call without results; its host's log says why")]
    Closed {
        /// The subject of the call.
        subject: String,
    },
    /// The callee accepted the call and is gone.
    #[error("{} accepted the call on `{subject}` and is gone", named(.host))]
    Gone {
        /// The subject of the call.
        subject: String,
        /// Who it was, if it said so.
        host: Option<String>,
    },
    /// The callee knows nothing of the call any more, and what it sent was lost, for example with a server.
    #[error("what {} sent for the call on `{subject}` was lost", named(.host))]
    Lost {
        /// The subject of the call.
        subject: String,
        /// Who it was, if it said so.
        host: Option<String>,
    },
    /// The deadline passed.
    #[error("the call on `{subject}` did not end within {waited:.1?}; {} was waited for", named(.host))]
    TimedOut {
        /// The subject of the call.
        subject: String,
        /// Who accepted it, if it said so.
        host: Option<String>,
        /// How long was waited.
        waited: Duration,
    },
    /// The other side has lost interest.
    #[error("the caller on `{subject}` went away")]
    Cancelled {
        /// The subject of the call.
        subject: String,
    },
    /// More arrived than may wait.
    #[error("the peer on `{subject}` sent more than may wait here unread ({limit} bytes)")]
    Overflow {
        /// The subject of the call.
        subject: String,
        /// What may wait.
        limit: usize,
    },
    /// The answer makes no sense.
    #[error("the peer on `{subject}` does not keep to the protocol: {what}")]
    Malformed {
        /// The subject of the call.
        subject: String,
        /// What is wrong.
        what: String,
    },
    /// As many calls are under way as may be. Nothing has happened.
    #[error("{limit} calls are under way over the lattice, more are not allowed")]
    TooManyCalls {
        /// The limit.
        limit: usize,
    },
    /// What is called has a name that cannot travel. Nothing has happened.
    #[error("{0}")]
    Name(String),
    /// It could not be sent.
    #[error("{0}")]
    Connection(std::sync::Arc<CallError>),
}

impl RpcError {
    /// Whether nothing has begun, so that the call can be made elsewhere. Not so for [`RpcError::NotAccepted`]: a
    /// callee of v1 may have begun.
    pub fn nothing_begun(&self) -> bool {
        match self {
            Self::NoResponders { .. } | Self::TooManyCalls { .. } | Self::Name(_) => true,
            Self::Refused(body) => body.code.is_refusal(),
            Self::Connection(error) => match &**error {
                CallError::NoResponders { .. }
                | CallError::Disconnected { .. }
                | CallError::Closed { .. }
                | CallError::TooLarge { .. }
                | CallError::Refused { .. } => true,
                CallError::TimedOut { .. } => false,
            },
            _ => false,
        }
    }
}

impl From<CallError> for RpcError {
    fn from(error: CallError) -> Self {
        Self::Connection(std::sync::Arc::new(error))
    }
}

fn named(host: &Option<String>) -> String {
    match host {
        Some(host) => format!("host `{host}`"),
        None => "the callee".to_owned(),
    }
}
