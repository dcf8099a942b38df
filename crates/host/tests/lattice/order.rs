//! What takes long holds up nothing else, and what concerns one component happens in order.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::on_both_lattices;
use crate::support::{HTTP, Rig, Target, link, on, scale, soon, until};

on_both_lattices!(
    commands_for_one_component_run_in_order,
    a_slow_pull_holds_up_nothing_else,
    a_host_leaves_although_a_pull_hangs,
    more_commands_than_may_wait_are_refused,
);

/// A registry that takes connections and never says anything.
struct Silent {
    listener: TcpListener,
    held: Vec<TcpStream>,
}

impl Silent {
    async fn start() -> Result<Self> {
        Ok(Self {
            listener: TcpListener::bind("127.0.0.1:0").await?,
            held: Vec::new(),
        })
    }

    fn image(&self) -> Result<String> {
        Ok(format!("{}/acme/slow:1", self.listener.local_addr()?))
    }

    /// Waits until somebody pulls.
    async fn pulled(&mut self) -> Result<()> {
        let (stream, _) = soon("pull", self.listener.accept()).await??;
        self.held.push(stream);
        Ok(())
    }
}

async fn commands_for_one_component_run_in_order(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let (image, subject) = (rig.nothing()?, on("component.scale", &host));
    // Sent without waiting, for two components at once.
    let counts = [3, 1, 0, 7, 7, 0, 0, 2, 9, 4, 0, 5];
    for count in counts {
        for id in ["a", "b"] {
            rig.client
                .send(&subject, &scale(&host, id, &image, count), None)
                .await?;
        }
    }
    let mut told = [Vec::new(), Vec::new()];
    for _ in 0..2 * counts.len() {
        let event = rig.events.next().await?;
        ensure!(event.kind == "component_scaled", "{event:?}");
        let of = usize::from(event.data["component_id"] == "b");
        told[of].push(event.data["max_instances"].as_u64());
    }
    let expected = counts.map(|count| Some(u64::from(count)));
    for of in told {
        ensure!(of == expected, "{of:?}");
    }
    let inventory = rig.inventory(&host).await?;
    ensure!(inventory["components"][1]["max_instances"] == 5, "{inventory}");
    Ok(())
}

async fn a_slow_pull_holds_up_nothing_else(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let (image, mut registry) = (rig.nothing()?, Silent::start().await?);
    let (subject, slow) = (on("component.scale", &host), registry.image()?);
    // More than are pulled at a time.
    for n in 0..8 {
        let body = scale(&host, &format!("slow{n}"), &slow, 1);
        rig.client.ok(&subject, &body).await?;
    }
    registry.pulled().await?;
    rig.client.ok("host.ping", &Value::Null).await?;
    rig.inventory(&host).await?;
    rig.client.ok("config.put.a", &json!({})).await?;
    let link = link("slow0", "b", &["reader"]);
    rig.client.ok("link.put", &link).await?;
    until("link in effect", async || Ok(host.host().links().len() == 1)).await?;
    rig.run(&host, "quick", &image).await?;
    rig.provide(&host, "http", HTTP).await?;
    let free = json!({ "component_ref": image, "component_id": "free" });
    rig.client.ok("component.auction", &free).await?;
    let inventory = rig.inventory(&host).await?;
    ensure!(
        inventory["components"].as_array().map(Vec::len) == Some(1),
        "{inventory}"
    );
    Ok(())
}

async fn a_host_leaves_although_a_pull_hangs(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let drain = Duration::from_millis(200);
    let host = rig.host(|options, _| options.drain = drain).await?;
    let (image, mut registry) = (rig.nothing()?, Silent::start().await?);
    rig.run(&host, "a", &image).await?;
    let body = scale(&host, "slow", &registry.image()?, 1);
    rig.client.ok(&on("component.scale", &host), &body).await?;
    registry.pulled().await?;
    let limit = Duration::from_secs(5);
    ensure!(
        tokio::time::timeout(limit, host.leave(&[], &[])).await.is_ok(),
        "it has not left within {limit:?}"
    );
    rig.events.wait("host_stopped", &json!({})).await?;
    // That was the last word: nothing after it makes anybody believe that it runs something.
    let _next = rig.join(|_, _| {}).await?;
    ensure!(rig.events.next().await?.kind == "host_started");
    Ok(())
}

async fn more_commands_than_may_wait_are_refused(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let (image, mut registry) = (rig.nothing()?, Silent::start().await?);
    let (subject, slow) = (on("component.scale", &host), registry.image()?);
    rig.client.ok(&subject, &scale(&host, "a", &slow, 1)).await?;
    registry.pulled().await?;
    for _ in 0..64 {
        rig.client.ok(&subject, &scale(&host, "a", &slow, 1)).await?;
    }
    let why = rig.client.refused(&subject, &scale(&host, "a", &slow, 1)).await?;
    ensure!(why.contains("64 commands for `a` wait already"), "{why}");
    // Those for others are not concerned.
    rig.run(&host, "b", &image).await?;
    Ok(())
}
