//! `cargo xtask test`: everything CI runs, in the order in which mistakes are cheapest to find.

use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::tool::{DENY, NEXTEST};
use crate::{apt, fmt, fuzz, guests, interop, nats, nats_py, shell, tidy};

/// Servers and foreign clients that tests start; from Debian, so that they are not ours.
const SERVERS: [&str; 5] = ["docker-registry", "prometheus", "skopeo", "curl", "wrk"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only this step; may be given several times
    #[arg(long, value_enum, value_name = "STEP")]
    only: Vec<Step>,
    /// Leave out this step; may be given several times
    #[arg(long, value_enum, value_name = "STEP")]
    skip: Vec<Step>,
}

/// The steps in their order. What takes long comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Step {
    /// The code is formatted
    Fmt,
    /// The rules of this repository hold
    Tidy,
    /// The components for examples and tests are built
    Guests,
    /// The nats-servers and the foreign client that tests run against are in place
    Nats,
    /// The programs of v1 that tests run against are built
    Interop,
    /// Clippy has nothing to say
    Clippy,
    /// The documentation builds without warnings
    Doc,
    /// Dependencies follow deny.toml
    Deny,
    /// The examples in the documentation work
    Doctest,
    /// The tests pass
    Nextest,
    /// Nothing breaks on any input, as far as a short while tells
    Fuzz,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let steps = chosen(args);
    let start = Instant::now();
    for step in &steps {
        let name = name(*step);
        eprintln!("== {name}");
        let start = Instant::now();
        perform(*step).with_context(|| {
            format!("step {name} failed, repeat it with `cargo xtask test --only {name}`")
        })?;
        eprintln!("== {name}: ok, {:.1} s", start.elapsed().as_secs_f64());
    }
    eprintln!(
        "== all {} steps are ok, {:.1} s",
        steps.len(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn chosen(args: &Args) -> Vec<Step> {
    let wanted = |step: &Step| args.only.is_empty() || args.only.contains(step);
    Step::value_variants()
        .iter()
        .copied()
        .filter(|step| wanted(step) && !args.skip.contains(step))
        .collect()
}

fn name(step: Step) -> String {
    step.to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

fn perform(step: Step) -> Result<()> {
    match step {
        Step::Fmt => fmt::check(),
        Step::Tidy => tidy::run(),
        Step::Guests => guests::run(&guests::Args::default()),
        Step::Nats => nats::setup().and_then(|()| nats_py::setup()),
        Step::Interop => interop::setup(),
        Step::Clippy => cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]),
        Step::Doc => {
            let mut doc = shell::cargo()?;
            doc.args(["doc", "--workspace", "--no-deps", "--locked"])
                .env("RUSTDOCFLAGS", "-D warnings");
            shell::run(&mut doc)
        }
        Step::Deny => {
            DENY.install()?;
            cargo(&["deny", "--locked", "check", "bans", "licenses", "sources"])
        }
        Step::Doctest => cargo(&["test", "--workspace", "--doc", "--locked"]),
        Step::Nextest => {
            NEXTEST.install()?;
            apt::install("test", &SERVERS, |command| {
                format!(
                    "tests run against {}: install them, on Debian as root with `{command}`",
                    SERVERS.join(", ")
                )
            })?;
            cargo(&["nextest", "run", "--workspace", "--locked", "--profile", "ci"])
        }
        Step::Fuzz => fuzz::all(fuzz::SECONDS_IN_TEST),
    }
}

fn cargo(args: &[&str]) -> Result<()> {
    shell::run(shell::cargo()?.args(args))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(only: &[Step], skip: &[Step], expected: &[Step]) {
        assert_eq!(
            chosen(&Args {
                only: only.to_vec(),
                skip: skip.to_vec()
            }),
            expected
        );
    }

    #[test]
    fn steps_keep_their_order_whatever_the_order_of_the_flags() {
        check(&[Step::Clippy, Step::Fmt], &[], &[Step::Fmt, Step::Clippy]);
        check(&[Step::Clippy, Step::Fmt], &[Step::Fmt], &[Step::Clippy]);
        check(&[], Step::value_variants(), &[]);
        check(&[], &[], Step::value_variants());
    }
}
