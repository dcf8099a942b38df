//! The server of the lattice dies, forgets, hangs, or is not there yet. What runs goes on serving in each case.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wasmcloud_test_kit::control::soon;
use wasmcloud_test_kit::load::Load;
use wasmcloud_test_kit::process::SOON;
use wasmcloud_test_nats::free_address;

use crate::support::{Driven, connect, hello, host, link, nats, page, until, web_link};

/// The first word of the example's page.
const HELLO: &str = "Hello";

/// Waits until the host answers again.
async fn answers_again(driven: &Driven) -> Result<()> {
    until("answer of the host", async || {
        let ping = driven
            .client
            .ask_within("host.ping", &Value::Null, Duration::from_secs(1));
        Ok(ping.await?["response"]["id"] == driven.id.as_str())
    })
    .await
}

/// What is put now takes effect, and events of it come.
async fn works(driven: &mut Driven, name: &str) -> Result<()> {
    driven.run(name, &hello()?).await?;
    driven
        .client
        .ok(&format!("config.put.{name}"), &json!({ "a": "b" }))
        .await?;
    driven
        .client
        .ok("link.put", &link(name, "hello", "reader"))
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_comes_back() -> Result<()> {
    let mut nats = nats()?;
    let wash = host(&nats.url())?.ready()?;
    let mut driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    let address = driven.serve_hello().await?;
    let load = Load::start(address, "/");
    load.wait_answer(HELLO, SOON)?;
    for round in 0..2 {
        nats.kill()?;
        wash.wait_log(&["lost the connection to NATS"], SOON)?;
        load.wait_answer(HELLO, SOON)?;
        nats.restart()?;
        answers_again(&driven).await?;
        works(&mut driven, &format!("round{round}")).await?;
    }
    let links = driven.client.ok("link.get", &Value::Null).await?.1;
    ensure!(
        links
            .as_array()
            .is_some_and(|links| links.len() == 3 && links.contains(&web_link("hello"))),
        "{links}"
    );
    load.wait_answer(HELLO, SOON)?;
    load.finish()?;
    wash.stop()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_with_nothing() -> Result<()> {
    let mut nats = nats()?;
    let wash = host(&nats.url())?.ready()?;
    let mut driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    let address = driven.serve_hello().await?;
    driven.client.ok("config.put.idle", &json!({ "k": "v" })).await?;
    let load = Load::start(address, "/");
    load.wait_answer(HELLO, SOON)?;
    nats.restart_wiped()?;
    answers_again(&driven).await?;
    // Everything the host knows is written back.
    let ask =
        async |driven: &Driven, subject: &str| anyhow::Ok(driven.client.ok(subject, &Value::Null).await?.1);
    until("links, written back", async || {
        Ok(ask(&driven, "link.get").await? == json!([web_link("hello")]))
    })
    .await?;
    until("configs, written back", async || {
        let web = json!({ "address": address.to_string() });
        Ok(ask(&driven, "config.get.web").await? == web
            && ask(&driven, "config.get.idle").await? == json!({ "k": "v" }))
    })
    .await?;
    let lattice = "default".parse()?;
    let bucket = wasmcloud_lattice::Bucket::lattice_data(&lattice)?;
    let records = wasmcloud_lattice::open_state(driven.client.connection(), bucket, None).await?;
    until("record of the component, written back", async || {
        let record = records.get("COMPONENT_hello").await?;
        let record: Option<Value> = record.and_then(|entry| serde_json::from_slice(&entry.value).ok());
        Ok(record.is_some_and(|record| record["url"] == hello().unwrap_or_default()))
    })
    .await?;
    // And it goes on as before.
    works(&mut driven, "after").await?;
    load.wait_answer(HELLO, SOON)?;
    load.finish()?;
    let inventory = driven.inventory().await?;
    ensure!(
        inventory["components"].as_array().map(Vec::len) == Some(2),
        "{inventory}"
    );
    ensure!(inventory["providers"][0]["id"] == "http", "{inventory}");

    // The state is what a host that comes later needs.
    let later = host(&nats.url())?.ready()?;
    later.stop()?;
    wash.stop()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_for_a_minute() -> Result<()> {
    const MINUTE: Duration = Duration::from_secs(60);
    let nats = nats()?;
    let wash = host(&nats.url())?.ready()?;
    let mut driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    let address = driven.serve_hello().await?;
    nats.freeze()?;
    let begun = Instant::now();
    // A minute of requests, of which none fails; few, so that other tests have the machine.
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    while begun.elapsed() < MINUTE {
        pace.tick().await;
        let asked = Instant::now();
        ensure!(page(address)?.starts_with(HELLO));
        ensure!(
            asked.elapsed() < Duration::from_secs(2),
            "HTTP waits for the lattice"
        );
    }
    wash.wait_log(&["lost the connection to NATS"], SOON)?;
    nats.thaw()?;
    let thawed = Instant::now();
    answers_again(&driven).await?;
    let took = thawed.elapsed();
    ensure!(
        took < Duration::from_secs(15),
        "control works again after {took:?}"
    );
    works(&mut driven, "after").await?;
    wash.stop()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_later() -> Result<()> {
    let mut nats = nats()?;
    nats.kill()?;
    let wash = host(&nats.url())?.start()?;
    let address = nats.address().to_string();
    wash.wait_log(
        &["cannot connect to NATS, trying again", &address, "attempt=2"],
        SOON,
    )?;
    nats.restart()?;
    wash.wait_event("ready", 1, SOON)?;
    let driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    answers_again(&driven).await?;
    wash.stop()?;
    Ok(())
}

#[test]
fn a_server_that_never_comes() -> Result<()> {
    let address = free_address()?;
    let begun = Instant::now();
    let launch = host(&format!("nats://{address}"))?;
    let ended = launch.arg("--connect-timeout").arg("1s").run()?;
    ensure!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    ensure!(ended.code == 4, "{}", ended.text());
    for word in [&address.to_string(), "refused", "tried", "hint"] {
        ensure!(ended.text().contains(word), "no {word} in {}", ended.text());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_leaves_without_a_server() -> Result<()> {
    let mut nats = nats()?;
    let wash = host(&nats.url())?.ready()?;
    let mut driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    driven.serve_hello().await?;
    nats.kill()?;
    wash.wait_log(&["lost the connection to NATS"], SOON)?;
    let begun = Instant::now();
    wash.stop()?;
    ensure!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_under_way_outlives_the_server() -> Result<()> {
    let registry = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut nats = nats()?;
    let wash = host(&nats.url())?.ready()?;
    let mut driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    let image = format!("{}/acme/slow:1", registry.local_addr()?);
    let scale = driven.scale("slow", &image, 1);
    driven.client.ok(&driven.on("component.scale"), &scale).await?;
    let (pull, _) = soon("pull", registry.accept()).await??;
    nats.kill()?;
    wash.wait_log(&["lost the connection to NATS"], SOON)?;
    nats.restart()?;
    answers_again(&driven).await?;
    // The registry goes, so the pull fails, and the asker hears of it.
    drop((pull, registry));
    let failed = driven
        .events
        .wait("component_scale_failed", &json!({ "component_id": "slow" }))
        .await?;
    ensure!(
        failed.data["error"]
            .as_str()
            .is_some_and(|error| error.contains("slow")),
        "{failed:?}"
    );
    works(&mut driven, "after").await?;
    wash.stop()?;
    Ok(())
}
