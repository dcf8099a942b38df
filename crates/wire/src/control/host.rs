//! Requests about hosts, and how a host describes itself and what runs on it.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmcloud_core::HostId;

use crate::json::{self, DecodeError, Message};
use crate::limit::{self, Labels, MAX_ITEMS, MAX_LABELS, MAX_REQUEST};
use crate::text;

/// A host should stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopHost {
    /// Which host, the one of the subject where it is not stated.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::optional")]
    pub host_id: Option<HostId>,
    /// How long what runs may take to end, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
}

impl Message for StopHost {
    const WHAT: &'static str = "host stop command";
    const MAX: usize = MAX_REQUEST;

    /// No payload at all asks for the same as an empty object.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        json::decode(Self::WHAT, Self::MAX, bytes)
    }
}

/// A host should have a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutLabel {
    /// Its name.
    pub key: String,
    /// Its value, which replaces an older one.
    pub value: String,
}

impl Message for PutLabel {
    const WHAT: &'static str = "label put command";
    const MAX: usize = MAX_REQUEST;
}

/// A host should no longer have a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteLabel {
    /// Its name. Some clients send the value as well, which does not matter.
    pub key: String,
}

impl Message for DeleteLabel {
    const WHAT: &'static str = "label delete command";
    const MAX: usize = MAX_REQUEST;
}

/// What a host says when all are asked who is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Where its invocations travel, a NATS URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpc_host: Option<String>,
    /// Where it listens to control requests, a NATS URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctl_host: Option<String>,
    /// A name that people can remember.
    #[serde(default)]
    pub friendly_name: String,
    /// Its public key.
    pub id: String,
    /// Its labels.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub labels: Labels,
    /// The lattice it belongs to.
    #[serde(default)]
    pub lattice: String,
    /// The JetStream domain its buckets are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub js_domain: Option<String>,
    /// How long it runs, as [`uptime_human`] says it.
    #[serde(default)]
    pub uptime_human: String,
    /// How long it runs, in seconds.
    #[serde(default)]
    pub uptime_seconds: u64,
    /// The version of its software.
    #[serde(default)]
    pub version: String,
}

/// What runs on a host. Also the data of its heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInventory {
    /// The components that run on it.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_ITEMS>")]
    pub components: Vec<ComponentDescription>,
    /// The providers that run on it.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_ITEMS>")]
    pub providers: Vec<ProviderDescription>,
    /// Its public key.
    pub host_id: String,
    /// A name that people can remember.
    #[serde(default)]
    pub friendly_name: String,
    /// Its labels.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub labels: Labels,
    /// The version of its software.
    #[serde(default)]
    pub version: String,
    /// How long it runs, as [`uptime_human`] says it.
    #[serde(default)]
    pub uptime_human: String,
    /// How long it runs, in seconds.
    #[serde(default)]
    pub uptime_seconds: u64,
}

/// A component on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentDescription {
    /// Its id in the lattice.
    pub id: String,
    /// Where it came from.
    pub image_ref: String,
    /// What its claims call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the asker wanted to remember about it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "limit::optional_map::<_, _, MAX_LABELS>"
    )]
    pub annotations: Option<Labels>,
    /// The revision its claims state, else 0.
    #[serde(default)]
    pub revision: i32,
    /// How many invocations may run at once on this host.
    #[serde(default)]
    pub max_instances: u32,
    /// Its limits by name; `null` where it has none of its own.
    #[serde(default, deserialize_with = "limit::optional_map::<_, _, MAX_LABELS>")]
    pub limits: Option<Labels>,
    /// Invocations that it has ended since it started, whatever their outcome. Not in v1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub calls: u64,
    /// Those of them that failed: by a trap, a limit, their deadline, or with an HTTP answer that is the server's fault
    /// (5xx). Not in v1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u64,
    /// Another revision that runs beside it and gets a share of the calls. Not in v1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<CandidateDescription>,
}

/// A revision of a component that runs beside the one that it may replace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateDescription {
    /// Where it came from.
    pub image_ref: String,
    /// What the asker wanted to remember about it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "limit::optional_map::<_, _, MAX_LABELS>"
    )]
    pub annotations: Option<Labels>,
    /// How many invocations may run at once on this host.
    #[serde(default)]
    pub max_instances: u32,
    /// The percent of the calls that it gets.
    #[serde(default)]
    pub weight: u8,
    /// Invocations that it has ended since it started.
    #[serde(default)]
    pub calls: u64,
    /// Those of them that failed.
    #[serde(default)]
    pub failures: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A provider on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderDescription {
    /// Its id in the lattice.
    pub id: String,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_ref: Option<String>,
    /// What its claims call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The revision its claims state, else 0.
    #[serde(default)]
    pub revision: i32,
    /// What the asker wanted to remember about it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "limit::optional_map::<_, _, MAX_LABELS>"
    )]
    pub annotations: Option<Labels>,
}

/// A length of time as hosts say it, to the second: `4s`, `3m 2s`, `2days 1h`.
pub fn uptime_human(uptime: Duration) -> String {
    let seconds = uptime.as_secs();
    let mut text = String::new();
    for (unit, count) in [
        ("day", seconds / 86_400),
        ("h", seconds / 3_600 % 24),
        ("m", seconds / 60 % 60),
        ("s", seconds % 60),
    ] {
        if count > 0 {
            let space = if text.is_empty() { "" } else { " " };
            let plural = if unit == "day" && count > 1 { "s" } else { "" };
            let _ = write!(text, "{space}{count}{unit}{plural}");
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_reads_well() {
        for (seconds, text) in [
            (0, "0s"),
            (4, "4s"),
            (182, "3m 2s"),
            (90_060, "1day 1h 1m"),
            (172_800, "2days"),
        ] {
            assert_eq!(uptime_human(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_stop_may_say_nothing() {
        assert_eq!(StopHost::decode(b"").unwrap(), StopHost::default());
        assert_eq!(StopHost::decode(b"{}").unwrap(), StopHost::default());
        assert_eq!(StopHost::default().encode(), b"{}");
        assert!(StopHost::decode(b"x").is_err());
    }
}
