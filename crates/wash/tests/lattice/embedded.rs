//! The embedded lattice: killed and started again, in the background, and ended.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wasmcloud_test_kit::process::{Ended, Launch, SOON};

use crate::support::{Driven, WASH, cache, connect_embedded, link, page, until, up};

/// `wash -o json COMMAND… --data-dir DATA`.
fn with_data(args: &[&str], data: &Path) -> Result<Launch> {
    let launch = Launch::command(WASH, &[&["-o", "json"], args].concat())?;
    Ok(launch.arg("--data-dir").arg(data))
}

fn down(data: &Path) -> Result<Ended> {
    let ended = with_data(&["down"], data)?.run()?;
    ensure!(ended.code == 0, "{}", ended.text());
    Ok(ended)
}

fn answer(ended: &Ended) -> Result<Value> {
    ended.events().pop().with_context(|| ended.text())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_survives_kill_9() -> Result<()> {
    let launch = up()?;
    let data = launch.file("data");
    let mut links = Vec::new();
    for round in 0..5 {
        let wash = launch.ready()?;
        let driven = Driven::new(connect_embedded(&data).await?, &wash).await?;
        let found = driven.client.ok("link.get", &Value::Null).await?.1;
        ensure!(found == json!(links), "round {round}: {found}");
        for n in 0..round * 5 {
            let (_, config) = driven
                .client
                .ok(&format!("config.get.c{n}"), &Value::Null)
                .await?;
            ensure!(
                config == json!({ "n": n.to_string() }),
                "round {round}, c{n}: {config}"
            );
        }
        for n in round * 5..round * 5 + 5 {
            let config = json!({ "n": n.to_string() });
            driven.client.ok(&format!("config.put.c{n}"), &config).await?;
            let mut put = link(&format!("a{n:02}"), "b", "reader");
            put["source_config"] = json!([format!("c{n}")]);
            driven.client.ok("link.put", &put).await?;
            links.push(put);
        }
        // In the moment of the last answer.
        wash.kill()?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_background_until_it_is_ended() -> Result<()> {
    let home = Launch::command(WASH, &[])?;
    let data = home.file("data");
    let nothing = answer(&down(&data)?)?;
    ensure!(
        nothing["success"] == true && nothing["hosts_stopped"] == json!([]),
        "{nothing}"
    );

    let started = with_data(
        &["up", "--nats-port", "0", "--detached", "--allow-file-load"],
        &data,
    )?
    .arg("--cache-dir")
    .arg(cache());
    let ended = started.run()?;
    ensure!(ended.code == 0, "{}", ended.text());
    let told = answer(&ended)?;
    ensure!(
        told["success"] == true && told["kill_cmd"] == "wash down",
        "{told}"
    );
    let client = connect_embedded(&data).await?;
    let events = client.events().await?;
    let id = told["host_id"].as_str().context("an id")?.to_owned();
    let mut driven = Driven { client, events, id };
    let address = driven.serve_hello().await?;

    // One more host finds the lattice by itself.
    let second = with_data(&["up"], &data)?
        .arg("--cache-dir")
        .arg(cache())
        .ready()?;
    let hosts = driven.client.ask_all("host.ping", &Value::Null, 2).await?;
    ensure!(hosts.len() == 2);
    ensure!(page(address)?.contains("Hello"));
    drop(driven);

    let ended = answer(&down(&data)?)?;
    ensure!(
        ended["hosts_stopped"].as_array().map(Vec::len) == Some(2),
        "{ended}"
    );
    ensure!(ended["nats_stopped"] == true, "{ended}");
    let left = second.wait_exit(SOON)?;
    ensure!(left.code == 0, "{}", left.text());
    until("end of the listener", async || Ok(page(address).is_err())).await?;
    let pid = told["pid"].as_u64().context("a process")?;
    until("end of the process", async || Ok(gone(pid))).await?;
    let nothing = answer(&down(&data)?)?;
    ensure!(nothing["hosts_stopped"] == json!([]), "{nothing}");
    Ok(())
}

/// Whether a process has ended. One that nobody waits for is a zombie until its parent is gone.
fn gone(pid: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.is_empty() || status.contains("State:\tZ")
}

#[test]
fn a_lattice_of_a_killed_host_is_taken_over() -> Result<()> {
    let launch = up()?;
    let first = launch.ready()?;
    first.kill()?;
    // Its endpoint lies there still, and nobody answers.
    let nothing = answer(&down(&launch.file("data"))?)?;
    ensure!(nothing["hosts_stopped"] == json!([]), "{nothing}");
    launch.ready()?.stop()?;
    Ok(())
}
