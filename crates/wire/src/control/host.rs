//! Requests about hosts, and how a host describes itself and what runs on it.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmcloud_core::HostId;

use crate::json::{self, DecodeError, Message};
use crate::limit::{self, Labels, MAX_ITEMS, MAX_LABELS, MAX_NAMES, MAX_REQUEST};
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
        json::decode_or_default(bytes)
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
    /// A number that is another one when its inventory is another one, as in [`HostInventory`]. Hosts of v1 say none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory_revision: Option<u64>,
}

/// The feature of hosts that replace components and links without a gap.
pub const FEATURE_IN_PLACE: &str = "in-place";

/// The feature of hosts that run two revisions of a component beside each other, and ask a component before it gets
/// calls: those that know `weight` and `probe` of [`ScaleComponent`](super::ScaleComponent).
pub const FEATURE_CANDIDATES: &str = "candidates";

/// The feature of hosts that say how much components have to do, and let them sleep: those that know
/// [`ComponentDescription::load`] and the limit `idle`.
pub const FEATURE_LOAD: &str = "load";

/// The feature of hosts on which a revision of a component can have links of its own: those that know
/// [`ScaleComponent::link_suffix`](super::ScaleComponent::link_suffix).
pub const FEATURE_LINK_SUFFIX: &str = "link-suffix";

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
    /// A number that is another one when anything here but the time it runs and what it counts is another one. Hosts of
    /// v1 say none, nor any of the following.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory_revision: Option<u64>,
    /// What it can do that not all hosts can, as [`FEATURE_IN_PLACE`].
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "limit::list::<_, _, MAX_NAMES>"
    )]
    pub features: Vec<String>,
    /// It is stopping, and takes no new work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draining: bool,
    /// Links that are in the state of the lattice and not in effect on it. A host may leave some out where they are
    /// many.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "limit::list::<_, _, MAX_ITEMS>"
    )]
    pub refused_links: Vec<RefusedLink>,
}

/// A link that is not in effect on a host, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedLink {
    /// Its source.
    pub source_id: String,
    /// Its target.
    pub target: String,
    /// Its name.
    pub name: String,
    /// The namespace of its interfaces.
    pub wit_namespace: String,
    /// The package of its interfaces.
    pub wit_package: String,
    /// Why, with all causes.
    #[serde(default)]
    pub error: String,
    /// The link that has what this one needs, an address for example; the host knows it where both are its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<LinkOwner>,
}

/// What identifies the link that another one needs something of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkOwner {
    /// Its source.
    pub source_id: String,
    /// Its name.
    pub name: String,
    /// The namespace of its interfaces.
    pub wit_namespace: String,
    /// The package of its interfaces.
    pub wit_package: String,
}

/// Whether a provider is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderHealth {
    /// It says so.
    Healthy,
    /// It says that it is not, or does not answer, or does not run.
    Unhealthy,
    /// Something that a newer host says.
    #[serde(other)]
    Other,
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
    /// Whether its code has left the memory of the host until somebody calls it. Not in v1.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asleep: bool,
    /// How much it has to do; left out where that was nothing yet, and by hosts without [`FEATURE_LOAD`]. Not in v1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<ComponentLoad>,
    /// What the names of the links end in that are its own, as [`ScaleComponent`](super::ScaleComponent) had it. Not in
    /// v1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_suffix: Option<String>,
    /// The same of revisions that were replaced and whose calls have not all ended, without text for one that has no links
    /// of its own. Not in v1.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "limit::list::<_, _, MAX_NAMES>"
    )]
    pub leaving_link_suffixes: Vec<String>,
    /// Another revision that runs beside it and gets a share of the calls. Not in v1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<CandidateDescription>,
}

/// How much a component has to do on a host: all its revisions together, since they came there. What is a sum never gets
/// smaller while the host runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentLoad {
    /// Invocations that run now.
    pub running: u32,
    /// Invocations that wait for a slot now.
    pub waiting: u32,
    /// Invocations that have ended.
    pub ended: u64,
    /// Time that these took, added up, in microseconds.
    pub busy_us: u64,
    /// Time that invocations waited for a slot, added up, in microseconds.
    pub queued_us: u64,
    /// Invocations that were refused because too many were waiting already.
    pub refused: u64,
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
    /// What the names of the links end in that are its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_suffix: Option<String>,
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
    /// Whether it is well, where the host knows. Hosts of v1 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<ProviderHealth>,
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
    fn what_v1_does_not_say_is_left_out_and_may_be_missing() {
        let v1 = r#"{"components":[],"providers":[{"id":"p","revision":0}],"host_id":"N1","friendly_name":"","labels":{},"version":"","uptime_human":"","uptime_seconds":0}"#;
        let inventory: HostInventory = serde_json::from_str(v1).unwrap();
        assert_eq!(serde_json::to_string(&inventory).unwrap(), v1);
        let more = HostInventory {
            inventory_revision: Some(7),
            features: vec![FEATURE_IN_PLACE.to_owned()],
            draining: true,
            refused_links: vec![RefusedLink::default()],
            ..inventory
        };
        let text = serde_json::to_string(&more).unwrap();
        assert_eq!(serde_json::from_str::<HostInventory>(&text).unwrap(), more);
        let health = |text: &str| {
            let provider = format!(r#"{{"id":"p","health":{text}}}"#);
            serde_json::from_str::<ProviderDescription>(&provider).map(|provider| provider.health)
        };
        assert_eq!(health(r#""unhealthy""#).unwrap(), Some(ProviderHealth::Unhealthy));
        assert_eq!(health(r#""tired""#).unwrap(), Some(ProviderHealth::Other));
        assert_eq!(health("null").unwrap(), None);
    }

    #[test]
    fn a_stop_may_say_nothing() {
        assert_eq!(StopHost::decode(b"").unwrap(), StopHost::default());
        assert_eq!(StopHost::decode(b"{}").unwrap(), StopHost::default());
        assert_eq!(StopHost::default().encode(), b"{}");
        assert!(StopHost::decode(b"x").is_err());
    }
}
