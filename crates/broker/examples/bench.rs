//! Measures the broker against a real nats-server, side by side in one run, each in a process of its own:
//! `cargo run --release -p wasmcloud-broker --example bench`. Prints ratios; above 1 the broker is the faster one.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use async_nats::Client;
use futures::StreamExt as _;
use wasmcloud_broker::{Access, Broker, BrokerConfig};
use wasmcloud_test_nats::NatsServer;

const ROUNDS: usize = 3;
const REQUESTS: usize = 10_000;
const MESSAGES: usize = 300_000;
const FAN_OUT: usize = 10;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return serve().await;
    }
    let dir = tempfile::tempdir()?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .arg(dir.path())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    let broker = KillOnDrop(child);
    let address = BufReader::new(stdout)
        .lines()
        .next()
        .context("the broker says where it listens")??;
    let nats = NatsServer::default().start()?;
    println!("{:<34}{:>14}{:>14}{:>9}", "", "broker", "nats-server", "ratio");
    for (name, size, receivers) in [
        ("publish 16 B, messages/s", 16, 0),
        ("publish 16 B to 1, messages/s", 16, 1),
        ("publish 16 B to 10, messages/s", 16, FAN_OUT),
        ("publish 4 KiB to 1, messages/s", 4 << 10, 1),
        ("publish 64 KiB to 10, messages/s", 64 << 10, FAN_OUT),
    ] {
        let count = (MESSAGES / receivers.max(1)).min((1 << 30) / size / receivers.max(1));
        let (mut ours, mut theirs) = (0.0_f64, 0.0_f64);
        // In turns, and the best of each: other work on the machine only ever slows down.
        for _ in 0..ROUNDS {
            ours = ours.max(publish(&address, size, receivers, count).await?);
            theirs = theirs.max(publish(&nats.url(), size, receivers, count).await?);
        }
        println!("{name:<34}{ours:>14.0}{theirs:>14.0}{:>9.2}", ours / theirs);
    }
    for size in [16, 4 << 10, 64 << 10] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.extend(request(&address, size).await?);
            theirs.extend(request(&nats.url(), size).await?);
        }
        for part in [50, 99] {
            let (ours, theirs) = (percentile(&mut ours, part), percentile(&mut theirs, part));
            let name = format!("request {size} B, p{part}, µs");
            let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
            println!(
                "{name:<34}{:>14.1}{:>14.1}{ratio:>9.2}",
                micros(ours),
                micros(theirs)
            );
        }
    }
    drop(broker);
    Ok(())
}

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

async fn serve() -> Result<()> {
    let dir = std::env::args().nth(2).context("a folder")?;
    let mut config = BrokerConfig::new(dir);
    config.port = 0;
    config.access = Access::Anyone;
    let broker = Broker::start(config).await?;
    println!("{}", broker.address());
    std::future::pending().await
}

async fn round_trip(client: &Client) -> Result<()> {
    let nobody = client.request("nobody.listens.here", bytes::Bytes::new()).await;
    anyhow::ensure!(nobody.is_err(), "somebody answered the barrier");
    Ok(())
}

/// Messages a second, from the first that is sent to the last that every receiver has.
async fn publish(address: &str, size: usize, receivers: usize, count: usize) -> Result<f64> {
    let sender = async_nats::connect(address).await?;
    let mut tasks = Vec::new();
    for _ in 0..receivers {
        let options = async_nats::ConnectOptions::new().subscription_capacity(count + 1);
        let client = options.connect(address).await?;
        let mut messages = client.subscribe("bench").await?;
        round_trip(&client).await?;
        tasks.push(tokio::spawn(async move {
            let mut got = 0;
            while got < count && messages.next().await.is_some() {
                got += 1;
            }
            drop(client);
        }));
    }
    let payload = bytes::Bytes::from(vec![7; size]);
    let start = Instant::now();
    for _ in 0..count {
        sender.publish("bench", payload.clone()).await?;
    }
    round_trip(&sender).await?;
    for task in tasks {
        task.await?;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

async fn request(address: &str, size: usize) -> Result<Vec<Duration>> {
    let (asking, answering) = (
        async_nats::connect(address).await?,
        async_nats::connect(address).await?,
    );
    let mut requests = answering.subscribe("bench").await?;
    round_trip(&answering).await?;
    let answers = tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let Some(reply) = request.reply else { continue };
            if answering.publish(reply, request.payload).await.is_err() {
                return;
            }
        }
    });
    let payload = bytes::Bytes::from(vec![7; size]);
    let mut times = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let start = Instant::now();
        asking.request("bench", payload.clone()).await?;
        times.push(start.elapsed());
    }
    answers.abort();
    Ok(times)
}

fn percentile(times: &mut [Duration], part: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len() * part / 100).copied().unwrap_or_default()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
