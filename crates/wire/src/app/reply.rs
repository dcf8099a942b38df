//! What is asked of the manifest API besides a name, and what it answers (wire reference §8.3).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::record::{HistoryEntry, MAX_FILES, MAX_VERSIONS};
use crate::app::status::{AppStatus, OnHost, StatusInfo, StatusType};
use crate::json::{self, DecodeError, Message};
use crate::limit::{self, MAX_ITEMS, MAX_NAMES, MAX_REPLY, MAX_REQUEST};

/// The header of `put` that says in which form the manifest is: `application/yaml` or `application/json`.
pub const CONTENT_TYPE_HEADER: &str = "Content-Type";
/// The header of `put` that says which directory files in the manifest are relative to. Ours.
pub const BASE_DIR_HEADER: &str = "wasmcloud-base-dir";
/// The header of `put` with [`PutOptions`]. Ours.
pub const PUT_OPTIONS_HEADER: &str = "wasmcloud-put";
/// The header of all replies of ours, with the id of the host that leads; v1's wadm has none.
pub const CONTROLLER_HEADER: &str = "wasmcloud-controller";

/// What may be said of a manifest besides what it says itself. v1's wadm does not hear it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutOptions {
    /// The version under which it is kept in place of the one that it states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What tells the files of its components from other files in their places, by path.
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

impl Message for PutOptions {
    const WHAT: &'static str = "options of a manifest";
    const MAX: usize = MAX_REQUEST;
}

/// Which version is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRequest {
    /// The version; the newest where it is not stated, or `latest`.
    #[serde(default)]
    pub version: Option<String>,
}

impl Message for VersionRequest {
    const WHAT: &'static str = "version request";
    const MAX: usize = MAX_REQUEST;

    /// No payload at all asks for the same as an empty object.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        json::decode_or_default(bytes)
    }
}

/// Which part of an application is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyRequest {
    /// Its name in the manifest, its id, or the ends of a link; all parts where none is stated.
    #[serde(default)]
    pub part: Option<String>,
}

impl Message for WhyRequest {
    const WHAT: &'static str = "why request";
    const MAX: usize = MAX_REQUEST;

    /// No payload at all asks for the same as an empty object.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        json::decode_or_default(bytes)
    }
}

/// Something that could not be done. Every other reply of the API can be read as one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// `error`, or what else the reply says.
    pub result: String,
    /// Why.
    #[serde(default)]
    pub message: String,
}

impl ErrorReply {
    /// A failure.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            result: "error".to_owned(),
            message: message.into(),
        }
    }
}

/// The outcome of `put`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutReply {
    /// What came of it.
    pub result: PutResult,
    /// How many versions there are now.
    #[serde(default)]
    pub total_versions: usize,
    /// The version that was put.
    #[serde(default)]
    pub current_version: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// The application.
    #[serde(default)]
    pub name: String,
    /// What was put, ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// What came of a `put`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PutResult {
    /// The application is new.
    Created,
    /// It has one version more.
    NewVersion,
    /// Nothing was stored.
    #[default]
    #[serde(other)]
    Error,
}

/// A manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GetReply {
    /// What came of it.
    pub result: GetResult,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// The manifest as JSON, with its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Value>,
    /// The manifest as it was put, YAML or JSON. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What files in it are relative to. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_dir: Option<String>,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GetResult {
    /// It is there.
    Success,
    /// There is no such thing.
    NotFound,
    /// It could not be found out.
    #[default]
    #[serde(other)]
    Error,
}

/// All applications.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListReply {
    /// What came of it.
    pub result: GetResult,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// The applications, by name.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_ITEMS>")]
    pub models: Vec<ModelSummary>,
}

impl ListReply {
    /// Writes the applications as a bare list, as clients before wadm 0.12 read it.
    pub fn encode_bare(&self) -> Vec<u8> {
        json::encode(&self.models)
    }
}

/// An application in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// Its name.
    pub name: String,
    /// Its newest version.
    #[serde(default)]
    pub version: String,
    /// What its newest version says it is.
    #[serde(default)]
    pub description: Option<String>,
    /// The version that is deployed.
    #[serde(default)]
    pub deployed_version: Option<String>,
    /// How it fares, in detail.
    #[serde(default)]
    pub detailed_status: AppStatus,
    /// How it fares.
    #[serde(default)]
    pub status: StatusType,
    /// Why.
    #[serde(default)]
    pub status_message: Option<String>,
}

/// The versions of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionsReply {
    /// What came of it.
    pub result: GetResult,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// The versions, in the order in which they were put.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_VERSIONS>")]
    pub versions: Vec<VersionInfo>,
}

/// A version in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionInfo {
    /// Its name.
    pub version: String,
    /// Whether it is deployed.
    pub deployed: bool,
    /// What it is. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// When it was put, RFC 3339. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put_at: Option<String>,
}

/// The outcome of `del`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteReply {
    /// What came of it.
    pub result: DeleteResult,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// Whether the application was undeployed by it.
    #[serde(default)]
    pub undeploy: bool,
}

/// What came of a `del`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeleteResult {
    /// It is gone.
    Deleted,
    /// There was nothing to delete.
    Noop,
    /// It is still there.
    #[default]
    #[serde(other)]
    Error,
}

/// The outcome of `deploy`, `undeploy`, `rollback`, `pause` and `resume`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployReply {
    /// What came of it.
    pub result: DeployResult,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// The application.
    #[serde(default)]
    pub name: String,
    /// The version that shall run now.
    #[serde(default)]
    pub version: Option<String>,
    /// The generation that began with it; a status of this or a later one is about what was asked for. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
}

/// What came of a `deploy` and the like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeployResult {
    /// It is written down, and will be done.
    Acknowledged,
    /// There is no such application or version.
    NotFound,
    /// It will not be done.
    #[default]
    #[serde(other)]
    Error,
}

/// How an application fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReply {
    /// What came of it.
    pub result: StatusResult,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// How it fares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<AppStatus>,
}

/// What came of a `status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusResult {
    /// It is known.
    Ok,
    /// There is no such application.
    NotFound,
    /// It could not be found out.
    #[default]
    #[serde(other)]
    Error,
}

/// What was deployed when. Ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryReply {
    /// What came of it.
    pub result: GetResult,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// The oldest first.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_VERSIONS>")]
    pub history: Vec<HistoryEntry>,
}

/// Why parts of an application are as they are. Ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyReply {
    /// What came of it.
    pub result: GetResult,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// The last decision about each part that was asked for.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_ITEMS>")]
    pub parts: Vec<PartDecision>,
    /// Why nothing at all is changed at the moment, where it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// The last decision about a part of an application. Ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartDecision {
    /// What keeps it, as in status.
    pub kind: String,
    /// Its name, as in status.
    pub name: String,
    /// What the manifest calls it, where that is another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// How it fares.
    pub status: StatusInfo,
    /// What the number of its instances follows, where that is its load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<ScaleDecision>,
    /// How its instances are divided.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_NAMES>")]
    pub spreads: Vec<SpreadDecision>,
    /// Where it runs or shall run.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_ITEMS>")]
    pub hosts: Vec<OnHost>,
    /// What it waits for, in plain words.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_NAMES>")]
    pub waits: Vec<String>,
}

/// How many instances of a component its load comes to. Ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleDecision {
    /// How many there shall be: the most that was needed within the cooldown.
    pub wanted: u32,
    /// How many the load of the last look needs.
    pub needed: u32,
    /// Calls that ran or waited then, on average, in hundredths.
    pub load_percent: u64,
    /// How long those waited on average that ended, in microseconds.
    pub queue_us: u64,
    /// The same in plain words.
    pub text: String,
}

/// One spread of a component or provider. Ours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpreadDecision {
    /// Its name.
    pub name: String,
    /// How many instances it shall have.
    pub wanted: u32,
    /// How many hosts may take them.
    pub eligible: usize,
}

macro_rules! replies {
    ($($reply:ty: $what:literal,)*) => {
        $(impl Message for $reply {
            const WHAT: &'static str = $what;
            const MAX: usize = MAX_REPLY;
        })*
    };
}

replies! {
    ErrorReply: "manifest reply",
    PutReply: "manifest put reply",
    GetReply: "manifest reply",
    ListReply: "application list",
    VersionsReply: "version list",
    DeleteReply: "delete reply",
    DeployReply: "deploy reply",
    StatusReply: "status reply",
    HistoryReply: "history reply",
    WhyReply: "why reply",
    ModelSummary: "application summary",
    AppStatus: "application status",
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from wadm 0.21.1 (`applications.jsonl` of the captures).
    #[test]
    fn what_v1_answers_is_read_and_written_alike() {
        fn check<T: Message + PartialEq + std::fmt::Debug>(text: &str) {
            let reply = T::decode(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(reply.encode()).unwrap(), text);
        }
        check::<PutReply>(
            r#"{"result":"created","total_versions":1,"current_version":"01M8","message":"Successfully put manifest hello ","name":"hello"}"#,
        );
        check::<DeployReply>(
            r#"{"result":"notfound","message":"Application with the name nothere not found","name":"nothere","version":null}"#,
        );
        check::<DeleteReply>(
            r#"{"result":"deleted","message":"Successfully deleted application hello","undeploy":true}"#,
        );
        check::<VersionsReply>(
            r#"{"result":"success","message":"Successfully fetched versions for application hello","versions":[{"version":"01M8","deployed":true}]}"#,
        );
        check::<StatusReply>(
            r#"{"result":"ok","message":"Successfully fetched status for application hello","status":{"status":{"type":"reconciling","message":"Scaling provider on 1 host(s)"},"scalers":[{"id":"ea","kind":"SpreadScaler","name":"hello-http_component","status":{"type":"deployed"}}],"version":"","components":[]}}"#,
        );
        check::<GetReply>(
            r#"{"result":"success","message":"Successfully fetched application hello","manifest":{"kind":"Application"}}"#,
        );
        check::<ErrorReply>(r#"{"result":"error","message":"Internal storage error"}"#);
        check::<ModelSummary>(
            r#"{"name":"hello","version":"01M8","description":"x","deployed_version":null,"detailed_status":{"status":{"type":"waiting","message":"Waiting"},"version":"","components":[]},"status":"undeployed","status_message":"Waiting"}"#,
        );
    }

    #[test]
    fn a_failure_can_be_read_as_any_reply() {
        let text = br#"{"result":"error","message":"no"}"#;
        assert_eq!(DeployReply::decode(text).unwrap().result, DeployResult::Error);
        assert_eq!(StatusReply::decode(text).unwrap().message, "no");
        assert_eq!(ListReply::decode(text).unwrap().result, GetResult::Error);
    }
}
