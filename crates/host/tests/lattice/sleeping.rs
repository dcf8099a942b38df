//! Components that nobody calls sleep, and the call that comes next wakes them: it waits, and does not fail.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use wasmcloud_host::LatticeHost;
use wasmcloud_test_kit::guests::guest;
use wasmtime::component::Val;

use crate::calls::{LONG, answered, drive, link, linked};
use crate::on_both_lattices;
use crate::support::{Rig, Target, hello, on, page, reference, scale, until};

on_both_lattices!(
    requests_wake_a_component,
    calls_wake_a_component,
    one_that_is_called_does_not_sleep,
    what_cannot_be_woken_says_why,
    a_revision_beside_one_that_sleeps_wakes_it,
    a_link_that_goes_meanwhile_keeps_nobody_asleep,
);

/// Runs a component that sleeps after a second.
async fn run(rig: &mut Rig, host: &LatticeHost, id: &str, image: &str) -> Result<()> {
    scaled(rig, host, id, image, |_| {}).await
}

async fn scaled(
    rig: &mut Rig,
    host: &LatticeHost,
    id: &str,
    image: &str,
    change: impl FnOnce(&mut Value),
) -> Result<()> {
    let mut body = scale(host, id, image, 10);
    body["component_limits"] = json!({ "idle": "1s" });
    change(&mut body);
    rig.client.ok(&on("component.scale", host), &body).await?;
    let fields = json!({ "component_id": id, "host_id": host.id().as_str() });
    rig.events.wait("component_scaled", &fields).await?;
    Ok(())
}

fn is_asleep(host: &LatticeHost, id: &str) -> bool {
    let inventory = host.host().inventory();
    let mut components = inventory.components.iter();
    components.any(|component| component.id.as_str() == id && component.asleep)
}

async fn asleep(host: &LatticeHost, id: &str) -> Result<()> {
    until("sleep", async || Ok(is_asleep(host, id))).await
}

async fn requests_wake_a_component(target: Target) -> Result<()> {
    let (mut rig, front) = Rig::with_host(target).await?;
    let back = rig.host(|_, _| {}).await?;
    let address = rig.serve_hello(&front).await?;
    // Here, and where the request has to go over the lattice.
    for host in [&front, &back] {
        if host.id() == back.id() {
            rig.client
                .ok(
                    &on("component.scale", &front),
                    &scale(&front, "hello", &hello()?, 0),
                )
                .await?;
        }
        run(&mut rig, host, "hello", &hello()?).await?;
        for _ in 0..2 {
            asleep(host, "hello").await?;
            let (before, _) = answered(host, "hello");
            let pages = (0..10).map(|_| page(address));
            for page in futures::future::try_join_all(pages).await? {
                ensure!(page.status == 200 && page.text().contains("Hello"), "{page:?}");
            }
            let (after, failed) = answered(host, "hello");
            ensure!((after - before, failed) == (10, 0));
            ensure!(!is_asleep(host, "hello"));
        }
    }
    let inventory = rig.inventory(&back).await?;
    let load = &inventory["components"][0]["load"];
    ensure!(
        load["ended"] == 20 && load["busy_us"].as_u64() > Some(0),
        "{inventory}"
    );
    asleep(&back, "hello").await?;
    let inventory = rig.inventory(&back).await?;
    ensure!(
        inventory["components"][0]["asleep"] == true && inventory["components"][0]["max_instances"] == 10,
        "{inventory}"
    );
    Ok(())
}

async fn calls_wake_a_component(target: Target) -> Result<()> {
    let (mut rig, here) = Rig::with_host(target).await?;
    rig.run(&here, "caller", &reference(&guest("caller")?)).await?;
    rig.client.ok("link.put", &link(None)).await?;
    linked(&here, |_| true).await?;
    let callee = reference(&guest("callee")?);
    let there = rig.host(|_, _| {}).await?;
    for host in [&there, &here] {
        run(&mut rig, host, "callee", &callee).await?;
        for _ in 0..2 {
            asleep(host, "callee").await?;
            let (before, _) = answered(host, "callee");
            drive(&here, "run-add", &[Val::U32(3)], LONG).await?;
            ensure!(answered(host, "callee") == (before + 3, 0));
        }
    }
    Ok(())
}

async fn one_that_is_called_does_not_sleep(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    rig.run(&host, "caller", &reference(&guest("caller")?)).await?;
    rig.client.ok("link.put", &link(None)).await?;
    linked(&host, |_| true).await?;
    run(&mut rig, &host, "callee", &reference(&guest("callee")?)).await?;
    // One call that takes longer than the time after which it would sleep.
    let time = Duration::from_millis(3_500);
    let long = drive(&host, "run-spin", &[], time);
    tokio::select! {
        ended = long => ensure!(ended.is_err(), "it spins until its deadline"),
        slept = asleep(&host, "callee") => bail!("it sleeps while it is called: {slept:?}"),
    }
    asleep(&host, "callee").await
}

async fn what_cannot_be_woken_says_why(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    // Without a cache, the image is what it is woken from.
    let host = rig.host(|options, _| options.engine.cache_dir = None).await?;
    rig.run(&host, "caller", &reference(&guest("caller")?)).await?;
    rig.client.ok("link.put", &link(None)).await?;
    linked(&host, |_| true).await?;
    let callee = std::fs::read(guest("callee")?)?;
    let image = rig.file("callee.wasm", &callee)?;
    run(&mut rig, &host, "callee", &image).await?;
    asleep(&host, "callee").await?;
    rig.file("callee.wasm", &std::fs::read(guest("caller")?)?)?;
    let failed = drive(&host, "run-add", &[Val::U32(1)], LONG).await;
    let error = failed.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(
        error.contains("it sleeps and cannot be woken") && error.contains("the image is another one"),
        "{error}"
    );
    // What stood in the way is gone, and nothing has to be started again.
    rig.file("callee.wasm", &callee)?;
    until("call", async || {
        Ok(drive(&host, "run-add", &[Val::U32(1)], LONG).await.is_ok())
    })
    .await
}

async fn a_revision_beside_one_that_sleeps_wakes_it(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let address = rig.serve_hello(&host).await?;
    run(&mut rig, &host, "hello", &hello()?).await?;
    asleep(&host, "hello").await?;
    let (before, _) = answered(&host, "hello");
    let other = |body: &mut Value| {
        body["component_limits"]["queue"] = "7".into();
        body["weight"] = 50.into();
    };
    scaled(&mut rig, &host, "hello", &hello()?, other).await?;
    ensure!(!is_asleep(&host, "hello"));
    for _ in 0..10 {
        page(address).await?;
    }
    let (after, _) = answered(&host, "hello");
    ensure!(after - before == 10, "{before} and {after}");
    let inventory = rig.inventory(&host).await?;
    ensure!(inventory["components"][0]["calls"] == 5, "{inventory}");
    Ok(())
}

/// A component that has to find its links when it starts goes on without one that goes later, asleep or not.
async fn a_link_that_goes_meanwhile_keeps_nobody_asleep(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let mut all = link(None);
    all["interfaces"] = json!(["math", "bytes"]);
    rig.client.ok("link.put", &all).await?;
    linked(&host, |_| true).await?;
    let strictly = |body: &mut Value| body["links_required"] = true.into();
    let caller = reference(&guest("caller")?);
    scaled(&mut rig, &host, "caller", &caller, strictly).await?;
    asleep(&host, "caller").await?;
    let key = json!({
        "source_id": "caller", "name": "default", "wit_namespace": "test", "wit_package": "calls",
    });
    rig.client.ok("link.del", &key).await?;
    until("the link to be gone", async || Ok(host.host().links().is_empty())).await?;
    let place = host.host().target(&"caller".parse()?).context("a place")?;
    place.choose_awake(None, |_| true).await?;
    ensure!(!is_asleep(&host, "caller"));
    Ok(())
}
