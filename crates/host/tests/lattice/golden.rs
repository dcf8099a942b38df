//! Every kind of value between a component here and one on v1, with what was recorded between two of v1
//! (`values.jsonl`): each side is played by its recording once.

#[path = "../../../wire/tests/golden/calls.rs"]
#[expect(dead_code, reason = "the tests of the codec look at more of a recording")]
mod recording;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use wasmcloud_capability::{Caller, Invocation};
use wasmcloud_engine::{CallError, call_export};
use wasmcloud_host::LatticeHost;
use wasmcloud_lattice::Connection;
use wasmcloud_test_kit::guests::guest;
use wasmcloud_wire::rpc::{InboxPath, IndexPath};
use wasmtime::component::Val;

use self::recording::{Recorded, calls};
use crate::on_both_lattices;
use crate::support::{Rig, Target, reference, until};
use crate::v1_peer::{answer_as_v1, call_as_v1, component, serve_as_v1};

on_both_lattices!(
    a_caller_of_v1_gets_what_it_got_from_v1,
    a_callee_of_v1_is_asked_what_v1_asked_it,
);

const INSTANCE: &str = "golden:types/all@1.2.3";
const DRIVER: &str = "test:golden/driver@0.1.0";

/// The recorded calls of the interface.
fn recorded() -> Result<Vec<Recorded>> {
    let mut all = calls("values");
    all.retain(|call| {
        call.subject
            .instance
            .as_ref()
            .is_some_and(|instance| instance.as_str() == INSTANCE)
    });
    ensure!(all.len() == 18, "{} calls", all.len());
    Ok(all)
}

fn params(call: &Recorded) -> Vec<Bytes> {
    pieces(call, InboxPath::Params(IndexPath::ROOT))
}

/// The messages on a path.
fn pieces(call: &Recorded, path: InboxPath) -> Vec<Bytes> {
    call.pieces(path).into_iter().map(Bytes::from).collect()
}

/// The function that was called.
fn function(call: &Recorded) -> &str {
    call.subject.function.as_str()
}

async fn a_caller_of_v1_gets_what_it_got_from_v1(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    rig.run(&host, "callee", &reference(&guest("golden_callee")?))
        .await?;
    let v1 = Connection::connect(&rig.options()).await?;
    for call in recorded()? {
        let mut pieces = params(&call);
        if pieces.is_empty() {
            pieces.push(Bytes::new());
        }
        let results = call_as_v1(&v1, &call.subject.to_string(), component("caller"), &pieces).await?;
        let expected = match function(&call) {
            // v1 cannot read its own -32768 and ended the call; what is right comes back as it went.
            "ints" => call.params(),
            _ => call.results(),
        };
        ensure!(
            results == expected,
            "{}: {results:?} is not {expected:?}",
            call.place
        );
    }
    let inventory = host.host().inventory();
    let callee = inventory.components.first().context("the callee")?;
    // All but the one that traps, which v1 cannot tell from success.
    ensure!((callee.invocations, callee.errors) == (18, 1), "{callee:?}");
    Ok(())
}

/// The pages of the recorded component, each with the number of its calls and with what it said.
fn pages() -> Result<Vec<(&'static str, usize, String)>> {
    let calls = recorded()?;
    let mut rest = calls.as_slice();
    let mut pages = Vec::new();
    for (page, number) in [
        ("ints", 1),
        ("floats", 1),
        ("text", 1),
        ("rec", 1),
        ("shapes", 1),
        ("opt", 2),
        ("res", 2),
        ("nothing", 1),
        ("fails", 1),
        ("flagged", 1),
        ("bytes", 1),
        ("nested", 3),
        ("traps", 1),
        ("big", 1),
    ] {
        let (these, others) = rest.split_at_checked(number).context("more calls")?;
        let said = these
            .iter()
            .find_map(|call| call.got.clone())
            .context("an answer")?;
        pages.push((page, number, said));
        rest = others;
    }
    ensure!(rest.is_empty());
    Ok(pages)
}

async fn a_callee_of_v1_is_asked_what_v1_asked_it(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let v1 = Connection::connect(&rig.options()).await?;
    let mut heard = serve_as_v1(&v1, "callee").await?;
    rig.run(&host, "caller", &reference(&guest("golden_caller")?))
        .await?;
    rig.client.ok("link.put", &link()).await?;
    until("link", async || Ok(!host.host().links().is_empty())).await?;
    let mut calls = recorded()?.into_iter();
    for (page, number, said) in pages()? {
        let these: Vec<Recorded> = calls.by_ref().take(number).collect();
        let answer = async {
            for call in &these {
                let results = pieces(call, InboxPath::Results(IndexPath::ROOT));
                let asked = answer_as_v1(&v1, &mut heard, &results).await?;
                let place = &call.place;
                ensure!(
                    asked.subject == call.subject.to_string(),
                    "{place}: {}",
                    asked.subject
                );
                for (name, value) in &call.headers {
                    let sent = asked.header(name);
                    ensure!(sent == Some(value.as_str()), "{place}: {name}: {sent:?}");
                }
                ensure!(asked.params == call.params(), "{place}: {:?}", asked.params);
            }
            anyhow::Ok(())
        };
        let (run, answered) = tokio::join!(run(&host, page), answer);
        answered.with_context(|| format!("page {page}"))?;
        match (page, run) {
            ("ints", Err(error)) => {
                let text = error.to_string();
                ensure!(text.contains("ended the call without results"), "{text}");
            }
            (_, run) => {
                let run = run?;
                ensure!(run == said, "{page}: {run} is not {said}");
            }
        }
    }
    Ok(())
}

fn link() -> Value {
    json!({
        "source_id": "caller", "target": "callee", "name": "default", "wit_namespace": "golden",
        "wit_package": "types", "interfaces": ["all"], "source_config": [], "target_config": [],
    })
}

/// Has the caller do the calls of a page, and answers what it says.
async fn run(host: &LatticeHost, page: &str) -> Result<String, CallError> {
    let target = host.host().target(&"caller".parse().unwrap()).unwrap();
    let prepared = target.get()?;
    let mut results = [Val::Bool(false)];
    let params = [Val::String(page.to_owned())];
    let invocation = Invocation::new(Caller::Host, Duration::from_secs(60));
    call_export(&prepared, invocation, DRIVER, "run", &params, &mut results).await?;
    match results {
        [Val::String(said)] => Ok(said),
        [other] => Ok(format!("{other:?}")),
    }
}
