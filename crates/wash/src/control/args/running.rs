//! What changes what runs: `start`, `stop`, `scale`, `update`.

use clap::{Args, Subcommand};
use wasmcloud_core::{ComponentId, ConfigName, LinkName};

use super::{WaitArgs, pair};
use crate::control::lattice_args::LatticeArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum StartCommand {
    /// Start a component.
    Component(StartComponentArgs),
    /// Start a capability provider.
    Provider(StartProviderArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StartComponentArgs {
    /// The image: a file, or an image of a registry.
    pub(crate) component_ref: String,
    /// The id it gets in the lattice.
    pub(crate) component_id: ComponentId,
    /// Invocations at once on the host.
    #[arg(
        long,
        alias = "max-concurrent",
        alias = "max",
        alias = "count",
        default_value_t = 1
    )]
    pub(crate) max_instances: u32,
    /// Replace a component of this id that runs from another image.
    #[arg(long)]
    pub(crate) allow_update: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StartProviderArgs {
    /// The image: a provider archive, an image of a registry, or `wasmcloud+builtin://NAME`.
    pub(crate) provider_ref: String,
    /// The id it gets in the lattice.
    pub(crate) provider_id: ComponentId,
    /// For scripts made for v1: links name providers by their id.
    #[arg(long, short, default_value = "default", hide = true)]
    pub(crate) link_name: LinkName,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Be content when the host has accepted it.
    #[arg(long)]
    pub(crate) skip_wait: bool,
    /// Longest wait until it has started, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 60_000)]
    pub(crate) wait_timeout_ms: u64,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

/// Where something starts, and with what.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// The host: its name, its id or the beginning of its id. Without one, the first that answers an auction.
    #[arg(long, value_name = "HOST")]
    pub(crate) host_id: Option<String>,
    /// A label that the host must have, KEY=VALUE; can be repeated.
    #[arg(long, short, value_parser = pair, value_name = "KEY=VALUE", conflicts_with = "host_id")]
    pub(crate) constraint: Vec<(String, String)>,
    /// Longest wait for a host to answer the auction, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    pub(crate) auction_timeout_ms: u64,
    /// A config of the lattice that it reads; can be repeated, later ones override earlier ones.
    #[arg(long, value_name = "NAME")]
    pub(crate) config: Vec<ConfigName>,
    /// A note that the host keeps with it, KEY=VALUE; can be repeated.
    #[arg(long, short, value_parser = pair, value_name = "KEY=VALUE")]
    pub(crate) annotations: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StopCommand {
    /// Stop a component, on all hosts that run it or on one.
    Component(StopItemArgs),
    /// Stop a capability provider, on all hosts that run it or on one.
    Provider(StopItemArgs),
    /// Stop a host.
    Host(StopHostArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StopItemArgs {
    /// Its id in the lattice.
    pub(crate) id: ComponentId,
    /// Only on this host: its name, its id or the beginning of its id.
    #[arg(long, value_name = "HOST")]
    pub(crate) host_id: Option<String>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StopHostArgs {
    /// The host: its name, its id or the beginning of its id.
    pub(crate) host_id: String,
    /// How long the host may take to let what runs come to an end, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    pub(crate) host_timeout: u64,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScaleCommand {
    /// Scale a component on a host, or start it there.
    Component(ScaleComponentArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ScaleComponentArgs {
    /// The host: its name, its id or the beginning of its id.
    pub(crate) host_id: String,
    /// The image: a file, or an image of a registry.
    pub(crate) component_ref: String,
    /// Its id in the lattice.
    pub(crate) component_id: ComponentId,
    /// Invocations at once on the host; 0 stops it [default: no limit of its own].
    #[arg(
        long,
        short = 'c',
        alias = "max-concurrent",
        alias = "max",
        alias = "count",
        default_value_t = u32::MAX,
        hide_default_value = true
    )]
    pub(crate) max_instances: u32,
    /// A note that the host keeps with it, KEY=VALUE; can be repeated.
    #[arg(long, short, value_parser = pair, value_name = "KEY=VALUE")]
    pub(crate) annotations: Vec<(String, String)>,
    /// A config of the lattice that it reads; can be repeated, later ones override earlier ones.
    #[arg(long, value_name = "NAME")]
    pub(crate) config: Vec<ConfigName>,
    /// Replace the image of a component that runs from another one.
    #[arg(long)]
    pub(crate) allow_update: bool,
    /// Be content when the host has accepted it.
    #[arg(long)]
    pub(crate) skip_wait: bool,
    /// Longest wait until it is done, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    pub(crate) wait_timeout_ms: u64,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UpdateCommand {
    /// Update a component on the host that runs it.
    Component(UpdateComponentArgs),
}

#[derive(Debug, Args)]
pub(crate) struct UpdateComponentArgs {
    /// Its id in the lattice.
    pub(crate) component_id: ComponentId,
    /// The new image: a file, or an image of a registry.
    pub(crate) new_component_ref: String,
    /// The host: its name, its id or the beginning of its id. Needed if several run the component.
    #[arg(long, value_name = "HOST")]
    pub(crate) host_id: Option<String>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}
