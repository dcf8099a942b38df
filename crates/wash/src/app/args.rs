//! What can be written after `wash app`. Names and flags are those of v1 (wire reference §7.2), and ours for what v1 has
//! not.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use wasmcloud_core::AppName;
use wasmcloud_wire::app::WADM_BUCKET;

use crate::control::args::interval;
use crate::control::lattice_args::LatticeArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// Check a manifest and report everything that is wrong with it.
    Validate(ValidateArgs),
    /// List the applications of a lattice and how they fare.
    List(ListArgs),
    /// Print a manifest as it was put.
    Get(GetArgs),
    /// Show how an application fares, part by part and host by host.
    Status(StatusArgs),
    /// Show what was deployed when.
    History(NameArgs),
    /// List the versions of an application.
    Versions(NameArgs),
    /// Store a manifest as a version of its application, and change nothing that runs.
    Put(PutArgs),
    /// Have an application run, and wait until it does.
    Deploy(DeployArgs),
    /// Have nothing of an application run. Its versions stay.
    Undeploy(UndeployArgs),
    /// Delete a version, or an application with all its versions; what runs of it is stopped.
    #[command(alias = "del")]
    Delete(DeleteArgs),
    /// Have the version run again that ran before, and wait until it does.
    Rollback(RollbackArgs),
    /// Have the controller leave an application as it is, whatever happens.
    Pause(NameArgs),
    /// Have the controller look after an application again.
    Resume(NameArgs),
    /// Show what is different between a manifest and what is deployed.
    Diff(DiffArgs),
    /// Say why the parts of an application are as they are.
    Why(WhyArgs),
    /// Write all versions of all applications into a folder, with a list of what is deployed.
    Export(ExportArgs),
    /// Put what `export` has written, some manifests, or what v1's wadm has kept. Nothing is deleted.
    Import(ImportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// The manifest.
    pub(crate) manifest: PathBuf,
    #[arg(long, hide = true)]
    pub(crate) check_image_refs: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Show it again after this time, in milliseconds or as `5s`, until Ctrl-C.
    #[arg(long, short, num_args = 0..=1, default_missing_value = "1000", value_parser = interval, value_name = "TIME")]
    pub(crate) watch: Option<Duration>,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// The application.
    pub(crate) name: AppName,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

/// A version beside a name.
#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// The version, as v1 takes it.
    #[arg(value_name = "VERSION", id = "positional-version")]
    pub(crate) positional: Option<String>,
    /// The version.
    #[arg(
        long = "version",
        value_name = "VERSION",
        conflicts_with = "positional-version"
    )]
    pub(crate) named: Option<String>,
}

impl VersionArgs {
    pub(crate) fn version(&self) -> Option<&str> {
        self.positional.as_deref().or(self.named.as_deref())
    }
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// The application. Without one, all are listed.
    pub(crate) name: Option<AppName>,
    #[command(flatten)]
    pub(crate) version: VersionArgs,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The application.
    pub(crate) name: AppName,
    /// Show it again whenever it changes, until Ctrl-C.
    #[arg(long, short)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// The manifest; `-` or none is standard input. Files in it are relative to its folder.
    #[arg(value_name = "FILE")]
    pub(crate) source: Option<String>,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

/// How long to wait for an application.
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Be content when the controller has written it down.
    #[arg(long, alias = "skip-wait")]
    pub(crate) no_wait: bool,
    /// Longest wait until it runs, in milliseconds or as `90s`. What is missing then is said, and the exit code is 4.
    #[arg(
        long,
        alias = "wait-timeout-ms",
        value_parser = interval,
        default_value = "60s",
        value_name = "TIME"
    )]
    pub(crate) wait_timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// A manifest, which is put first; or the name of an application, of which the newest version is meant where none is
    /// named. `-` or none is a manifest on standard input.
    #[arg(value_name = "FILE|NAME[@VERSION]")]
    pub(crate) source: Option<String>,
    #[command(flatten)]
    pub(crate) version: VersionArgs,
    /// If the version of the manifest is stored with another text, delete that first. If it is deployed it is stopped by
    /// that; a manifest with a new version is changed without a gap.
    #[arg(long)]
    pub(crate) replace: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UndeployArgs {
    /// The application, or its manifest.
    #[arg(value_name = "NAME|FILE", required_unless_present = "all")]
    pub(crate) name: Option<String>,
    /// Undeploy all applications of the lattice.
    #[arg(long, conflicts_with = "name")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The application, or the manifest of the version.
    #[arg(value_name = "NAME|FILE", required_unless_present = "all_undeployed")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) version: VersionArgs,
    /// Delete all applications of which no version is deployed.
    #[arg(long, conflicts_with_all = ["name", "positional-version", "named"])]
    pub(crate) all_undeployed: bool,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The application.
    pub(crate) name: AppName,
    /// The version [default: the one that was deployed before].
    pub(crate) version: Option<String>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 nothing is different, 6 something is, others as everywhere.")]
pub(crate) struct DiffArgs {
    /// A manifest, `-` for standard input; or the name of an application, of which the newest version is meant where none
    /// is named.
    #[arg(value_name = "FILE|NAME[@VERSION]")]
    pub(crate) source: String,
    /// The version to compare with [default: the one that is deployed].
    pub(crate) version: Option<String>,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The application.
    pub(crate) name: AppName,
    /// One part: its name in the manifest, its id, or the ends of a link as `status` shows them.
    pub(crate) part: Option<String>,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The folder. It is made if it is not there.
    #[arg(default_value = "applications")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// A folder that `export` has written: what was deployed is deployed. Or manifests: they are put.
    #[arg(required_unless_present = "from_wadm", value_name = "DIR|FILES")]
    pub(crate) paths: Vec<PathBuf>,
    /// Take over from v1's wadm what it has kept in this bucket of the lattice: all versions of all applications, and
    /// what was deployed is deployed. What runs of that goes on running. wadm has to be stopped before.
    #[arg(
        long,
        conflicts_with = "paths",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = WADM_BUCKET,
        value_name = "BUCKET"
    )]
    pub(crate) from_wadm: Option<String>,
    /// Only put, and deploy nothing.
    #[arg(long)]
    pub(crate) no_deploy: bool,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}
