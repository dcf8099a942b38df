//! What can go wrong between a question about applications and what it was about.

use std::path::PathBuf;
use std::time::Duration;

use wasmcloud_core::LatticeName;
use wasmcloud_lattice::CallError;
use wasmcloud_wire::DecodeError;

/// Why a question to the controller has no answer, or a bad one. `asked` is what was asked for, in words.
#[derive(Debug, thiserror::Error)]
pub enum AppsError {
    /// Nobody answers for the applications of the lattice. Nothing has happened.
    #[error("cannot {asked}: no controller leads lattice `{lattice}`{}", without(*.hosts, *.waited))]
    NoController {
        /// What was asked for.
        asked: String,
        /// Where.
        lattice: LatticeName,
        /// How many hosts answer there; `None` where that is not known.
        hosts: Option<usize>,
        /// How long was waited for one.
        waited: Duration,
    },
    /// There is no such application, or version of it.
    #[error("cannot {asked}: {message}")]
    NotFound {
        /// What was asked for.
        asked: String,
        /// What the controller said.
        message: String,
    },
    /// The controller answered that it did not do it, and why.
    #[error("cannot {asked}: {message}")]
    Refused {
        /// What was asked for.
        asked: String,
        /// What the controller said.
        message: String,
    },
    /// A controller that is not one of ours said no to what only ours do.
    #[error("cannot {asked}: {message}; hint: v1's wadm leads this lattice, and it cannot do that")]
    Foreign {
        /// What was asked for.
        asked: String,
        /// What the controller said.
        message: String,
    },
    /// Somebody listens and does not answer. What was asked for may be done yet.
    #[error(
        "cannot {asked}: the controller of lattice `{lattice}` got the request and did not answer within {waited:.1?}"
    )]
    Silent {
        /// What was asked for.
        asked: String,
        /// Where.
        lattice: LatticeName,
        /// How long was waited.
        waited: Duration,
    },
    /// An answer came that is none.
    #[error("cannot {asked}: the controller answered with something else")]
    Answer {
        /// What was asked for.
        asked: String,
        /// What is wrong with the answer.
        #[source]
        source: DecodeError,
    },
    /// The controller said yes and left out what it was asked for.
    #[error("cannot {asked}: the controller answered without saying what was asked for")]
    Empty {
        /// What was asked for.
        asked: String,
    },
    /// The folder of the manifest cannot be told to the controller.
    #[error("cannot put the manifest: the name of its folder {dir:?} has a line break in it or is not UTF-8")]
    BaseDir {
        /// The folder.
        dir: PathBuf,
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

impl AppsError {
    /// The same after all attempts.
    pub(super) fn after(self, whole: Duration, seen: Option<usize>) -> Self {
        match self {
            Self::NoController { asked, lattice, .. } => Self::NoController {
                asked,
                lattice,
                hosts: seen,
                waited: whole,
            },
            other => other,
        }
    }

    /// Whether the same question may have an answer in a moment: a controller, or the connection, comes back.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::NoController { .. }
                | Self::Silent { .. }
                | Self::Connection {
                    source: CallError::Disconnected { .. },
                    ..
                }
        )
    }
}

fn without(hosts: Option<usize>, waited: Duration) -> String {
    let waited = match waited.is_zero() {
        true => String::new(),
        false => format!(" (asked for {waited:.1?})"),
    };
    match hosts {
        Some(0) => format!(
            ", and no host answers there{waited}; hint: `wash up` or `wash host` starts a host, which is a controller \
             as well"
        ),
        Some(hosts) => format!(
            ", though {} there{waited}; hint: start a host without `--controller off`, or wadm",
            match hosts {
                1 => "a host answers".to_owned(),
                hosts => format!("{hosts} hosts answer"),
            }
        ),
        None => format!("{waited}; hint: start a host without `--controller off`, or wadm"),
    }
}
