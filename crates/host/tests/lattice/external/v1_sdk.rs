//! A provider that was built with the published SDK of v1 and has never heard of us (`tests/interop/provider-v1`). What
//! it was told stands in its diary, which is a bucket of it, and a file.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wasmcloud_artifacts::par::Target as Machine;
use wasmcloud_cap_keyvalue::{BucketName, Increment, Key, Store as _};
use wasmcloud_lattice::Connection;
use wasmcloud_test_kit::guests::guest;
use wasmcloud_test_nats::interop;
use wasmcloud_wire::rpc::Payload;
use wasmcloud_wire::rpc::messaging::{BrokerMessage, Request};

use super::{Scene, archive, is_gone, kill};
use crate::keyvalue::{count, counter_on, link, store_by};
use crate::messaging::{self, message};
use crate::on_both_lattices;
use crate::support::{Target, reference, until};
use crate::v1_peer::{call_as_v1, component};

on_both_lattices!(
    it_serves_and_is_told_of_links_and_config,
    it_is_well_and_comes_back_after_a_crash,
    it_ends_by_itself_when_it_is_stopped,
    it_calls_a_component_and_is_called_back,
    a_link_that_goes_and_comes_back_at_once_is_there,
);

/// A lattice with a host, and the archive of the provider.
async fn scene(target: Target) -> Result<Scene> {
    let mut scene = Scene::with(target, |options, _| {
        options.first_health_check = Duration::from_millis(20);
        options.health_interval = Duration::from_millis(200);
    })
    .await?;
    let program = std::fs::read(interop("provider-v1")?)?;
    scene.image = scene.rig.file("v1.par", &archive(Machine::here(), program)?)?;
    Ok(scene)
}

/// A link of the counter with this config.
fn linked(name: &str, config: &str) -> Value {
    let mut link = link("counter");
    link["name"] = name.into();
    link["target_config"] = json!([config]);
    link
}

fn by_key(name: &str) -> Value {
    json!({ "source_id": "counter", "name": name, "wit_namespace": "wasi", "wit_package": "keyvalue" })
}

/// What the diary says of a link.
fn received(name: &str, config: Value) -> Value {
    json!({
        "source": "counter", "target": "kv", "name": name, "interfaces": "wasi:keyvalue/store,atomics,batch",
        "config": config, "secrets": {},
    })
}

/// Waits until the diary of the provider has these lines.
async fn reads(scene: &Scene, lines: &[Value]) -> Result<()> {
    let store = store_by(&scene.rig, "counter", "default").await?;
    let (bucket, key) = (BucketName::new("diary")?, Key::new("all")?);
    let mut last = Value::Null;
    until("lines in the diary", async || {
        let text = store.get(&bucket, &key).await?.context("a diary")?;
        last = serde_json::from_slice(&text)?;
        Ok(last == json!(lines))
    })
    .await
    .with_context(|| format!("the diary is {last}, not {}", json!(lines)))
}

/// Counts up over a link of the counter.
async fn increment(scene: &Scene, name: &str) -> Result<u64> {
    let store = store_by(&scene.rig, "counter", name).await?;
    let (bucket, key) = (BucketName::new("b")?, Key::new("k")?);
    Ok(store
        .increment(&bucket, key, Increment::unsigned(1))
        .await?
        .try_into()?)
}

async fn it_serves_and_is_told_of_links_and_config(target: Target) -> Result<()> {
    let mut scene = scene(target).await?;
    let host = scene.host.clone();
    let address = counter_on(&mut scene.rig, &host).await?;
    let client = scene.rig.client.clone();
    client.ok("config.put.forty", &json!({ "first": "40" })).await?;
    client.ok("config.put.six", &json!({ "first": "6" })).await?;
    client.ok("link.put", &linked("default", "forty")).await?;
    scene.provide("kv", json!({ "a": "1" })).await?;
    // A link that was there at the start.
    let mut diary = vec![
        json!({ "init": "kv", "config": { "a": "1" }, "secrets": {} }),
        received("default", json!({ "first": "40" })),
    ];
    reads(&scene, &diary).await?;
    for expected in ["Counter c1: 41\n", "Counter c1: 42\n"] {
        let answer = count(address).await?;
        ensure!(answer == (200, expected.to_owned()), "{answer:?}");
    }
    // The SDK takes no notice of a link that it has, whatever its config is now. Another name is another link.
    client.ok("config.put.forty", &json!({ "first": "50" })).await?;
    client.ok("link.put", &linked("other", "six")).await?;
    diary.push(received("other", json!({ "first": "6" })));
    reads(&scene, &diary).await?;
    let numbers = (
        increment(&scene, "other").await?,
        increment(&scene, "default").await?,
    );
    ensure!(numbers == (7, 41), "{numbers:?}");

    client.ok("config.put.kv", &json!({ "a": "2" })).await?;
    diary.push(json!({ "config": { "a": "2" } }));
    reads(&scene, &diary).await?;

    client.ok("link.del", &by_key("default")).await?;
    diary.push(json!({ "deleted": "counter", "name": "default" }));
    reads(&scene, &diary).await?;
    let error = increment(&scene, "default").await.unwrap_err().to_string();
    ensure!(
        error == "`counter` is not linked by the name `default`",
        "{error}"
    );
    let (status, text) = count(address).await?;
    ensure!(status == 500, "{text}");

    client.ok("link.put", &linked("default", "six")).await?;
    diary.push(received("default", json!({ "first": "6" })));
    reads(&scene, &diary).await?;
    let answer = count(address).await?;
    ensure!(answer == (200, "Counter c1: 7\n".to_owned()), "{answer:?}");
    Ok(())
}

async fn it_is_well_and_comes_back_after_a_crash(target: Target) -> Result<()> {
    let mut scene = scene(target).await?;
    let host = scene.host.clone();
    let address = counter_on(&mut scene.rig, &host).await?;
    scene.provide("kv", json!({})).await?;
    let check = json!({ "host_id": host.id().as_str(), "provider_id": "kv" });
    scene.rig.events.wait("health_check_passed", &check).await?;
    scene.rig.events.wait("health_check_status", &check).await?;
    ensure!(count(address).await?.1 == "Counter c1: 1\n");
    let processes = scene.processes()?;
    ensure!(processes.len() == 1, "{processes:?}");
    kill(processes[0])?;
    scene.rig.events.wait("health_check_failed", &check).await?;
    scene.rig.events.wait("health_check_passed", &check).await?;
    // It has forgotten its numbers, and knows its link.
    let answer = count(address).await?;
    ensure!(answer == (200, "Counter c1: 1\n".to_owned()), "{answer:?}");
    Ok(())
}

async fn it_ends_by_itself_when_it_is_stopped(target: Target) -> Result<()> {
    let mut scene = scene(target).await?;
    let host = scene.host.clone();
    let address = counter_on(&mut scene.rig, &host).await?;
    let file = scene.rig.path("diary.json");
    scene.provide("kv", json!({ "diary": file })).await?;
    ensure!(count(address).await?.0 == 200);
    let processes = scene.processes()?;
    scene.stop("kv").await?;
    ensure!(processes.len() == 1 && is_gone(processes[0]), "{processes:?}");
    let mut diary: Vec<Value> = serde_json::from_slice(&std::fs::read(&file)?)?;
    // The SDK asks a provider twice to shut down if its own tasks come to their ends in another order.
    diary.dedup();
    let last = diary.get(2..).unwrap_or_default();
    ensure!(
        last == [json!({ "shutdown": true }), json!({ "ended": 1 })],
        "{diary:?}"
    );
    let (status, text) = count(address).await?;
    ensure!(
        status == 500 && text.contains("key-value provider `kv`: no host of the lattice runs it"),
        "{text}"
    );
    let inventory = scene.rig.inventory(&host).await?;
    ensure!(inventory["providers"][1].is_null(), "{inventory}");
    Ok(())
}

/// Asks over the provider, as a component of v1 does.
async fn ask(v1: &Connection, subject: &str) -> Result<Result<BrokerMessage, String>> {
    let asked = "default.kv.wrpc.0.0.1.wasmcloud:messaging/consumer@0.2.0.request";
    let request = Request {
        subject: subject.to_owned(),
        body: b"abc".to_vec(),
        timeout_ms: 200,
    };
    let results = call_as_v1(v1, asked, component("tester"), &[request.to_bytes().into()]).await?;
    Ok(Payload::from_bytes(&results)?)
}

async fn it_calls_a_component_and_is_called_back(target: Target) -> Result<()> {
    let mut scene = scene(target).await?;
    let (host, client) = (scene.host.clone(), scene.rig.client.clone());
    let image = reference(&guest("messenger")?);
    scene.rig.run(&host, "messenger", &image).await?;
    client
        .ok("config.put.greet", &json!({ "subscription": "greet" }))
        .await?;
    let mut there = messaging::link("kv", "messenger", "handler");
    there["source_config"] = json!(["greet"]);
    client
        .ok("link.put", &messaging::link("messenger", "kv", "consumer"))
        .await?;
    scene.provide("kv", json!({})).await?;
    client.ok("link.put", &there).await?;
    let received = |source: &str, target: &str, interfaces: &str, config: Value| {
        json!({
            "source": source, "target": target, "name": "default", "interfaces": interfaces, "config": config,
            "secrets": {},
        })
    };
    let subscribed = json!({ "subscription": "greet" });
    let mut diary = vec![
        json!({ "init": "kv", "config": {}, "secrets": {} }),
        received("messenger", "kv", "wasmcloud:messaging/consumer", json!({})),
        received("kv", "messenger", "wasmcloud:messaging/handler", subscribed),
    ];
    reads(&scene, &diary).await?;
    // The provider hands the component the question, and the component sends the provider the answer meanwhile.
    let v1 = Connection::connect(&scene.rig.options()).await?;
    let answer = ask(&v1, "greet").await?;
    ensure!(answer == Ok(message("inbox.1", b"cba", None)), "{answer:?}");
    diary.extend([
        json!({ "by": "tester", "link": "default", "called": { "request": "greet" } }),
        json!({ "by": "messenger", "link": "default", "called": { "publish": "inbox.1" } }),
    ]);
    reads(&scene, &diary).await?;

    let key = json!({
        "source_id": "kv", "name": "default", "wit_namespace": "wasmcloud", "wit_package": "messaging",
    });
    client.ok("link.del", &key).await?;
    diary.push(json!({ "deleted to": "messenger", "name": "default" }));
    reads(&scene, &diary).await?;
    let answer = ask(&v1, "greet").await?;
    ensure!(answer == Err("no answer within 200ms".to_owned()), "{answer:?}");
    Ok(())
}

async fn a_link_that_goes_and_comes_back_at_once_is_there(target: Target) -> Result<()> {
    let mut scene = scene(target).await?;
    let client = scene.rig.client.clone();
    client.ok("config.put.six", &json!({ "first": "6" })).await?;
    client.ok("link.put", &linked("default", "six")).await?;
    scene.provide("kv", json!({})).await?;
    for round in 1..=20 {
        client.ok("link.del", &by_key("default")).await?;
        client.ok("link.put", &linked("default", "six")).await?;
        let mut last = Ok(0);
        until("link", async || {
            last = increment(&scene, "default").await;
            Ok(last.as_ref().is_ok_and(|number| *number == 7))
        })
        .await
        .with_context(|| format!("round {round}: {last:?}"))?;
    }
    Ok(())
}
