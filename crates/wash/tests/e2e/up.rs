//! `wash up MANIFEST` as the lattice's controller sees it: a revision with history, which ends with the command.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use wasmcloud_test_kit::guests::example;
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Launch, SOON, replace_file};

use crate::support::{WASH, cache, hello, up, wash};

/// The application of most tests.
const APP: &str = "test";

/// The JSON of a command about the embedded lattice of what was launched.
fn asked(launch: &Launch, args: &[&str]) -> Result<Value> {
    let ended = wash(&[&["-o", "json"], args].concat())?
        .env("WASMCLOUD_DATA_DIR", launch.file("data"))
        .run()?;
    ensure!(ended.code == 0, "{args:?}\n{}", ended.text());
    ended.events().pop().context("JSON was printed")
}

/// What was deployed and undeployed, in words.
fn history(launch: &Launch) -> Result<Vec<String>> {
    let answer = asked(launch, &["app", "history", APP])?;
    let entries = answer
        .pointer("/history")
        .and_then(Value::as_array)
        .context("a list")?;
    let kind = |entry: &Value| {
        entry
            .pointer("/kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Ok(entries.iter().map(kind).collect())
}

/// The state of the application, and its version.
fn state(launch: &Launch) -> Result<(String, String)> {
    let answer = asked(launch, &["app", "status", APP])?;
    let text = |pointer: &str| {
        answer
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Ok((text("/status/status/type"), text("/status/version")))
}

/// The same lattice, with nothing to run.
fn without_manifest(launch: &Launch) -> Result<Launch> {
    Ok(Launch::command(WASH, &["-o", "json", "up", "--data-dir"])?
        .arg(launch.file("data"))
        .arg("--cache-dir")
        .arg(cache()))
}

#[test]
fn it_is_a_revision_with_history_and_ends_with_the_command() -> Result<()> {
    let address = free_address()?;
    let launch = up(&hello(address)?.text())?;
    let running = launch.ready()?;
    let (fares, version) = state(&launch)?;
    assert_eq!(fares, "deployed");
    let listed = asked(&launch, &["app", "list"])?;
    assert!(listed.to_string().contains(&version), "{listed}");
    assert_eq!(history(&launch)?, ["deployed"]);
    running.stop()?;

    let empty = without_manifest(&launch)?.ready()?;
    assert_eq!(history(&launch)?, ["deployed", "undeployed"]);
    assert_eq!(state(&launch)?.0, "undeployed");
    assert!(get(address, "/").is_err(), "it was undeployed");
    // Its version is there, for whoever wants it to stay.
    asked(&launch, &["app", "deploy", APP])?;
    get(address, "/")?.expect(200)?;
    empty.kill()?;
    let empty = without_manifest(&launch)?.ready()?;
    let answers = || get(address, "/").is_ok_and(|response| response.status == 200);
    let begun = std::time::Instant::now();
    while !answers() {
        ensure!(
            begun.elapsed() < SOON,
            "what was deployed to stay does not run again"
        );
        std::thread::yield_now();
    }
    empty.stop()?;
    Ok(())
}

#[test]
fn what_a_killed_one_ran_is_not_started_by_the_next() -> Result<()> {
    let (first, second) = (free_address()?, free_address()?);
    let launch = up(&hello(first)?.text())?;
    let killed = launch.ready()?;
    get(first, "/")?.expect(200)?;
    killed.kill()?;
    // Another application in the same folder, with the same lease lying there.
    let other = hello(second)?
        .text()
        .replace(&format!("name: {APP}"), "name: other");
    ensure!(other.contains("name: other"), "{other}");
    replace_file(&launch.file("wadm.yaml"), other.as_bytes())?;
    let running = launch.ready()?;
    get(second, "/")?.expect(200)?;
    assert_eq!(state(&launch)?.0, "undeployed");
    assert!(get(first, "/").is_err());
    assert_eq!(history(&launch)?, ["deployed", "undeployed"]);
    running.stop()?;
    Ok(())
}

#[test]
fn a_change_that_cannot_start_is_rolled_back_at_once() -> Result<()> {
    let address = free_address()?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("hello.wasm");
    fs::copy(example("http-hello-world", "http_hello_world")?, &file)?;
    let manifest = wasmcloud_test_kit::manifest::Manifest::of("hello", &file).http("hello", address, &[]);
    let launch = up(&manifest.text())?.arg("--watch");
    let running = launch.ready()?;
    running.wait_log(&["watching"], SOON)?;
    let before = state(&launch)?;
    replace_file(&file, b"not a component")?;
    let error = running.wait_event("error", 1, SOON)?;
    assert!(
        error
            .pointer("/at")
            .and_then(Value::as_str)
            .is_some_and(|at| at.contains("wadm.yaml:")),
        "{error}"
    );
    assert_eq!(state(&launch)?, before, "the version that ran is deployed again");
    get(address, "/")?.expect(200)?;
    // The very same file again changes nothing but the version's place.
    replace_file(
        &file,
        &fs::read(example("http-hello-world", "http_hello_world")?)?,
    )?;
    running.wait_event("applied", 1, SOON)?;
    assert_eq!(state(&launch)?, before);
    replace_file(&file, &fs::read(example("http-router", "web")?)?)?;
    running.wait_event("applied", 2, SOON)?;
    assert_ne!(state(&launch)?.1, before.1, "another file is another version");
    let history = history(&launch)?;
    assert_eq!(
        history,
        ["deployed", "deployed", "rolled-back", "deployed", "deployed"]
    );
    running.stop()?;
    Ok(())
}

#[test]
fn without_a_controller_nobody_would_start_it() -> Result<()> {
    let ended = up(&hello(free_address()?)?.text())?
        .arg("--controller")
        .arg("off")
        .run()?;
    assert_eq!(ended.code, 3, "{}", ended.text());
    assert!(
        ended.text().contains("leave `--controller off` out"),
        "{}",
        ended.text()
    );
    Ok(())
}
