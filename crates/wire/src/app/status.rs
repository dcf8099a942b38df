//! How an application fares, as it is told (wire reference §8.3).

use serde::{Deserialize, Serialize};

use crate::limit::{self, MAX_ITEMS, MAX_NAMES};

/// How something fares. Newer words are read as [`StatusType::Other`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusType {
    /// It waits for something that others have to do.
    Waiting,
    /// It shall not run, and does not.
    Undeployed,
    /// It is being made so.
    #[serde(alias = "compensating")]
    Reconciling,
    /// It is as it should be.
    #[serde(alias = "ready")]
    Deployed,
    /// It was tried several times in vain, or cannot be.
    Failed,
    /// It runs, but not well.
    Unhealthy,
    /// A word that is not known here.
    #[default]
    #[serde(other)]
    Other,
}

/// How something fares, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusInfo {
    /// How.
    #[serde(rename = "type")]
    pub kind: StatusType,
    /// Why; left out where there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// How one part of an application fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalerStatus {
    /// The id of what keeps it, a hash.
    pub id: String,
    /// What keeps it: `SpreadScaler`, `DaemonScaler`, `LinkScaler`.
    pub kind: String,
    /// Its name: the id of a component or provider, the ends of a link.
    pub name: String,
    /// How it fares.
    pub status: StatusInfo,
    /// What the manifest calls it, where that is another name. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Where it runs or shall run. Ours.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "limit::list::<_, _, MAX_ITEMS>"
    )]
    pub hosts: Vec<OnHost>,
    /// What it waits for, in plain words. Ours.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "limit::list::<_, _, MAX_NAMES>"
    )]
    pub waits: Vec<String>,
    /// What was last said against what is being done about it. It is tried again. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What one host has of a component or provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnHost {
    /// The id of the host.
    pub host: String,
    /// How many instances run there.
    pub runs: u32,
    /// How many shall.
    pub wanted: u32,
}

/// How an application fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppStatus {
    /// How the whole fares.
    pub status: StatusInfo,
    /// Its components, providers and links; v1 leaves an empty list out.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "limit::list::<_, _, MAX_ITEMS>"
    )]
    pub scalers: Vec<ScalerStatus>,
    /// Of no use any more; v1 leaves it empty, ours is the version that is deployed.
    #[serde(default)]
    pub version: String,
    /// Of no use any more; empty.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_ITEMS>")]
    pub components: Vec<serde_json::Value>,
    /// The generation that this is the status of; 0 where a v1 controller answers. Ours.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u64,
    /// Whether the controller leaves it as it is. Ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands references to skip_serializing_if"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
