//! `ctx`: named ways to reach a lattice.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::control::lattice_args::LatticeArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum CtxCommand {
    /// List the contexts.
    List(CtxFolder),
    /// Make a context of the lattice options that are given.
    New(Box<CtxNewArgs>),
    /// Choose the context that is used where none is named, or say which it is.
    Default(CtxDefaultArgs),
    /// Change a context in an editor.
    Edit(CtxEditArgs),
    /// Delete a context.
    Del(CtxDelArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CtxFolder {
    /// The folder of the contexts [default: $WASH_CONFIG_DIR/contexts, else ~/.wash/contexts if it is there, else
    /// $XDG_CONFIG_HOME/wasmcloud/contexts].
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CtxNewArgs {
    /// Its name.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) folder: CtxFolder,
    #[command(flatten)]
    pub(crate) lattice: LatticeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CtxDefaultArgs {
    /// The context.
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) folder: CtxFolder,
}

#[derive(Debug, Args)]
pub(crate) struct CtxEditArgs {
    /// The context [default: the default one].
    pub(crate) name: Option<String>,
    /// The editor.
    #[arg(long, short, env = "EDITOR", default_value = "vi")]
    pub(crate) editor: String,
    #[command(flatten)]
    pub(crate) folder: CtxFolder,
}

#[derive(Debug, Args)]
pub(crate) struct CtxDelArgs {
    /// The context.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) folder: CtxFolder,
}
