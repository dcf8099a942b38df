//! `wash`: the command line, the host and, later, the controller of a lattice, in one binary.
//!
//! `main` parses, runs and turns the outcome into an exit code. Each command is a module; what they print goes
//! through `output`.

mod app;
mod cli;
mod completions;
mod exit;
mod inspect;
mod output;
mod up;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{AppCommand, Cli, Command};
use crate::output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.output);
    let outcome = match cli.command {
        Command::Up(args) => up::run(args, &output),
        Command::App(AppCommand::Validate(args)) => app::validate(&args, &output),
        Command::Inspect(args) => inspect::run(&args, &output),
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
