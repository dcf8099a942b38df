//! Hosts beside each other, and hosts that are told to leave while they work.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wasmcloud_test_kit::control::soon;
use wasmcloud_test_kit::guests::guest;
use wasmcloud_test_kit::http::Connection;
use wasmcloud_test_kit::process::{SOON, Wash};

use crate::support::{Driven, HTTP, connect, host, link, nats, until, web_link};

/// The seed of a server key with the bytes 0 to 31.
const SEED: &str = "SNAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H2D5U";

#[test]
fn two_hosts_with_one_seed() -> Result<()> {
    let nats = nats()?;
    let launch = host(&nats.url())?.env("WASMCLOUD_HOST_SEED", SEED);
    let first = launch.ready()?;
    let ready = first.wait_event("ready", 1, SOON)?;
    let (id, name) = (&ready["host_id"], &ready["friendly_name"]);
    let second = host(&nats.url())?.env("WASMCLOUD_HOST_SEED", SEED).run()?;
    ensure!(second.code == 4, "{}", second.text());
    for word in [id, name].map(Value::as_str) {
        let word = word.context("a text")?;
        ensure!(second.text().contains(word), "no {word} in {}", second.text());
    }
    ensure!(!second.text().contains(SEED), "the seed is a secret");
    // One that was killed does not keep its successor out.
    first.kill()?;
    let third = launch.ready()?;
    ensure!(third.wait_event("ready", 1, SOON)?["host_id"] == *id);
    third.stop()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_clients_put_links_of_one_source_through_two_hosts() -> Result<()> {
    let nats = nats()?;
    let hosts = [host(&nats.url())?.ready()?, host(&nats.url())?.ready()?];
    let mut clients = JoinSet::new();
    for client in 0..10 {
        let url = nats.url();
        clients.spawn(async move {
            let control = connect(&url).await?;
            for n in 0..10 {
                let put = link("cart", &format!("t{client}-{n}"), &format!("i{client}-{n}"));
                control.ok("link.put", &put).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    let client = connect(&nats.url()).await?;
    let links = client.ok("link.get", &Value::Null).await?.1;
    let mut targets: Vec<&str> = links
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|link| link["target"].as_str())
        .collect();
    targets.sort_unstable();
    targets.dedup();
    ensure!(targets.len() == 100, "{} of 100 are there", targets.len());
    for host in hosts {
        host.stop()?;
    }
    Ok(())
}

/// A host with a pull that never ends.
async fn pulling(nats_url: &str, drain: &str) -> Result<(Wash, Driven, TcpListener, TcpStream)> {
    let wash = host(nats_url)?.arg("--drain").arg(drain).ready()?;
    let driven = Driven::new(connect(nats_url).await?, &wash).await?;
    let registry = TcpListener::bind("127.0.0.1:0").await?;
    let image = format!("{}/acme/slow:1", registry.local_addr()?);
    for n in 0..20 {
        let scale = driven.scale(&format!("slow{n}"), &image, 1);
        driven.client.ok(&driven.on("component.scale"), &scale).await?;
    }
    let (pull, _) = soon("pull", registry.accept()).await??;
    Ok((wash, driven, registry, pull))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_leaves_while_commands_run() -> Result<()> {
    let nats = nats()?;
    let (wash, mut driven, _registry, _pull) = pulling(&nats.url(), "5s").await?;
    let begun = Instant::now();
    wash.terminate()?;
    let ended = wash.wait_exit(SOON)?;
    ensure!(ended.code == 0, "{}", ended.text());
    ensure!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // Its last word is that it stops.
    let event = driven.events.wait("host_stopped", &json!({})).await?;
    ensure!(event.source == driven.id);
    let after = driven.events.next_within(Duration::ZERO).await?;
    ensure!(after.is_none(), "{after:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_leaves_at_once() -> Result<()> {
    let nats = nats()?;
    let wash = host(&nats.url())?.arg("--drain").arg("60s").ready()?;
    let mut driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    let file = guest("http_misbehave")?;
    driven.run("guest", &format!("file://{}", file.display())).await?;
    let address = wasmcloud_test_kit::ports::free_address()?;
    let start = json!({ "provider_id": "http", "provider_ref": HTTP, "host_id": driven.id });
    driven.client.ok(&driven.on("provider.start"), &start).await?;
    let config = json!({ "address": address.to_string() });
    driven.client.ok("config.put.web", &config).await?;
    driven.client.ok("link.put", &web_link("guest")).await?;
    let mut slow = None;
    until("listener", async || {
        slow = Some(Connection::open(address)?);
        Ok(true)
    })
    .await?;
    let mut slow = slow.context("a connection")?;
    // Its head comes at once and its end never does.
    slow.request("GET", "/sleep?ms=25000", &[], b"")?;
    until("request under way", async || {
        let text = wasmcloud_test_kit::http::get(address, "/status?code=200")?;
        Ok(text.status == 200)
    })
    .await?;
    wash.terminate()?;
    wash.wait_event("stopping", 1, SOON)?;
    ensure!(!wash.has_ended());
    let begun = Instant::now();
    wash.terminate()?;
    let ended = wash.wait_exit(SOON)?;
    ensure!(ended.code == 130, "{}", ended.text());
    ensure!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_stops_over_the_control_interface() -> Result<()> {
    let nats = nats()?;
    let wash = host(&nats.url())?.ready()?;
    let mut driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    let address = driven.serve_hello().await?;
    driven.client.ok(&driven.on("host.stop"), &Value::Null).await?;
    driven.events.wait("host_stopped", &json!({})).await?;
    let ended = wash.wait_exit(SOON)?;
    ensure!(ended.code == 0, "{}", ended.text());
    ensure!(TcpStream::connect(address).await.is_err());
    // What the lattice knows outlives the host.
    let again = host(&nats.url())?.ready()?;
    let driven = Driven::new(connect(&nats.url()).await?, &again).await?;
    ensure!(driven.client.ok("link.get", &Value::Null).await?.1 == json!([web_link("hello")]));
    again.stop()?;
    Ok(())
}
