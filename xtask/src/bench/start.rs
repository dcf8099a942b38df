//! `bench start`: how soon an application answers, and what it costs to keep it there.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::build::{self, Scratch};
use super::report::{self, Bound, Goal, figure, median, quantile};
use super::server::free_address;
use super::wash::{self, Instance, Part, Wash};
use super::{Common, about_the_machine, distinct, memory};
use crate::{http, shell};

/// From the start of a process to its first answer.
const START_LIMIT: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(super) struct Args {
    /// How often each start is measured
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How many distinct components are idle at most; 0 leaves memory out
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(0..=5000))]
    components: u32,
    #[command(flatten)]
    common: Common,
}

/// Times in milliseconds.
#[derive(Default)]
struct Times {
    cold: Vec<f64>,
    cached: Vec<f64>,
    further: Vec<f64>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    build::prepare(args.common.no_build, "http-hello-world", &["wash"])?;
    let component = build::component("examples/http-hello-world", "http_hello_world.wasm")?;
    let component = fs::read(&component).with_context(|| format!("read {}", component.display()))?;
    let wash = Wash::find()?;
    let scratch = Scratch::new()?;
    let machine = about_the_machine();
    println!("bench start: {} starts of each kind, {machine}", args.rounds);

    let times = measure_starts(args.rounds, &wash, &scratch, &component)?;
    println!();
    print!("{}", table(&times));
    let idle = memory::measure(args.components, &wash, &scratch, &component)?;
    if !idle.is_empty() {
        println!();
        print!("{}", memory::table(&idle));
    }

    let time = |what: &str, times: &[f64], bound: f64| Goal {
        what: what.to_owned(),
        value: median(times.iter().copied()),
        bound: Bound::AtMost(bound),
        unit: "ms",
    };
    let mut goals = vec![
        time("first answer, cold", &times.cold, 300.0),
        time("first answer, cached", &times.cached, 60.0),
        time("first answer of a further component", &times.further, 5.0),
    ];
    goals.extend(memory::goals(&idle));
    let samples = json!({
        "rounds": args.rounds,
        "machine": machine,
        "cold_ms": times.cold,
        "cached_ms": times.cached,
        "further_ms": times.further,
        "idle": idle.iter().map(memory::Idle::to_json).collect::<Vec<_>>(),
    });
    args.common.conclude("start", &goals, samples)
}

fn measure_starts(rounds: u32, wash: &Wash, scratch: &Scratch, component: &[u8]) -> Result<Times> {
    let dir = scratch.folder("start")?;
    for number in 0..2 {
        let file = dir.join(format!("hello-{number}.wasm"));
        fs::write(&file, distinct::variant(component, number))
            .with_context(|| format!("write {}", file.display()))?;
    }
    let cached = scratch.folder("start-cache")?;
    // Nobody measures this one: it compiles both components.
    further(wash, &dir, &cached).context("fill the cache")?;

    let mut times = Times::default();
    for round in 0..rounds {
        eprintln!("bench: round {} of {rounds}", round + 1);
        let empty = scratch.folder(&format!("start-cold-{round}"))?;
        times.cold.push(first(wash, &dir, &empty)?);
        times.cached.push(first(wash, &dir, &cached)?);
        times.further.push(further(wash, &dir, &cached)?);
        let _ = fs::remove_dir_all(empty);
    }
    Ok(times)
}

/// From the start of the process to the first answer.
fn first(wash: &Wash, dir: &Path, cache: &Path) -> Result<f64> {
    let address = free_address()?;
    let manifest = dir.join("one.yaml");
    wash::write_manifest(&manifest, &[part(0, Some(address))], Instance::Fresh)?;
    let mut server = wash.up("wash", &manifest, cache, dir)?;
    server.wait_for_answer(address, START_LIMIT)?;
    Ok(milliseconds(server.begun().elapsed()))
}

/// Two components, started side by side: how long after the first answer of either the other one answered too.
fn further(wash: &Wash, dir: &Path, cache: &Path) -> Result<f64> {
    let addresses = [free_address()?, free_address()?];
    let manifest = dir.join("two.yaml");
    let parts = [part(0, Some(addresses[0])), part(1, Some(addresses[1]))];
    wash::write_manifest(&manifest, &parts, Instance::Fresh)?;
    let server = wash.up("wash", &manifest, cache, dir)?;
    let (answered, answers) = mpsc::channel();
    for address in addresses {
        let answered = answered.clone();
        thread::spawn(move || {
            if let Some(at) = wait_for_answer(address, START_LIMIT) {
                let _ = answered.send(at);
            }
        });
    }
    drop(answered);
    let times: Vec<Instant> = answers.iter().collect();
    match (times.iter().min(), times.iter().max()) {
        (Some(one), Some(other)) if times.len() == addresses.len() => Ok(milliseconds(*other - *one)),
        _ => anyhow::bail!("a component did not answer{}", server.said()),
    }
}

/// When the first answer was there.
fn wait_for_answer(address: SocketAddr, limit: Duration) -> Option<Instant> {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if http::get(address, "/", limit).is_ok_and(|response| response.status == 200) {
            return Some(Instant::now());
        }
        shell::pause(Duration::from_micros(200));
    }
    None
}

/// One of the two files that were written.
fn part(number: u32, address: Option<SocketAddr>) -> Part {
    Part {
        name: format!("hello-{number}"),
        file: format!("hello-{number}.wasm"),
        address,
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn table(times: &Times) -> String {
    let row = |name: &str, times: &[f64]| {
        let mut row = vec![name.to_owned()];
        row.extend(
            [0.5, 0.0, 1.0]
                .map(|share| quantile(times.iter().copied(), share).map_or_else(|| "-".to_owned(), figure)),
        );
        row
    };
    let rows = [
        row("process start to first answer, cold", &times.cold),
        row("process start to first answer, cached", &times.cached),
        row("further component, to first answer", &times.further),
    ];
    report::table(&["time", "p50 ms", "least ms", "most ms"], &rows)
}
