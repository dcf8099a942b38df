//! What runs here, as a value to look at.

use std::collections::BTreeMap;

use serde::Serialize;
use wasmcloud_core::{ComponentId, Limits};

use crate::claims::{ComponentClaims, ProviderClaims};

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
    /// Calls that it has seen.
    pub invocations: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Opaque notes of whoever manages it.
    pub annotations: BTreeMap<String, String>,
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
