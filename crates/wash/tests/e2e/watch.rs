//! `wash up --watch`: what changes on disk is applied, and nobody who asks meanwhile notices.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::TempDir;
use wasmcloud_test_kit::guests::{example, example_manifest};
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::manifest::Manifest;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{SOON, Wash, replace_file};

use crate::support::{hello, up};
use wasmcloud_test_kit::load::Load;

const HELLO: &str = "Hello";
/// The page of the web guest.
const PAGE: &str = "<!doctype";

fn watching(manifest: &str) -> Result<Wash> {
    let wash = up(manifest)?.arg("--watch").ready()?;
    wash.wait_log(&["watching"], SOON)?;
    Ok(wash)
}

/// A component file of our own, to be replaced.
struct Replaceable(TempDir);

impl Replaceable {
    fn new() -> Result<Self> {
        let this = Self(tempfile::tempdir()?);
        fs::copy(example("http-hello-world", "http_hello_world")?, this.path())?;
        Ok(this)
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("component.wasm")
    }

    fn become_the_web_guest(&self) -> Result<()> {
        replace_file(&self.path(), &fs::read(example("http-router", "web")?)?)
    }
}

fn of_file(file: &Path, address: SocketAddr) -> String {
    Manifest::of("hello", file).http("hello", address, &[]).text()
}

fn status(address: SocketAddr, path: &str) -> Result<u16> {
    Ok(get(address, path)?.status)
}

#[test]
fn a_new_component_file_takes_over_without_a_failed_request() -> Result<()> {
    let (address, file) = (free_address()?, Replaceable::new()?);
    let wash = watching(&of_file(&file.path(), address))?;
    let load = Load::start(address, "/");
    load.wait_answer(HELLO, SOON)?;
    file.become_the_web_guest()?;
    wash.wait_event("applied", 1, SOON)?;
    load.wait_answer(PAGE, SOON)?;
    let answers = load.finish()?;
    assert_eq!(answers.len(), 2, "{answers:?}");
    wash.stop()?;
    Ok(())
}

#[test]
fn a_broken_component_file_is_reported_and_what_ran_goes_on() -> Result<()> {
    let (address, file) = (free_address()?, Replaceable::new()?);
    let wash = watching(&of_file(&file.path(), address))?;
    let load = Load::start(address, "/");
    load.wait_answer(HELLO, SOON)?;
    replace_file(&file.path(), b"\0asm\x0d\0\x01\0 torn")?;
    let error = wash.wait_event("error", 1, SOON)?;
    assert!(error.to_string().contains("not a valid component"), "{error}");
    load.wait_answer(HELLO, SOON)?;
    file.become_the_web_guest()?;
    wash.wait_event("applied", 1, SOON)?;
    load.wait_answer(PAGE, SOON)?;
    load.finish()?;
    wash.stop()?;
    Ok(())
}

#[test]
fn a_component_that_answers_no_http_any_more_does_not_take_over() -> Result<()> {
    let (address, file) = (free_address()?, Replaceable::new()?);
    let wash = watching(&of_file(&file.path(), address))?;
    let load = Load::start(address, "/");
    load.wait_answer(HELLO, SOON)?;
    replace_file(&file.path(), &fs::read(example("greeter", "greeter")?)?)?;
    let error = wash.wait_event("error", 1, SOON)?;
    let text = error.to_string();
    assert!(
        text.contains("does not export what the link") && text.contains("wasi:http/incoming-handler"),
        "{text}"
    );
    let answers = load.finish()?;
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(status(address, "/")?, 200);
    wash.stop()?;
    Ok(())
}

#[test]
fn a_changed_config_is_seen_by_the_next_request() -> Result<()> {
    let address = free_address()?;
    let manifest = example_manifest("http-keyvalue-counter", address)?;
    let wash = watching(&manifest)?;
    let load = Load::start(address, "/pears");
    load.wait_answer("Counter", SOON)?;
    wash.rewrite_manifest(&manifest.replace("prefix: Counter", "prefix: Basket"))?;
    wash.wait_event("applied", 1, SOON)?;
    load.wait_answer("Basket", SOON)?;
    load.finish()?;
    wash.stop()?;
    Ok(())
}

fn routed(address: SocketAddr, path: &str) -> Result<Manifest> {
    let manifest = Manifest::of("hello", &example("http-hello-world", "http_hello_world")?);
    Ok(manifest.path_server("server", address).route(path, "hello"))
}

#[test]
fn a_route_can_move() -> Result<()> {
    let address = free_address()?;
    let wash = watching(&routed(address, "/*")?.text())?;
    assert_eq!(status(address, "/elsewhere")?, 200);
    // A path that both the old and the new route take.
    let load = Load::start(address, "/hello/you");
    load.wait_answer(HELLO, SOON)?;
    wash.rewrite_manifest(&routed(address, "/hello/*")?.text())?;
    wash.wait_event("applied", 1, SOON)?;
    load.wait_answer(HELLO, SOON)?;
    assert_eq!(status(address, "/elsewhere")?, 404);
    load.finish()?;
    wash.stop()?;
    Ok(())
}

#[test]
fn a_component_can_be_added_and_taken_away() -> Result<()> {
    let address = free_address()?;
    let one = routed(address, "/hello/*")?;
    let two = one
        .clone()
        .route("/web/*", "web")
        .component("web", &example("http-router", "web")?);
    let wash = watching(&one.text())?;
    let load = Load::start(address, "/hello/you");
    load.wait_answer(HELLO, SOON)?;
    assert_eq!(status(address, "/web/")?, 404);
    wash.rewrite_manifest(&two.text())?;
    wash.wait_event("applied", 1, SOON)?;
    assert_eq!(status(address, "/web/")?, 200);
    wash.rewrite_manifest(&one.text())?;
    wash.wait_event("applied", 2, SOON)?;
    assert_eq!(status(address, "/web/")?, 404);
    load.wait_answer(HELLO, SOON)?;
    load.finish()?;
    wash.stop()?;
    Ok(())
}

#[test]
fn a_server_can_turn_to_another_component() -> Result<()> {
    let address = free_address()?;
    let both = Manifest::of("hello", &example("http-hello-world", "http_hello_world")?)
        .component("web", &example("http-router", "web")?);
    let to = |target: &str| {
        // One server, one link, another target: what `http` names otherwise after the component.
        both.clone().http("hello", address, &[]).text().replace(
            "name: \"hello\"\n            namespace",
            &format!("name: \"{target}\"\n            namespace"),
        )
    };
    let wash = watching(&to("hello"))?;
    let load = Load::start(address, "/");
    load.wait_answer(HELLO, SOON)?;
    wash.rewrite_manifest(&to("web"))?;
    wash.wait_event("applied", 1, SOON)?;
    load.wait_answer(PAGE, SOON)?;
    let answers = load.finish()?;
    assert_eq!(answers.len(), 2, "{answers:?}");
    wash.stop()?;
    Ok(())
}

#[test]
fn limits_can_change() -> Result<()> {
    let address = free_address()?;
    let manifest = |deadline| crate::support::misbehave(address, &[("deadline", deadline)], &[]);
    let wash = watching(&manifest("20s")?.text())?;
    wash.rewrite_manifest(&manifest("200ms")?.text())?;
    wash.wait_event("applied", 1, SOON)?;
    get(address, "/never")?.expect(504)?;
    wash.stop()?;
    Ok(())
}

#[test]
fn a_broken_manifest_is_reported_and_a_fixed_one_applied() -> Result<()> {
    let (address, file) = (free_address()?, Replaceable::new()?);
    let good = of_file(&file.path(), address);
    let wash = watching(&good)?;
    let load = Load::start(address, "/");
    load.wait_answer(HELLO, SOON)?;
    wash.rewrite_manifest(&good.replace("instances:", "instnaces:"))?;
    let error = wash.wait_event("error", 1, SOON)?;
    assert!(error.to_string().contains("instnaces"), "{error}");
    load.wait_answer(HELLO, SOON)?;
    // Not even YAML, then gone altogether.
    wash.rewrite_manifest("components: [")?;
    wash.wait_event("error", 2, SOON)?;
    fs::remove_file(wash.file("wadm.yaml")).context("remove the manifest")?;
    wash.wait_event("error", 3, SOON)?;
    load.wait_answer(HELLO, SOON)?;
    wash.rewrite_manifest(&good.replace("instances: 100", "instances: 50"))?;
    wash.wait_event("applied", 1, SOON)?;
    load.wait_answer(HELLO, SOON)?;
    load.finish()?;
    wash.stop()?;
    Ok(())
}

#[test]
fn other_files_next_to_the_manifest_change_nothing() -> Result<()> {
    let address = free_address()?;
    let wash = watching(&hello(address)?.text())?;
    // Someone writes a log next to the manifest without a pause; the change of the manifest is seen all the same.
    let path = wash.file("noise.log");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let noise = std::thread::spawn(move || -> Result<()> {
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            fs::write(&path, b"x")?;
        }
        Ok(())
    });
    wash.rewrite_manifest(
        &hello(address)?
            .runtime(&[])
            .text()
            .replace("instances: 100", "instances: 7"),
    )?;
    wash.wait_event("applied", 1, SOON)?;
    drop(stop);
    noise
        .join()
        .map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    wash.rewrite_manifest(&hello(address)?.text())?;
    wash.wait_event("applied", 2, SOON)?;
    wash.stop()?;
    let applied = |event: &Value| event.get("event").is_some_and(|kind| kind == "applied");
    assert_eq!(wash.events().iter().filter(|event| applied(event)).count(), 2);
    Ok(())
}
