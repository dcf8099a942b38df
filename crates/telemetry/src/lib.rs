//! Logs, set up in one place.
//!
//! Two kinds of lines come together on stderr: what the host says, and what components say (target
//! `wasmcloud::component`), each prefixed with the component's id. Writing never blocks a request: lines wait in a
//! bounded queue and are dropped, and counted, when the reader of stderr is slower than the writers.

mod format;

use std::io::{self, IsTerminal};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::format::TextFormat;

/// Lines that may wait to be written. A line is a few hundred bytes at most in the usual case, so this is a few
/// megabytes.
const QUEUE: usize = 16 * 1024;

/// How logs are written.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Filter directives, for example `info` or `info,wasmcloud_host=debug`.
    pub filter: String,
    /// One JSON object per line instead of text.
    pub json: bool,
    /// Colour; `None` asks the terminal and `NO_COLOR`.
    pub color: Option<bool>,
}

/// The log directives cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Not a filter.
    #[error("`{filter}` is not a log filter; use for example `info` or `info,wasmcloud_host=debug`")]
    Filter {
        /// What was given.
        filter: String,
        /// Why it is none.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Another subscriber is in place.
    #[error("logging is already set up in this process")]
    Twice,
}

/// Keeps the log writer alive; dropping it writes what still waits.
pub struct LogGuard {
    dropped: ErrorCounter,
    _worker: WorkerGuard,
}

impl LogGuard {
    /// Lines that were dropped because nobody read them fast enough.
    pub fn dropped_lines(&self) -> usize {
        self.dropped.dropped_lines()
    }
}

/// Sets up logging for the process.
pub fn init_logs(options: &LogOptions) -> Result<LogGuard, LogError> {
    let filter = EnvFilter::try_new(&options.filter).map_err(|source| LogError::Filter {
        filter: options.filter.clone(),
        source,
    })?;
    let (writer, worker) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUE)
        .finish(io::stderr());
    let dropped = writer.error_counter();
    let registry = tracing_subscriber::registry().with(filter);
    let set = if options.json {
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(writer);
        registry.with(layer).try_init()
    } else {
        let asked = options.color.unwrap_or_else(|| {
            io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        });
        let layer = tracing_subscriber::fmt::layer()
            .event_format(TextFormat::new(asked))
            .fmt_fields(tracing_subscriber::fmt::format::DefaultFields::new())
            .with_ansi(asked)
            .with_writer(writer);
        registry.with(layer).try_init()
    };
    set.map_err(|_| LogError::Twice)?;
    Ok(LogGuard {
        dropped,
        _worker: worker,
    })
}
