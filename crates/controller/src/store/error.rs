//! What keeps the store from doing what was asked. The texts are v1's where it has one.

use wasmcloud_core::{AppName, ComponentId};
use wasmcloud_lattice::{Contended, StateError};
use wasmcloud_manifest::{Diagnostic, Diagnostics};
use wasmcloud_wire::DecodeError;
use wasmcloud_wire::app::{MAX_VERSIONS, message};

use super::MAX_VERSION_LEN;

/// Why an application was not read, or not changed. Nothing was written, except perhaps with [`StoreError::State`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state did not answer, or refused.
    #[error("{}", message::STORAGE)]
    State(#[from] StateError),
    /// The bucket cannot have the name of this lattice.
    #[error("open the applications of lattice `{lattice}`")]
    Name {
        /// The lattice.
        lattice: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A record is not one.
    #[error("{}: read `{key}`", message::STORAGE)]
    Record {
        /// Its key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// Others changed the application each time.
    #[error("{}", message::STORAGE)]
    Contended(#[from] Contended),
    /// The text of a revision is not there, though its application names it.
    #[error(
        "{}: revision {revision} of application {app} (version {version}) is not in the store any more; \
         hint: put this version again",
        message::STORAGE
    )]
    Lost {
        /// The application.
        app: AppName,
        /// Its version.
        version: String,
        /// What is missing.
        revision: String,
    },
    /// The manifest is none, or makes no sense.
    #[error("{}: {}", message::UNPARSABLE, problems(.0))]
    Manifest(Box<Diagnostics>),
    /// The manifest is of another application than the one that was named.
    #[error("the manifest is of application `{found}`, `{expected}` was meant")]
    OtherName {
        /// What was meant.
        expected: AppName,
        /// What the manifest says.
        found: AppName,
    },
    /// An image is relative to nothing.
    #[error(
        "{}: {at}: image `{image}` is relative, and whoever put the manifest did not say to which directory; \
         hint: use `wash app put` or `wash app deploy`, or an absolute path",
        message::UNPARSABLE
    )]
    RelativeImage {
        /// The image.
        image: String,
        /// Where the manifest has it.
        at: String,
    },
    /// The base directory is relative itself.
    #[error("the base directory `{0}` is relative; hint: name it from the root")]
    RelativeBase(String),
    /// The version is longer than names of versions may be.
    #[error("the name of the version has {0} bytes, the limit is {MAX_VERSION_LEN}")]
    VersionLength(usize),
    /// The version is there already, with another text.
    #[error("{}", message::version_exists(.0))]
    VersionExists(String),
    /// There are as many versions as can be.
    #[error(
        "application {0} has {MAX_VERSIONS} versions, which is the limit; \
         hint: delete old ones with `wash app delete {0} --version VERSION`"
    )]
    TooManyVersions(AppName),
    /// There are more revisions that may have left something than are kept.
    #[error(
        "application {0} was deployed in {MAX_VERSIONS} versions of which something may be left; \
         hint: they are forgotten when nothing of them runs, which a controller sees to: does one lead?"
    )]
    TooManyFormer(AppName),
    /// The manifest does not fit into one entry of the store.
    #[error(
        "the manifest of application {app} has {size} bytes as it is stored, the limit is {limit}; \
         hint: divide it into several applications"
    )]
    TooLarge {
        /// The application.
        app: AppName,
        /// Its size, in bytes.
        size: usize,
        /// How many there may be.
        limit: usize,
    },
    /// There is no such application.
    #[error("{}", message::no_app(.0))]
    NoApp(AppName),
    /// There is no such version.
    #[error("{}", message::no_version(app, version))]
    NoVersion {
        /// The application.
        app: AppName,
        /// The version.
        version: String,
    },
    /// There is no such version to deploy.
    #[error("{}", message::no_version_to_deploy(app, version))]
    NoVersionToDeploy {
        /// The application.
        app: AppName,
        /// The version.
        version: String,
    },
    /// There is nothing to go back to.
    #[error("{}", message::nothing_before(.0))]
    NothingBefore(AppName),
    /// Another application has the same id for its own.
    #[error("{}", message::id_taken(id, by))]
    IdTaken {
        /// The id.
        id: ComponentId,
        /// Whose it is.
        by: AppName,
    },
    /// What it uses of other applications is not deployed there.
    #[error("{}", message::shared_missing(.0))]
    SharedMissing(Vec<String>),
}

/// All errors of a manifest on one line, each with its place.
fn problems(diagnostics: &Diagnostics) -> String {
    let one = |problem: &Diagnostic| match &problem.hint {
        Some(hint) => format!("{}: {} (hint: {hint})", problem.at, problem.message),
        None => format!("{}: {}", problem.at, problem.message),
    };
    let mut text = diagnostics.errors().map(one).collect::<Vec<_>>().join("; ");
    if diagnostics.left_out() > 0 {
        text.push_str(&format!(
            "; {} more problems are not shown",
            diagnostics.left_out()
        ));
    }
    text
}
