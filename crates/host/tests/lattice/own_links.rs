//! Links that a revision has for its own: under which names it finds them, when it may start, and how long they are needed.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wasmcloud_host::LatticeHost;
use wasmcloud_test_kit::guests::{example, guest};

use crate::keyvalue::{count, counter_on, link};
use crate::on_both_lattices;
use crate::support::{MEMORY, Rig, Target, hello, on, reference, scale, until};

on_both_lattices!(
    two_revisions_call_over_links_of_their_own,
    a_revision_without_one_of_its_links_takes_no_calls,
    links_are_needed_until_the_last_call_has_ended,
);

/// What the links of a revision end in.
const SUFFIX: &str = "1a2b3c4d";

/// The link of the counter that is of one revision alone.
fn own_link(target: &str) -> Value {
    let mut link = link("counter");
    link["name"] = format!("default-{SUFFIX}").into();
    link["target"] = target.into();
    link
}

/// The counter as a revision with links of its own.
fn own(host: &LatticeHost, weight: Option<u8>) -> Result<Value> {
    let image = reference(&example("http-keyvalue-counter", "http_keyvalue_counter")?);
    let mut body = scale(host, "counter", &image, 10);
    body["link_suffix"] = SUFFIX.into();
    body["weight"] = weight.into();
    Ok(body)
}

async fn scaled(rig: &mut Rig, host: &LatticeHost, body: &Value) -> Result<()> {
    rig.client.ok(&on("component.scale", host), body).await?;
    let fields = json!({ "component_id": body["component_id"] });
    rig.events.wait("component_scaled", &fields).await?;
    Ok(())
}

async fn two_revisions_call_over_links_of_their_own(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let address = counter_on(&mut rig, &host).await?;
    for store in ["kv", "other"] {
        rig.provide(&host, store, MEMORY).await?;
    }
    ensure!(count(address).await?.1 == "Counter c1: 1\n");
    rig.client.ok("link.put", &own_link("other")).await?;
    host.caught_up().await?;
    scaled(&mut rig, &host, &own(&host, Some(50))?).await?;
    let mut answers = BTreeMap::<String, usize>::new();
    for _ in 0..10 {
        *answers.entry(count(address).await?.1).or_default() += 1;
    }
    // Each store counted five of them: one from 2 on, the other from 1.
    let number = |number: usize| format!("Counter c1: {number}\n");
    let expected = (1..=6).map(|at| (number(at), if (2..=5).contains(&at) { 2 } else { 1 }));
    ensure!(answers == expected.collect(), "{answers:?}");
    let component = rig.inventory(&host).await?["components"][0].clone();
    ensure!(
        component["link_suffix"].is_null() && component["candidate"]["link_suffix"] == SUFFIX,
        "{component}"
    );

    // What takes over keeps its links, and does without those that go.
    scaled(&mut rig, &host, &own(&host, None)?).await?;
    let mut gone = json!({
        "source_id": "counter", "name": "default", "wit_namespace": "wasi", "wit_package": "keyvalue",
    });
    rig.client.ok("link.del", &gone).await?;
    until("one link", async || Ok(host.host().links().len() == 2)).await?;
    for expected in [6, 7] {
        ensure!(count(address).await?.1 == number(expected));
    }
    // It has the common one for what it has none of its own for. That store has counted six.
    rig.client.ok("link.put", &link("counter")).await?;
    gone["name"] = own_link("other")["name"].clone();
    rig.client.ok("link.del", &gone).await?;
    until("the common link", async || {
        Ok(count(address).await?.1 == number(7))
    })
    .await
}

async fn a_revision_without_one_of_its_links_takes_no_calls(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let address = counter_on(&mut rig, &host).await?;
    rig.provide(&host, "kv", MEMORY).await?;
    rig.client
        .ok("config.put.odd", &json!({ "nonsense": "x" }))
        .await?;
    let mut odd = own_link("kv");
    odd["target_config"] = json!(["odd"]);
    rig.client.ok("link.put", &odd).await?;
    // The link may come before its config, and is refused for the lack of that until then.
    host.caught_up().await?;
    rig.client
        .ok(&on("component.scale", &host), &own(&host, Some(50))?)
        .await?;
    let failed = rig
        .events
        .wait("component_scale_failed", &json!({ "component_id": "counter" }))
        .await?;
    let why = failed.data["error"].as_str().context("a reason")?;
    let names =
        format!("its link counter -(wasi:keyvalue, default-{SUFFIX})-> is not in effect on this host");
    ensure!(why.contains(&names) && why.contains("nonsense"), "{why}");
    for expected in 1..=4 {
        ensure!(count(address).await?.1 == format!("Counter c1: {expected}\n"));
    }
    rig.client.ok("link.put", &own_link("kv")).await?;
    host.caught_up().await?;
    scaled(&mut rig, &host, &own(&host, Some(50))?).await
}

async fn links_are_needed_until_the_last_call_has_ended(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let address = rig.serve_hello(&host).await?;
    let mut body = scale(&host, "hello", &reference(&guest("http_misbehave")?), 1);
    body["allow_update"] = true.into();
    body["link_suffix"] = SUFFIX.into();
    scaled(&mut rig, &host, &body).await?;
    let leaving = async |rig: &Rig| -> Result<Value> {
        let component = rig.inventory(&host).await?["components"][0].clone();
        Ok(component["leaving_link_suffixes"].clone())
    };
    // A call that ends when its client goes on.
    let mut client = TcpStream::connect(address)?;
    client.set_read_timeout(Some(Duration::from_secs(30)))?;
    client
        .write_all(b"POST /upload HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\na")?;
    until("a call", async || {
        let component = rig.inventory(&host).await?["components"][0].clone();
        Ok(component["load"]["running"] == 1)
    })
    .await?;
    ensure!(leaving(&rig).await?.is_null());
    let mut next = scale(&host, "hello", &hello()?, 1);
    next["allow_update"] = true.into();
    scaled(&mut rig, &host, &next).await?;
    let before = rig.inventory(&host).await?;
    ensure!(leaving(&rig).await? == json!([SUFFIX]), "{before}");
    client.write_all(b"b")?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    until("nobody leaves", async || Ok(leaving(&rig).await?.is_null())).await?;
    let after = rig.inventory(&host).await?;
    ensure!(before["inventory_revision"] != after["inventory_revision"]);
    Ok(())
}
