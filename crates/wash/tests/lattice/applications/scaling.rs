//! Components whose instances follow their load, down to none.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::load::Load;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::Wash;

use super::support::{Api, HELLO, Web, labelled};
use crate::support::{id, nats, until};

/// Clients that ask at the same time; each of them is four.
const CLIENTS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_follow_the_load() -> Result<()> {
    let nats = nats()?;
    let front = labelled(&nats, &[("role", "front")])?.ready()?;
    let back = [
        labelled(&nats, &[("role", "back")])?.ready()?,
        labelled(&nats, &[("role", "back")])?.ready()?,
    ];
    let hosts = [&front, &back[0], &back[1]];
    let api = Api::new(&nats).await?;
    let address = free_address()?;
    let web = Web {
        traits: Some("- { type: autoscaler, properties: { max: 14, cooldown: 5s } }"),
        ..Web::new("http_misbehave", address, 0)
    };
    api.deploy(&web.text("v1")?).await?;
    api.wait("web", "deployed").await?;
    ensure!(api.instances(&hosts, "web-site").await? == 1);
    let load: Vec<Load> = (0..CLIENTS)
        .map(|_| Load::start(address, "/sleep?ms=250"))
        .collect();
    let begun = Instant::now();
    // Twelve calls at once need 18 instances where 70 % of them shall be in use, and there may be 14.
    until("as many as there may be", async || {
        let counts = api.spread(&hosts, "web-site").await?;
        ensure!(counts.iter().sum::<u64>() == 14, "{counts:?}");
        ensure!(
            counts.iter().filter(|count| **count > 0).count() > 1,
            "{counts:?}"
        );
        Ok(true)
    })
    .await?;
    println!("14 instances {:?} after the load began", begun.elapsed());
    let (why, _) = api.ask("why.web", r#"{"part":"site"}"#).await?;
    ensure!(why["parts"][0]["scale"]["wanted"] == 14, "{why:#}");
    for load in load {
        println!("answers while there were more: {:?}", load.finish()?);
    }
    let begun = Instant::now();
    until("one again", async || {
        let left = api.instances(&hosts, "web-site").await?;
        ensure!(left == 1, "{left} are left");
        Ok(true)
    })
    .await?;
    println!("one instance {:?} after the load ended", begun.elapsed());
    ensure!(begun.elapsed() > Duration::from_secs(3), "it cools down first");
    api.wait("web", "deployed").await?;
    Ok(())
}

async fn sleeps(api: &Api, host: &Wash) -> Result<()> {
    until("sleep", async || {
        let (_, inventory) = api
            .control
            .ok(&format!("host.get.{}", id(host)?), &Value::Null)
            .await?;
        ensure!(inventory["components"][0]["asleep"] == true, "{inventory}");
        Ok(true)
    })
    .await
}

/// Nobody calls, so nothing is there; the call that comes waits a moment and is answered, whatever happened meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_calls_sleeps_until_somebody_does() -> Result<()> {
    let nats = nats()?;
    let front = labelled(&nats, &[("role", "front")])?.ready()?;
    let back = labelled(&nats, &[("role", "back")])?.ready()?;
    let api = Api::new(&nats).await?;
    let address = free_address()?;
    let web = Web {
        traits: Some(
            "- { type: autoscaler, properties: { min: 0, max: 10, spread: [ { name: b, requirements: { role: back } } ] } }
        - { type: runtime, properties: { idle: 1s } }",
        ),
        ..Web::new(HELLO, address, 0)
    };
    api.deploy(&web.text("v1")?).await?;
    api.wait("web", "deployed").await?;
    for _ in 0..2 {
        sleeps(&api, &back).await?;
        // It is as it should be.
        api.wait("web", "deployed").await?;
        let begun = Instant::now();
        let response = tokio::task::spawn_blocking(move || get(address, "/")).await??;
        println!("the first answer took {:?}", begun.elapsed());
        ensure!(response.status == 200, "{response:?}");
    }
    sleeps(&api, &back).await?;
    // The leader changes, and it sleeps on.
    front.stop()?;
    let front = labelled(&nats, &[("role", "front")])?.ready()?;
    api.wait("web", "deployed").await?;
    sleeps(&api, &back).await?;
    let response = tokio::task::spawn_blocking(move || get(address, "/")).await??;
    ensure!(response.status == 200, "{response:?}");
    front.stop()?;
    back.stop()?;
    Ok(())
}
