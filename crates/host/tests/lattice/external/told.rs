//! What an external provider hears of while it runs (wire reference §2.5, recorded in `control.jsonl`).

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::Scene;
use crate::on_both_lattices;
use crate::support::Target;

on_both_lattices!(
    links_and_configs_reach_it,
    links_that_are_there_are_in_its_host_data,
    a_link_that_turns_leaves_the_former_target,
    links_are_told_by_id_as_well,
);

fn link(source: &str, target: &str, config: &[&str]) -> Value {
    json!({
        "source_id": source, "target": target, "name": "default", "wit_namespace": "wasi",
        "wit_package": "keyvalue", "interfaces": ["store"], "source_config": [], "target_config": config,
    })
}

fn told(source: &str, target: &str, config: Value) -> Value {
    json!({
        "source_id": source, "target": target, "name": "default", "wit_namespace": "wasi",
        "wit_package": "keyvalue", "interfaces": ["store"], "source_config": {}, "target_config": config,
        "source_secrets": null, "target_secrets": null,
    })
}

/// What names a link that goes.
fn key(source: &str) -> Value {
    json!({ "source_id": source, "name": "default", "wit_namespace": "wasi", "wit_package": "keyvalue" })
}

impl Scene {
    /// Waits until the provider was told exactly this, in this order.
    async fn was_told(&self, id: &str, expected: &[(&str, Value)]) -> Result<()> {
        let expected: Vec<Value> = expected
            .iter()
            .map(|(what, value)| json!([what, value]))
            .collect();
        let expected = Value::from(expected);
        self.report_when(id, &format!("{expected}"), |report| report["told"] == expected)
            .await?;
        Ok(())
    }
}

async fn links_and_configs_reach_it(target: Target) -> Result<()> {
    let mut scene = Scene::start(target).await?;
    scene.provide("p", json!({ "a": "1" })).await?;
    let client = scene.rig.client.clone();
    client.ok("config.put.c", &json!({ "k": "1" })).await?;
    client.ok("link.put", &link("caller", "p", &["c"])).await?;
    let mut expected = vec![("put", told("caller", "p", json!({ "k": "1" })))];
    scene.was_told("p", &expected).await?;
    // One that does not concern it.
    client.ok("link.put", &link("caller2", "q", &["c"])).await?;
    client.ok("config.put.p", &json!({ "a": "2" })).await?;
    expected.push(("config", json!({ "a": "2" })));
    scene.was_told("p", &expected).await?;
    // The config of its link.
    client.ok("config.put.c", &json!({ "k": "2" })).await?;
    expected.push(("put", told("caller", "p", json!({ "k": "2" }))));
    scene.was_told("p", &expected).await?;
    client.ok("link.del", &key("caller")).await?;
    expected.push(("del", told("caller", "p", json!({}))));
    scene.was_told("p", &expected).await?;
    // The same link again, at once behind the deletion of another.
    client.ok("link.put", &link("caller", "p", &[])).await?;
    expected.push(("put", told("caller", "p", json!({}))));
    scene.was_told("p", &expected).await
}

async fn links_that_are_there_are_in_its_host_data(target: Target) -> Result<()> {
    let mut scene = Scene::start(target).await?;
    let client = scene.rig.client.clone();
    client.ok("config.put.c", &json!({ "k": "1" })).await?;
    client.ok("link.put", &link("caller", "p", &["c"])).await?;
    client.ok("link.put", &link("p", "called", &["c"])).await?;
    scene.provide("p", json!({})).await?;
    let report = scene.report("p").await?;
    let expected = json!([
        told("caller", "p", json!({ "k": "1" })),
        told("p", "called", json!({ "k": "1" })),
    ]);
    ensure!(report["host_data"]["link_definitions"] == expected, "{report}");
    ensure!(report["told"] == json!([]), "{report}");
    client.ok("link.del", &key("p")).await?;
    scene
        .was_told("p", &[("del", told("p", "called", json!({})))])
        .await
}

async fn a_link_that_turns_leaves_the_former_target(target: Target) -> Result<()> {
    let mut scene = Scene::start(target).await?;
    scene.provide("p", json!({})).await?;
    scene.provide("q", json!({})).await?;
    let client = scene.rig.client.clone();
    client.ok("link.put", &link("caller", "p", &[])).await?;
    scene
        .was_told("p", &[("put", told("caller", "p", json!({})))])
        .await?;
    let mut turned = link("caller", "q", &[]);
    let refused = client.ask("link.put", &turned).await?;
    ensure!(refused["success"] == false, "{refused}");
    turned["instead_of"] = json!("p");
    client.ok("link.put", &turned).await?;
    scene
        .was_told("q", &[("put", told("caller", "q", json!({})))])
        .await?;
    let expected = [
        ("put", told("caller", "p", json!({}))),
        ("del", told("caller", "p", json!({}))),
    ];
    scene.was_told("p", &expected).await
}

async fn links_are_told_by_id_as_well(target: Target) -> Result<()> {
    use futures::StreamExt as _;
    use wasmcloud_test_kit::control::soon;

    let scene = Scene::start(target).await?;
    let client = scene.rig.client.clone();
    let mut heard = client.connection().subscribe("wasmbus.rpc.default.>").await?;
    client
        .connection()
        .barrier(client.connection().default_deadline())
        .await?;
    client.ok("config.put.c", &json!({ "k": "1" })).await?;
    client.ok("link.put", &link("a", "b", &["c"])).await?;
    client.ok("link.del", &key("a")).await?;
    for (end, what, config) in [
        ("a", "put", json!({ "k": "1" })),
        ("b", "put", json!({ "k": "1" })),
        ("a", "del", json!({})),
        ("b", "del", json!({})),
    ] {
        let message = soon("message by id", heard.next()).await?;
        let message = message.ok_or_else(|| anyhow::anyhow!("the subscription ended"))?;
        let subject = format!("wasmbus.rpc.default.{end}.linkdefs.{what}");
        ensure!(
            message.subject.as_str() == subject,
            "{} instead of {subject}",
            message.subject
        );
        let payload: Value = serde_json::from_slice(&message.payload)?;
        ensure!(payload == told("a", "b", config), "{payload}");
    }
    Ok(())
}
