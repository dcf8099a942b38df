//! Providers: start and stop (wire reference §2.5).

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::on_both_lattices;
use crate::support::{HTTP, MEMORY, Rig, Target, on, page, scale};

on_both_lattices!(
    providers_start_and_stop,
    providers_that_cannot_start_are_told,
    an_id_is_a_component_or_a_provider,
    a_provider_that_starts_again_serves_again,
    stop_and_start_run_in_order,
);

async fn providers_start_and_stop(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let (start, stop) = (on("provider.start", &host), on("provider.stop", &host));
    let id = host.id().as_str();
    for (name, image) in [("http", HTTP), ("kv", MEMORY)] {
        let body = json!({
            "provider_id": name, "provider_ref": image, "host_id": id, "config": [],
            "annotations": { "a": "b" },
        });
        ensure!(rig.client.ok(&start, &body).await?.0 == "successfully started provider");
        let event = rig.events.next().await?;
        ensure!(
            event.kind == "provider_started" && event.source == id,
            "{event:?}"
        );
        let expected = json!({
            "host_id": id, "image_ref": image, "provider_id": name, "annotations": { "a": "b" },
        });
        ensure!(event.data == expected, "{event:?}");
        let why = rig.client.refused(&start, &body).await?;
        ensure!(why == "provider with that ID is already running", "{why}");
    }
    let inventory = rig.inventory(&host).await?;
    let expected = json!([
        { "id": "http", "image_ref": HTTP, "revision": 0, "annotations": { "a": "b" }, "health": "healthy" },
        { "id": "kv", "image_ref": MEMORY, "revision": 0, "annotations": { "a": "b" }, "health": "healthy" },
    ]);
    ensure!(inventory["providers"] == expected, "{inventory}");

    for (field, name) in [("provider_id", "http"), ("provider_ref", "kv")] {
        let body = json!({ "host_id": id, field: name });
        ensure!(rig.client.ok(&stop, &body).await?.0 == "successfully stopped provider");
        let event = rig.events.next().await?;
        ensure!(
            event.kind == "provider_stopped" && event.source == id,
            "{event:?}"
        );
        let expected = json!({
            "host_id": id, "provider_id": name, "annotations": { "a": "b" }, "reason": "stop",
            "instance_id": name, "public_key": name, "link_name": "default",
        });
        ensure!(event.data == expected, "{event:?}");
        let why = rig.client.refused(&stop, &body).await?;
        ensure!(why == "provider with that ID is not running", "{why}");
    }
    ensure!(rig.inventory(&host).await?["providers"] == json!([]));
    Ok(())
}

async fn providers_that_cannot_start_are_told(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let start = on("provider.start", &host);
    let body = |image: &str, config: Value| {
        json!({
            "provider_id": "p", "provider_ref": image, "host_id": host.id().as_str(), "config": config,
        })
    };
    for (image, config) in [
        ("file:///nowhere/nothing-we-know.par", json!([])),
        ("wasmcloud+builtin://nothing-we-know", json!([])),
        (HTTP, json!(["nowhere"])),
        (HTTP, json!(["SECRET_password"])),
    ] {
        let (text, _) = rig.client.ok(&start, &body(image, config)).await?;
        ensure!(text == "successfully started provider", "{text}");
        let event = rig.events.next().await?;
        ensure!(event.kind == "provider_start_failed", "{event:?}");
        ensure!(
            event.data["error"].as_str().is_some_and(|error| error.len() > 10),
            "{event:?}"
        );
        let mut data = event.data.clone();
        data["error"] = Value::Null;
        let expected = json!({
            "provider_ref": image, "provider_id": "p", "host_id": host.id().as_str(), "error": null,
            "link_name": "default",
        });
        ensure!(data == expected, "{data}");
    }
    ensure!(rig.inventory(&host).await?["providers"] == json!([]));

    let off = rig
        .host(|host, join| {
            join.builtin_providers = false;
            // So it is pulled, or would be.
            host.artifacts.allowed_registries = Some(Vec::new());
        })
        .await?;
    let mut body = body(HTTP, json!([]));
    body["host_id"] = off.id().as_str().into();
    rig.client.ok(&on("provider.start", &off), &body).await?;
    ensure!(
        rig.events.next().await?.kind == "provider_start_failed",
        "they are turned off"
    );
    Ok(())
}

async fn an_id_is_a_component_or_a_provider(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let image = rig.nothing()?;
    rig.run(&host, "a", &image).await?;
    rig.provide(&host, "b", MEMORY).await?;
    let start = json!({ "provider_id": "a", "provider_ref": MEMORY, "host_id": host.id().as_str() });
    rig.client.ok(&on("provider.start", &host), &start).await?;
    ensure!(rig.events.next().await?.kind == "provider_start_failed");
    rig.client
        .ok(&on("component.scale", &host), &scale(&host, "b", &image, 1))
        .await?;
    ensure!(rig.events.next().await?.kind == "component_scale_failed");
    let stop = json!({ "provider_id": "a", "host_id": host.id().as_str() });
    let why = rig.client.refused(&on("provider.stop", &host), &stop).await?;
    ensure!(why == "provider with that ID is not running", "{why}");
    Ok(())
}

async fn a_provider_that_starts_again_serves_again(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let address = rig.serve_hello(&host).await?;
    let stop = json!({ "provider_id": "http", "host_id": host.id().as_str() });
    for _ in 0..2 {
        rig.client.ok(&on("provider.stop", &host), &stop).await?;
        rig.events.wait("provider_stopped", &json!({})).await?;
        ensure!(page(address).await.is_err(), "nobody listens any more");
        rig.provide(&host, "http", HTTP).await?;
        ensure!(page(address).await?.expect(200)?.text().contains("Hello"));
    }
    Ok(())
}

async fn stop_and_start_run_in_order(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let (start, stop) = (on("provider.start", &host), on("provider.stop", &host));
    let mut body = json!({ "provider_id": "kv", "host_id": host.id().as_str() });
    let ended = body.clone();
    body["provider_ref"] = MEMORY.into();
    // Sent without waiting: each finds what the one before it left.
    for _ in 0..20 {
        rig.client.send(&start, &body, None).await?;
        rig.client.send(&stop, &ended, None).await?;
    }
    for round in 0..20 {
        for expected in ["provider_started", "provider_stopped"] {
            let event = rig.events.next().await?;
            ensure!(event.kind == expected, "round {round}: {event:?}");
        }
    }
    Ok(())
}
