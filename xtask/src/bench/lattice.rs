//! `bench lattice`: what a call from host to host costs, beside a bare request and reply over the same server.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::build::{self, Scratch};
use super::report::{self, Bound, Goal, figure, median, quantile};
use super::server::{Server, free_address};
use super::{Common, about_the_machine, call, control_plane};

/// For all calls together.
const LIMIT: Duration = Duration::from_secs(900);

/// What `bench-kit lattice` measures, and how to call it.
const KINDS: [(&str, &str); 11] = [
    ("raw", "bare request and reply, 16 bytes"),
    ("raw_headers", "the same with the headers of a call"),
    ("reused", "component to component on another host, reused"),
    ("fresh", "component to component on another host, fresh"),
    ("provider", "component to an external provider"),
    ("http_there", "HTTP, to the host that runs the component"),
    ("http_here", "HTTP, through a host that does not"),
    ("raw_64k", "bare request and reply, 64 KiB"),
    ("bytes_64k", "64 KiB there and back, component to component"),
    ("raw_16m", "16 bare requests and replies, 1 MiB each"),
    ("bytes_16m", "16 MiB there and back, component to component"),
];

#[derive(clap::Args)]
pub(super) struct Args {
    /// How many rounds, in each of which all kinds take turns
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// How many calls of each kind a round has
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    calls: u32,
    /// Measure only these kinds, by the names of the JSON, to look at them with a profiler
    #[arg(long, value_delimiter = ',', value_parser = KINDS.map(|(kind, _)| kind))]
    only: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// Microseconds of each call, by kind.
type Times = BTreeMap<String, Vec<f64>>;

pub(super) fn run(args: &Args) -> Result<()> {
    if !args.common.no_build {
        crate::guests::run(&crate::guests::Args::only("http-hello-world"))?;
    }
    build::prepare(args.common.no_build, "guests", &["bench-kit", "bench-provider"])?;
    crate::nats::setup()?;
    let machine = about_the_machine();
    println!(
        "bench lattice: {} rounds of {} calls, {machine}",
        args.rounds, args.calls
    );
    let times = measure(args)?;
    println!();
    print!("{}", table(&times));
    println!();
    if !args.only.is_empty() {
        return Ok(());
    }
    let local = call::batches(200, 500)?;
    print!("{}", call::table(&local));
    let mut goals = goals(&times);
    goals.extend(call::goals(&local));
    let samples = json!({
        "rounds": args.rounds,
        "calls": args.calls,
        "machine": machine,
        "microseconds": times,
        "same_host_nanoseconds": local,
    });
    args.common.conclude("lattice", &goals, samples)
}

fn measure(args: &Args) -> Result<Times> {
    let scratch = Scratch::new()?;
    let address = free_address()?;
    let _nats = control_plane::nats(&scratch.folder("nats")?, address)?;
    let mut words: Vec<OsString> = vec![
        build::program("bench-kit")?.into(),
        "lattice".into(),
        "measure".into(),
        format!("nats://{address}").into(),
        build::component("tests/guests", "caller.wasm")?.into(),
        build::component("tests/guests", "callee.wasm")?.into(),
        build::component("examples/http-hello-world", "http_hello_world.wasm")?.into(),
        build::program("bench-provider")?.into(),
        args.rounds.to_string().into(),
        args.calls.to_string().into(),
    ];
    words.extend(args.only.iter().map(OsString::from));
    let text = Server::output("bench-kit", &words, scratch.path(), LIMIT)?;
    serde_json::from_str(&text).context("understand what bench-kit printed")
}

fn of(times: &Times, kind: &str, share: f64) -> Option<f64> {
    let times = times.get(kind)?.iter().copied();
    match share {
        0.5 => median(times),
        share => quantile(times, share),
    }
}

fn table(times: &Times) -> String {
    let base = |kind: &str| match kind {
        "bytes_64k" => "raw_64k",
        "bytes_16m" => "raw_16m",
        "http_here" => "http_there",
        _ => "raw",
    };
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), figure);
    let rows = KINDS
        .iter()
        .filter(|(kind, _)| times.contains_key(*kind))
        .map(|&(kind, name)| {
            let ratio = of(times, kind, 0.5).zip(of(times, base(kind), 0.5));
            vec![
                name.to_owned(),
                shown(of(times, kind, 0.5)),
                shown(of(times, kind, 0.99)),
                shown(ratio.map(|(value, base)| value / base)),
            ]
        });
    let rows: Vec<_> = rows.collect();
    report::table(&["each", "p50 us", "p99 us", "to its base"], &rows)
}

fn goals(times: &Times) -> Vec<Goal> {
    let ratio = of(times, "reused", 0.5).zip(of(times, "raw", 0.5));
    vec![Goal {
        what: "component to component on another host / bare request and reply, p50".to_owned(),
        value: ratio.map(|(call, raw)| call / raw),
        bound: Bound::AtMost(1.5),
        unit: "",
    }]
}
