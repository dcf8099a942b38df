//! Automation of this repository, as a table of contents: each subcommand is a module of its own.

mod apt;
mod bench;
mod demo;
mod fmt;
mod fuzz;
mod guests;
mod http;
mod interop;
mod nats;
mod nats_py;
mod pypi;
mod repo;
mod setup;
mod shell;
mod test;
mod tidy;
mod tool;
mod toolchain;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Automation of this repository
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the WebAssembly components of the examples and of the tests
    Guests(guests::Args),
    /// Put in place what tests need and no crate brings
    Setup(setup::Args),
    /// Run everything that CI runs, and install what that takes
    Test(test::Args),
    /// Format everything, also what is a workspace of its own
    Fmt(fmt::Args),
    /// Run the fuzz targets for a while
    Fuzz(fuzz::Args),
    /// Check the rules of this repository that no compiler knows
    Tidy,
    /// Start an example and show that it works
    Demo(demo::Args),
    /// Measure, and hold the numbers against those to reach
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Guests(args) => guests::run(&args),
        Command::Setup(args) => setup::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Tidy => tidy::run(),
        Command::Demo(args) => demo::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}
