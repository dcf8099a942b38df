//! Components: scale and update (wire reference §2.4).

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wasmcloud_engine::Prepared;

use crate::on_both_lattices;
use crate::support::{HTTP, MEMORY, Rig, Target, hello, on, page, reference, scale, until};
use wasmcloud_test_kit::guests::example;

on_both_lattices!(
    a_component_is_scaled_up_and_down,
    another_number_of_instances_starts_nothing,
    another_image_needs_leave,
    images_that_cannot_run_are_told_with_their_causes,
    limits_travel,
    a_component_is_updated,
    what_a_component_reads_must_be_there,
    links_may_come_after_both_ends,
    config_reaches_a_component_while_it_runs,
);

async fn a_component_is_scaled_up_and_down(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let (image, subject) = (rig.nothing()?, on("component.scale", &host));
    let id = host.id().as_str();
    let told = |count: u32, annotations: Value| {
        json!({
            "annotations": annotations, "component_id": "a", "host_id": id, "image_ref": image,
            "max_instances": count,
        })
    };
    let mut body = scale(&host, "a", &image, 5);
    body["annotations"] = json!({ "k": "v" });
    let kept = json!({ "k": "v" });
    // Started, the same again, another number, and down again: each is told once.
    for count in [5, 5, 100, 1] {
        body["count"] = count.into();
        ensure!(rig.client.ok(&subject, &body).await? == (String::new(), Value::Null));
        let event = rig.events.next().await?;
        ensure!(
            event.kind == "component_scaled" && event.source == id,
            "{event:?}"
        );
        ensure!(event.data == told(count, kept.clone()), "{event:?}");
        let inventory = rig.inventory(&host).await?;
        let expected = json!([{
            "id": "a", "image_ref": image, "annotations": kept, "revision": 0, "max_instances": count, "limits": null,
        }]);
        ensure!(inventory["components"] == expected, "{inventory}");
    }
    // To nothing, by an image that does not exist: what ran is told.
    let nothing = scale(&host, "a", "file:///nowhere.wasm", 0);
    rig.client.ok(&subject, &nothing).await?;
    let event = rig.events.next().await?;
    ensure!(event.data == told(0, kept), "{event:?}");
    ensure!(rig.inventory(&host).await?["components"] == json!([]));
    // Nothing runs: told all the same, in the words of who asked.
    rig.client.ok(&subject, &nothing).await?;
    let event = rig.events.next().await?;
    ensure!(
        event.kind == "component_scaled" && event.data["max_instances"] == 0,
        "{event:?}"
    );
    ensure!(event.data["image_ref"] == "file:///nowhere.wasm", "{event:?}");
    Ok(())
}

/// Kept instances are there still, and calls that run are counted; where it is known to be the same revision, nobody
/// even looks at the image.
async fn another_number_of_instances_starts_nothing(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let image = rig.nothing()?;
    let bytes = std::fs::read(image.trim_start_matches("file://"))?;
    let goes = rig.file("goes.wasm", &bytes)?;
    for (id, image, revision) in [("a", &image, None), ("b", &goes, Some("1"))] {
        let mut code: Option<Arc<Prepared>> = None;
        for count in [1, 5, 2] {
            let mut body = scale(&host, id, image, count);
            if let Some(revision) = revision {
                body["annotations"] = json!({ "wasmcloud.dev/revision": revision });
            }
            rig.client.ok(&on("component.scale", &host), &body).await?;
            let event = rig.events.next().await?;
            ensure!(
                event.data["max_instances"] == count && event.kind == "component_scaled",
                "{event:?}"
            );
            let runs = host.host().target(&id.parse()?).context("a target")?.get()?;
            ensure!(
                code.as_ref().is_none_or(|code| Arc::ptr_eq(code, &runs)),
                "{id} {count}"
            );
            ensure!(runs.profile().concurrency() == count);
            code = Some(runs);
            if revision.is_some() && count == 1 {
                std::fs::remove_file(goes.trim_start_matches("file://"))?;
            }
        }
    }
    Ok(())
}

async fn another_image_needs_leave(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let (one, two) = (
        rig.nothing()?,
        rig.file("two.wasm", &wat::parse_str("(component (core module))")?)?,
    );
    let subject = on("component.scale", &host);
    rig.run(&host, "a", &one).await?;
    let (text, _) = rig.client.ok(&subject, &scale(&host, "a", &two, 7)).await?;
    let begins = format!(
        "Requested to scale existing component to a different image reference: {one} != {two}. The component will be \
         scaled but the image reference will not be updated"
    );
    ensure!(text.starts_with(&begins), "{text}");
    let event = rig.events.next().await?;
    ensure!(
        event.data["image_ref"] == one && event.data["max_instances"] == 7,
        "{event:?}"
    );
    ensure!(rig.inventory(&host).await?["components"][0]["image_ref"] == one);

    let mut leave = scale(&host, "a", &two, 3);
    leave["allow_update"] = true.into();
    ensure!(rig.client.ok(&subject, &leave).await?.0.is_empty());
    let event = rig.events.next().await?;
    ensure!(
        event.data["image_ref"] == two && event.data["max_instances"] == 3,
        "{event:?}"
    );
    ensure!(rig.inventory(&host).await?["components"][0]["image_ref"] == two);
    Ok(())
}

async fn images_that_cannot_run_are_told_with_their_causes(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let subject = on("component.scale", &host);
    let garbage = rig.file("garbage.wasm", b"garbage")?;
    let refused = crate::support::free_address()?;
    let cases = [
        ("file:///nowhere/none.wasm".to_owned(), "does not exist"),
        (garbage, "not WebAssembly"),
        (format!("{refused}/acme/cart:1"), "refused"),
    ];
    for (image, why) in cases {
        let body = scale(&host, "a", &image, 5);
        ensure!(rig.client.ok(&subject, &body).await? == (String::new(), Value::Null));
        let event = rig.events.next().await?;
        ensure!(event.kind == "component_scale_failed", "{event:?}");
        let error = event.data["error"].as_str().unwrap_or_default();
        ensure!(error.contains(why) && error.contains(": "), "{image}: {error}");
        let mut data = event.data.clone();
        data["error"] = Value::Null;
        let expected = json!({
            "annotations": {}, "component_id": "a", "error": null, "host_id": host.id().as_str(),
            "image_ref": image, "max_instances": 5,
        });
        ensure!(data == expected, "{data}");
        ensure!(rig.inventory(&host).await?["components"] == json!([]));
    }
    for bad in ["", "a b", "ftp://x/y"] {
        let why = rig.client.refused(&subject, &scale(&host, "a", bad, 1)).await?;
        ensure!(!why.is_empty(), "{bad}");
    }
    // What runs stays when what should take its place cannot.
    let image = rig.nothing()?;
    rig.run(&host, "a", &image).await?;
    let mut body = scale(&host, "a", "file:///nowhere/none.wasm", 5);
    body["allow_update"] = true.into();
    rig.client.ok(&subject, &body).await?;
    ensure!(rig.events.next().await?.kind == "component_scale_failed");
    ensure!(rig.inventory(&host).await?["components"][0]["image_ref"] == image);
    Ok(())
}

async fn limits_travel(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let (image, subject) = (rig.nothing()?, on("component.scale", &host));
    let mut body = scale(&host, "a", &image, 5);
    body["component_limits"] = json!({ "max_memory_limit": "67108864", "max_execution_time": "5" });
    rig.client.ok(&subject, &body).await?;
    rig.events.wait("component_scaled", &json!({})).await?;
    let inventory = rig.inventory(&host).await?;
    ensure!(
        inventory["components"][0]["limits"] == body["component_limits"],
        "{inventory}"
    );
    body["component_limits"] = json!({ "max_memory_limits": "1" });
    let why = rig.client.refused(&subject, &body).await?;
    ensure!(why.contains("did you mean `max_memory_limit`"), "{why}");
    Ok(())
}

async fn a_component_is_updated(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let (one, two) = (hello()?, reference(&example("http-router", "web")?));
    let address = rig.serve_hello(&host).await?;
    ensure!(page(address).await?.text().contains("Hello"));
    let subject = on("component.update", &host);
    let body = |id: &str, image: &str| json!({ "component_id": id, "host_id": host.id().as_str(), "new_component_ref": image });
    let why = rig.client.refused(&subject, &body("nobody", &two)).await?;
    ensure!(why == "component nobody not found", "{why}");
    let (text, _) = rig.client.ok(&subject, &body("hello", &one)).await?;
    ensure!(
        text == format!("component hello already updated to {one}"),
        "{text}"
    );
    let (text, _) = rig.client.ok(&subject, &body("hello", &two)).await?;
    ensure!(
        text == format!("component hello updating from {one} to {two}"),
        "{text}"
    );
    let new = rig
        .events
        .wait("component_scaled", &json!({ "image_ref": two }))
        .await?;
    ensure!(new.data["max_instances"] == 1, "{new:?}");
    let old = rig.events.next().await?;
    ensure!(
        old.kind == "component_scaled" && old.data["image_ref"] == one,
        "{old:?}"
    );
    ensure!(old.data["max_instances"] == 0, "{old:?}");
    ensure!(page(address).await?.expect(200)?.text().contains("<!doctype"));
    ensure!(rig.inventory(&host).await?["components"][0]["image_ref"] == two);
    Ok(())
}

async fn what_a_component_reads_must_be_there(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let (image, subject) = (rig.nothing()?, on("component.scale", &host));
    for (name, why) in [
        ("nowhere", "config `nowhere` does not exist"),
        ("SECRET_password", "has no secrets backend"),
    ] {
        let mut body = scale(&host, "a", &image, 1);
        body["config"] = json!([name]);
        rig.client.ok(&subject, &body).await?;
        let event = rig.events.next().await?;
        ensure!(event.kind == "component_scale_failed", "{event:?}");
        ensure!(
            event.data["error"].as_str().unwrap_or_default().contains(why),
            "{event:?}"
        );
    }
    Ok(())
}

async fn links_may_come_after_both_ends(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    // The counter imports a store that nobody answers yet, and a server with a page that nobody makes.
    rig.client
        .ok("config.put.greeting", &json!({ "prefix": "Counter" }))
        .await?;
    let counter = reference(&example("http-keyvalue-counter", "http_keyvalue_counter")?);
    let mut body = scale(&host, "counter", &counter, 10);
    body["config"] = json!(["greeting"]);
    rig.client.ok(&on("component.scale", &host), &body).await?;
    rig.events
        .wait("component_scaled", &json!({ "component_id": "counter" }))
        .await?;
    rig.provide(&host, "http", HTTP).await?;
    rig.provide(&host, "kv", MEMORY).await?;
    let address = crate::support::free_address()?;
    rig.client
        .ok("config.put.web", &json!({ "address": address.to_string() }))
        .await?;
    rig.client
        .ok("link.put", &crate::support::web_link("counter"))
        .await?;
    let without = crate::support::answers(&host, address).await?;
    ensure!(without.status == 500, "{without:?}");
    let mut store = link_to_store("counter", "kv");
    rig.client.ok("link.put", &store).await?;
    until("answer", async || Ok(page(address).await?.status == 200)).await?;
    ensure!(page(address).await?.text().starts_with("Counter"));

    // The store turns to another provider, and back to none.
    rig.provide(&host, "kv2", MEMORY).await?;
    let key = json!({
        "source_id": "counter", "name": "default", "wit_namespace": "wasi", "wit_package": "keyvalue",
    });
    rig.client.ok("link.del", &key).await?;
    until("failure", async || Ok(page(address).await?.status == 500)).await?;
    store["target"] = "kv2".into();
    rig.client.ok("link.put", &store).await?;
    until("answer", async || Ok(page(address).await?.status == 200)).await?;
    ensure!(rig.inventory(&host).await?["providers"].as_array().map(Vec::len) == Some(3));
    Ok(())
}

fn link_to_store(source: &str, target: &str) -> Value {
    json!({
        "source_id": source, "target": target, "name": "default", "wit_namespace": "wasi",
        "wit_package": "keyvalue", "interfaces": ["store", "atomics"], "source_config": [],
        "target_config": [],
    })
}

async fn config_reaches_a_component_while_it_runs(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    for (name, values) in [
        ("low", json!({ "prefix": "low", "x": "y" })),
        ("high", json!({ "prefix": "high" })),
    ] {
        rig.client.ok(&format!("config.put.{name}"), &values).await?;
    }
    let counter = reference(&example("http-keyvalue-counter", "http_keyvalue_counter")?);
    let mut body = scale(&host, "counter", &counter, 10);
    body["config"] = json!(["low", "high"]);
    rig.provide(&host, "http", HTTP).await?;
    rig.provide(&host, "kv", MEMORY).await?;
    rig.client.ok("link.put", &link_to_store("counter", "kv")).await?;
    let address = crate::support::free_address()?;
    rig.client
        .ok("config.put.web", &json!({ "address": address.to_string() }))
        .await?;
    rig.client
        .ok("link.put", &crate::support::web_link("counter"))
        .await?;
    rig.client.ok(&on("component.scale", &host), &body).await?;
    rig.events
        .wait("component_scaled", &json!({ "component_id": "counter" }))
        .await?;
    let begins = async |word: &str| {
        until(&format!("answer with {word}"), async || {
            let page = page(address).await?.expect(200)?;
            Ok(page.text().starts_with(word))
        })
        .await
    };
    begins("high").await?;
    rig.client
        .ok("config.put.high", &json!({ "prefix": "higher" }))
        .await?;
    begins("higher").await?;
    // One that goes leaves what the others say.
    rig.client.ok("config.del.high", &Value::Null).await?;
    begins("low").await?;
    // The server moves to another address while it serves.
    let elsewhere = crate::support::free_address()?;
    rig.client
        .ok("config.put.web", &json!({ "address": elsewhere.to_string() }))
        .await?;
    until("move", async || {
        let listening = host.host().listening().await;
        Ok(listening.contains(&elsewhere) && !listening.contains(&address))
    })
    .await?;
    page(elsewhere).await?.expect(200)?;
    Ok(())
}
