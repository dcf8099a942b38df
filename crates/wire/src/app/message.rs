//! Texts of the manifest API that people and programs know (wire reference §16, Appendix B).
//!
//! They are v1's where v1 has one, but for the version in [`put`]: v1 names the one before, which is a mistake.

use std::fmt::Display;

use wasmcloud_core::AppName;

use crate::message::cut;

/// How much of a name that somebody else chose is repeated, in bytes.
const MAX_NAME: usize = 256;

/// All applications were listed.
pub const LISTED: &str = "Successfully fetched list of applications";

/// What a failure of the store begins with; v1 has no more than this.
pub const STORAGE: &str = "Internal storage error";

/// What a manifest that is none, or makes no sense, is answered with; what is wrong follows.
pub const UNPARSABLE: &str = "Unable to parse manifest";

/// `put` worked.
pub fn put(app: &AppName, version: &str) -> String {
    format!("Successfully put manifest {app} {version}")
}

/// What follows [`put`] where other applications are not deployed yet. `missing` are `component` of `application`.
pub fn shared_later(missing: &[String]) -> String {
    format!(
        ", but some shared components are not deployed: [{}]",
        missing.join(", ")
    )
}

/// `put` of what is there already, text and version. Ours.
pub fn put_again(app: &AppName, version: &str) -> String {
    format!("Manifest {app} {version} is the same as before, nothing was changed")
}

/// `put` of another text under a version that is taken.
pub fn version_exists(version: &str) -> String {
    format!("Manifest version {version} already exists")
}

/// There is no such application.
pub fn no_app(app: &AppName) -> String {
    format!("Application with the name {app} not found")
}

/// `get` of a version that is not there.
pub fn no_version(app: &AppName, version: &str) -> String {
    format!("Application {app} with version {version} doesn't exist")
}

/// `deploy` of a version that is not there.
pub fn no_version_to_deploy(app: &AppName, version: &str) -> String {
    format!("Application with the name '{app}' does not have a version '{version}' to deploy")
}

/// `get` worked.
pub fn fetched(app: &AppName, version: Option<&str>) -> String {
    match version {
        Some(version) => format!("Successfully fetched application {app} {version}"),
        None => format!("Successfully fetched application {app}"),
    }
}

/// `versions` worked.
pub fn fetched_versions(app: &AppName) -> String {
    format!("Successfully fetched versions for application {app}")
}

/// `status` worked.
pub fn fetched_status(app: &AppName) -> String {
    format!("Successfully fetched status for application {app}")
}

/// `history` worked. Ours: v1 has no history.
pub fn fetched_history(app: &AppName) -> String {
    format!("Successfully fetched history for application {app}")
}

/// `why` worked. Ours.
pub fn fetched_why(app: &AppName) -> String {
    format!("Successfully fetched decisions for application {app}")
}

/// `why` of a part that is not there. Ours.
pub fn no_part(app: &AppName, part: &str) -> String {
    format!("Application {app} has no part `{}`", cut(part, MAX_NAME))
}

/// `deploy` worked.
pub fn deployed(app: &AppName, version: &str) -> String {
    format!("Successfully deployed application {app} {version}")
}

/// `undeploy` worked.
pub fn undeployed(app: &AppName) -> String {
    format!("Successfully undeployed application {app}")
}

/// `undeploy` of what shall not run in any case.
pub fn undeployed_before(app: &AppName) -> String {
    format!("Application {app} was already undeployed")
}

/// `rollback` worked. Ours.
pub fn rolled_back(app: &AppName, version: &str) -> String {
    format!("Successfully rolled back application {app} to {version}")
}

/// `rollback` without a version where no other was deployed before. Ours.
pub fn nothing_before(app: &AppName) -> String {
    format!(
        "No other version of application {app} that still exists was deployed before; hint: name a version"
    )
}

/// `pause` worked. Ours.
pub fn paused(app: &AppName) -> String {
    format!("Successfully paused application {app}")
}

/// `resume` worked. Ours.
pub fn resumed(app: &AppName) -> String {
    format!("Successfully resumed application {app}")
}

/// `del` of one of several versions.
pub fn deleted_version(app: &AppName, version: &str) -> String {
    format!("Successfully deleted version {version} of application {app}")
}

/// `del` of the only version by its name.
pub fn deleted_last(app: &AppName) -> String {
    format!("Successfully deleted last version of application {app}")
}

/// `del` of all versions.
pub fn deleted(app: &AppName) -> String {
    format!("Successfully deleted application {app}")
}

/// `del` of a version that is not there.
pub fn version_gone(version: &str) -> String {
    format!("Application version {version} doesn't exist")
}

/// `del` of an application that is not there.
pub fn gone(app: &AppName) -> String {
    format!("Application {app} doesn't exist or was already deleted")
}

/// `deploy` of what another application has for its own.
pub fn id_taken(id: &dyn Display, by: &AppName) -> String {
    format!("Component identifier '{id}' is already deployed in a different application '{by}'.")
}

/// `deploy` of what uses something of applications that are not deployed.
pub fn shared_missing(missing: &[String]) -> String {
    format!(
        "Application contains shared components that are not deployed in other applications: [{}]",
        missing.join(", ")
    )
}

/// A `Content-Type` that is none of the two.
pub fn content_type(given: &str) -> String {
    let given = cut(given, MAX_NAME);
    format!("Unsupported content type {given} given. Wadm supports YAML and JSON")
}

/// What nobody can ask for.
pub fn unsupported(subject: &str) -> String {
    format!("Unsupported subject: {}", cut(subject, MAX_NAME))
}

/// A subject whose name cannot exist.
pub fn invalid(subject: &str) -> String {
    format!("Invalid subject: {}", cut(subject, MAX_NAME))
}

/// The status of an application that was deployed or undeployed since the last plan. Ours.
pub fn waiting_for_plan(generation: u64) -> String {
    format!("waiting for the controller to plan generation {generation}")
}
