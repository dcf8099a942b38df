//! The command line: what can be written, with its help. Nothing here does anything.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use wasmcloud_core::LatticeName;

use crate::host::args::HostArgs;
use crate::sign::args::{ClaimsCommand, KeysCommand, ParCommand};

/// Run WebAssembly applications, from one process on a laptop to a lattice of hosts.
#[derive(Debug, Parser)]
#[command(name = "wash", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What is printed on stdout: text for people, or JSON for scripts.
    #[arg(long, short, global = true, value_enum, default_value_t, env = "WASH_OUTPUT")]
    pub(crate) output: OutputFormat,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 it worked, 1 it failed, 2 the command line is wrong, 3 a manifest or file \
                          is wrong, 4 the application could not be started, 5 the HTTP status is not 2xx, 130 a \
                          second signal cut it short.";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an application here until Ctrl-C, with a lattice of its own or in one that is there.
    Up(Box<UpArgs>),
    /// Stop what `wash up` runs on this machine.
    Down(DownArgs),
    /// Run a host that takes commands from its lattice.
    Host(Box<HostCommand>),
    /// Work with application manifests.
    #[command(subcommand)]
    App(AppCommand),
    /// Show what a component imports and exports, what a provider archive holds, and who signed it.
    Inspect(InspectArgs),
    /// Save an image of a registry as a file.
    Pull(PullArgs),
    /// Put a component or provider archive into a registry.
    Push(PushArgs),
    #[command(flatten)]
    Control(Box<crate::control::ControlCommand>),
    /// Make, show and list keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Sign components, and show what was signed.
    #[command(subcommand)]
    Claims(ClaimsCommand),
    /// Make, show and extend provider archives.
    #[command(subcommand)]
    Par(ParCommand),
    /// Print shell completions.
    Completions(CompletionsArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// Check a manifest and report everything that is wrong with it.
    Validate(ValidateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// The application's manifest. Without one the host starts empty.
    pub(crate) manifest: Option<PathBuf>,
    /// Apply changes of the manifest and of component files while running.
    #[arg(long, requires = "manifest")]
    pub(crate) watch: bool,
    /// Return once the application is ready, and keep it running in the background; `wash down` ends it.
    #[arg(long, short, conflicts_with = "watch")]
    pub(crate) detached: bool,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HostCommand {
    /// Return once the host is part of its lattice, and keep it running in the background.
    #[arg(long, short)]
    pub(crate) detached: bool,
    #[command(flatten)]
    pub(crate) host: HostArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// The lattice's folder is below this one [default: $XDG_DATA_HOME/wasmcloud].
    #[arg(long, env = "WASMCLOUD_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The lattice of the hosts.
    #[arg(long, short = 'x', env = "WASMCLOUD_LATTICE", default_value = "default")]
    pub(crate) lattice: LatticeName,
    /// How long requests under way may take, for example `10s`.
    #[arg(long, value_parser = duration, default_value = "10s")]
    pub(crate) drain: Duration,
}

/// How registries are asked. The names are those of v1 (wire reference §2.1).
#[derive(Debug, Args)]
#[command(next_help_heading = "Registries")]
pub(crate) struct RegistryArgs {
    /// Accept images tagged `latest` and images without a tag.
    #[arg(long, env = "WASMCLOUD_OCI_ALLOW_LATEST")]
    pub(crate) allow_latest: bool,
    /// Registries that are asked without TLS, separated by commas.
    #[arg(
        long,
        env = "WASMCLOUD_OCI_ALLOWED_INSECURE",
        value_delimiter = ',',
        value_name = "REGISTRY"
    )]
    pub(crate) allowed_insecure: Vec<String>,
    /// PEM files of certificate authorities to trust besides those of the system, separated by commas.
    #[arg(
        long,
        env = "WASMCLOUD_TLS_CA_PATH",
        value_delimiter = ',',
        value_name = "FILE"
    )]
    pub(crate) tls_ca_path: Vec<PathBuf>,
    /// The registry that user and password are for [default: that of the image].
    #[arg(
        long,
        env = "WASMCLOUD_OCI_REGISTRY",
        requires = "oci_user",
        value_name = "REGISTRY"
    )]
    pub(crate) oci_registry: Option<String>,
    /// A user of the registry. Without one, Docker's configuration is asked.
    #[arg(
        long,
        alias = "user",
        env = "WASMCLOUD_OCI_REGISTRY_USER",
        requires = "oci_password",
        value_name = "USER"
    )]
    pub(crate) oci_user: Option<String>,
    /// The password of the user. Better in the variable: others can see command lines.
    #[arg(
        long,
        alias = "password",
        env = "WASMCLOUD_OCI_REGISTRY_PASSWORD",
        hide_env_values = true,
        requires = "oci_user",
        value_name = "PASSWORD"
    )]
    pub(crate) oci_password: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    #[default]
    On,
    Off,
}

/// Whether a host may lead the applications of its lattice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ControllerMode {
    /// Where no controller of v1 runs.
    #[default]
    Auto,
    /// In any case.
    On,
    /// Never.
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// The manifest.
    pub(crate) manifest: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The component or provider archive: a file, or an image of a registry.
    pub(crate) target: String,
    /// Print the signed token with the claims, and nothing else.
    #[arg(long, conflicts_with = "wit")]
    pub(crate) jwt_only: bool,
    /// Print the WIT, and nothing else.
    #[arg(long, alias = "world")]
    pub(crate) wit: bool,
    /// The digest that the image or file must have, for example `sha256:…`.
    #[arg(long, short)]
    pub(crate) digest: Option<String>,
    /// Where pulled images are kept [default: $XDG_CACHE_HOME/wasmcloud].
    #[arg(long, env = "WASMCLOUD_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// The image, for example `ghcr.io/acme/cart:1.0`.
    pub(crate) image: String,
    /// The file [default: the last part of the image's name, with `.wasm` or `.par.gz`].
    #[arg(long)]
    pub(crate) destination: Option<PathBuf>,
    /// The digest that the image must have, for example `sha256:…`.
    #[arg(long, short)]
    pub(crate) digest: Option<String>,
    /// Where pulled images are kept [default: $XDG_CACHE_HOME/wasmcloud].
    #[arg(long, env = "WASMCLOUD_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// The image to make, for example `ghcr.io/acme/cart:1.0`.
    pub(crate) image: String,
    /// The component or provider archive.
    pub(crate) artifact: PathBuf,
    /// An annotation of the image, KEY=VALUE; can be repeated.
    #[arg(long, short, value_parser = label)]
    pub(crate) annotation: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

pub(crate) fn bytes(raw: &str) -> Result<u64, String> {
    wasmcloud_core::parse_bytes(raw).map_err(|error| error.to_string())
}

pub(crate) fn duration(raw: &str) -> Result<Duration, String> {
    wasmcloud_core::parse_duration(raw).map_err(|error| error.to_string())
}

pub(crate) fn label(raw: &str) -> Result<(String, String), String> {
    match raw.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}
