//! `bench control-plane`: what a host costs that is asked, and one that is not, on the embedded lattice and on NATS.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::build::{self, Scratch};
use super::report::{self, Bound, Goal, figure, median, quantile};
use super::server::{Server, free_address};
use super::wash::Wash;
use super::{Common, about_the_machine};
use crate::{repo, shell};

/// For all that one lattice is asked.
const LIMIT: Duration = Duration::from_secs(900);
/// For a server to be there.
const START_LIMIT: Duration = Duration::from_secs(30);
const TINY: Duration = Duration::from_millis(10);
/// The nats-server beside the embedded lattice; one that `cargo xtask setup nats` installs.
const NATS: &str = "2.12.8";

/// What `bench-control` asks for, in its words.
const REQUESTS: [&str; 6] = [
    "bare request and reply",
    "host.ping",
    "host.get",
    "config.get",
    "config.put",
    "link.put",
];

#[derive(clap::Args)]
pub(super) struct Args {
    /// How many components are idle in the end
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=5000))]
    components: u32,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(args: &Args) -> Result<()> {
    build::prepare(args.common.no_build, "http-hello-world", &["wash", "bench-kit"])?;
    crate::nats::setup()?;
    let machine = about_the_machine();
    println!(
        "bench control-plane: {} idle components, {machine}",
        args.components
    );
    let mut samples = serde_json::Map::new();
    let mut goals = Vec::new();
    for lattice in ["embedded", "nats-server"] {
        eprintln!("bench: {lattice}");
        let measured = measure(lattice, args.components).with_context(|| format!("measure on {lattice}"))?;
        println!("\n{lattice}");
        print!("{}", table(&measured));
        print!("{}", idle(&measured));
        goals.extend(self::goals(lattice, &measured));
        samples.insert(lattice.to_owned(), measured);
    }
    args.common.conclude(
        "control-plane",
        &goals,
        json!({ "machine": machine, "lattices": samples }),
    )
}

fn measure(lattice: &str, components: u32) -> Result<Value> {
    let scratch = Scratch::new()?;
    let wash = Wash::find()?;
    let dir = scratch.folder(lattice)?;
    let address = free_address()?;
    let url = format!("nats://{address}");
    let nats = match lattice {
        "embedded" => None,
        _ => Some(nats(&dir, address)?),
    };
    let place: [OsString; 2] = match nats {
        None => ["--nats-port".into(), address.port().to_string().into()],
        Some(_) => ["--nats-url".into(), url.clone().into()],
    };
    let (server, events) = wash.up_empty("wash", &dir.join("cache"), &dir, &place)?;
    events.until_ready(&server, START_LIMIT, |_| ())?;
    let folder: PathBuf = match nats {
        None => dir.join("data/lattice"),
        Some(_) => "-".into(),
    };
    let words: [OsString; 8] = [
        build::program("bench-kit")?.into(),
        "control".into(),
        url.into(),
        folder.into(),
        server.pid().to_string().into(),
        build::component("examples/http-hello-world", "http_hello_world.wasm")?.into(),
        scratch.folder("copies")?.into(),
        components.to_string().into(),
    ];
    let text = Server::output("bench-kit", &words, scratch.path(), LIMIT)?;
    serde_json::from_str(&text).context("understand what bench-kit printed")
}

pub(super) fn nats(dir: &Path, address: std::net::SocketAddr) -> Result<Server> {
    let program = repo::target_dir()?
        .join("nats-server")
        .join(NATS)
        .join("nats-server");
    let words: [OsString; 7] = [
        program.into(),
        "--addr".into(),
        address.ip().to_string().into(),
        "--port".into(),
        address.port().to_string().into(),
        "--jetstream".into(),
        format!("--store_dir={}", dir.join("jetstream").display()).into(),
    ];
    let mut server = Server::start("nats-server", &words, dir, None)?;
    let begun = std::time::Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        server.refuse_if_ended()?;
        anyhow::ensure!(
            begun.elapsed() < START_LIMIT,
            "nats-server does not listen{}",
            server.said()
        );
        shell::pause(TINY);
    }
    Ok(server)
}

fn numbers(measured: &Value, path: &str) -> Vec<f64> {
    let list = measured.pointer(path).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_f64).collect()
}

fn number(measured: &Value, path: &str) -> Option<f64> {
    measured.pointer(path).and_then(Value::as_f64)
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), figure)
}

fn table(measured: &Value) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for kind in REQUESTS {
        let times = numbers(measured, &format!("/requests/{kind}/us"));
        rows.push(vec![
            kind.to_owned(),
            shown(number(measured, &format!("/requests/{kind}/each_second"))),
            shown(median(times.iter().copied())),
            shown(quantile(times, 0.99)),
        ]);
    }
    for (name, path) in [
        ("scale to event", "/starts/event_us"),
        ("scale to answer", "/starts/answer_us"),
    ] {
        let times = numbers(measured, path);
        rows.push(vec![
            name.to_owned(),
            "-".to_owned(),
            shown(median(times.iter().copied())),
            shown(quantile(times, 0.99)),
        ]);
    }
    report::table(&["", "each second", "p50 us", "p99 us"], &rows)
}

fn idle(measured: &Value) -> String {
    let mb = |path: &str| shown(number(measured, path).map(|bytes| bytes / 1e6));
    let seconds = |path: &str| shown(number(measured, path));
    format!(
        "\n{} components linked in {} s, started in {} s; host {} MB before, {} MB with them; idle CPU {} %\n",
        shown(number(measured, "/idle/count")),
        seconds("/idle/links_s"),
        seconds("/idle/starts_s"),
        mb("/idle/rss_before"),
        mb("/idle/rss"),
        shown(number(measured, "/idle/cpu_share").map(|share| share * 100.0)),
    )
}

/// Design §8 has no numbers for the control plane; these keep what is there from getting lost. Those of writes are
/// generous: they are the disk's.
fn goals(lattice: &str, measured: &Value) -> Vec<Goal> {
    let ratio = {
        let of = |kind: &str| median(numbers(measured, &format!("/requests/{kind}/us")));
        of("host.get")
            .zip(of("bare request and reply"))
            .map(|(get, bare)| get / bare)
    };
    let serving = median(numbers(measured, "/starts/answer_us")).map(|us| us / 1e3);
    let each = number(measured, "/idle/rss").zip(number(measured, "/idle/rss_before"));
    let each = each
        .zip(number(measured, "/idle/count"))
        .map(|((after, before), count)| (after - before) / count / 1e6);
    let goal = |what: &str, value, bound, unit| Goal {
        what: format!("{lattice}: {what}"),
        value,
        bound: Bound::AtMost(bound),
        unit,
    };
    vec![
        goal("host.get / bare request and reply, p50", ratio, 1.5, ""),
        goal("scale to serving, cached image, p50", serving, 20.0, "ms"),
        goal("a further idle linked component", each, 0.5, "MB"),
        goal(
            "idle CPU with all components",
            number(measured, "/idle/cpu_share").map(|share| share * 100.0),
            1.0,
            "%",
        ),
    ]
}
