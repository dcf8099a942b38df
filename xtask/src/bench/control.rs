//! `bench control`: what applications cost: planning, deploying, and leading while nothing happens.

use std::ffi::OsString;
use std::fs::File;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::build::{self, Scratch};
use super::control_plane::nats;
use super::report::{self, Bound, Goal, figure};
use super::server::{Server, free_address};
use super::wash::Wash;
use super::{Common, about_the_machine};
use crate::shell;

/// For one measuring program.
const LIMIT: Duration = Duration::from_secs(1_800);
/// For a host to be there.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long an idle leader is watched, after as long for it to settle.
const IDLE: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(super) struct Args {
    /// Real hosts that applications are deployed on
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=50))]
    hosts: u32,
    /// Components of the applications that are deployed
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 1_000])]
    components: Vec<u32>,
    /// Simulated hosts that an idle leader looks after
    #[arg(long, default_value_t = 100)]
    simulated: u32,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: &Args) -> Result<()> {
    build::prepare(args.common.no_build, "http-hello-world", &["wash", "bench-kit"])?;
    crate::nats::setup()?;
    let machine = about_the_machine();
    println!("bench control: {machine}");
    let scratch = Scratch::new()?;
    let plans: Value = serde_json::from_str(&kit(&scratch, &["apps".into(), "plan".into()])?)?;
    println!("\none plan, in ms\n{}", plan_table(&plans));
    eprintln!("bench: {} hosts", args.hosts);
    let deploys = deploys(&scratch, args).context("deploy on real hosts")?;
    println!(
        "from deploy to deployed on {} hosts, in ms\n{}",
        args.hosts,
        deploy_table(&deploys)
    );
    eprintln!("bench: {} simulated hosts", args.simulated);
    let idle = idle(&scratch, args.simulated).context("watch an idle leader")?;
    println!(
        "a host with {} others that are idle: leading {} % CPU, {} MB; not leading {} % CPU, {} MB",
        args.simulated,
        shown(&idle, "/leader/cpu"),
        shown(&idle, "/leader/mb"),
        shown(&idle, "/follower/cpu"),
        shown(&idle, "/follower/mb"),
    );
    let goals = goals(&plans, &deploys, &idle);
    let samples = json!({ "machine": machine, "plans": plans, "deploys": deploys, "idle": idle });
    args.common.conclude("control", &goals, samples)
}

fn kit(scratch: &Scratch, words: &[OsString]) -> Result<String> {
    let mut all: Vec<OsString> = vec![build::program("bench-kit")?.into()];
    all.extend_from_slice(words);
    Server::output("bench-kit", &all, scratch.path(), LIMIT)
}

/// Hosts on a nats-server of their own.
fn deploys(scratch: &Scratch, args: &Args) -> Result<Value> {
    let dir = scratch.folder("deploys")?;
    let address = free_address()?;
    let _nats = nats(&dir, address)?;
    let url = format!("nats://{address}");
    let mut hosts = Vec::new();
    for number in 0..args.hosts {
        hosts.push(host(scratch, &format!("host{number}"), &url, "auto")?);
    }
    let component = build::component("examples/http-hello-world", "http_hello_world.wasm")?;
    let mut words: Vec<OsString> = vec!["apps".into(), "deploy".into(), url.into(), component.into()];
    words.extend(args.components.iter().map(|count| count.to_string().into()));
    Ok(serde_json::from_str(&kit(scratch, &words)?)?)
}

/// What a host uses with many idle ones beside it, once as their leader and once not.
fn idle(scratch: &Scratch, simulated: u32) -> Result<Value> {
    let dir = scratch.folder("idle")?;
    let address = free_address()?;
    let _nats = nats(&dir, address)?;
    let url = format!("nats://{address}");
    let words: Vec<OsString> = vec![
        build::program("bench-kit")?.into(),
        "apps".into(),
        "hosts".into(),
        url.clone().into(),
        simulated.to_string().into(),
    ];
    let out = dir.join("hosts.out");
    let file = File::create(&out).with_context(|| format!("create {}", out.display()))?;
    let _others = Server::start("simulated hosts", &words, &dir, Some(file.into()))?;
    let mut measured = serde_json::Map::new();
    for (name, mode) in [("follower", "off"), ("leader", "auto")] {
        let host = host(scratch, name, &url, mode)?;
        shell::pause(IDLE);
        let before = cpu(host.pid())?;
        shell::pause(IDLE);
        let busy = cpu(host.pid())? - before;
        let share = busy / IDLE.as_secs_f64() * 100.0;
        measured.insert(
            name.to_owned(),
            json!({ "cpu": share, "mb": host.memory()?.all / 1e6 }),
        );
    }
    Ok(measured.into())
}

fn host(scratch: &Scratch, name: &str, url: &str, controller: &str) -> Result<Server> {
    let dir = scratch.folder(name)?;
    let place: [OsString; 4] = [
        "--nats-url".into(),
        url.into(),
        "--controller".into(),
        controller.into(),
    ];
    let (server, events) = Wash::find()?.up_empty(name, &scratch.folder("cache")?, &dir, &place)?;
    events.until_ready(&server, START_LIMIT, |_| ())?;
    Ok(server)
}

/// Processor time of a process so far, in seconds (proc(5): fields 14 and 15, in ticks of 10 ms on Linux).
fn cpu(pid: u32) -> Result<f64> {
    let file = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&file).with_context(|| format!("read {file}"))?;
    // The name of the program, in parentheses, may have spaces in it.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / 100.0)
}

fn number(value: &Value, path: &str) -> Option<f64> {
    value.pointer(path).and_then(Value::as_f64)
}

fn shown(value: &Value, path: &str) -> String {
    number(value, path).map_or_else(|| "-".to_owned(), figure)
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn plan_table(plans: &Value) -> String {
    let ms =
        |row: &Value, field: &str| number(row, field).map_or_else(|| "-".to_owned(), |us| figure(us / 1e3));
    let rows: Vec<Vec<String>> = rows(plans)
        .map(|row| {
            vec![
                shown(row, "/components"),
                shown(row, "/hosts"),
                ms(row, "/placing_us"),
                ms(row, "/settled_us"),
                ms(row, "/host_lost_us"),
            ]
        })
        .collect();
    report::table(&["components", "hosts", "placing", "settled", "host lost"], &rows)
}

fn deploy_table(deploys: &Value) -> String {
    let rows: Vec<Vec<String>> = rows(deploys)
        .map(|row| {
            vec![
                shown(row, "/components"),
                shown(row, "/deployed_ms"),
                shown(row, "/by_hand_ms"),
            ]
        })
        .collect();
    report::table(&["components", "deployed", "started by hand"], &rows)
}

/// Design §8, last rows.
fn goals(plans: &Value, deploys: &Value, idle: &Value) -> Vec<Goal> {
    let planned = rows(plans)
        .find(|row| number(row, "/components") == Some(1_000.0) && number(row, "/hosts") == Some(10.0))
        .and_then(|row| number(row, "/placing_us"));
    let placed = rows(deploys)
        .find(|row| number(row, "/components") == Some(1_000.0))
        .and_then(|row| number(row, "/deployed_ms"));
    let more = number(idle, "/leader/mb")
        .zip(number(idle, "/follower/mb"))
        .map(|(with, without)| with - without);
    vec![
        Goal {
            what: "1,000 components on 10 hosts planned".to_owned(),
            value: planned.map(|us| us / 1e3),
            bound: Bound::AtMost(100.0),
            unit: "ms",
        },
        Goal {
            what: "1,000 components on 10 hosts deployed".to_owned(),
            value: placed.map(|ms| ms / 1e3),
            bound: Bound::AtMost(30.0),
            unit: "s",
        },
        Goal {
            what: "idle CPU of the leader of 100 hosts".to_owned(),
            value: number(idle, "/leader/cpu"),
            bound: Bound::AtMost(2.0),
            unit: "%",
        },
        Goal {
            what: "memory that leading 100 hosts takes".to_owned(),
            value: more,
            bound: Bound::AtMost(20.0),
            unit: "MB",
        },
    ]
}
