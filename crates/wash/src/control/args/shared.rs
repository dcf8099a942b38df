//! What changes what the hosts of a lattice share: `link`, `config`, `secrets`; and `label`.

use clap::{Args, Subcommand};
use wasmcloud_core::{ComponentId, ConfigName, LinkName, Route};

use super::{ListArgs, pair};
use crate::control::lattice_args::LatticeArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum LinkCommand {
    /// List the links, as `get links`.
    Query(ListArgs),
    /// Link a source to a target, or replace that link.
    Put(LinkPutArgs),
    /// Remove a link, or all.
    Del(LinkDelArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LinkPutArgs {
    /// The id of who calls.
    pub(crate) source_id: ComponentId,
    /// The id of who answers.
    pub(crate) target: ComponentId,
    /// The WIT namespace: `wasi` in `wasi:http`.
    pub(crate) wit_namespace: String,
    /// The WIT package: `http` in `wasi:http`.
    pub(crate) wit_package: String,
    /// An interface: `incoming-handler`; can be repeated.
    #[arg(
        long,
        short,
        alias = "interfaces",
        required = true,
        value_delimiter = ',',
        value_name = "INTERFACE"
    )]
    pub(crate) interface: Vec<String>,
    /// A config of the lattice for the source; can be repeated.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) source_config: Vec<ConfigName>,
    /// A config of the lattice for the target; can be repeated.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) target_config: Vec<ConfigName>,
    /// The name under which the source selects this link.
    #[arg(long, short, default_value = "default", value_name = "NAME")]
    pub(crate) link_name: LinkName,
    /// How calls travel: `auto`, `local` or `lattice`.
    #[arg(long, default_value_t)]
    pub(crate) route: Route,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LinkDelArgs {
    /// The id of who calls.
    #[arg(required_unless_present = "all")]
    pub(crate) source_id: Option<ComponentId>,
    /// The WIT namespace: `wasi` in `wasi:http`.
    #[arg(required_unless_present = "all")]
    pub(crate) wit_namespace: Option<String>,
    /// The WIT package: `http` in `wasi:http`.
    #[arg(required_unless_present = "all")]
    pub(crate) wit_package: Option<String>,
    /// The name of the link.
    #[arg(long, short, default_value = "default", value_name = "NAME")]
    pub(crate) link_name: LinkName,
    /// Remove all links of the lattice. Asks before, unless `--force` is given.
    #[arg(long, conflicts_with_all = ["source_id", "wit_namespace", "wit_package"])]
    pub(crate) all: bool,
    /// Do not ask.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Make or replace a config.
    Put(ConfigPutArgs),
    /// Show a config.
    Get(ConfigNameArgs),
    /// Delete a config.
    #[command(alias = "delete")]
    Del(ConfigNameArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigPutArgs {
    /// Its name.
    pub(crate) name: ConfigName,
    /// Its values, KEY=VALUE each. They replace all that it had.
    #[arg(required = true, value_parser = pair, value_name = "KEY=VALUE")]
    pub(crate) values: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigNameArgs {
    /// Its name.
    pub(crate) name: ConfigName,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Make or replace a reference to a secret.
    Put(SecretPutArgs),
    /// Show a reference to a secret; not its value.
    Get(ConfigNameArgs),
    /// Delete a reference to a secret; the secret stays.
    #[command(alias = "delete")]
    Del(ConfigNameArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SecretPutArgs {
    /// The name of the reference, by which components and providers know the secret.
    pub(crate) name: ConfigName,
    /// The secrets backend that has it.
    pub(crate) backend: String,
    /// What the backend calls it.
    pub(crate) key: String,
    /// One field of a secret that has several.
    #[arg(long)]
    pub(crate) field: Option<String>,
    /// One version of it [default: the newest].
    #[arg(long = "version", short = 'v', value_name = "VERSION")]
    pub(crate) secret_version: Option<String>,
    /// What the backend needs to know, KEY=VALUE; can be repeated.
    #[arg(long, value_parser = pair, value_name = "KEY=VALUE")]
    pub(crate) property: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LabelArgs {
    /// The host: its name, its id or the beginning of its id.
    pub(crate) host: String,
    /// Labels, KEY=VALUE each; with `--delete` the KEY is enough.
    #[arg(required = true, value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Remove the labels.
    #[arg(long)]
    pub(crate) delete: bool,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}
