//! Applications: the manifest API of v1's wadm (wire reference §8.3) as it is asked and answered, and the records that
//! a lattice keeps of its applications (ADR 3).
//!
//! | asked on `wadm.api.{lattice}.model.…` | payload | reply |
//! |---|---|---|
//! | `put` | the manifest, YAML or JSON | [`PutReply`] |
//! | `get.{name}` | [`VersionRequest`] or nothing | [`GetReply`] |
//! | `get`, `list` | | [`ListReply`], a bare list for `list` |
//! | `versions.{name}` | | [`VersionsReply`] |
//! | `del.{name}` | [`VersionRequest`] or nothing | [`DeleteReply`] |
//! | `deploy.{name}` | [`VersionRequest`] or nothing | [`DeployReply`] |
//! | `undeploy.{name}` | | [`DeployReply`] |
//! | `status.{name}` | | [`StatusReply`] |
//! | `history.{name}` (v1: an error) | | [`HistoryReply`] |
//! | `rollback.{name}` (ours) | [`VersionRequest`] or nothing | [`DeployReply`] |
//! | `pause.{name}`, `resume.{name}` (ours) | | [`DeployReply`] |
//! | `why.{name}` (ours) | [`WhyRequest`] | [`WhyReply`] |
//!
//! What fails otherwise is answered with an [`ErrorReply`], which all replies can be read from: it is `result` and
//! `message`. Fields that v1 does not have are additive and left out where there is nothing to say.
//!
//! What v1's wadm keeps itself can be read, so that a lattice can leave it ([`WadmApplication`]).

mod cron;
mod event;
pub mod message;
mod record;
mod reply;
mod status;
mod subject;
mod wadm;

pub use cron::{CRON_PREFIX, CronClaim, CronLast, CronOutcome, CronOwed, CronRecord, MAX_CLAIMS, cron_key};
pub use event::ManifestEvent;
pub use record::{
    APP_PREFIX, AppRecord, HistoryEntry, HistoryKind, MAX_FILES, MAX_HISTORY, MAX_VERSIONS, REVISION_PREFIX,
    RevisionRecord, RolloutRecord, VersionRecord, app_bucket, app_key, revision_key,
};
pub use reply::{
    BASE_DIR_HEADER, CONTENT_TYPE_HEADER, CONTROLLER_HEADER, DeleteReply, DeleteResult, DeployReply,
    DeployResult, ErrorReply, GetReply, GetResult, HistoryReply, ListReply, ModelSummary, PUT_OPTIONS_HEADER,
    PartDecision, PutOptions, PutReply, PutResult, ScaleDecision, SpreadDecision, StatusReply, StatusResult,
    VersionInfo, VersionRequest, VersionsReply, WhyReply, WhyRequest,
};
pub use status::{AppStatus, OnHost, ScalerStatus, StatusInfo, StatusType};
pub use subject::{ManifestApi, ModelOperation};
pub use wadm::{WADM_BUCKET, WadmApplication, WadmNames, wadm_app_key, wadm_names_key};
