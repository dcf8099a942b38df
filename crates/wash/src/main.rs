//! `wash`: the command line, the host and, later, the controller of a lattice, in one binary.
//!
//! `main` parses, runs and turns the outcome into an exit code. Each command is a module; what they print goes
//! through `output`.

mod app;
mod cli;
mod completions;
mod control;
mod embedded;
mod exit;
mod host;
mod inspect;
mod output;
mod progress;
mod pull;
mod push;
#[cfg(test)]
mod reference;
mod registry;
mod sign;
mod telemetry;
mod up;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::Failure;
use crate::output::Output;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    // Before everything else: such a process becomes the provider in a moment.
    if args.next().is_some_and(|first| first == host::RUN_PROVIDER) {
        return wasmcloud_host::become_provider(args);
    }
    let cli = Cli::parse();
    let output = Output::new(cli.output);
    let outcome = match cli.command {
        Command::Up(args) => up::run(*args, &output),
        Command::Down(args) => up::down::run(&args, &output),
        Command::Host(command) => host::run(*command, &output),
        Command::App(command) => app::run(*command, &output),
        Command::Inspect(args) => inspect::run(&args, &output),
        Command::Pull(args) => pull::run(&args, &output),
        Command::Push(args) => push::run(&args, &output),
        Command::Control(command) => control::run(*command, &output),
        Command::Keys(command) => sign::keys(&command, &output),
        Command::Claims(command) => sign::claims(command, &output),
        Command::Par(command) => sign::par(command, &output),
        Command::Completions(args) => completions::run(&args),
    };
    match outcome {
        Ok(()) => exit::OK,
        Err(failure) => {
            output.failure(&failure);
            failure.code
        }
    }
}

/// Runs a command that waits for files or the network. One thread is enough for it.
fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(exit::FAILURE, "runtime", error))?;
    runtime.block_on(command)
}
