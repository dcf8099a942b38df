//! Exit codes, the same for every command. They are part of the interface: scripts decide by them.

use std::process::ExitCode;

/// It worked.
pub(crate) const OK: ExitCode = ExitCode::SUCCESS;
/// It did not work, for a reason that has no code of its own.
pub(crate) const FAILURE: u8 = 1;
/// The command line is wrong. Mostly the argument parser says so.
pub(crate) const USAGE: u8 = 2;
/// The manifest, or another file that was given, is wrong.
pub(crate) const INVALID: u8 = 3;
/// The application could not be started.
pub(crate) const NOT_STARTED: u8 = 4;
/// `wash call` had an HTTP answer, with another status than 2xx.
pub(crate) const HTTP_STATUS: u8 = 5;
/// `wash app diff` found something that is different.
pub(crate) const DIFFERENT: u8 = 6;
/// A second signal ended the program before it had drained: 128 + SIGINT, as shells report it.
pub(crate) const FORCED: u8 = 130;
/// What JSON output calls that.
pub(crate) const FORCED_KIND: &str = "forced";

/// A failed command: what to say and which code to leave with.
pub(crate) struct Failure {
    pub(crate) code: ExitCode,
    pub(crate) kind: &'static str,
    pub(crate) message: Message,
}

/// What to say about a failure.
pub(crate) enum Message {
    /// An error and its causes, with the place in the user's file if there is one.
    Error {
        error: anyhow::Error,
        place: Option<String>,
        hint: Option<String>,
    },
    /// What was printed says it already.
    Told,
    /// Problems of a manifest, which print themselves.
    Manifest(Box<wasmcloud_manifest::Diagnostics>),
}

impl Failure {
    /// A failure without a place.
    pub(crate) fn new(code: u8, kind: &'static str, error: impl Into<anyhow::Error>) -> Self {
        let message = Message::Error {
            error: error.into(),
            place: None,
            hint: None,
        };
        Self {
            code: ExitCode::from(code),
            kind,
            message,
        }
    }

    /// A command that printed what it could, and not all that was asked for.
    pub(crate) fn told(code: u8) -> Self {
        Self {
            code: ExitCode::from(code),
            kind: "incomplete",
            message: Message::Told,
        }
    }

    /// The same, at a place in the user's file.
    #[must_use]
    pub(crate) fn at(mut self, at: String) -> Self {
        if let Message::Error { place, .. } = &mut self.message {
            *place = Some(at);
        }
        self
    }

    /// Problems of a manifest.
    pub(crate) fn manifest(diagnostics: wasmcloud_manifest::Diagnostics) -> Self {
        let message = Message::Manifest(Box::new(diagnostics));
        Self {
            code: ExitCode::from(INVALID),
            kind: "invalid-manifest",
            message,
        }
    }
}
