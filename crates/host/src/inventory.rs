//! What runs here, as a value to look at.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use wasmcloud_core::{ComponentId, Limits, LinkSuffix};

use crate::claims::{ComponentClaims, ProviderClaims};
use crate::components::{Candidate, Running};

/// Everything on a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Inventory {
    /// The components that run.
    pub components: Vec<ComponentInfo>,
    /// The providers that run.
    pub providers: Vec<ProviderInfo>,
    /// The number of links.
    pub links: usize,
}

/// One component.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComponentInfo {
    /// Its id.
    #[serde(serialize_with = "display")]
    pub id: ComponentId,
    /// Where its code came from.
    pub image_ref: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// How many calls may run at once.
    pub max_instances: u32,
    /// What it may use.
    #[serde(skip)]
    pub limits: Limits,
    /// What its maker claims of it.
    #[serde(skip)]
    pub(crate) claims: ComponentClaims,
    /// Calls that run now.
    pub running: u32,
    /// Calls that wait for a slot now.
    pub waiting: u32,
    /// Whether its code has left the memory until somebody calls it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub asleep: bool,
    /// The time that calls have taken, added up.
    #[serde(skip)]
    pub busy: Duration,
    /// The time that calls have waited for a slot, added up.
    #[serde(skip)]
    pub queued: Duration,
    /// Calls that came when too many were waiting already.
    #[serde(skip)]
    pub turned_away: u64,
    /// Calls that it has seen.
    pub invocations: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Calls that this revision has ended.
    pub calls: u64,
    /// Those of them that failed; an HTTP answer that is the server's fault counts.
    pub failures: u64,
    /// What the names of the links end in that are its own.
    #[serde(skip)]
    pub(crate) link_suffix: Option<LinkSuffix>,
    /// The same of what was replaced and has calls that have not ended; each once.
    #[serde(skip)]
    pub(crate) leaving: Vec<Option<LinkSuffix>>,
    /// The revision that runs beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<CandidateInfo>,
    /// Opaque notes of whoever manages it.
    pub annotations: BTreeMap<String, String>,
}

/// A revision beside the one that it may replace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CandidateInfo {
    /// Where its code came from.
    pub image_ref: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// How many calls may run at once.
    pub max_instances: u32,
    /// The percent of the calls that it gets.
    pub weight: u8,
    /// What the names of the links end in that are its own.
    #[serde(skip)]
    pub(crate) link_suffix: Option<LinkSuffix>,
    /// Calls that it has ended.
    pub calls: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Opaque notes of whoever manages it.
    pub annotations: BTreeMap<String, String>,
}

impl CandidateInfo {
    pub(crate) fn of(candidate: &Candidate) -> Self {
        let Running { spec, profile, .. } = &*candidate.running;
        let (calls, failures) = profile.ended();
        Self {
            image_ref: spec.reference.clone(),
            digest: profile.digest().to_owned(),
            max_instances: spec.count,
            weight: candidate.weight,
            link_suffix: spec.link_suffix.clone(),
            calls,
            failures,
            annotations: spec.annotations.clone(),
        }
    }
}

/// One provider.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProviderInfo {
    /// Its id.
    #[serde(serialize_with = "display")]
    pub id: ComponentId,
    /// What runs.
    pub image_ref: String,
    /// What its maker claims of it.
    #[serde(skip)]
    pub(crate) claims: ProviderClaims,
    /// Where people reach it.
    pub urls: Vec<String>,
    /// Whether it is well, where that is known.
    #[serde(skip)]
    pub(crate) healthy: Option<bool>,
    /// Opaque notes of whoever manages it.
    pub annotations: BTreeMap<String, String>,
}

fn display<S: serde::Serializer>(value: &ComponentId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
