//! `bench call`: what a call from component to component adds, beside the price of an instance.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::build::{self, Scratch};
use super::report::{self, Bound, Goal, figure, median, median_ratio, quantile};
use super::server::Server;
use super::{Common, about_the_machine};

/// For all batches together.
const LIMIT: Duration = Duration::from_secs(600);

/// What `bench-kit call` measures, and how to call it.
const KINDS: [(&str, &str); 8] = [
    ("reused_add", "call of add, reused"),
    ("reused_echo", "call of echo with 16 bytes, reused"),
    ("fresh_add", "call of add, fresh"),
    ("fresh_echo", "call of echo with 16 bytes, fresh"),
    ("instantiate", "an instance, no call"),
    ("bare_fresh_add", "wasmtime alone: instance, call, gone"),
    ("host_reused_add", "add from the host, reused"),
    ("host_fresh_add", "add from the host, fresh"),
];

#[derive(clap::Args)]
pub(super) struct Args {
    /// How many batches of each kind
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// How many calls a batch has
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    calls: u32,
    #[command(flatten)]
    common: Common,
}

/// Nanoseconds for each call, batch by batch, by kind.
pub(super) type Batches = BTreeMap<String, Vec<f64>>;

pub(super) fn run(args: &Args) -> Result<()> {
    build::prepare(args.common.no_build, "guests", &["bench-kit"])?;
    let machine = about_the_machine();
    println!(
        "bench call: {} batches of {} calls, {machine}",
        args.rounds, args.calls
    );
    let batches = batches(args.rounds, args.calls)?;
    println!();
    print!("{}", table(&batches));
    let samples = json!({
        "rounds": args.rounds,
        "calls": args.calls,
        "machine": machine,
        "nanoseconds": batches,
    });
    args.common.conclude("call", &goals(&batches), samples)
}

/// Batches of each kind, for other benchmarks.
pub(super) fn batches(rounds: u32, calls: u32) -> Result<Batches> {
    let words: [OsString; 6] = [
        build::program("bench-kit")?.into(),
        "call".into(),
        build::component("tests/guests", "caller.wasm")?.into(),
        build::component("tests/guests", "callee.wasm")?.into(),
        rounds.to_string().into(),
        calls.to_string().into(),
    ];
    let scratch = Scratch::new()?;
    let text = Server::output("bench-kit", &words, scratch.path(), LIMIT)?;
    serde_json::from_str(&text).context("understand what bench-kit printed")
}

fn of<'a>(batches: &'a Batches, kind: &str) -> &'a [f64] {
    batches.get(kind).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn table(batches: &Batches) -> String {
    let rows = KINDS.map(|(kind, name)| {
        let mut row = vec![name.to_owned()];
        row.extend([0.5, 0.1, 0.9].map(|share| {
            let values = of(batches, kind).iter().map(|nanoseconds| nanoseconds / 1e3);
            quantile(values, share).map_or_else(|| "-".to_owned(), figure)
        }));
        row
    });
    let mut text = report::table(&["each", "p50 us", "p10 us", "p90 us"], &rows);
    for (base, name) in [
        ("instantiate", "an instance, no call"),
        ("bare_fresh_add", "wasmtime alone"),
    ] {
        let ratio = median_ratio(of(batches, "fresh_add"), of(batches, base));
        let ratio = ratio.map_or_else(|| "-".to_owned(), figure);
        text.push_str(&format!("call of add, fresh / {name}: {ratio}\n"));
    }
    text
}

/// What being fresh adds to a call, batch by batch (ADR 2).
fn added(batches: &Batches) -> Vec<f64> {
    let (fresh, reused) = (of(batches, "fresh_add"), of(batches, "reused_add"));
    fresh
        .iter()
        .zip(reused)
        .map(|(fresh, reused)| fresh - reused)
        .collect()
}

pub(super) fn goals(batches: &Batches) -> Vec<Goal> {
    let reused = |what: &str, kind: &str| Goal {
        what: what.to_owned(),
        value: median(of(batches, kind).iter().map(|nanoseconds| nanoseconds / 1e3)),
        bound: Bound::AtMost(3.0),
        unit: "us",
    };
    vec![
        reused("call of add, reused", "reused_add"),
        reused("call of echo with 16 bytes, reused", "reused_echo"),
        Goal {
            what: "what a fresh call of add adds to a reused one / an instance".to_owned(),
            value: median_ratio(&added(batches), of(batches, "instantiate")),
            bound: Bound::AtMost(1.1),
            unit: "",
        },
    ]
}
