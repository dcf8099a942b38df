//! Why a provider's process does not run.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A provider that could not be started as a process.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The operating system does not start it.
    #[error("run {}", .program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It ended before it could be asked for its health.
    #[error("its process ended before it was ready ({status}){}", said(.lines, .doubt))]
    Ended {
        /// What may have kept it from connecting.
        doubt: Option<&'static str>,
        /// How it ended.
        status: String,
        /// The last lines that it printed.
        lines: Vec<String>,
    },
    /// It runs and does not listen.
    #[error(
        "its process runs and did not answer within {waited:.1?} ({reason}){}; hint: it must read its host data from \
         standard input, connect to the lattice and subscribe to its health subject", said(.lines, .doubt)
    )]
    Silent {
        /// What may have kept it from connecting.
        doubt: Option<&'static str>,
        /// How long was waited.
        waited: Duration,
        /// What came of the last question.
        reason: String,
        /// The last lines that it printed.
        lines: Vec<String>,
    },
    /// It was stopped on its way.
    #[error("it was stopped before it was ready")]
    Stopped,
    /// There is no curve key for it.
    #[error("make a curve key for it")]
    Key(#[source] nkeys::error::Error),
}

fn said(lines: &[String], doubt: &Option<&'static str>) -> String {
    let mut text = match lines {
        [] => "; it printed nothing".to_owned(),
        lines => format!("; it printed last: {}", lines.join(" | ")),
    };
    if let Some(doubt) = doubt {
        text.push_str("; ");
        text.push_str(doubt);
    }
    text
}
