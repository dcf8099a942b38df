//! The policy service decides what is called: from elsewhere, by a neighbour on the same host, and over HTTP (wire
//! reference §2.7).

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::Instant;
use wasmcloud_host::LatticeHost;
use wasmcloud_lattice::rpc::RpcError;
use wasmcloud_test_kit::guests::guest;
use wasmcloud_test_kit::process::SOON;
use wasmcloud_wire::rpc::RpcErrorCode;

use crate::calls::{LONG, answered, drive, link, linked};
use crate::calls_refused::Outsider;
use crate::on_both_lattices;
use crate::policy::{Service, host};
use crate::support::{Rig, Target, page, reference, soon, until};
use crate::v1_peer::{call_as_v1, component};

on_both_lattices!(
    each_function_is_asked_about_once,
    a_denied_call_says_why_and_runs_nothing,
    a_neighbour_is_asked_about_too,
    a_request_over_http_is_asked_about_too,
    a_change_of_mind_counts_for_calls,
    silence_means_no_for_calls,
    a_slow_answer_is_waited_for,
    a_caller_of_v1_sees_its_call_fail,
);

const MATH: &str = "test:calls/math@0.1.0";

fn callee() -> Result<String> {
    Ok(reference(&guest("callee")?))
}

/// What was asked about a call, if it was about one.
fn called(asked: &Value) -> Option<&str> {
    (asked["kind"] == "performInvocation").then(|| asked["request"]["function"].as_str())?
}

/// Permits everything but the calls of one function.
fn all_but(function: &'static str) -> impl Fn(&Value) -> Option<Value> + Send + 'static {
    move |asked| {
        Some(match called(asked) == Some(function) {
            true => json!({ "permitted": false, "message": "not on a Sunday" }),
            false => json!({ "permitted": true }),
        })
    }
}

/// A host that asks, with a callee on it whose start was asked about.
async fn with_callee(rig: &mut Rig, service: &mut Service, timeout: Duration) -> Result<LatticeHost> {
    let host = host(rig, timeout).await?;
    rig.run(&host, "callee", &callee()?).await?;
    let asked = service.asked().await?;
    ensure!(asked["kind"] == "startComponent", "{asked}");
    Ok(host)
}

fn refusal(outcome: Result<Vec<u8>, RpcError>) -> Result<String> {
    match outcome {
        Err(RpcError::Failed(body)) if body.code == RpcErrorCode::Denied => Ok(body.message),
        other => anyhow::bail!("{other:?} instead of a denial"),
    }
}

async fn each_function_is_asked_about_once(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, all_but("nothing")).await?;
    let host = with_callee(&mut rig, &mut service, SOON).await?;
    let outsider = Outsider::new(&rig).await?;
    // Those who come together share the question.
    let add = || outsider.call("callee", MATH, "add", vec![1, 2]);
    for outcome in futures::future::join_all((0..50).map(|_| add())).await {
        ensure!(outcome? == [3]);
    }
    let asked = service.asked().await?;
    let expected = json!({
        "requestId": asked["requestId"], "kind": "performInvocation", "version": "v1",
        "request": {
            "interface": MATH, "function": "add",
            "target": {
                "componentId": "callee", "imageRef": callee()?, "maxInstances": 0, "annotations": {},
                "claims": null,
            },
        },
        "host": {
            "publicKey": host.id().as_str(), "lattice": "default", "labels": host.identity().labels(),
        },
    });
    ensure!(asked == expected, "{asked} is not {expected}");
    // However a caller writes the version, and whatever it asks for that is not there.
    outsider
        .call("callee", "test:calls/math@0.1.7", "add", vec![1, 2])
        .await
        .ok();
    outsider
        .call("callee", MATH, "nothing", vec![])
        .await
        .unwrap_err();
    service.nothing_more()?;
    outsider.call("callee", MATH, "echo", vec![1, b'a']).await?;
    let asked = service.asked().await?;
    ensure!(called(&asked) == Some("echo"), "{asked}");
    Ok(())
}

async fn a_denied_call_says_why_and_runs_nothing(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, all_but("add")).await?;
    let there = with_callee(&mut rig, &mut service, SOON).await?;
    let outsider = Outsider::new(&rig).await?;
    let add = || outsider.call("callee", MATH, "add", vec![1, 2]);
    let text = refusal(add().await)?;
    let asked = service.asked().await?;
    let request = asked["requestId"].as_str().context("an id")?;
    let expected = format!(
        "component `callee`: policy denied request to invoke component `{request}`: `not on a Sunday`"
    );
    ensure!(text == expected, "{text}");
    // No host can do what this one may not, so nobody is asked twice.
    ensure!(refusal(add().await)? == expected);
    service.nothing_more()?;
    ensure!(
        answered(&there, "callee") == (0, 0),
        "{:?}",
        answered(&there, "callee")
    );
    outsider.call("callee", MATH, "echo", vec![1, b'a']).await?;

    // A component that calls learns the same. Its own host asks nobody.
    let here = rig.host(|_, _| {}).await?;
    rig.run(&here, "caller", &reference(&guest("caller")?)).await?;
    rig.client.ok("link.put", &link(None)).await?;
    linked(&here, |_| true).await?;
    let error = drive(&here, "run-add", &[wasmtime::component::Val::U32(1)], LONG)
        .await
        .unwrap_err()
        .to_string();
    ensure!(
        error.contains(&expected) && error.contains(there.id().as_str()),
        "{error}"
    );
    ensure!(answered(&there, "callee").0 == 1);
    Ok(())
}

async fn a_neighbour_is_asked_about_too(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, all_but("add")).await?;
    let host = with_callee(&mut rig, &mut service, SOON).await?;
    rig.run(&host, "caller", &reference(&guest("caller")?)).await?;
    rig.client.ok("link.put", &link(None)).await?;
    linked(&host, |_| true).await?;
    let add = || drive(&host, "run-add", &[wasmtime::component::Val::U32(3)], LONG);
    let error = add().await.unwrap_err().to_string();
    ensure!(
        error.contains("policy denied request to invoke component"),
        "{error}"
    );
    ensure!(answered(&host, "callee") == (0, 0));
    // The start of the caller, its driver, and what that calls.
    for kind in ["startComponent", "performInvocation"] {
        let asked = service.asked().await?;
        ensure!(asked["kind"] == kind, "{asked}");
    }
    let asked = service.asked().await?;
    ensure!(called(&asked) == Some("add"), "{asked}");
    change(&rig, &asked, true).await?;
    until("the change", async || Ok(add().await.is_ok())).await?;
    ensure!(answered(&host, "callee") == (3, 0));
    service.nothing_more()
}

async fn a_request_over_http_is_asked_about_too(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, all_but("handle")).await?;
    let host = host(&mut rig, SOON).await?;
    let address = rig.serve_hello(&host).await?;
    let response = page(address).await?;
    ensure!(response.status == 403, "{response:?}");
    // Why is not for the world.
    ensure!(
        response
            .text()
            .starts_with("a policy does not allow this, error id "),
        "{response:?}"
    );
    let asked = loop {
        let asked = service.asked().await?;
        if asked["kind"] == "performInvocation" {
            break asked;
        }
    };
    ensure!(
        asked["request"]["interface"] == "wasi:http/incoming-handler",
        "{asked}"
    );

    // The same question for what arrives at a host without the component.
    let elsewhere = rig.host(|_, _| {}).await?;
    let front = crate::support::free_address()?;
    rig.provide(&elsewhere, "front", crate::support::HTTP).await?;
    let config = json!({ "address": front.to_string() });
    rig.client.ok("config.put.front", &config).await?;
    let mut web = crate::support::web_link("hello");
    (web["source_id"], web["source_config"]) = ("front".into(), json!(["front"]));
    rig.client.ok("link.put", &web).await?;
    let response = crate::support::answers(&elsewhere, front).await?;
    ensure!(response.status == 403, "{response:?}");
    ensure!(answered(&host, "hello").0 == 0);

    change(&rig, &asked, true).await?;
    for address in [address, front] {
        until("the change", async || Ok(page(address).await?.status == 200)).await?;
    }
    service.nothing_more()
}

/// Changes an answer.
async fn change(rig: &Rig, asked: &Value, permitted: bool) -> Result<()> {
    let change = json!({ "requestId": asked["requestId"], "permitted": permitted });
    let connection = rig.client.connection();
    connection
        .publish("policy.changes", None, change.to_string().into())
        .await?;
    Ok(())
}

async fn a_change_of_mind_counts_for_calls(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, all_but("add")).await?;
    let _host = with_callee(&mut rig, &mut service, SOON).await?;
    let outsider = Outsider::new(&rig).await?;
    let add = || outsider.call("callee", MATH, "add", vec![1, 2]);
    refusal(add().await)?;
    let asked = service.asked().await?;
    for permitted in [true, false, true] {
        change(&rig, &asked, permitted).await?;
        until("the change", async || Ok(add().await.is_ok() == permitted)).await?;
    }
    service.nothing_more()
}

async fn silence_means_no_for_calls(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, |asked| {
        // A service that knows of starts only.
        called(asked).is_none().then(|| json!({ "permitted": true }))
    })
    .await?;
    // Longer than a host lets a call wait before it says that it may come back.
    let host = with_callee(&mut rig, &mut service, Duration::from_millis(500)).await?;
    let outsider = Outsider::new(&rig).await?;
    let began = Instant::now();
    let text = refusal(outsider.call("callee", MATH, "add", vec![1, 2]).await)?;
    ensure!(began.elapsed() < SOON, "{:?}", began.elapsed());
    ensure!(
        text.starts_with("component `callee`: the policy service does not answer, which means no"),
        "{text}"
    );
    ensure!(answered(&host, "callee") == (0, 0));
    // Silence is no answer that holds.
    service.asked().await?;
    until("another question", async || {
        refusal(outsider.call("callee", MATH, "add", vec![1, 2]).await)?;
        Ok(service.asked_already())
    })
    .await
}

async fn a_slow_answer_is_waited_for(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let connection = rig.client.connection().clone();
    let mut questions = connection.subscribe("policy").await?;
    connection.barrier(Instant::now() + SOON).await?;
    let host = host(&mut rig, SOON).await?;
    let answer = async |question: wasmcloud_lattice::Message| {
        let reply = question.reply.context("a reply subject")?;
        let yes = json!({ "requestId": "some", "permitted": true });
        connection.publish(&reply, None, yes.to_string().into()).await?;
        anyhow::Ok(())
    };
    let (image, started) = (callee()?, async {
        answer(soon("start", questions.next()).await?.context("ended")?).await
    });
    let (ran, asked) = tokio::join!(rig.run(&host, "callee", &image), started);
    ran?;
    asked?;
    let outsider = Outsider::new(&rig).await?;
    let slow = async {
        let question = soon("question", questions.next()).await?.context("ended")?;
        // The caller has been told to come back, and has come back.
        until("two refusals", async || Ok(refused(&host) >= 2)).await?;
        answer(question).await
    };
    let (sum, answered) = tokio::join!(outsider.call("callee", MATH, "add", vec![1, 2]), slow);
    answered?;
    ensure!(sum? == [3]);
    Ok(())
}

fn refused(host: &LatticeHost) -> u64 {
    let target = host.host().target(&"callee".parse().unwrap()).unwrap();
    target.get().unwrap().stats().snapshot().refused
}

async fn a_caller_of_v1_sees_its_call_fail(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, all_but("add")).await?;
    let host = with_callee(&mut rig, &mut service, SOON).await?;
    let v1 = rig.client.connection();
    let call = async |function: &str, params: &'static [u8]| {
        let subject = format!("default.callee.wrpc.0.0.1.{MATH}.{function}");
        call_as_v1(v1, &subject, component("v1"), &[params.into()]).await
    };
    ensure!(call("add", &[1, 2]).await? == b"");
    ensure!(answered(&host, "callee") == (0, 0));
    ensure!(call("echo", &[1, b'a']).await? == [1, b'a']);
    Ok(())
}
