//! Logs, traces and metrics, set up in one place.
//!
//! [`init`] sets up the one subscriber of a process: log lines on stderr, and, each for itself, traces, metrics and logs
//! over OTLP. What others count is collected by [`Metrics`] when somebody asks: a scrape of Prometheus, or a push.
//! [`set_parent`] and [`headers_of`] carry W3C trace context into and out of requests and messages.
//!
//! Spans and log lines are made with `tracing` by everybody else. A span whose target is not ours is never exported, and
//! with traces off no span is made at all.
//!
//! Two kinds of lines come together in the logs: what the host says, and what components say (target
//! `wasmcloud::component`), each prefixed with the component's id.

mod context;
mod format;
mod logs;
mod metrics;
mod options;
mod otlp;
mod signal;

use std::path::PathBuf;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use tracing_appender::non_blocking::ErrorCounter;
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

pub use crate::context::{TRACEPARENT, TRACESTATE, TraceHeaders, current_headers, headers_of, set_parent};
use crate::logs::{BoxedLayer, LogGuard};
pub use crate::logs::{InvalidFilter, LogOptions};
pub use crate::metrics::{Collection, Definition, Distribution, Family, Kind, Metrics};
pub use crate::options::{OptionsError, OtlpOptions, TelemetryOptions};
use crate::otlp::Otlp;
pub use crate::signal::{Protocol, Signal};

/// Targets of our own spans and of those that components cause. Libraries make spans too, which nobody asked for.
const OURS: [&str; 2] = ["wasmcloud", "wash"];

/// Targets that speak while a batch is sent. Their lines stay out of what is pushed: each batch would make the next.
const SENDING: [&str; 6] = [
    "wasmcloud_telemetry",
    "opentelemetry",
    "hyper",
    "h2",
    "rustls",
    "tokio_util",
];

static DROPPED: Definition = Definition {
    name: "wasmcloud_log_lines_dropped_total",
    help: "Log lines for stderr that were dropped because its reader was too slow",
    kind: Kind::Counter,
};
static BUILD: Definition = Definition {
    name: "wasmcloud_build_info",
    help: "Always 1, the version is in the label",
    kind: Kind::Gauge,
};

/// Telemetry cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log directives cannot be read.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    /// An endpoint or variable cannot be meant.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// Certificates cannot be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The thread that pushes did not start.
    #[error("start the thread that pushes to the OTLP receiver")]
    Thread(#[source] std::io::Error),
    /// Another subscriber is in place.
    #[error("logging is already set up in this process")]
    Twice,
}

/// TLS to the receiver cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file with certificate authorities is none.
    #[error("read certificate authorities from {}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The TLS library refused its settings.
    #[error("set up TLS to the OTLP receiver")]
    Setup(#[source] rustls::Error),
}

/// Telemetry of this process. Dropping it writes the log lines that wait; [`Telemetry::shutdown`] also pushes what
/// waits.
pub struct Telemetry {
    metrics: Metrics,
    otlp: Option<Otlp>,
    logs: LogGuard,
}

impl Telemetry {
    /// The metrics of this process, to add sources and to show them.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Lines that were dropped because nobody read stderr fast enough.
    pub fn dropped_lines(&self) -> usize {
        self.logs.dropped.dropped_lines()
    }

    /// Pushes what waits, for no longer than `limit`, and writes the log lines that wait. Blocks; not for a thread that
    /// runs futures.
    pub fn shutdown(mut self, limit: Duration) {
        if let Some(otlp) = self.otlp.take() {
            otlp.shutdown(limit);
        }
    }
}

/// Sets up telemetry for the process. Nothing is sent yet and no receiver has to be there.
pub fn init(options: &TelemetryOptions) -> Result<Telemetry, TelemetryError> {
    let metrics = Metrics::new();
    let (stderr, logs) = logs::stderr(&options.logs)?;
    let otlp = Otlp::start(options, &metrics)?;
    let mut layers: Vec<BoxedLayer> = vec![stderr];
    if let Some(Otlp { traces, logs, .. }) = &otlp {
        if let Some(provider) = traces {
            let level = options.otlp.trace_level;
            let spans = tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("wasmcloud"))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_tracked_inactivity(false)
                .with_filter(Targets::new().with_targets(OURS.map(|target| (target, level))));
            layers.push(spans.boxed());
        }
        if let Some(provider) = logs {
            let wanted = logs::filter(&options.logs)?.and(filter_fn(|metadata| {
                metadata.is_event() && !SENDING.iter().any(|target| metadata.target().starts_with(target))
            }));
            let lines = OpenTelemetryTracingBridge::new(provider).with_filter(wanted);
            layers.push(lines.boxed());
        }
    }
    tracing_subscriber::registry()
        .with(layers)
        .try_init()
        .map_err(|_| TelemetryError::Twice)?;
    let dropped = logs.dropped.clone();
    metrics.register(move |out| about(&dropped, out));
    Ok(Telemetry { metrics, otlp, logs })
}

fn about(dropped: &ErrorCounter, out: &mut Collection) {
    out.family(&BUILD)
        .count(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.family(&DROPPED).count(&[], dropped.dropped_lines() as u64);
}
