//! `cargo xtask fmt`: formats everything. `cargo fmt --all` knows one workspace; guests, examples, fuzz targets and the
//! programs of v1 are workspaces of their own.

use anyhow::Result;

use crate::{guests, interop, repo, shell};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing, and fail if something is not formatted
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut roots = vec![repo::root()?, repo::root()?.join("fuzz")];
    roots.extend(guests::roots()?);
    roots.push(interop::root()?);
    for root in roots {
        let mut fmt = shell::cargo()?;
        fmt.args(["fmt", "--all"]).current_dir(root);
        if args.check {
            fmt.arg("--check");
        }
        shell::run(&mut fmt)?;
    }
    Ok(())
}

/// What CI does.
pub(crate) fn check() -> Result<()> {
    run(&Args { check: true })
}
