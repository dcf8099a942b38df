//! `cargo xtask setup`: what tests need and no crate brings.

use anyhow::Result;
use clap::ValueEnum;

use crate::nats;

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
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match args.what {
        What::Nats => nats::setup(),
    }
}
