//! Calls from one host to another: a component here, a component there, a link between them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wasmcloud_capability::{Caller, Invocation};
use wasmcloud_engine::{CallError, call_export};
use wasmcloud_host::LatticeHost;
use wasmcloud_test_kit::guests::guest;
use wasmtime::component::Val;

use crate::on_both_lattices;
use crate::support::{Rig, Target, on, reference, scale, soon, until};

on_both_lattices!(
    a_component_calls_one_on_another_host,
    local_first_and_anywhere_second,
    nobody_runs_it,
    a_trap_elsewhere_is_an_error_with_its_reason,
    what_takes_too_long_elsewhere_is_ended_there,
    a_busy_host_sends_its_callers_on,
    a_host_that_leaves_loses_no_call,
    long_values_travel,
    bytes_travel_in_every_form,
);

const DRIVER: &str = "test:calls/driver@0.1.0";

pub(crate) fn link(route: Option<&str>) -> Value {
    let mut link = json!({
        "source_id": "caller", "target": "callee", "name": "default", "wit_namespace": "test",
        "wit_package": "calls", "interfaces": ["math"], "source_config": [], "target_config": [],
    });
    if let Some(route) = route {
        link["route"] = route.into();
    }
    link
}

/// A lattice with two hosts, the caller on the first.
async fn two_hosts(target: Target) -> Result<(Rig, LatticeHost, LatticeHost)> {
    let mut rig = Rig::start(target).await?;
    let (here, there) = (rig.host(|_, _| {}).await?, rig.host(|_, _| {}).await?);
    let many = scale(&here, "caller", &caller()?, 100);
    rig.client.ok(&on("component.scale", &here), &many).await?;
    rig.events
        .wait("component_scaled", &json!({ "component_id": "caller" }))
        .await?;
    rig.client.ok("link.put", &link(None)).await?;
    linked(&here, |_| true).await?;
    Ok((rig, here, there))
}

fn caller() -> Result<String> {
    Ok(reference(&guest("caller")?))
}

fn callee() -> Result<String> {
    Ok(reference(&guest("callee")?))
}

/// Waits until a host knows the link.
pub(crate) async fn linked(host: &LatticeHost, is: impl Fn(&wasmcloud_core::Link) -> bool) -> Result<()> {
    until("link", async || Ok(host.host().links().iter().any(&is))).await
}

/// Has the caller call, and answers what its driver returned.
pub(crate) async fn drive(
    host: &LatticeHost,
    function: &str,
    params: &[Val],
    time: Duration,
) -> Result<Option<Val>, CallError> {
    let target = host.host().target(&"caller".parse().unwrap()).unwrap();
    let prepared = target.get()?;
    let mut results = match function {
        "run-fail" | "run-spin" | "run-forms" => Vec::new(),
        _ => vec![Val::Bool(false)],
    };
    let invocation = Invocation::new(Caller::Host, time);
    call_export(&prepared, invocation, DRIVER, function, params, &mut results).await?;
    Ok(results.pop())
}

async fn add(host: &LatticeHost, times: u32) -> Result<()> {
    drive(host, "run-add", &[Val::U32(times)], LONG).await?;
    Ok(())
}

pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The number of calls that a component on a host has answered, and how many of them failed.
pub(crate) fn answered(host: &LatticeHost, id: &str) -> (u64, u64) {
    let inventory = host.host().inventory();
    let of = inventory
        .components
        .iter()
        .find(|component| component.id.as_str() == id);
    of.map_or((0, 0), |component| (component.invocations, component.errors))
}

async fn a_component_calls_one_on_another_host(target: Target) -> Result<()> {
    let (mut rig, here, there) = two_hosts(target).await?;
    rig.run(&there, "callee", &callee()?).await?;
    add(&here, 10).await?;
    ensure!(
        answered(&there, "callee") == (10, 0),
        "{:?}",
        answered(&there, "callee")
    );
    let text = Val::String("grüße, 🌍".to_owned());
    drive(&here, "run-echo", &[Val::U32(3), text], LONG).await?;
    Ok(())
}

async fn local_first_and_anywhere_second(target: Target) -> Result<()> {
    let (mut rig, here, there) = two_hosts(target).await?;
    rig.run(&there, "callee", &callee()?).await?;
    add(&here, 5).await?;
    rig.run(&here, "callee", &callee()?).await?;
    add(&here, 5).await?;
    let counts = (answered(&here, "callee").0, answered(&there, "callee").0);
    ensure!(counts == (5, 5), "{counts:?}");
    // The knob is turned while both run.
    rig.client.ok("link.put", &link(Some("lattice"))).await?;
    linked(&here, |link| link.route == wasmcloud_core::Route::Lattice).await?;
    add(&here, 40).await?;
    let there_now = answered(&there, "callee").0;
    ensure!(there_now > 5, "none of 40 calls went to the other host");
    rig.client.ok("link.put", &link(Some("local"))).await?;
    linked(&here, |link| link.route == wasmcloud_core::Route::Local).await?;
    rig.client
        .ok(
            &on("component.scale", &here),
            &scale(&here, "callee", &callee()?, 0),
        )
        .await?;
    // It is not listed any more while it still answers those who are sent to it; this is told at the end.
    let stopped = json!({ "component_id": "callee", "host_id": here.id().as_str(), "max_instances": 0 });
    rig.events.wait("component_scaled", &stopped).await?;
    let error = add(&here, 1).await.unwrap_err().to_string();
    ensure!(error.contains("does not run on this host"), "{error}");
    ensure!(answered(&there, "callee").0 == there_now);
    Ok(())
}

async fn nobody_runs_it(target: Target) -> Result<()> {
    let (_rig, here, _there) = two_hosts(target).await?;
    let began = tokio::time::Instant::now();
    let error = add(&here, 1).await.unwrap_err().to_string();
    // Generous, for a busy machine; the pauses add up to 75 ms.
    ensure!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    ensure!(
        error.contains("component `callee`: no host of the lattice runs it; hint: `wash get inventory`"),
        "{error}"
    );
    Ok(())
}

async fn a_trap_elsewhere_is_an_error_with_its_reason(target: Target) -> Result<()> {
    let (mut rig, here, there) = two_hosts(target).await?;
    rig.run(&there, "callee", &callee()?).await?;
    // A function without results: on v1 its trap looks like success.
    let error = drive(&here, "run-fail", &[], LONG).await.unwrap_err().to_string();
    let expected = format!(
        "component `caller` trapped: component `callee`: trapped: wasm trap: wasm `unreachable` instruction executed (on host {})",
        there.id().as_str()
    );
    ensure!(error == expected, "{error}");
    ensure!(answered(&there, "callee") == (1, 1));
    Ok(())
}

async fn what_takes_too_long_elsewhere_is_ended_there(target: Target) -> Result<()> {
    let (mut rig, here, there) = two_hosts(target).await?;
    rig.run(&there, "callee", &callee()?).await?;
    // Enough for the call to arrive also where the machine is busy.
    let error = drive(&here, "run-spin", &[], Duration::from_secs(2))
        .await
        .unwrap_err();
    ensure!(matches!(error, CallError::Deadline { .. }), "{error}");
    // The deadline travelled: the other host ends it by itself.
    until("end of the callee's call", async || {
        Ok(answered(&there, "callee") == (1, 1))
    })
    .await
}

async fn a_busy_host_sends_its_callers_on(target: Target) -> Result<()> {
    let (mut rig, here, busy) = two_hosts(target).await?;
    let free = rig.host(|_, _| {}).await?;
    let mut small = scale(&busy, "callee", &callee()?, 1);
    small["component_limits"] = json!({ "queue": "0" });
    rig.client.ok(&on("component.scale", &busy), &small).await?;
    rig.events
        .wait("component_scaled", &json!({ "component_id": "callee" }))
        .await?;
    // One call keeps the only instance of the one host.
    let spinning = {
        let here = here.clone();
        tokio::spawn(async move { drive(&here, "run-spin", &[], Duration::from_secs(20)).await })
    };
    until("call that spins", async || {
        let inventory = busy.host().inventory();
        Ok(inventory
            .components
            .iter()
            .any(|component| component.running == 1))
    })
    .await?;
    rig.run(&free, "callee", &callee()?).await?;
    add(&here, 50).await?;
    ensure!(
        answered(&free, "callee").0 == 50,
        "{:?}",
        answered(&free, "callee")
    );
    spinning.abort();
    Ok(())
}

async fn a_host_that_leaves_loses_no_call(target: Target) -> Result<()> {
    let (mut rig, here, stays) = two_hosts(target).await?;
    let leaves = rig.host(|_, _| {}).await?;
    for host in [&stays, &leaves] {
        rig.run(host, "callee", &callee()?).await?;
    }
    let calls = {
        let here = here.clone();
        tokio::spawn(async move {
            let mut times = 0;
            while times < 3_000 {
                add(&here, 10).await?;
                times += 10;
            }
            Ok::<_, anyhow::Error>(())
        })
    };
    until("calls on the host that leaves", async || {
        Ok(answered(&leaves, "callee").0 > 50)
    })
    .await?;
    leaves.leave(&[], &[]).await;
    soon("all calls", calls).await???;
    Ok(())
}

async fn long_values_travel(target: Target) -> Result<()> {
    let (mut rig, here, there) = two_hosts(target).await?;
    rig.run(&there, "callee", &callee()?).await?;
    for size in [0_u32, 100, 70_000, 16 << 20] {
        let params = [Val::U32(1), Val::U32(size)];
        drive(&here, "run-echo-bytes", &params, LONG)
            .await
            .with_context(|| format!("{size} bytes"))?;
    }
    Ok(())
}

/// A call that carries bytes has code of its own for the common forms, in this process and to others.
async fn bytes_travel_in_every_form(target: Target) -> Result<()> {
    let (mut rig, here, there) = two_hosts(target).await?;
    let mut link = link(None);
    link["interfaces"] = json!(["math", "bytes"]);
    rig.client.ok("link.put", &link).await?;
    linked(&here, |link| link.interfaces.len() == 2).await?;
    for callee_on in [&there, &here] {
        rig.run(callee_on, "callee", &callee()?).await?;
        for size in [0_u32, 1_000, 200_000] {
            drive(&here, "run-forms", &[Val::U32(size)], LONG)
                .await
                .with_context(|| format!("{size} bytes"))?;
        }
    }
    Ok(())
}
