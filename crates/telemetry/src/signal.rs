//! The three signals of OpenTelemetry and the two protocols that carry them.

use std::fmt;

use http::Uri;

use crate::options::OptionsError;

/// What is pushed over OTLP, each on its own or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Counters, gauges, histograms.
    Metrics,
    /// Log lines.
    Logs,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// The name as paths and messages have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// The path of OTLP/HTTP (OTLP specification, "OTLP/HTTP Request").
    pub(crate) fn http_path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// The method of OTLP/gRPC.
    pub(crate) fn grpc_path(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Protobuf in HTTP/1.1 requests.
    #[default]
    Http,
    /// gRPC.
    Grpc,
}

impl Protocol {
    /// What `OTEL_EXPORTER_OTLP_PROTOCOL` says, or HTTP.
    pub fn of_environment(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, OptionsError> {
        let variable = "OTEL_EXPORTER_OTLP_PROTOCOL";
        match lookup(variable).as_deref().map(str::trim) {
            None | Some("" | "http/protobuf") => Ok(Self::Http),
            Some("grpc") => Ok(Self::Grpc),
            Some(other) => Err(OptionsError::Variable {
                variable: variable.to_owned(),
                reason: format!("`{other}` is not spoken here; use `grpc` or `http/protobuf`"),
            }),
        }
    }

    /// Where v1 sent to if nothing was said (wire reference §9).
    pub(crate) fn default_endpoint(self) -> Uri {
        Uri::from_static(match self {
            Self::Http => "http://127.0.0.1:4318",
            Self::Grpc => "http://127.0.0.1:4317",
        })
    }
}
