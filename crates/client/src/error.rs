//! What can go wrong between a question and what it was about.

use std::time::Duration;

use wasmcloud_core::{HostId, LatticeName};
use wasmcloud_lattice::CallError;
use wasmcloud_wire::DecodeError;

/// Why a question has no answer, or a bad one. `asked` is what was asked for, in words.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens to what any host of the lattice would.
    #[error(
        "cannot {asked}: no host answers in lattice `{lattice}`; hint: is a host running, and is this the lattice \
         it belongs to?"
    )]
    NoHost {
        /// What was asked for.
        asked: String,
        /// Where.
        lattice: LatticeName,
    },
    /// Nobody listens to what only this host would.
    #[error(
        "cannot {asked}: host {host} is not in lattice `{lattice}`; hint: it has stopped or lost its connection, or \
         belongs to another lattice"
    )]
    HostGone {
        /// What was asked for.
        asked: String,
        /// Who was asked.
        host: HostId,
        /// Where.
        lattice: LatticeName,
    },
    /// The host answered that it did not do it, and why.
    #[error("cannot {asked}: {message}")]
    Refused {
        /// What was asked for.
        asked: String,
        /// What the host said.
        message: String,
    },
    /// Somebody listens and does not answer. What was asked for may be done yet.
    #[error("cannot {asked}: {who} got the request and did not answer within {waited:.1?}")]
    Silent {
        /// What was asked for.
        asked: String,
        /// Who was asked.
        who: String,
        /// How long was waited.
        waited: Duration,
    },
    /// An answer came that is none.
    #[error("cannot {asked}: {who} answered with something else")]
    Answer {
        /// What was asked for.
        asked: String,
        /// Who was asked.
        who: String,
        /// What is wrong with the answer.
        #[source]
        source: DecodeError,
    },
    /// A host said yes and left out what it was asked for.
    #[error("cannot {asked}: {who} answered without saying what was asked for")]
    Empty {
        /// What was asked for.
        asked: String,
        /// Who was asked.
        who: String,
    },
    /// The connection to the lattice failed.
    #[error("cannot {asked}")]
    Connection {
        /// What was asked for.
        asked: String,
        /// Why.
        #[source]
        source: CallError,
    },
}

/// Why it is not clear which host is meant.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// There is none of that name or id.
    #[error("no host is called `{text}`{}; hint: {}", among(known), did_you_mean(nearest))]
    Unknown {
        /// What was written.
        text: String,
        /// How many hosts answered.
        known: usize,
        /// The name that is most like it.
        nearest: Option<String>,
    },
    /// There are several.
    #[error("`{text}` could be any of these hosts: {}; hint: write more of the id", candidates.join(", "))]
    Ambiguous {
        /// What was written.
        text: String,
        /// Those it could be, each as `name (id)`.
        candidates: Vec<String>,
    },
    /// The hosts could not be asked who they are.
    #[error(transparent)]
    Ask(#[from] ClientError),
}

fn among(known: &usize) -> String {
    match known {
        1 => ", one other host answered".to_owned(),
        known => format!(", {known} hosts answered"),
    }
}

fn did_you_mean(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => "a host is named by its friendly name, its id or the beginning of its id".to_owned(),
    }
}

/// Why it is not known that something was done. `asked` is what was asked for, in words.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The request itself did not succeed.
    #[error(transparent)]
    Request(#[from] ClientError),
    /// The host tried and failed.
    #[error("cannot {asked}: host {host} tried and failed: {error}")]
    Failed {
        /// What was asked for.
        asked: String,
        /// Who tried.
        host: HostId,
        /// What the host said.
        error: String,
    },
    /// The host stopped in the meantime, and said so.
    #[error("cannot {asked}: host {host} stopped before it was done")]
    HostStopped {
        /// What was asked for.
        asked: String,
        /// Which host.
        host: HostId,
    },
    /// The host is gone and did not say so.
    #[error("cannot {asked}: host {host} has left the lattice without a word, after {last}")]
    HostDied {
        /// What was asked for.
        asked: String,
        /// Which host.
        host: HostId,
        /// The last thing that is known, in words.
        last: String,
    },
    /// It took too long. It may be done yet.
    #[error(
        "gave up waiting for host {host} to {asked} after {waited:.1?}; the last that is known: {last}; hint: it may \
         still be done, look at the host's inventory and log"
    )]
    Deadline {
        /// What was asked for.
        asked: String,
        /// Who was waited for.
        host: HostId,
        /// How long.
        waited: Duration,
        /// The last thing that is known, in words.
        last: String,
    },
    /// The connection was closed while we waited.
    #[error("stopped waiting for host {host} to {asked}: the connection to the lattice was closed")]
    Closed {
        /// What was asked for.
        asked: String,
        /// Who was waited for.
        host: HostId,
    },
}
