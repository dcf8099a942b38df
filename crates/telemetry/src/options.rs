//! What an operator says about telemetry, and where each signal goes by it.
//!
//! Flags and variables have the names and meanings of v1 (wire reference §2.1, §9); what has no flag is read from the
//! standard variables of OpenTelemetry by [`OtlpOptions::environment`]. Limits of batches and spans (`OTEL_BSP_*`,
//! `OTEL_BLRP_*`, `OTEL_SPAN_*`), the sampler and the resource (`OTEL_TRACES_SAMPLER*`, `OTEL_RESOURCE_ATTRIBUTES`,
//! `OTEL_SERVICE_NAME`) are read by the SDK itself.

use std::path::PathBuf;
use std::time::Duration;

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use crate::logs::LogOptions;
use crate::signal::{Protocol, Signal};

/// Longest wait for the receiver to take one batch, OpenTelemetry's default for `OTEL_EXPORTER_OTLP_TIMEOUT`.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Time between two pushes of metrics, OpenTelemetry's default for `OTEL_METRIC_EXPORT_INTERVAL`.
const METRIC_INTERVAL: Duration = Duration::from_secs(60);

/// Everything about telemetry.
#[derive(Clone, Debug, Default)]
pub struct TelemetryOptions {
    /// Logs on stderr.
    pub logs: LogOptions,
    /// What is pushed to a receiver.
    pub otlp: OtlpOptions,
    /// Attributes that say who speaks, for example `host.id`. `OTEL_RESOURCE_ATTRIBUTES` overrides them, and
    /// `service.name` is `wasmcloud-host` unless the environment names another.
    pub resource: Vec<(String, String)>,
}

/// What is pushed over OTLP and where to.
#[derive(Clone, Debug)]
pub struct OtlpOptions {
    /// Whether spans are made and pushed.
    pub traces: bool,
    /// Whether metrics are pushed. `/metrics` offers them in any case.
    pub metrics: bool,
    /// Whether log lines are pushed, besides stderr.
    pub logs: bool,
    /// How it is spoken.
    pub protocol: Protocol,
    /// The receiver of all signals. Over HTTP `/v1/SIGNAL` is appended; for gRPC a path is left out.
    pub endpoint: Option<String>,
    /// The receiver of traces, used as it is over HTTP.
    pub traces_endpoint: Option<String>,
    /// The receiver of metrics, used as it is over HTTP.
    pub metrics_endpoint: Option<String>,
    /// The receiver of logs, used as it is over HTTP.
    pub logs_endpoint: Option<String>,
    /// Which of our spans are made: `error`, `warn`, `info`, `debug` or `trace`.
    pub trace_level: tracing::level_filters::LevelFilter,
    /// PEM files of certificate authorities to trust besides those of the system.
    pub ca_files: Vec<PathBuf>,
    /// Headers of each request, for all signals.
    pub headers: HeaderMap,
    /// Headers of the requests of one signal, over those for all.
    pub signal_headers: Vec<(Signal, HeaderMap)>,
    /// Longest wait for the receiver to take one batch.
    pub timeout: Duration,
    /// Time between two pushes of metrics.
    pub metric_interval: Duration,
}

impl Default for OtlpOptions {
    fn default() -> Self {
        Self {
            traces: false,
            metrics: false,
            logs: false,
            protocol: Protocol::default(),
            endpoint: None,
            traces_endpoint: None,
            metrics_endpoint: None,
            logs_endpoint: None,
            trace_level: tracing::level_filters::LevelFilter::INFO,
            ca_files: Vec::new(),
            headers: HeaderMap::new(),
            signal_headers: Vec::new(),
            timeout: TIMEOUT,
            metric_interval: METRIC_INTERVAL,
        }
    }
}

/// Something about telemetry that was said cannot be meant.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// Not an address.
    #[error("`{endpoint}` is no endpoint for {signal}: {reason}; write for example `http://127.0.0.1:4318`")]
    Endpoint {
        /// What was given.
        endpoint: String,
        /// The signal it was given for.
        signal: Signal,
        /// What is wrong with it.
        reason: String,
    },
    /// A variable that cannot be read.
    #[error("{variable}: {reason}")]
    Variable {
        /// Its name.
        variable: String,
        /// What is wrong with it, without its value, which may be a secret.
        reason: String,
    },
}

impl OtlpOptions {
    /// Takes over what the standard variables of OpenTelemetry say and no flag does: headers, timeout, certificate,
    /// interval of metrics, and `OTEL_SDK_DISABLED`. A variable that is empty counts as not set.
    pub fn environment(&mut self, lookup: impl Fn(&str) -> Option<String>) -> Result<(), OptionsError> {
        let get = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        if get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            (self.traces, self.metrics, self.logs) = (false, false, false);
        }
        if let Some(raw) = get("OTEL_EXPORTER_OTLP_HEADERS") {
            self.headers.extend(headers("OTEL_EXPORTER_OTLP_HEADERS", &raw)?);
        }
        for signal in Signal::ALL {
            let name = format!(
                "OTEL_EXPORTER_OTLP_{}_HEADERS",
                signal.as_str().to_ascii_uppercase()
            );
            if let Some(raw) = get(&name) {
                self.signal_headers.push((signal, headers(&name, &raw)?));
            }
        }
        if let Some(raw) = get("OTEL_EXPORTER_OTLP_TIMEOUT") {
            self.timeout = millis("OTEL_EXPORTER_OTLP_TIMEOUT", &raw)?;
        }
        if let Some(raw) = get("OTEL_METRIC_EXPORT_INTERVAL") {
            self.metric_interval = millis("OTEL_METRIC_EXPORT_INTERVAL", &raw)?;
        }
        if let Some(path) = get("OTEL_EXPORTER_OTLP_CERTIFICATE") {
            self.ca_files.push(path.into());
        }
        Ok(())
    }

    /// Whether anything is pushed.
    pub(crate) fn any(&self) -> bool {
        self.traces || self.metrics || self.logs
    }

    /// Where a signal goes, or `None` if it goes nowhere.
    pub(crate) fn destination(&self, signal: Signal) -> Result<Option<Uri>, OptionsError> {
        let (on, own) = match signal {
            Signal::Traces => (self.traces, &self.traces_endpoint),
            Signal::Metrics => (self.metrics, &self.metrics_endpoint),
            Signal::Logs => (self.logs, &self.logs_endpoint),
        };
        if !on {
            return Ok(None);
        }
        let base = match own.as_ref().or(self.endpoint.as_ref()) {
            Some(raw) => parse(raw, signal)?,
            None => self.protocol.default_endpoint(),
        };
        let path = match self.protocol {
            Protocol::Grpc => signal.grpc_path().to_owned(),
            Protocol::Http if own.is_some() => return Ok(Some(base)),
            Protocol::Http => with_signal(base.path(), signal),
        };
        let mut parts = base.into_parts();
        parts.path_and_query = PathAndQuery::try_from(path).ok();
        let uri = Uri::from_parts(parts).map_err(|error| OptionsError::Endpoint {
            endpoint: self.endpoint.clone().unwrap_or_default(),
            signal,
            reason: error.to_string(),
        })?;
        Ok(Some(uri))
    }

    /// The headers of a signal's requests.
    pub(crate) fn headers_of(&self, signal: Signal) -> HeaderMap {
        let mut all = self.headers.clone();
        for (of, own) in &self.signal_headers {
            if *of == signal {
                all.extend(own.clone());
            }
        }
        all
    }
}

/// A base path may be a prefix, or name the signal already.
fn with_signal(path: &str, signal: Signal) -> String {
    let base = path.trim_end_matches('/');
    match base.ends_with(signal.http_path()) {
        true => base.to_owned(),
        false => format!("{base}{}", signal.http_path()),
    }
}

fn parse(raw: &str, signal: Signal) -> Result<Uri, OptionsError> {
    let wrong = |reason: String| OptionsError::Endpoint {
        endpoint: raw.to_owned(),
        signal,
        reason,
    };
    let uri: Uri = raw.trim().parse().map_err(|error| wrong(format!("{error}")))?;
    let known = uri
        .scheme()
        .is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
    if !known || uri.authority().is_none() {
        return Err(wrong("it has to begin with `http://` or `https://`".to_owned()));
    }
    Ok(uri)
}

fn millis(variable: &str, raw: &str) -> Result<Duration, OptionsError> {
    match raw.trim().parse::<u64>() {
        Ok(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => Err(OptionsError::Variable {
            variable: variable.to_owned(),
            reason: format!("`{raw}` is no number of milliseconds"),
        }),
    }
}

/// `name=value,name=value`, values percent-encoded (OpenTelemetry, "OTLP exporter", "Specifying headers").
fn headers(variable: &str, raw: &str) -> Result<HeaderMap, OptionsError> {
    let wrong = |reason: &str| OptionsError::Variable {
        variable: variable.to_owned(),
        reason: reason.to_owned(),
    };
    let mut headers = HeaderMap::new();
    for pair in raw.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| wrong("write NAME=VALUE,NAME=VALUE"))?;
        let name: HeaderName = name
            .trim()
            .parse()
            .map_err(|_| wrong("one of the names is no header name"))?;
        let value: Vec<u8> = percent_decode_str(value.trim()).collect();
        let mut value =
            HeaderValue::from_bytes(&value).map_err(|_| wrong(&format!("the value of {name} is none")))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(protocol: Protocol, general: Option<&str>, own: Option<&str>, expected: &str) {
        let options = OtlpOptions {
            traces: true,
            protocol,
            endpoint: general.map(str::to_owned),
            traces_endpoint: own.map(str::to_owned),
            ..OtlpOptions::default()
        };
        let found = options.destination(Signal::Traces).unwrap().unwrap();
        assert_eq!(found.to_string(), expected);
        assert!(options.destination(Signal::Logs).unwrap().is_none(), "it is off");
    }

    #[test]
    fn endpoints_follow_the_rules_of_v1_and_of_opentelemetry() {
        use Protocol::{Grpc, Http};
        let method = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
        check(Http, None, None, "http://127.0.0.1:4318/v1/traces");
        check(Http, Some("http://a:1"), None, "http://a:1/v1/traces");
        check(Http, Some("http://a:1/"), None, "http://a:1/v1/traces");
        check(Http, Some("http://a:1/in"), None, "http://a:1/in/v1/traces");
        check(Http, Some("http://a:1/v1/traces"), None, "http://a:1/v1/traces");
        check(Http, Some("http://a:1"), Some("https://b/x"), "https://b/x");
        check(Grpc, None, None, &format!("http://127.0.0.1:4317/{method}"));
        check(
            Grpc,
            Some("http://a:1/v1/traces"),
            None,
            &format!("http://a:1/{method}"),
        );
        check(Grpc, None, Some("http://b:1/x"), &format!("http://b:1/{method}"));
    }

    #[test]
    fn what_is_no_endpoint_is_named() {
        for raw in ["collector:4318", "ftp://a", "http://", "", "http://a b"] {
            let options = OtlpOptions {
                metrics: true,
                endpoint: Some(raw.to_owned()),
                ..OtlpOptions::default()
            };
            let error = options.destination(Signal::Metrics).unwrap_err().to_string();
            assert!(error.contains("endpoint for metrics"), "{error}");
        }
    }

    #[test]
    fn the_standard_variables_count_and_secrets_stay_out_of_errors() {
        let mut options = OtlpOptions {
            logs: true,
            ..OtlpOptions::default()
        };
        let vars = |name: &str| match name {
            "OTEL_EXPORTER_OTLP_HEADERS" => Some("authorization=Basic%20abc, x-tenant = a".to_owned()),
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS" => Some("x-tenant=b".to_owned()),
            "OTEL_EXPORTER_OTLP_TIMEOUT" => Some("250".to_owned()),
            "OTEL_METRIC_EXPORT_INTERVAL" => Some(String::new()),
            _ => None,
        };
        options.environment(vars).unwrap();
        assert_eq!(options.timeout, Duration::from_millis(250));
        assert_eq!(options.metric_interval, METRIC_INTERVAL);
        assert_eq!(options.headers_of(Signal::Logs)["x-tenant"], "b");
        assert_eq!(options.headers_of(Signal::Traces)["x-tenant"], "a");
        assert_eq!(options.headers_of(Signal::Traces)["authorization"], "Basic abc");

        let secret = |name: &str| (name == "OTEL_EXPORTER_OTLP_HEADERS").then(|| "hunter2".to_owned());
        let error = options.environment(secret).unwrap_err().to_string();
        assert!(
            !error.contains("hunter2") && error.contains("OTEL_EXPORTER_OTLP_HEADERS"),
            "{error}"
        );

        let off = |name: &str| (name == "OTEL_SDK_DISABLED").then(|| "true".to_owned());
        options.environment(off).unwrap();
        assert!(!options.any());
    }
}
