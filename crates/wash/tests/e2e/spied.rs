//! `wash spy`: what it sees of calls that are really made.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use wasmcloud_test_kit::guests::guest;
use wasmcloud_test_kit::process::{SOON, Wash};

use crate::support::Machine;

fn start(machine: &Machine, name: &str, id: &str) -> Result<()> {
    let file = guest(name)?.display().to_string();
    machine.value(&["start", "component", &file, id, "--max-instances", "10"])?;
    Ok(())
}

/// `wash spy` that listens.
fn spy(machine: &Machine, args: &[&str]) -> Result<Wash> {
    let spy = machine.launch(args)?.start()?;
    spy.wait_log(&["listening to calls"], SOON)?;
    Ok(spy)
}

fn get<'a>(event: &'a Value, name: &str) -> &'a Value {
    event.get(name).unwrap_or(&Value::Null)
}

#[test]
fn calls_and_answers_are_seen_with_their_values() -> Result<()> {
    let machine = Machine::start()?;
    start(&machine, "callee", "callee")?;
    let json_spy = spy(&machine, &["-o", "json", "spy", "callee", "--count", "2"])?;
    let text_spy = spy(&machine, &["spy", "callee", "--count", "1"])?;
    let half_spy = spy(&machine, &["spy", "callee", "--count", "2", "--no-results"])?;
    assert_eq!(
        machine.run(&["call", "callee", "add", "1", "300"])?.stdout,
        ["301"]
    );
    assert_eq!(machine.run(&["call", "callee", "fail"])?.code, 1);

    let ended = json_spy.wait_exit(SOON)?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    let events = ended.events();
    let [add, sum, fail, trap] = events.as_slice() else {
        panic!("{}", ended.text());
    };
    assert_eq!(get(add, "event"), "call");
    assert_eq!(
        (get(add, "from"), get(add, "to")),
        (&json!("wash"), &json!("callee"))
    );
    assert_eq!(get(add, "operation"), "test:calls/math@0.1.0.add");
    assert_eq!(get(add, "params"), &json!(["1", "300"]));
    assert_eq!(
        (get(sum, "event"), get(sum, "ok")),
        (&json!("result"), &json!(true))
    );
    assert_eq!(get(sum, "results"), &json!(["301"]));
    assert_eq!(get(sum, "call"), get(add, "call"));
    let hosts = machine.value(&["get", "hosts"])?;
    let id = hosts.pointer("/hosts/0/id").context("a host has an id")?;
    assert_eq!(get(sum, "host"), id);
    assert_eq!(get(fail, "params"), &json!([]));
    assert_eq!(trap.pointer("/error/code"), Some(&json!("trap")), "{trap}");

    let ended = text_spy.wait_exit(SOON)?;
    let [call, result] = ended.stdout.as_slice() else {
        panic!("{}", ended.text());
    };
    assert!(
        call.contains("wash -> callee  test:calls/math@0.1.0.add(1, 300)"),
        "{call}"
    );
    assert!(result.contains("wash <- callee  301  ("), "{result}");
    let ended = half_spy.wait_exit(SOON)?;
    assert!(
        ended.stdout.len() == 2 && !ended.text().contains("<-"),
        "{}",
        ended.text()
    );
    Ok(())
}

#[test]
fn calls_by_a_component_are_seen_where_asked_for() -> Result<()> {
    let machine = Machine::start()?;
    start(&machine, "callee", "callee")?;
    start(&machine, "caller", "caller")?;
    let link = [
        "link",
        "put",
        "caller",
        "callee",
        "test",
        "calls",
        "--interface",
        "math",
    ];
    machine.value(&[&link[..], &["--route", "lattice"]].concat())?;
    let spy = spy(
        &machine,
        &["-o", "json", "spy", "caller", "--from", "--count", "2"],
    )?;
    // Not one of its calls.
    assert_eq!(machine.run(&["call", "callee", "add", "1", "2"])?.stdout, ["3"]);
    let ended = machine.run(&["call", "caller", "run-add", "1"])?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    let ended = spy.wait_exit(SOON)?;
    let events = ended.events();
    let calls: Vec<&Value> = events
        .iter()
        .filter(|event| get(event, "event") == "call")
        .collect();
    let [outer, inner] = calls.as_slice() else {
        panic!("{}", ended.text());
    };
    assert_eq!(
        (get(outer, "from"), get(outer, "to")),
        (&json!("wash"), &json!("caller"))
    );
    assert_eq!(get(outer, "params"), &json!(["1"]));
    assert_eq!(
        (get(inner, "from"), get(inner, "to")),
        (&json!("caller"), &json!("callee"))
    );
    assert_eq!(get(inner, "operation"), "test:calls/math@0.1.0.add");
    assert_eq!(get(inner, "params").as_array().map(Vec::len), Some(2), "{inner}");
    let results = events.iter().filter(|event| get(event, "ok") == &json!(true));
    assert_eq!(results.count(), 2, "{}", ended.text());
    Ok(())
}

#[test]
fn requests_are_seen_and_an_interrupt_ends_it() -> Result<()> {
    let machine = Machine::start()?;
    start(&machine, "http_misbehave", "web")?;
    let spy = spy(&machine, &["spy", "web"])?;
    let handler = "wasi:http/incoming-handler.handle";
    let ended = machine.run(&["call", "web", handler, "--http-path", "/status?code=204"])?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    let seen = |spy: &Wash, words: &'static str| {
        spy.wait_for(words, SOON, |stdout, _| {
            stdout.iter().any(|line| line.contains(words)).then_some(())
        })
    };
    seen(&spy, "GET http://localhost:8080/status?code=204")?;
    seen(&spy, "HTTP 204")?;
    spy.interrupt()?;
    let ended = spy.wait_exit(SOON)?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    Ok(())
}
