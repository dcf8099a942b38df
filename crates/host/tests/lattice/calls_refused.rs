//! Calls from elsewhere that are wrong, too many, or come to nothing: their callers learn why, and nothing else happens.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use serde_json::{Value, json};
use wasmcloud_capability::{Caller, Invocation};
use wasmcloud_engine::call_export;
use wasmcloud_host::LatticeHost;
use wasmcloud_lattice::rpc::{self, Rpc, RpcError, RpcOptions};
use wasmcloud_lattice::{Connection, HeaderMap};
use wasmcloud_test_kit::guests::guest;
use wasmcloud_test_kit::http;
use wasmcloud_wire::rpc::RpcErrorCode;

use crate::on_both_lattices;
use crate::support::{HTTP, Rig, Target, free_address, on, reference, scale, soon, until, web_link};

on_both_lattices!(
    malformed_parameters_are_said_to_be,
    garbage_on_every_subject_is_survived,
    two_sides_that_mean_different_types,
    a_component_of_a_thousand_exports,
    ten_thousand_calls_at_once,
    a_trap_in_the_middle_of_a_body_cuts_it,
    a_client_that_leaves_takes_its_call_along,
);

const MATH: &str = "test:calls/math@0.1.0";

/// Somebody in the lattice who calls.
pub(crate) struct Outsider {
    caller: rpc::Caller,
    rpc: Rpc,
}

impl Outsider {
    pub(crate) async fn new(rig: &Rig) -> Result<Self> {
        let mut options = rig.options();
        options.request_timeout = Duration::from_secs(10);
        let connection = Connection::connect(&options).await?;
        let rpc = Rpc::start(connection, RpcOptions::new("outsider")).await?;
        let caller = rpc::Caller::new(rpc.clone(), "default".parse()?, std::sync::Arc::new(|_| {}));
        Ok(Self { caller, rpc })
    }

    pub(crate) async fn call(
        &self,
        target: &str,
        instance: &str,
        function: &str,
        params: Vec<u8>,
    ) -> Result<Vec<u8>, RpcError> {
        let request = rpc::Request {
            source: &"outsider".parse().unwrap(),
            link_name: "default",
            target: &target.parse().unwrap(),
            instance,
            function,
            depth: 0,
            deadline: tokio::time::Instant::now() + Duration::from_secs(60),
            signature: None,
            headers: HeaderMap::new(),
            params: params.into(),
        };
        let call = self.caller.call(request).await?;
        Ok(call.results().await?.to_vec())
    }
}

async fn run(rig: &mut Rig, host: &LatticeHost, id: &str, image: &str, limits: Value) -> Result<()> {
    let mut body = scale(host, id, image, 1000);
    body["component_limits"] = limits;
    rig.client.ok(&on("component.scale", host), &body).await?;
    let fields = json!({ "component_id": id, "host_id": host.id().as_str() });
    rig.events.wait("component_scaled", &fields).await?;
    Ok(())
}

fn callee() -> Result<String> {
    Ok(reference(&guest("callee")?))
}

async fn malformed_parameters_are_said_to_be(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    run(&mut rig, &host, "callee", &callee()?, Value::Null).await?;
    let outsider = Outsider::new(&rig).await?;
    // 1 + 2, then too few bytes, too many, and a number that is none.
    ensure!(outsider.call("callee", MATH, "add", vec![1, 2]).await? == [3]);
    for wrong in [vec![], vec![1], vec![1, 2, 3], vec![0xff; 12]] {
        let error = outsider
            .call("callee", MATH, "add", wrong.clone())
            .await
            .unwrap_err();
        ensure!(
            matches!(&error, RpcError::Failed(body) if body.code == RpcErrorCode::Malformed)
                && error
                    .to_string()
                    .contains("the parameters of its `add` are not of the type `func(u32, u32) -> u32`"),
            "{wrong:?}: {error:?}"
        );
    }
    for (instance, function) in [(MATH, "sub"), ("test:calls/nothing@0.1.0", "add")] {
        let error = outsider
            .call("callee", instance, function, vec![1, 2])
            .await
            .unwrap_err();
        ensure!(
            matches!(&error, RpcError::Failed(body) if body.code == RpcErrorCode::Mismatch)
                && error.to_string().contains("it does not export"),
            "{error:?}"
        );
    }
    Ok(())
}

async fn garbage_on_every_subject_is_survived(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    run(&mut rig, &host, "callee", &callee()?, Value::Null).await?;
    let outsider = Outsider::new(&rig).await?;
    let connection = outsider.rpc.connection();
    let mut seen = connection.subscribe("garbage.>").await?;
    let mut sent = 0;
    for tail in [
        "x",
        "a.b.c",
        "test:calls/math@0.1.0.add",
        "wrpc:http/incoming-handler@0.1.0.handle",
        "[method]a.b",
    ] {
        let subject = format!("default.callee.wrpc.0.0.1.{tail}");
        for size in [0, 1, 100, 100_000] {
            let mut headers = HeaderMap::new();
            for name in [
                "wasmcloud-deadline-ms",
                "wasmcloud-depth",
                "wasmcloud-window",
                "traceparent",
            ] {
                headers.insert(name, "-1 \u{fffd} 99999999999999999999");
            }
            headers.insert("wasmcloud-rpc", "1");
            let payload = vec![0xfe; size];
            let client = connection.client();
            client
                .publish_with_headers(subject.clone(), headers.clone(), payload.clone().into())
                .await?;
            let reply = format!("garbage.{sent}");
            client
                .publish_with_reply_and_headers(subject.clone(), reply, headers, payload.into())
                .await?;
            sent += 1;
        }
    }
    // Each that could be answered is.
    let mut answered = std::collections::BTreeSet::new();
    while answered.len() < sent {
        let message = soon("answer", seen.next()).await?.context("ended")?;
        let number = message.subject.split('.').nth(1).map(str::to_owned);
        answered.insert(number);
    }
    ensure!(outsider.call("callee", MATH, "add", vec![1, 2]).await? == [3]);
    until("end of all calls", async || {
        let inventory = host.host().inventory();
        Ok(inventory
            .components
            .iter()
            .all(|component| component.running == 0))
    })
    .await
}

/// A component that calls `add` as if it had other types.
const MISTAKEN: &str = r#"(component
    (import "test:calls/math@0.1.0" (instance $math
        (export "add" (func (param "a" u64) (param "b" u64) (result u64)))))
    (core func $add (canon lower (func $math "add")))
    (core module $m
        (import "" "add" (func $add (param i64 i64) (result i64)))
        (func (export "run") (result i64) (call $add (i64.const 1) (i64.const 2))))
    (core instance $i (instantiate $m (with "" (instance (export "add" (func $add))))))
    (func $run (result u64) (canon lift (core func $i "run")))
    (instance $driver (export "run" (func $run)))
    (export "test:calls/mistaken@0.1.0" (instance $driver)))"#;

async fn two_sides_that_mean_different_types(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let (here, there) = (rig.host(|_, _| {}).await?, rig.host(|_, _| {}).await?);
    let mistaken = rig.file("mistaken.wasm", &wat::parse_str(MISTAKEN)?)?;
    rig.run(&here, "mistaken", &mistaken).await?;
    let link = json!({
        "source_id": "mistaken", "target": "callee", "name": "default", "wit_namespace": "test",
        "wit_package": "calls", "interfaces": ["math"], "source_config": [], "target_config": [],
    });
    rig.client.ok("link.put", &link).await?;
    until("link", async || Ok(!here.host().links().is_empty())).await?;
    let ask = async || {
        let target = here.host().target(&"mistaken".parse().unwrap()).unwrap().get()?;
        let mut results = [wasmtime::component::Val::Bool(false)];
        let invocation = Invocation::new(Caller::Host, Duration::from_secs(60));
        call_export(
            &target,
            invocation,
            "test:calls/mistaken@0.1.0",
            "run",
            &[],
            &mut results,
        )
        .await?;
        anyhow::Ok(())
    };
    let both = |error: &str| {
        error.contains("it imports `add` of `test:calls/math@0.1.0` as `func(u64, u64) -> u64`")
            && error.contains("`func(u32, u32) -> u32`")
            && error.contains("`callee`")
    };
    rig.run(&there, "callee", &callee()?).await?;
    let elsewhere = ask().await.unwrap_err().to_string();
    ensure!(both(&elsewhere), "{elsewhere}");
    rig.run(&here, "callee", &callee()?).await?;
    let local = ask().await.unwrap_err().to_string();
    ensure!(both(&local), "{local}");
    Ok(())
}

async fn a_component_of_a_thousand_exports(target: Target) -> Result<()> {
    let mut text = String::from("(component (core module $m");
    for n in 0..1000 {
        write!(text, r#"(func (export "f{n}") (result i32) (i32.const {n}))"#)?;
    }
    text.push_str(") (core instance $i (instantiate $m))");
    for n in 0..1000 {
        write!(
            text,
            r#"(func $f{n} (result u32) (canon lift (core func $i "f{n}")))"#
        )?;
    }
    text.push_str("(instance $all");
    for n in 0..1000 {
        write!(text, r#"(export "f{n}" (func $f{n}))"#)?;
    }
    text.push_str(r#") (export "test:many/functions@1.0.0" (instance $all)))"#);
    let (mut rig, host) = Rig::with_host(target).await?;
    let image = rig.file("many.wasm", &wat::parse_str(&text)?)?;
    run(&mut rig, &host, "many", &image, Value::Null).await?;
    let outsider = Outsider::new(&rig).await?;
    let interface = "test:many/functions@1.0.0";
    for (n, bytes) in [(0, vec![0]), (127, vec![127]), (999, vec![0xe7, 0x07])] {
        ensure!(
            outsider
                .call("many", interface, &format!("f{n}"), Vec::new())
                .await?
                == bytes
        );
    }
    Ok(())
}

async fn ten_thousand_calls_at_once(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    run(&mut rig, &host, "callee", &callee()?, json!({ "queue": "20000" })).await?;
    let outsider = std::sync::Arc::new(Outsider::new(&rig).await?);
    let calls = (0..10_000_u32).map(|n| {
        let outsider = std::sync::Arc::clone(&outsider);
        tokio::spawn(async move {
            let n = (n % 64) as u8;
            let sum = outsider.call("callee", MATH, "add", vec![n, 1]).await?;
            ensure!(sum == [n + 1], "{n} + 1 is {sum:?}");
            Ok(())
        })
    });
    let mut outcomes = BTreeMap::<String, u32>::new();
    for call in calls.collect::<Vec<_>>() {
        let outcome: Result<()> = soon("call", call).await??;
        let outcome = outcome.map_or_else(|error| error.to_string(), |()| "ok".to_owned());
        *outcomes.entry(outcome).or_default() += 1;
    }
    ensure!(
        outcomes == BTreeMap::from([("ok".to_owned(), 10_000)]),
        "{outcomes:?}"
    );
    ensure!(outsider.rpc.calls() == 0 && outsider.rpc.unread() == 0);
    Ok(())
}

/// A host that listens, and one that runs a component with the bad habits of its guest.
async fn misbehaving(target: Target) -> Result<(Rig, LatticeHost, LatticeHost, std::net::SocketAddr)> {
    let mut rig = Rig::start(target).await?;
    let (front, back) = (rig.host(|_, _| {}).await?, rig.host(|_, _| {}).await?);
    let address = free_address()?;
    rig.provide(&front, "http", HTTP).await?;
    let config = json!({ "address": address.to_string() });
    rig.client.ok("config.put.web", &config).await?;
    rig.client.ok("link.put", &web_link("web")).await?;
    until("listener", async || {
        Ok(front.host().listening().await.contains(&address))
    })
    .await?;
    let image = reference(&guest("http_misbehave")?);
    run(&mut rig, &back, "web", &image, Value::Null).await?;
    Ok((rig, front, back, address))
}

async fn a_trap_in_the_middle_of_a_body_cuts_it(target: Target) -> Result<()> {
    let (_rig, _front, _back, address) = misbehaving(target).await?;
    let asked = tokio::task::spawn_blocking(move || http::get(address, "/trap-after-head"));
    let response = soon("answer", asked).await???;
    // Either nothing of it was sent yet, then it is a 500, or it ends without the last chunk.
    ensure!(response.status == 500 || !response.complete, "{response:?}");
    Ok(())
}

async fn a_client_that_leaves_takes_its_call_along(target: Target) -> Result<()> {
    let (_rig, _front, back, address) = misbehaving(target).await?;
    let asked = tokio::task::spawn_blocking(move || {
        let mut connection = http::Connection::open(address)?;
        connection.request("GET", "/endless-body", &[], b"")?;
        ensure!(connection.head()?.status == 200);
        connection.bytes(100_000)?;
        Ok(())
    });
    soon("head", asked).await???;
    until("end of the call", async || {
        let inventory = back.host().inventory();
        Ok(inventory
            .components
            .iter()
            .all(|component| component.running == 0))
    })
    .await
}
