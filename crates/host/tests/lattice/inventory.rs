//! What an inventory says that v1's does not: whether anything has changed, refused links, health, draining.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wasmcloud_host::LatticeHost;

use crate::on_both_lattices;
use crate::support::{MEMORY, Rig, Target, on, scale, until};

on_both_lattices!(
    the_revision_changes_with_the_inventory_and_only_then,
    a_refused_link_is_in_the_inventory,
);

/// The revision that the host says when it is pinged, which is that of its inventory.
async fn revision(rig: &Rig, host: &LatticeHost) -> Result<u64> {
    let (_, answer) = rig.client.ok("host.ping", &Value::Null).await?;
    let revision = answer["inventory_revision"].as_u64().context("a revision")?;
    ensure!(
        rig.inventory(host).await?["inventory_revision"] == revision,
        "{answer}"
    );
    ensure!(revision < 1 << 53, "{revision}");
    Ok(revision)
}

async fn the_revision_changes_with_the_inventory_and_only_then(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let mut seen = vec![revision(&rig, &host).await?];
    let image = rig.nothing()?;
    rig.run(&host, "cart", &image).await?;
    seen.push(revision(&rig, &host).await?);
    rig.client
        .ok(&on("component.scale", &host), &scale(&host, "cart", &image, 7))
        .await?;
    until("seven", async || {
        Ok(rig.inventory(&host).await?["components"][0]["max_instances"] == 7)
    })
    .await?;
    seen.push(revision(&rig, &host).await?);
    rig.provide(&host, "kv", MEMORY).await?;
    seen.push(revision(&rig, &host).await?);
    rig.client
        .ok(&on("label.put", &host), &json!({ "key": "zone", "value": "a" }))
        .await?;
    seen.push(revision(&rig, &host).await?);
    let distinct: std::collections::BTreeSet<u64> = seen.iter().copied().collect();
    ensure!(distinct.len() == seen.len(), "{seen:?}");
    // Back as it was, and a while later.
    rig.client
        .ok(&on("label.del", &host), &json!({ "key": "zone" }))
        .await?;
    let before = seen.iter().rev().nth(1).context("there are five")?;
    let uptime = rig.inventory(&host).await?["uptime_seconds"].clone();
    until("a second later", async || {
        Ok(rig.inventory(&host).await?["uptime_seconds"] != uptime)
    })
    .await?;
    ensure!(revision(&rig, &host).await? == *before);
    let inventory = rig.inventory(&host).await?;
    ensure!(
        inventory["features"] == json!(["in-place", "candidates", "link-suffix", "load"]),
        "{inventory}"
    );
    ensure!(inventory["providers"][0]["health"] == "healthy", "{inventory}");
    ensure!(inventory.get("draining").is_none() && inventory.get("refused_links").is_none());
    Ok(())
}

async fn a_refused_link_is_in_the_inventory(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    rig.provide(&host, "kv", MEMORY).await?;
    let before = revision(&rig, &host).await?;
    // Written by somebody else, so that nobody refused it beforehand.
    let link = json!({
        "source_id": "cart", "target": "kv", "name": "default", "wit_namespace": "wasi",
        "wit_package": "keyvalue", "interfaces": ["store"], "source_config": [], "target_config": ["none"],
    });
    let bucket = wasmcloud_lattice::Bucket::lattice_data(&"default".parse()?)?;
    let records = wasmcloud_lattice::open_state(rig.client.connection(), bucket, None).await?;
    let record = json!({ "url": "", "links": [link] }).to_string();
    records.put("COMPONENT_cart", record.into()).await?;
    until("refused link", async || Ok(host.refused_links() == 1)).await?;
    let inventory = rig.inventory(&host).await?;
    let refused = &inventory["refused_links"][0];
    ensure!(
        refused["source_id"] == "cart" && refused["target"] == "kv" && refused["wit_package"] == "keyvalue",
        "{inventory}"
    );
    let why = refused["error"].as_str().context("a reason")?;
    ensure!(why.contains("config `none` does not exist"), "{why}");
    ensure!(revision(&rig, &host).await? != before);
    rig.client.ok("config.put.none", &json!({})).await?;
    until("link in effect", async || Ok(host.refused_links() == 0)).await?;
    ensure!(revision(&rig, &host).await? == before);
    Ok(())
}
