//! An external provider that behaves.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use wasmcloud_artifacts::par::Target as Machine;

use super::{Scene, archive, is_gone, kill, pid};
use crate::on_both_lattices;
use crate::support::{Target, until};

on_both_lattices!(
    it_starts_with_host_data_and_stops,
    its_health_is_told,
    it_is_started_again_with_what_is_known_by_then,
    another_image_of_the_same_name_is_another_program,
    it_goes_with_its_host,
);

async fn it_starts_with_host_data_and_stops(target: Target) -> Result<()> {
    let mut scene = Scene::start(target).await?;
    let event = scene.provide("p", json!({ "a": "b" })).await?;
    let expected = json!({
        "host_id": scene.host.id().as_str(), "image_ref": scene.image, "provider_id": "p",
        "annotations": { "a": "b" }, "instance_id": "p", "public_key": "p", "link_name": "default",
        // What they say is for `claims`.
        "claims": event.data["claims"],
    });
    ensure!(event.data == expected, "{event:?}");
    // It has told that it runs, so it answers at once.
    let report = scene.report("p").await?;
    let data = &report["host_data"];
    for (key, value) in [
        ("host_id", json!(scene.host.id().as_str())),
        ("lattice_rpc_prefix", json!("default")),
        ("link_name", json!("default")),
        ("provider_key", json!("p")),
        ("config", json!({ "a": "b" })),
        ("link_definitions", json!([])),
        ("secrets", json!({})),
        ("default_rpc_timeout_ms", json!(10_000)),
        ("log_level", json!("info")),
    ] {
        ensure!(data[key] == value, "{key}: {data}");
    }
    let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    ensure!(text("host_xkey_public_key").starts_with('X'), "{data}");
    ensure!(text("provider_xkey_private_key").starts_with("SX"), "{data}");
    ensure!(text("instance_id").len() == 36, "{data}");

    let env = report["env"].as_object().into_iter().flatten();
    let others: Vec<_> = env
        .filter(|(name, _)| *name != "RUST_LOG" && !name.starts_with("OTEL_"))
        .collect();
    ensure!(others.is_empty(), "the environment is not cleared: {others:?}");
    let limits = report["limits"].as_str().unwrap_or_default();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size"));
    ensure!(cores.is_some_and(|line| line.contains(" 0 ")), "{limits}");

    let files: Vec<_> = std::fs::read_dir(scene.programs())?.collect::<Result<_, _>>()?;
    ensure!(files.len() == 1, "{files:?}");
    ensure!(files[0].metadata()?.permissions().mode() & 0o777 == 0o500);
    let inventory = scene.rig.inventory(&scene.host).await?;
    let listed = json!([{
        "id": "p", "image_ref": scene.image, "name": "test", "revision": 0, "annotations": { "a": "b" },
        "health": "healthy",
    }]);
    ensure!(inventory["providers"] == listed, "{inventory}");

    let process = pid(&report)?;
    ensure!(scene.processes()? == [process]);
    scene.stop("p").await?;
    ensure!(is_gone(process), "it still runs");
    scene.provide("p", json!({})).await?;
    ensure!(pid(&scene.report("p").await?)? != process);
    Ok(())
}

async fn its_health_is_told(target: Target) -> Result<()> {
    let mut scene = Scene::with(target, |options, _| {
        options.first_health_check = Duration::from_millis(20);
        options.health_interval = Duration::from_millis(20);
    })
    .await?;
    scene.provide("p", json!({})).await?;
    let check = json!({ "host_id": scene.host.id().as_str(), "provider_id": "p" });
    for kind in [
        "health_check_passed",
        "health_check_status",
        "health_check_status",
    ] {
        let event = scene.rig.events.next().await?;
        ensure!(
            event.kind == kind && event.data == check,
            "{event:?} instead of {kind}"
        );
    }
    Ok(())
}

async fn it_is_started_again_with_what_is_known_by_then(target: Target) -> Result<()> {
    let mut scene = Scene::start(target).await?;
    scene.provide("p", json!({ "a": "1" })).await?;
    let first = scene.report("p").await?;
    let client = &scene.rig.client;
    client.ok("config.put.linked", &json!({ "bucket": "x" })).await?;
    let link = json!({
        "source_id": "caller", "target": "p", "name": "default", "wit_namespace": "wasi",
        "wit_package": "keyvalue", "interfaces": ["store"], "source_config": [], "target_config": ["linked"],
    });
    client.ok("link.put", &link).await?;
    client.ok("config.put.p", &json!({ "a": "2" })).await?;
    scene
        .report_when("p", "link", |report| {
            report["told"].as_array().is_some_and(|told| told.len() == 2)
        })
        .await?;
    kill(pid(&first)?)?;
    let check = json!({ "provider_id": "p" });
    scene.rig.events.wait("health_check_failed", &check).await?;
    scene.rig.events.wait("health_check_passed", &check).await?;
    let second = scene.report("p").await?;
    ensure!(pid(&second)? != pid(&first)?);
    let data = &second["host_data"];
    ensure!(data["config"] == json!({ "a": "2" }), "{data}");
    ensure!(data["instance_id"] != first["host_data"]["instance_id"], "{data}");
    let key = "provider_xkey_private_key";
    ensure!(
        data[key] != first["host_data"][key],
        "each process has a key of its own"
    );
    let links = &data["link_definitions"];
    ensure!(links[0]["target_config"] == json!({ "bucket": "x" }), "{links}");
    ensure!(links[0]["source_id"] == "caller" && links[1].is_null(), "{links}");
    ensure!(second["told"] == json!([]), "it was told what it knew: {second}");
    Ok(())
}

async fn another_image_of_the_same_name_is_another_program(target: Target) -> Result<()> {
    let mut scene = Scene::start(target).await?;
    scene.provide("p", json!({})).await?;
    scene.stop("p").await?;
    let script = b"#!/bin/sh\necho another one >&2\nexit 5\n".to_vec();
    scene.rig.file("test.par", &archive(Machine::here(), script)?)?;
    let why = scene.refused("p", json!({})).await?;
    ensure!(
        why.contains("exit status: 5") && why.contains("another one"),
        "{why}"
    );
    Ok(())
}

async fn it_goes_with_its_host(target: Target) -> Result<()> {
    let mut scene = Scene::start(target).await?;
    scene.provide("p", json!({})).await?;
    scene.provide("q", json!({})).await?;
    ensure!(scene.processes()?.len() == 2);
    scene.host.leave(&[], &[]).await;
    ensure!(
        scene.processes()?.is_empty(),
        "a host that has left leaves nothing behind"
    );
    until("end of subscriptions", async || {
        Ok(scene.report("p").await?.is_null())
    })
    .await
}
