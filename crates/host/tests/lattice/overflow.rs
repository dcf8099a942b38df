//! A target that runs here and has no free slot: its calls go to a host that has one, and wait in line here if none has.
//!
//! "Here" is the host of the caller, and both hosts give the callee one slot.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wasmcloud_core::Route;
use wasmcloud_engine::CallError;
use wasmcloud_host::LatticeHost;
use wasmcloud_lattice::Connection;
use wasmcloud_test_kit::guests::guest;
use wasmcloud_test_kit::http;
use wasmtime::component::Val;

use crate::calls::{LONG, answered, drive, link, linked};
use crate::on_both_lattices;
use crate::support::{HTTP, Rig, Target, free_address, on, reference, scale, soon, until, web_link};

on_both_lattices!(
    calls_that_find_no_slot_go_to_who_has_one,
    many_calls_at_once_are_shared,
    a_local_route_waits_in_line,
    who_is_alone_asks_rarely,
    who_finds_everybody_full_waits_in_line,
    requests_that_find_no_slot_go_to_who_has_one,
);

/// Most attempts of one call to find somebody.
const LOOKS: usize = 8;

/// The caller runs on both hosts and the callee nowhere.
async fn two_hosts(target: Target, route: Route) -> Result<(Rig, LatticeHost, LatticeHost)> {
    let mut rig = Rig::start(target).await?;
    let (here, there) = (rig.host(|_, _| {}).await?, rig.host(|_, _| {}).await?);
    for host in [&here, &there] {
        run(&mut rig, host, "caller", 100).await?;
    }
    rig.client.ok("link.put", &link(Some(route.name()))).await?;
    for host in [&here, &there] {
        linked(host, |link| link.route == route).await?;
    }
    Ok((rig, here, there))
}

async fn run(rig: &mut Rig, host: &LatticeHost, id: &str, slots: u32) -> Result<()> {
    let body = scale(host, id, &reference(&guest(id)?), slots);
    rig.client.ok(&on("component.scale", host), &body).await?;
    let fields = json!({ "component_id": id, "host_id": host.id().as_str() });
    rig.events.wait("component_scaled", &fields).await?;
    Ok(())
}

/// Calls that run and calls that wait in line.
fn in_use(host: &LatticeHost, id: &str) -> Result<(u32, u32)> {
    let target = host.host().target(&id.parse()?).context("a target")?;
    Ok(target.get()?.in_use())
}

/// Takes the only slot of the callee, until it is let go.
async fn hold(host: &LatticeHost) -> Result<Held> {
    let call = {
        let host = host.clone();
        tokio::spawn(async move { drive(&host, "run-spin", &[], LONG).await.map(|_| ()) })
    };
    let held = Held(call);
    until("call that holds the slot", async || {
        Ok(in_use(host, "callee")?.0 == 1)
    })
    .await?;
    Ok(held)
}

struct Held(JoinHandle<Result<(), CallError>>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn add(host: &LatticeHost, times: u32, time: Duration) -> Result<(), CallError> {
    drive(host, "run-add", &[Val::U32(times)], time).await.map(|_| ())
}

fn adding(host: &LatticeHost) -> JoinHandle<Result<(), CallError>> {
    let host = host.clone();
    tokio::spawn(async move { add(&host, 1, LONG).await })
}

/// Calls until one is answered by the other host: the server, which picks who gets a call by chance, may pick the host of
/// the caller each time, and then the call waits in line.
async fn found(here: &LatticeHost, there: &LatticeHost) -> Result<()> {
    until("call elsewhere", async || {
        // Whether it ran out of time here does not matter.
        add(here, 1, Duration::from_millis(500)).await.ok();
        Ok(answered(there, "callee").0 > 0)
    })
    .await
}

async fn calls_that_find_no_slot_go_to_who_has_one(target: Target) -> Result<()> {
    let (mut rig, here, there) = two_hosts(target, Route::Auto).await?;
    run(&mut rig, &here, "callee", 1).await?;
    let held = hold(&here).await?;
    run(&mut rig, &there, "callee", 1).await?;
    found(&here, &there).await?;
    let before = answered(&there, "callee").0;
    add(&here, 50, LONG).await?;
    ensure!(answered(&there, "callee") == (before + 50, 0));
    let metrics = overflowed(&here);
    ensure!(metrics >= before + 50, "{metrics} after {before}");
    // In the bytes of a function of another form, and back here as soon as there is a slot.
    let text = Val::String("grüße".to_owned());
    drive(&here, "run-echo", &[Val::U32(3), text], LONG).await?;
    ensure!(answered(&there, "callee") == (before + 53, 0));
    drop(held);
    until("free slot", async || Ok(in_use(&here, "callee")? == (0, 0))).await?;
    add(&here, 5, LONG).await?;
    ensure!(answered(&there, "callee") == (before + 53, 0));
    Ok(())
}

fn overflowed(host: &LatticeHost) -> u64 {
    let target = host.host().target(&"callee".parse().unwrap()).unwrap();
    target.get().unwrap().stats().snapshot().overflowed
}

async fn many_calls_at_once_are_shared(target: Target) -> Result<()> {
    let (mut rig, here, there) = two_hosts(target, Route::Auto).await?;
    for host in [&here, &there] {
        run(&mut rig, host, "callee", 1).await?;
    }
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let here = here.clone();
            tokio::spawn(async move {
                let mut times = 0;
                // Each of them has to come to itself again, for the sum to be right.
                while times < 2_000 {
                    add(&here, 20, LONG).await?;
                    times += 20;
                }
                Ok::<_, CallError>(())
            })
        })
        .collect();
    for call in calls {
        soon("calls", call).await???;
    }
    let (local, remote) = (answered(&here, "callee"), answered(&there, "callee"));
    ensure!(
        local.0 + remote.0 == 32_000 && (local.1, remote.1) == (0, 0),
        "{local:?} and {remote:?}"
    );
    ensure!(remote.0 > 0, "all {} calls were answered here", local.0);
    Ok(())
}

async fn a_local_route_waits_in_line(target: Target) -> Result<()> {
    let (mut rig, here, there) = two_hosts(target, Route::Local).await?;
    for host in [&here, &there] {
        run(&mut rig, host, "callee", 1).await?;
    }
    let held = hold(&here).await?;
    let calls: Vec<_> = (0..10).map(|_| adding(&here)).collect();
    until("line", async || Ok(in_use(&here, "callee")?.1 == 10)).await?;
    drop(held);
    for call in calls {
        soon("call", call).await???;
    }
    ensure!(answered(&there, "callee").0 == 0);
    ensure!(overflowed(&here) == 0);
    Ok(())
}

async fn who_is_alone_asks_rarely(target: Target) -> Result<()> {
    let (mut rig, here, _there) = two_hosts(target, Route::Auto).await?;
    run(&mut rig, &here, "callee", 1).await?;
    let watcher = Connection::connect(&rig.options()).await?;
    let mut seen = watcher.subscribe("default.callee.wrpc.0.0.1.>").await?;
    watcher.barrier(watcher.default_deadline()).await?;
    let held = hold(&here).await?;
    let mut calls: Vec<_> = (0..20).map(|_| adding(&here)).collect();
    // Until one has looked for the second time.
    let mut looks = Vec::new();
    let began = Instant::now();
    while looks.len() <= LOOKS {
        ensure!(began.elapsed() < LONG, "{looks:?}");
        match tokio::time::timeout(Duration::from_millis(20), seen.next()).await {
            Ok(message) => {
                message.context("ended")?;
                looks.push(began.elapsed());
            }
            Err(_) => calls.push(adding(&here)),
        }
    }
    // A second, and what the watcher was late for the first.
    let pause = looks[LOOKS] - looks[0];
    ensure!(pause > Duration::from_millis(500), "{looks:?}");
    drop(held);
    for call in calls {
        soon("call", call).await???;
    }
    Ok(())
}

async fn who_finds_everybody_full_waits_in_line(target: Target) -> Result<()> {
    let (mut rig, here, there) = two_hosts(target, Route::Auto).await?;
    for host in [&here, &there] {
        run(&mut rig, host, "callee", 1).await?;
    }
    let held = [hold(&here).await?, hold(&there).await?];
    let calls: Vec<_> = (0..10).map(|_| adding(&here)).collect();
    until("line", async || {
        // Nobody takes a place in the other line, not even for a moment.
        ensure!(in_use(&there, "callee")? == (1, 0));
        Ok(in_use(&here, "callee")?.1 == 10)
    })
    .await?;
    let [first, second] = held;
    drop(first);
    for call in calls {
        soon("call", call).await???;
    }
    drop(second);
    ensure!(answered(&here, "callee").0 >= 10);
    ensure!(overflowed(&here) == 0);
    Ok(())
}

async fn requests_that_find_no_slot_go_to_who_has_one(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let (here, there) = (rig.host(|_, _| {}).await?, rig.host(|_, _| {}).await?);
    let image = reference(&guest("http_misbehave")?);
    rig.run(&here, "web", &image).await?;
    rig.provide(&here, "http", HTTP).await?;
    let address = free_address()?;
    let config = json!({ "address": address.to_string() });
    rig.client.ok("config.put.web", &config).await?;
    rig.client.ok("link.put", &web_link("web")).await?;
    until("listener", async || {
        Ok(here.host().listening().await.contains(&address))
    })
    .await?;
    let mut holds = tokio::task::spawn_blocking(move || {
        let mut connection = http::Connection::open(address)?;
        connection.request("GET", "/endless-body", &[], b"")?;
        ensure!(connection.head()?.status == 200);
        anyhow::Ok(connection)
    })
    .await??;
    ensure!(in_use(&here, "web")? == (1, 0));
    rig.run(&there, "web", &image).await?;
    let ask = async |body: &'static [u8], limit: Duration| -> Result<http::Response> {
        let asked = tokio::task::spawn_blocking(move || {
            let mut connection = http::Connection::within(address, limit)?;
            connection.request("POST", "/echo", &[], body)?;
            connection.response("POST")
        });
        soon("answer", asked).await??
    };
    // As in `found`.
    until("request elsewhere", async || {
        ask(b"", Duration::from_millis(500)).await.ok();
        Ok(answered(&there, "web").0 > 0)
    })
    .await?;
    let before = answered(&there, "web").0;
    for _ in 0..20 {
        let response = ask(b"a body that is sent along", LONG).await?.expect(200)?;
        ensure!(response.body == b"a body that is sent along", "{response:?}");
    }
    until("end of the calls", async || {
        Ok(answered(&there, "web").0 == before + 20)
    })
    .await?;
    // The one that holds the slot was not disturbed.
    ensure!(holds.bytes(100_000)?.len() == 100_000);
    drop(holds);
    until("free slot", async || Ok(in_use(&here, "web")? == (0, 0))).await?;
    ask(b"here", LONG).await?.expect(200)?;
    ensure!(answered(&there, "web").0 == before + 20);
    Ok(())
}
