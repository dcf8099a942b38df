//! Flags and variables about logs, traces and metrics, the same for every command that runs a host. Names and meanings
//! are those of v1 (wire reference §2.1).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use wasmcloud_host::{Admin, LogLevel, OtelConfig, OtelProtocol};
use wasmcloud_telemetry::{LogOptions, OtlpOptions, Protocol, Telemetry, TelemetryOptions};

use crate::exit::{FAILURE, Failure};

/// Longest wait for what is left to push when the program ends.
pub(crate) const FLUSH: Duration = Duration::from_secs(5);

/// What is logged where nobody says anything.
pub(crate) const USUAL: &str = "info";

/// The same for a command that shows itself how its application comes to run.
pub(crate) const BESIDE_PROGRESS: &str = "info,wasmcloud_controller=warn";

/// What is logged, traced and counted, and where it goes. OTEL_* variables that have no flag here count as well, for
/// example OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER and OTEL_RESOURCE_ATTRIBUTES.
#[derive(Debug, Args)]
#[command(next_help_heading = "Observability")]
pub(crate) struct TelemetryArgs {
    /// What is logged, for example `info` or `info,wasmcloud_host=debug` [default: info; `wash up` shows what the
    /// controller does in words of its own, and logs only its warnings].
    #[arg(long, alias = "structured-log-level", env = "WASMCLOUD_LOG_LEVEL")]
    pub(crate) log_level: Option<String>,
    /// Log as JSON, one object per line.
    #[arg(long, env = "WASMCLOUD_STRUCTURED_LOGGING_ENABLED")]
    pub(crate) enable_structured_logging: bool,
    /// Push traces, metrics and logs over OTLP.
    #[arg(
        long,
        env = "WASMCLOUD_OBSERVABILITY_ENABLED",
        conflicts_with_all = ["enable_traces", "enable_metrics", "enable_logs"]
    )]
    pub(crate) enable_observability: bool,
    /// Push traces over OTLP.
    #[arg(long, env = "WASMCLOUD_TRACES_ENABLED")]
    pub(crate) enable_traces: bool,
    /// Push metrics over OTLP.
    #[arg(long, env = "WASMCLOUD_METRICS_ENABLED")]
    pub(crate) enable_metrics: bool,
    /// Push logs over OTLP, besides stderr.
    #[arg(long, env = "WASMCLOUD_LOGS_ENABLED")]
    pub(crate) enable_logs: bool,
    /// The OTLP receiver [default: http://127.0.0.1:4318, for gRPC http://127.0.0.1:4317]. Over HTTP
    /// `/v1/traces` and so on are appended.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub(crate) override_observability_endpoint: Option<String>,
    /// The OTLP receiver of traces, over HTTP with the whole path.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value_name = "URL")]
    pub(crate) override_traces_endpoint: Option<String>,
    /// The OTLP receiver of metrics, over HTTP with the whole path.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", value_name = "URL")]
    pub(crate) override_metrics_endpoint: Option<String>,
    /// The OTLP receiver of logs, over HTTP with the whole path.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", value_name = "URL")]
    pub(crate) override_logs_endpoint: Option<String>,
    /// How OTLP is spoken [default: that of OTEL_EXPORTER_OTLP_PROTOCOL, or http].
    #[arg(
        long,
        env = "WASMCLOUD_OBSERVABILITY_PROTOCOL",
        value_enum,
        ignore_case = true
    )]
    pub(crate) observability_protocol: Option<OtlpProtocol>,
    /// Which spans are made: error, warn, info, debug, trace or off.
    #[arg(
        long,
        env = "WASMCLOUD_TRACE_LEVEL",
        default_value = "info",
        value_name = "LEVEL"
    )]
    pub(crate) trace_level: tracing::level_filters::LevelFilter,
    /// Answer /livez, /readyz and /metrics here, for example 127.0.0.1:8081.
    #[arg(long, env = "WASMCLOUD_HTTP_ADMIN", value_name = "ADDRESS")]
    pub(crate) http_admin: Option<SocketAddr>,
}

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OtlpProtocol {
    /// Protobuf over HTTP/1.1.
    Http,
    /// gRPC.
    Grpc,
}

impl TelemetryArgs {
    /// Sets up logs, traces and metrics for the process. `resource` says who speaks, `ca_files` whom to believe besides
    /// the authorities of the system. `usual` is what is logged where nobody says anything.
    pub(crate) fn init(
        &self,
        usual: &str,
        resource: Vec<(String, String)>,
        ca_files: &[PathBuf],
    ) -> Result<Telemetry, Failure> {
        let failed = |error: wasmcloud_telemetry::TelemetryError| Failure::new(FAILURE, "telemetry", error);
        let otlp = self.otlp(ca_files).map_err(|error| failed(error.into()))?;
        let options = TelemetryOptions {
            logs: LogOptions {
                filter: self.filter(usual),
                json: self.enable_structured_logging,
                color: None,
            },
            otlp,
            resource,
        };
        wasmcloud_telemetry::init(&options).map_err(failed)
    }

    /// What the operator said. As in v1, RUST_LOG goes over the level, target by target.
    fn filter(&self, usual: &str) -> String {
        let said = self.log_level.as_deref().unwrap_or(usual);
        // The NATS client tells at INFO what the lattice connection tells as well.
        let ours = format!("async_nats=warn,{said}");
        match std::env::var("RUST_LOG") {
            Ok(more) if !more.is_empty() => format!("{ours},{more}"),
            _ => ours,
        }
    }

    fn otlp(&self, ca_files: &[PathBuf]) -> Result<OtlpOptions, wasmcloud_telemetry::OptionsError> {
        let environment = |name: &str| std::env::var(name).ok();
        let protocol = match self.observability_protocol {
            Some(OtlpProtocol::Http) => Protocol::Http,
            Some(OtlpProtocol::Grpc) => Protocol::Grpc,
            None => Protocol::of_environment(environment)?,
        };
        let mut options = OtlpOptions {
            traces: self.enable_observability || self.enable_traces,
            metrics: self.enable_observability || self.enable_metrics,
            logs: self.enable_observability || self.enable_logs,
            protocol,
            endpoint: self.override_observability_endpoint.clone(),
            traces_endpoint: self.override_traces_endpoint.clone(),
            metrics_endpoint: self.override_metrics_endpoint.clone(),
            logs_endpoint: self.override_logs_endpoint.clone(),
            trace_level: self.trace_level,
            ca_files: ca_files.to_vec(),
            ..OtlpOptions::default()
        };
        options.environment(environment)?;
        Ok(options)
    }

    /// What providers that are processes of their own are told to log: the first level that stands for everything.
    /// What is said of single targets is about ours; RUST_LOG is handed to them as it is.
    pub(crate) fn provider_log_level(&self) -> LogLevel {
        let said = self.log_level.as_deref().unwrap_or(USUAL);
        let level = said.split(',').find_map(|part| match part.trim() {
            "error" | "off" => Some(LogLevel::Error),
            "warn" => Some(LogLevel::Warn),
            "info" => Some(LogLevel::Info),
            "debug" => Some(LogLevel::Debug),
            "trace" => Some(LogLevel::Trace),
            _ => None,
        });
        level.unwrap_or_default()
    }

    /// Where providers that are processes of their own are told to send traces, metrics and logs: where ours go.
    pub(crate) fn provider_otel(&self, ca_files: &[PathBuf]) -> OtelConfig {
        let protocol = match self.observability_protocol {
            Some(OtlpProtocol::Grpc) => OtelProtocol::Grpc,
            Some(OtlpProtocol::Http) | None => OtelProtocol::Http,
        };
        let on = |one: bool| one.then_some(true);
        OtelConfig {
            enable_observability: self.enable_observability,
            enable_traces: on(self.enable_traces),
            enable_metrics: on(self.enable_metrics),
            enable_logs: on(self.enable_logs),
            observability_endpoint: self.override_observability_endpoint.clone(),
            traces_endpoint: self.override_traces_endpoint.clone(),
            metrics_endpoint: self.override_metrics_endpoint.clone(),
            logs_endpoint: self.override_logs_endpoint.clone(),
            protocol,
            additional_ca_paths: ca_files.iter().map(|path| path.display().to_string()).collect(),
            trace_level: level(self.trace_level),
            ..OtelConfig::default()
        }
    }

    /// Starts the admin server, if one is asked for. Must be called within a Tokio runtime.
    pub(crate) fn admin(
        &self,
        telemetry: &Telemetry,
        readiness: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Result<Option<Admin>, Failure> {
        let Some(address) = self.http_admin else {
            return Ok(None);
        };
        let admin = Admin::start(address, telemetry.metrics().clone(), readiness);
        admin
            .map(Some)
            .map_err(|error| Failure::new(FAILURE, "http-admin", error))
    }
}

/// A level in the words that providers know.
fn level(level: tracing::level_filters::LevelFilter) -> LogLevel {
    use tracing::level_filters::LevelFilter;

    match level {
        LevelFilter::OFF | LevelFilter::ERROR => LogLevel::Error,
        LevelFilter::WARN => LogLevel::Warn,
        LevelFilter::DEBUG => LogLevel::Debug,
        LevelFilter::TRACE => LogLevel::Trace,
        _ => LogLevel::Info,
    }
}
