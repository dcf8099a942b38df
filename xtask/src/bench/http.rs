//! `bench http`: hello world beside a bare HTTP server and `wasmtime serve`, all in turn.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use super::build::{self, Scratch};
use super::load::{self, Load};
use super::report::{self, Bound, Goal, figure, median, median_ratio};
use super::server::{Server, free_address};
use super::wash::{self, Instance, Part, Wash};
use super::{Common, about_the_machine};
use crate::http::Response;
use crate::shell;

/// From the start of a server to its first answer.
const START_LIMIT: Duration = Duration::from_secs(60);

const FRESH: &str = "wasmCloud fresh";
const REUSED: &str = "wasmCloud reused";
const BARE: &str = "bare hyper";
const SERVE: &str = "wasmtime serve";
const TUNED: &str = "wasmtime serve tuned";
const SERVE_REUSED: &str = "wasmtime serve reused";

/// What makes a fresh instance cheapest there.
const TUNED_FLAGS: &[&str] = &[
    "-O",
    "pooling-allocator=y,pooling-memory-keep-resident=2097152,pooling-table-keep-resident=65536,\
     pooling-async-stack-keep-resident=65536,pooling-pagemap-scan=y",
];
const REUSE_FLAGS: &[&str] = &["--max-instance-reuse-count", "1000000"];

#[derive(clap::Args)]
pub(super) struct Args {
    /// How many turns each server has
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How long a turn lasts
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    #[command(flatten)]
    common: Common,
}

/// A server that takes part.
struct Contender {
    name: &'static str,
    server: Server,
    address: SocketAddr,
    answer: Response,
    turns: Vec<Turn>,
}

struct Turn {
    load: Load,
    memory_mb: f64,
}

pub(super) fn run(args: &Args) -> Result<()> {
    build::prepare(args.common.no_build, "http-hello-world", &["wash", "bench-kit"])?;
    load::prepare()?;
    let scratch = Scratch::new()?;
    let wasmtime = find_wasmtime();
    let mut contenders = start_all(&scratch, wasmtime.as_ref())?;

    let machine = about_the_machine();
    println!(
        "bench http: {} rounds of {} s, wrk with 1 thread and 64 connections, {machine}",
        args.rounds, args.seconds
    );
    match &wasmtime {
        Some(wasmtime) => println!("{}", wasmtime.version),
        None => println!("wasmtime is not on the PATH, and the variable WASMTIME does not name it"),
    }
    for contender in &contenders {
        load::run(contender.address, 1, scratch.path())
            .with_context(|| format!("warm up {}", contender.name))?;
    }
    for round in 0..args.rounds {
        eprintln!("bench: round {} of {}", round + 1, args.rounds);
        // Nobody is always the one who comes after the same other.
        let count = contenders.len();
        for place in 0..count {
            if let Some(contender) = contenders.get_mut((place + round as usize) % count) {
                contender.take_turn(args.seconds, scratch.path())?;
            }
        }
    }

    println!();
    print!("{}", table(&contenders));
    let samples = json!({
        "rounds": args.rounds,
        "seconds": args.seconds,
        "machine": machine,
        "wasmtime": wasmtime.map(|wasmtime| wasmtime.version),
        "servers": contenders.iter().map(Contender::to_json).collect::<Map<String, Value>>(),
    });
    args.common.conclude("http", &goals(&contenders), samples)
}

fn start_all(scratch: &Scratch, wasmtime: Option<&Wasmtime>) -> Result<Vec<Contender>> {
    let component = build::component("examples/http-hello-world", "http_hello_world.wasm")?;
    let wash = Wash::find()?;
    let cache = scratch.folder("cache")?;

    let mut contenders = Vec::new();
    for (name, instance) in [(FRESH, Instance::Fresh), (REUSED, Instance::Reuse)] {
        let dir = scratch.folder(&name.replace(' ', "-"))?;
        let address = free_address()?;
        fs::copy(&component, dir.join("hello.wasm")).context("copy the component")?;
        let part = Part {
            name: "hello".to_owned(),
            file: "hello.wasm".to_owned(),
            address: Some(address),
        };
        let manifest = dir.join("wadm.yaml");
        wash::write_manifest(&manifest, &[part], instance)?;
        let server = wash.up(name, &manifest, &cache, &dir)?;
        contenders.push(Contender::start(name, server, address)?);
    }

    let model = &contenders.first().context("wasmCloud takes part")?.answer;
    let address = free_address()?;
    let mut words: Vec<OsString> = vec![
        build::program("bench-kit")?.into(),
        "bare-hyper".into(),
        address.to_string().into(),
    ];
    words.push(model.body.clone().into());
    words.extend(own_headers(model).map(|(name, value)| format!("{name}={value}").into()));
    let server = Server::start(BARE, &words, scratch.path(), None)?;
    contenders.push(Contender::start(BARE, server, address)?);

    for (name, flags) in [
        (SERVE, &[][..]),
        (TUNED, TUNED_FLAGS),
        (SERVE_REUSED, REUSE_FLAGS),
    ] {
        let Some(wasmtime) = wasmtime else { break };
        let address = free_address()?;
        let server = wasmtime.serve(name, flags, &component, address, scratch)?;
        contenders.push(Contender::start(name, server, address)?);
    }
    refuse_different_answers(&contenders)?;
    Ok(contenders)
}

/// The headers that the component set. The others come from the server, and with the time of the day.
fn own_headers(answer: &Response) -> impl Iterator<Item = &(String, String)> {
    let of_the_server = ["date", "content-length", "connection"];
    answer
        .headers
        .iter()
        .filter(move |(name, _)| !of_the_server.contains(&name.as_str()))
}

/// Whoever answers something else does other work.
fn refuse_different_answers(contenders: &[Contender]) -> Result<()> {
    let Some((model, others)) = contenders.split_first() else {
        return Ok(());
    };
    for other in others {
        if other.answer.body != model.answer.body {
            let (a, b) = (&model.answer.body, &other.answer.body);
            bail!("{} answers {a:?} and {} answers {b:?}", model.name, other.name);
        }
        let names = |answer: &Response| {
            let mut names: Vec<String> = answer.headers.iter().map(|(name, _)| name.clone()).collect();
            names.sort_unstable();
            names.join(", ")
        };
        let (a, b) = (names(&model.answer), names(&other.answer));
        if a != b {
            println!("note: {} sends {a}; {} sends {b}", model.name, other.name);
        }
    }
    Ok(())
}

struct Wasmtime {
    program: OsString,
    version: String,
}

fn find_wasmtime() -> Option<Wasmtime> {
    let program = env::var_os("WASMTIME").unwrap_or_else(|| "wasmtime".into());
    let version = shell::output(Command::new(&program).arg("--version")).ok()?;
    Some(Wasmtime {
        program,
        version: version.trim().to_owned(),
    })
}

impl Wasmtime {
    fn serve(
        &self,
        name: &str,
        flags: &[&str],
        component: &Path,
        address: SocketAddr,
        scratch: &Scratch,
    ) -> Result<Server> {
        let mut words: Vec<OsString> = vec![self.program.clone(), "serve".into(), "-Scli".into()];
        words.extend(["--addr".into(), address.to_string().into()]);
        words.extend(flags.iter().map(Into::into));
        words.push(component.into());
        Server::start(name, &words, scratch.path(), None)
    }
}

impl Contender {
    fn start(name: &'static str, mut server: Server, address: SocketAddr) -> Result<Self> {
        let answer = server.wait_for_answer(address, START_LIMIT)?;
        Ok(Self {
            name,
            server,
            address,
            answer,
            turns: Vec::new(),
        })
    }

    fn take_turn(&mut self, seconds: u32, logs: &Path) -> Result<()> {
        let load =
            load::run(self.address, seconds, logs).with_context(|| format!("measure {}", self.name))?;
        self.server.refuse_if_ended()?;
        let memory_mb = self.server.memory()?.all / 1e6;
        self.turns.push(Turn { load, memory_mb });
        // Its connections close, and the next one has the machine to itself.
        shell::pause(Duration::from_millis(100));
        Ok(())
    }

    fn all(&self, value: impl Fn(&Turn) -> f64) -> Vec<f64> {
        self.turns.iter().map(value).collect()
    }

    fn failed(&self) -> u64 {
        self.turns.iter().map(|turn| turn.load.failed).sum()
    }

    fn to_json(&self) -> (String, Value) {
        let turns = self.turns.iter().map(|turn| {
            let mut value = turn.load.to_json();
            if let Some(fields) = value.as_object_mut() {
                fields.insert("memory_mb".to_owned(), json!(turn.memory_mb));
            }
            value
        });
        (self.name.to_owned(), turns.collect())
    }
}

fn table(contenders: &[Contender]) -> String {
    let rows = contenders.iter().map(|contender| {
        let cell = |values: Vec<f64>| median(values).map_or_else(|| "-".to_owned(), figure);
        vec![
            contender.name.to_owned(),
            cell(contender.all(|turn| turn.load.per_second)),
            cell(contender.all(|turn| turn.load.p50_ms)),
            cell(contender.all(|turn| turn.load.p99_ms)),
            cell(contender.all(|turn| turn.memory_mb)),
            contender.failed().to_string(),
        ]
    });
    let header = ["server", "req/s", "p50 ms", "p99 ms", "RSS MB", "failed"];
    report::table(&header, &rows.collect::<Vec<_>>())
}

fn goals(contenders: &[Contender]) -> Vec<Goal> {
    let goal = |what: &str, one: &str, other: &str, value: fn(&Turn) -> f64, bound: Bound| {
        let find = |name: &str| contenders.iter().find(|contender| contender.name == name);
        let value = find(one).zip(find(other)).and_then(|(one, other)| {
            if one.failed() > 0 {
                // Fast failures are no achievement.
                return Some(f64::NAN);
            }
            median_ratio(&one.all(value), &other.all(value))
        });
        Goal {
            what: format!("{what}{one} / {other}"),
            value,
            bound,
            unit: "",
        }
    };
    let rate = |turn: &Turn| turn.load.per_second;
    let p99 = |turn: &Turn| turn.load.p99_ms;
    vec![
        goal("", FRESH, SERVE, rate, Bound::AtLeast(4.5)),
        goal("", FRESH, TUNED, rate, Bound::AtLeast(2.0)),
        goal("", FRESH, BARE, rate, Bound::AtLeast(0.25)),
        goal("p99 of ", FRESH, TUNED, p99, Bound::AtMost(1.0)),
        goal("", REUSED, SERVE_REUSED, rate, Bound::AtLeast(1.7)),
        goal("", REUSED, BARE, rate, Bound::AtLeast(0.5)),
    ]
}
