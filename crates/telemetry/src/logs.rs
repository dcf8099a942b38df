//! Logs on stderr: filtered, written as text or JSON, and kept from blocking whoever logs.
//!
//! Lines wait in a bounded queue and are dropped, and counted, when the reader of stderr is slower than the writers.

use std::io::{self, IsTerminal};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::{EnvFilter, Registry};

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
#[error("`{filter}` is not a log filter; use for example `info` or `info,wasmcloud_host=debug`")]
pub struct InvalidFilter {
    /// What was given.
    pub filter: String,
    /// Why it is none.
    #[source]
    pub source: tracing_subscriber::filter::ParseError,
}

/// A part of the subscriber.
pub(crate) type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Keeps the log writer alive; dropping it writes what still waits.
pub(crate) struct LogGuard {
    pub(crate) dropped: ErrorCounter,
    _worker: WorkerGuard,
}

/// What the operator wants to read.
pub(crate) fn filter(options: &LogOptions) -> Result<EnvFilter, InvalidFilter> {
    EnvFilter::try_new(&options.filter).map_err(|source| InvalidFilter {
        filter: options.filter.clone(),
        source,
    })
}

/// The lines on stderr.
pub(crate) fn stderr(options: &LogOptions) -> Result<(BoxedLayer, LogGuard), InvalidFilter> {
    // Lines carry their own ids; spans are for traces. Left in, each would be made for this layer although nobody
    // ever sees it.
    let filter = filter(options)?.and(filter_fn(|metadata| metadata.is_event()));
    let (writer, worker) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUE)
        .finish(io::stderr());
    let guard = LogGuard {
        dropped: writer.error_counter(),
        _worker: worker,
    };
    let layer = if options.json {
        tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(writer)
            .with_filter(filter)
            .boxed()
    } else {
        let asked = options.color.unwrap_or_else(|| {
            io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        });
        tracing_subscriber::fmt::layer()
            .event_format(TextFormat::new(asked))
            .fmt_fields(tracing_subscriber::fmt::format::DefaultFields::new())
            .with_ansi(asked)
            .with_writer(writer)
            .with_filter(filter)
            .boxed()
    };
    Ok((layer, guard))
}
