//! The records that a lattice keeps of its applications (ADR 3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmcloud_core::{AppName, LatticeName};

use crate::json::Message;
use crate::limit::{self, MAX_REQUEST};

/// What keys of [`AppRecord`]s begin with.
pub const APP_PREFIX: &str = "APP_";
/// What keys of [`RevisionRecord`]s begin with.
pub const REVISION_PREFIX: &str = "REV_";

/// Most versions that are kept of one application.
pub const MAX_VERSIONS: usize = 1_000;
/// Most entries of the history of one application; the oldest go first.
pub const MAX_HISTORY: usize = 100;

/// Most files that one revision tells apart.
pub const MAX_FILES: usize = 10_000;

/// The bucket with the applications of a lattice.
pub fn app_bucket(lattice: &LatticeName) -> String {
    format!("APPDATA_{lattice}")
}

/// The key of an application.
pub fn app_key(app: &AppName) -> String {
    format!("{APP_PREFIX}{app}")
}

/// The key of a revision. Names of applications have no dot.
pub fn revision_key(app: &AppName, revision: &str) -> String {
    format!("{REVISION_PREFIX}{app}.{revision}")
}

/// An application: which versions there are, and which of them shall run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRecord {
    /// Grows with each deploy and undeploy, see ADR 3.
    pub generation: u64,
    /// The revision that shall run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<String>,
    /// The versions in the order in which they were put.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_VERSIONS>")]
    pub versions: Vec<VersionRecord>,
    /// Revisions that were deployed before and of which something may be left in the lattice.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_VERSIONS>")]
    pub former: Vec<String>,
    /// What was deployed when, the oldest first.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_VERSIONS>")]
    pub history: Vec<HistoryEntry>,
    /// Whether the controller leaves it as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// The rollout of the deployed revision, until it has taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutRecord>,
    /// Fields of newer versions, kept.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A revision that takes over from another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutRecord {
    /// The last revision that had taken over, to which it goes back if it fails.
    pub from: String,
    /// How many steps of the rollout policy are over.
    #[serde(default)]
    pub step: usize,
}

/// A version of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// What people and v1 call it.
    pub version: String,
    /// What it is.
    pub revision: String,
    /// When it was put, RFC 3339.
    #[serde(default)]
    pub put_at: String,
    /// What the manifest says the application is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Something that was done with an application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The generation that began with it.
    pub generation: u64,
    /// When, RFC 3339.
    pub at: String,
    /// What.
    pub kind: HistoryKind,
    /// The version that ran because of it; none where nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why, where somebody said so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What was done with an application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HistoryKind {
    /// A version was deployed.
    Deployed,
    /// It was undeployed.
    Undeployed,
    /// An earlier version was deployed again.
    #[serde(rename = "rolled-back")]
    RolledBack,
    /// Something that is not known here.
    #[default]
    #[serde(other)]
    Other,
}

/// One revision: a manifest as it was put. Never changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionRecord {
    /// Its version.
    pub version: String,
    /// The text, YAML or JSON.
    pub manifest: String,
    /// What files in it are relative to, where who put it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_dir: Option<String>,
    /// What tells the files of its components from other files in their places, by path, where who put it said so.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "limit::map::<_, _, MAX_FILES>"
    )]
    pub files: BTreeMap<String, String>,
    /// Whether its components are refused where they import what no link answers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub links_required: bool,
}

impl Message for AppRecord {
    const WHAT: &'static str = "application record";
    const MAX: usize = MAX_REQUEST;
}

impl Message for RevisionRecord {
    const WHAT: &'static str = "revision record";
    const MAX: usize = MAX_REQUEST;
}
