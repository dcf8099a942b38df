//! What a host and the provider processes it runs tell each other (wire reference §2.5, §4.7). The calls between
//! components and providers are not here: they are wRPC.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::hidden::Hidden;
use crate::json::{DecodeError, Message};
use crate::limit::{self, MAX_ITEMS, MAX_NAMES, MAX_REPLY, MAX_REQUEST, MAX_VALUES};
use crate::link::default_name;
use crate::state::Config;

/// What a provider is told at its start, on one line of its standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostData {
    /// The public key of the host.
    pub host_id: String,
    /// The name of the lattice, which starts the subjects of invocations.
    pub lattice_rpc_prefix: String,
    /// `default`; from the time when there was one process for each link name.
    #[serde(default = "default_name")]
    pub link_name: String,
    /// The NATS user JWT to connect with; empty for none.
    #[serde(default)]
    pub lattice_rpc_user_jwt: Hidden,
    /// The seed that belongs to the JWT; empty for none.
    #[serde(default)]
    pub lattice_rpc_user_seed: Hidden,
    /// Where to connect to, a NATS URL; empty for the usual place.
    #[serde(default)]
    pub lattice_rpc_url: String,
    /// The id of the provider. Once this was its public key.
    pub provider_key: String,
    /// Never filled in.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_VALUES>")]
    pub env_values: BTreeMap<String, String>,
    /// Different for each start; a UUID.
    #[serde(default)]
    pub instance_id: String,
    /// The links it is part of.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_ITEMS>")]
    pub link_definitions: Vec<InterfaceLinkDefinition>,
    /// Never filled in.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_NAMES>")]
    pub cluster_issuers: Vec<String>,
    /// Its configs, merged.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_VALUES>")]
    pub config: BTreeMap<String, String>,
    /// Its secrets by name.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_VALUES>")]
    pub secrets: BTreeMap<String, SecretValue>,
    /// The public curve key of the host, which seals the secrets of links.
    #[serde(default)]
    pub host_xkey_public_key: String,
    /// The private curve key of this process, which opens them.
    #[serde(default)]
    pub provider_xkey_private_key: Hidden,
    /// How long to wait for an answer, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_rpc_timeout_ms: Option<u64>,
    /// Whether to log JSON.
    #[serde(default)]
    pub structured_logging: bool,
    /// What to log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogLevel>,
    /// Where traces, metrics and logs go.
    #[serde(default)]
    pub otel_config: OtelConfig,
}

/// Text on standard input that is not [`HostData`].
#[derive(Debug, thiserror::Error)]
pub enum HostDataError {
    /// It is too long, so it was not looked at.
    #[error("the host data line has {len} bytes, the limit is {MAX_LINE}")]
    TooLong {
        /// How long it is.
        len: usize,
    },
    /// It is not base64.
    #[error("read the host data line as base64")]
    Base64(#[from] base64::DecodeError),
    /// What it holds is not what it should be.
    #[error(transparent)]
    Form(#[from] DecodeError),
}

/// Longest line with [`HostData`] in bytes: [`MAX_REPLY`] in base64, with a line end.
pub const MAX_LINE: usize = MAX_REPLY.div_ceil(3) * 4 + 2;

impl HostData {
    /// The line for the provider's standard input, with its end.
    pub fn to_line(&self) -> String {
        STANDARD.encode(self.encode()) + "\r\n"
    }

    /// Reads the line; its end may be missing.
    pub fn from_line(line: &str) -> Result<Self, HostDataError> {
        if line.len() > MAX_LINE {
            return Err(HostDataError::TooLong { len: line.len() });
        }
        Ok(Self::decode(&STANDARD.decode(line.trim_ascii_end())?)?)
    }
}

impl Message for HostData {
    const WHAT: &'static str = "host data";
    const MAX: usize = MAX_REPLY;
}

/// The value of a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value")]
pub enum SecretValue {
    /// Text.
    String(String),
    /// Bytes, a list of numbers in JSON.
    Bytes(#[serde(deserialize_with = "limit::list::<_, _, MAX_REQUEST>")] Vec<u8>),
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

/// A link as its provider needs it: with the configs themselves, and sealed secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceLinkDefinition {
    /// The id of who calls.
    pub source_id: String,
    /// The id of who answers.
    pub target: String,
    /// The name under which the source selects this link.
    #[serde(default = "default_name")]
    pub name: String,
    /// `wasi` in `wasi:http`.
    pub wit_namespace: String,
    /// `http` in `wasi:http`.
    pub wit_package: String,
    /// `incoming-handler` in `wasi:http/incoming-handler`.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_NAMES>")]
    pub interfaces: Vec<String>,
    /// The configs for the source, merged.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_VALUES>")]
    pub source_config: BTreeMap<String, String>,
    /// The configs for the target, merged.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_VALUES>")]
    pub target_config: BTreeMap<String, String>,
    /// The secrets for the source: a JSON map of [`SecretValue`], sealed for the provider; `null` for none.
    #[serde(default, deserialize_with = "limit::optional_list::<_, _, MAX_REQUEST>")]
    pub source_secrets: Option<Vec<u8>>,
    /// The secrets for the target, in the same form.
    #[serde(default, deserialize_with = "limit::optional_list::<_, _, MAX_REQUEST>")]
    pub target_secrets: Option<Vec<u8>>,
}

impl Message for InterfaceLinkDefinition {
    const WHAT: &'static str = "link of a provider";
    const MAX: usize = MAX_REQUEST;
}

/// What `config.update` tells: all of the provider's configs, merged.
pub type ConfigUpdate = Config;

/// A provider should stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shutdown {
    /// The host whose process is meant; processes of other hosts ignore it. The answer is the text
    /// [`PROVIDER_SHUTTING_DOWN`](crate::message::PROVIDER_SHUTTING_DOWN).
    pub host_id: String,
}

impl Message for Shutdown {
    const WHAT: &'static str = "provider shutdown command";
    const MAX: usize = MAX_REQUEST;
}

/// How a provider is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReply {
    /// Whether it can do its work.
    #[serde(default)]
    pub healthy: bool,
    /// Why, or why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Message for HealthReply {
    const WHAT: &'static str = "health reply";
    const MAX: usize = MAX_REQUEST;
}

/// What to log: this and what is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
    Critical,
}

/// How telemetry travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OtelProtocol {
    /// OTLP over HTTP.
    #[default]
    Http,
    /// OTLP over gRPC.
    Grpc,
}

/// Where traces, metrics and logs of a provider go. What is missing is as the provider's OpenTelemetry has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OtelConfig {
    /// All three.
    pub enable_observability: bool,
    /// Traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_traces: Option<bool>,
    /// Metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_metrics: Option<bool>,
    /// Logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_logs: Option<bool>,
    /// Where all three go, a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observability_endpoint: Option<String>,
    /// Where traces go instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces_endpoint: Option<String>,
    /// Where metrics go instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_endpoint: Option<String>,
    /// Where logs go instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs_endpoint: Option<String>,
    /// How they travel.
    pub protocol: OtelProtocol,
    /// Certificates to trust as well, paths of files.
    #[serde(deserialize_with = "limit::list::<_, _, MAX_NAMES>")]
    pub additional_ca_paths: Vec<String>,
    /// What to trace.
    pub trace_level: LogLevel,
    /// Which sampler, as `OTEL_TRACES_SAMPLER` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces_sampler: Option<String>,
    /// What the sampler needs, as in `OTEL_TRACES_SAMPLER_ARG`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces_sampler_arg: Option<String>,
    /// How much may wait to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_batch_queue_size: Option<usize>,
    /// How many exports run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_exports: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn host_data_travels_on_one_line_and_is_not_shown() {
        let data = HostData {
            host_id: "N1".to_owned(),
            secrets: BTreeMap::from([("pw".to_owned(), SecretValue::String("s3cret".to_owned()))]),
            provider_xkey_private_key: "SXAA".to_owned().into(),
            ..HostData::default()
        };
        let line = data.to_line();
        assert!(line.ends_with("\r\n") && line.trim_end().lines().count() == 1);
        assert_eq!(HostData::from_line(&line).unwrap(), data);
        assert_eq!(HostData::from_line(line.trim_end()).unwrap(), data);
        let shown = format!("{data:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("SXAA"));
        assert!(matches!(HostData::from_line("§"), Err(HostDataError::Base64(_))));
        assert!(matches!(HostData::from_line("e30="), Err(HostDataError::Form(_))));
        assert!(matches!(
            HostData::from_line(&"A".repeat(MAX_LINE + 1)),
            Err(HostDataError::TooLong { .. })
        ));
    }

    #[test]
    fn secrets_have_a_kind() {
        let value = |text: &str| json::decode::<SecretValue>("secret", MAX_REQUEST, text.as_bytes());
        assert_eq!(
            value(r#"{"kind":"Bytes","value":[1,255]}"#).unwrap(),
            SecretValue::Bytes(vec![1, 255])
        );
        assert!(value(r#"{"kind":"Bytes","value":[256]}"#).is_err());
    }
}
