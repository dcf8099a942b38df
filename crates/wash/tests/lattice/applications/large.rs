//! An application of a thousand components on twenty hosts, and what a host takes along when it dies.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use wasmcloud_test_kit::process::{Launch, SOON, Wash};

use super::support::{Api, HELLO, PATIENCE, file, labelled};
use crate::support::{WASH, id, nats, until};

const HOSTS: usize = 20;
const COMPONENTS: usize = 1_000;

/// To place all of them (design §8), in a build for tests as well.
const PLACED: Duration = Duration::from_secs(30);
/// All processes together, in bytes.
const MEMORY: u64 = 6 << 30;

/// The same image under a thousand names, anywhere.
fn manifest() -> Result<String> {
    let mut text = "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: large
  annotations: { version: v1 }
spec:
  components:
"
    .to_owned();
    let image = file(HELLO)?;
    for number in 0..COMPONENTS {
        let _ = writeln!(
            text,
            "    - name: c{number}
      type: component
      properties: {{ image: 'file://{}' }}
      traits: [{{ type: spreadscaler, properties: {{ instances: 1 }} }}]",
            image.display()
        );
    }
    Ok(text)
}

/// How many components each host runs.
async fn counts(api: &Api, hosts: &[Wash]) -> Result<Vec<usize>> {
    let mut counts = Vec::new();
    for host in hosts {
        let subject = format!("host.get.{}", id(host)?);
        let (_, inventory) = api.control.ok(&subject, &Value::Null).await?;
        let components = inventory["components"].as_array().context("components")?;
        counts.push(components.len());
    }
    Ok(counts)
}

/// What the processes take of the memory of this machine, in bytes. What several of them share counts once
/// (proc_pid_smaps(5): `Pss`).
fn memory(hosts: &[Wash]) -> Result<u64> {
    let mut sum = 0;
    for host in hosts {
        let path = format!("/proc/{}/smaps_rollup", host.pid());
        let text = fs::read_to_string(&path).context(path)?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib: u64 = line
            .and_then(|line| line.split_whitespace().next())
            .context("a line with the memory")?
            .parse()?;
        sum += kib << 10;
    }
    Ok(sum)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_components_on_twenty_hosts_of_which_one_dies() -> Result<()> {
    let nats = nats()?;
    let mut hosts = Vec::new();
    for _ in 0..HOSTS {
        hosts.push(labelled(&nats, &[])?.start()?);
    }
    for host in &hosts {
        host.wait_ready(SOON)?;
    }
    let api = Api::new(&nats).await?;
    let leader = api.leader().await?;

    let wait = format!("{}s", PLACED.as_secs());
    // A build for tests takes a second to answer with such a manifest, and more where twenty hosts begin to start.
    let words = [
        "app",
        "deploy",
        "-",
        "--timeout-ms",
        "15000",
        "--wait-timeout",
        &wait,
        "--nats-url",
        &nats.url(),
    ];
    let begun = Instant::now();
    let deployed = Launch::command(WASH, &words)?
        .stdin(&manifest()?)?
        .run_within(PLACED * 2)?;
    ensure!(deployed.code == 0, "{}", deployed.text());
    let took = begun.elapsed();
    let placed = counts(&api, &hosts).await?;
    ensure!(placed == [COMPONENTS / HOSTS; HOSTS], "{placed:?}");
    let memory = memory(&hosts)?;
    println!(
        "{COMPONENTS} components on {HOSTS} hosts after {took:?}, {} MiB",
        memory >> 20
    );
    ensure!(memory < MEMORY, "{memory} bytes");

    let place = hosts
        .iter()
        .position(|host| id(host).is_ok_and(|id| id != leader))
        .context("somebody who does not lead")?;
    let killed = Instant::now();
    hosts.remove(place).kill()?;
    until("all on the others", async || {
        let now = counts(&api, &hosts).await?;
        Ok(now.iter().sum::<usize>() == COMPONENTS)
    })
    .await?;
    let took = killed.elapsed();
    let placed = counts(&api, &hosts).await?;
    println!("all of them again {took:?} after a host was killed: {placed:?}");
    ensure!(took < PATIENCE, "{took:?}");
    let even = COMPONENTS / hosts.len();
    ensure!(
        placed.iter().all(|count| (even..=even + 1).contains(count)),
        "{placed:?}"
    );
    api.wait("large", "deployed").await?;
    Ok(())
}
