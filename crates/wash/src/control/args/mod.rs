//! What can be written after the commands that ask hosts. The names are those of v1 (wire reference §7.2).

mod calls;
mod contexts;
mod running;
mod shared;

use std::time::Duration;

use clap::{ArgAction, Args, Subcommand};
use wasmcloud_core::nearest;
use wasmcloud_wire::event::EventKind;

pub(super) use self::calls::*;
pub(super) use self::contexts::*;
pub(super) use self::running::*;
pub(super) use self::shared::*;
use super::lattice_args::LatticeArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum ControlCommand {
    /// List hosts, what runs on them, links and claims of a lattice.
    #[command(subcommand)]
    Get(GetCommand),
    /// Start a component or provider on a host of a lattice.
    #[command(subcommand)]
    Start(StartCommand),
    /// Stop a component, a provider or a host.
    #[command(subcommand)]
    Stop(StopCommand),
    /// Change how many invocations a component may handle at once on a host.
    #[command(subcommand)]
    Scale(ScaleCommand),
    /// Let a component that runs go on with another image.
    #[command(subcommand)]
    Update(UpdateCommand),
    /// Work with the links of a lattice.
    #[command(subcommand)]
    Link(LinkCommand),
    /// Work with the named configs of a lattice.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Work with references to secrets. The values stay where they are.
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Set or remove labels of a host.
    Label(LabelArgs),
    /// Work with contexts: named ways to reach a lattice.
    #[command(subcommand, alias = "context")]
    Ctx(CtxCommand),
    /// Show what happens on a lattice, until Ctrl-C.
    Events(EventsArgs),
    /// Call a function of a component, or send it an HTTP request.
    Call(Box<CallArgs>),
    /// Show the calls to a component or provider while they are made, until Ctrl-C.
    Spy(Box<SpyArgs>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum GetCommand {
    /// List the hosts.
    Hosts(ListArgs),
    /// Show what runs on a host, or on all.
    Inventory(InventoryArgs),
    /// List the links.
    Links(ListArgs),
    /// List the claims of signed components and providers.
    Claims(ListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InventoryArgs {
    /// The host: its name, its id or the beginning of its id. Without one, all hosts.
    pub(crate) host: Option<String>,
    /// Show it again after this time, in milliseconds or as `5s`, until Ctrl-C.
    #[arg(long, short, num_args = 0..=1, default_missing_value = "5000", value_parser = interval, value_name = "TIME")]
    pub(crate) watch: Option<Duration>,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

/// How long to wait for what a host has accepted.
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// Be content when the host has accepted it.
    #[arg(long)]
    pub(crate) skip_wait: bool,
    /// Longest wait until it is done, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub(crate) wait_timeout_ms: u64,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Only events of this type, as `component_scaled`; can be repeated. Without it, text leaves out heartbeats and
    /// health checks that found no change.
    #[arg(long = "type", value_parser = event_kind, value_delimiter = ',', action = ArgAction::Append, value_name = "TYPE")]
    pub(crate) kind: Vec<EventKind>,
    /// End after this many events.
    #[arg(long, short = 'n', value_name = "NUMBER")]
    pub(crate) count: Option<u64>,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

fn pair(raw: &str) -> Result<(String, String), String> {
    match raw.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// Milliseconds, or a number with a unit.
pub(crate) fn interval(raw: &str) -> Result<Duration, String> {
    let time = match raw.parse() {
        Ok(millis) => Duration::from_millis(millis),
        Err(_) => wasmcloud_core::parse_duration(raw).map_err(|error| error.to_string())?,
    };
    match time < Duration::from_millis(100) {
        true => Err("100 ms are the shortest time".to_owned()),
        false => Ok(time),
    }
}

fn event_kind(raw: &str) -> Result<EventKind, String> {
    // As the subject and the type of the event have it.
    let name = raw.strip_prefix("com.wasmcloud.lattice.").unwrap_or(raw);
    EventKind::from_name(name).ok_or_else(|| {
        let names = EventKind::ALL.map(EventKind::name);
        match nearest(name, names) {
            Some(nearest) => format!("no event is called so; did you mean `{nearest}`?"),
            None => format!("no event is called so; there are {}", names.join(", ")),
        }
    })
}
