//! `cargo xtask setup`: what tests need and no crate brings.

use anyhow::Result;
use clap::ValueEnum;

use crate::{interop, nats, nats_py};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to put in place
    #[arg(value_enum)]
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The nats-servers that tests run against
    Nats,
    /// The NATS client for Python that a test drives a host with
    NatsPy,
    /// The programs built with what v1 has published
    Interop,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match args.what {
        What::Nats => nats::setup(),
        What::NatsPy => nats_py::setup(),
        What::Interop => interop::setup(),
    }
}
