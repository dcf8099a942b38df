//! `cargo xtask bench`: measures, and holds what it measures against the numbers to reach.
//!
//! Each bench prints a table of what it measured, then one line for each goal: what is compared, the number, the
//! bound, and `ok`, `MISSED` or `not measured`. A missed goal is no failure: the exit code says only whether
//! everything could be measured. `--json FILE` keeps every single sample.
//!
//! How to read them:
//!
//! * Numbers of different machines, or of different hours on a shared machine, do not compare. What compares is what
//!   one run prints: all contenders take turns in it, and a goal that is a ratio is the median of the ratios of each
//!   turn, so it is not quite the ratio of the medians in the table. The line `load before` says whether somebody
//!   else was using the machine; above 0.5 or so, ask again later.
//! * `bench http`: `wrk` with one thread and 64 connections shares the machine with the server, so `bare hyper` is
//!   what this machine can do at all. RSS is that of the server right after load. `failed` counts answers other than
//!   200 and broken connections over all turns; a contender with any of them misses its goals.
//!   `wasmtime serve` takes part where `wasmtime` is on the PATH, or is named by the variable `WASMTIME`.
//! * `bench start`: the clock starts before the process is spawned, through `setpriv` (less than 1 ms), and stops at
//!   the end of the first answer with status 200. `cold` compiles the component, `cached` finds it compiled.
//!   A further component is measured from the first answer of the one that was started with it, whichever came first,
//!   to its own. Memory is read one second after `ready`, with compiled code from the cache:
//!   RSS = anonymous memory + pages of files (program and compiled code) that were touched, which the kernel can
//!   drop and hosts on one machine share. MB are millions of bytes.
//! * `bench call`: the calling component takes the time of a batch of calls itself, and the number is the median of
//!   the batches, for each call. `an instance, no call` is the price of a fresh instance alone: made and dropped.
//!   `from the host` is the same call without a component around it.
//! * `bench lattice`: two hosts, each a process of its own, on one nats-server; the bare request is answered by a task of
//!   the second. Calls are made one after another, each timed from outside the calling component, which is kept. All
//!   kinds take turns call by call. Those on the same host are measured as in `bench call`.
//! * `bench control`: plans are made of samples in one process, each the median of seven: `placing` is the first plan in
//!   which all components are placed, `settled` finds nothing to do, `host lost` finds a host gone. Deploying counts from
//!   the request to the status `deployed`, which is asked for each 5 ms, with the images fetched and compiled before;
//!   `started by hand` is the same number of starts asked for directly, until the inventories have them. An idle leader
//!   has had 10 s to settle. The goals for CPU and memory are ours, design §8 has none.
//! * `bench control-plane`: requests go through the same server as those of `bare request and reply`, which a task of
//!   the measuring program answers. `each second` is with 32 requests under way, times are with one. Writes are on the
//!   disk before they are answered (embedded lattice), or in the file system's cache (nats-server, unless it is told to
//!   sync). `scale to answer` ends with the status of the first answer over HTTP.

mod build;
mod call;
mod control;
mod control_plane;
mod distinct;
mod http;
mod lattice;
mod load;
mod memory;
mod report;
mod server;
mod start;
mod wash;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use report::Goal;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Requests per second, beside a bare HTTP server and `wasmtime serve`
    Http(http::Args),
    /// Time to the first answer, and memory of what is idle
    Start(start::Args),
    /// What a call from component to component adds
    Call(call::Args),
    /// What a call from host to host costs, beside a bare request and reply
    Lattice(lattice::Args),
    /// What applications cost: planning, deploying, and leading while nothing happens
    Control(control::Args),
    /// What a host costs that is asked, and one that is not
    ControlPlane(control_plane::Args),
}

/// What all benches have in common.
#[derive(clap::Args)]
struct Common {
    /// Use what was built before
    #[arg(long)]
    no_build: bool,
    /// Write every sample to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.bench {
        Bench::Http(args) => http::run(args),
        Bench::Start(args) => start::run(args),
        Bench::Call(args) => call::run(args),
        Bench::Lattice(args) => lattice::run(args),
        Bench::Control(args) => control::run(args),
        Bench::ControlPlane(args) => control_plane::run(args),
    }
}

impl Common {
    /// Prints how it went, and keeps the samples if they are wanted.
    fn conclude(&self, bench: &str, goals: &[Goal], mut samples: Value) -> Result<()> {
        println!();
        print!("{}", report::goals(goals));
        let Some(file) = &self.json else { return Ok(()) };
        if let Some(fields) = samples.as_object_mut() {
            fields.insert("bench".to_owned(), json!(bench));
            fields.insert("goals".to_owned(), goals.iter().map(Goal::to_json).collect());
        }
        fs::write(file, format!("{samples:#}\n")).with_context(|| format!("write {}", file.display()))?;
        eprintln!("bench: every sample is in {}", file.display());
        Ok(())
    }
}

/// One line about the machine, for a person who compares two runs.
fn about_the_machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    format!("{cores} cores, load before {load}")
}
