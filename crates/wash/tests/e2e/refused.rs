//! What cannot run is refused with the reason, the place and a way out, and with an exit code to tell by.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use wasmcloud_test_kit::guests::{example, guest};
use wasmcloud_test_kit::manifest::Manifest;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::Ended;

use crate::support::{hello, up};

/// Starts and expects the exit code and all of these words in the output.
fn refused(manifest: &str, code: i32, words: &[&str]) -> Result<Ended> {
    refused_with(manifest, &[], code, words)
}

fn refused_with(manifest: &str, args: &[&str], code: i32, words: &[&str]) -> Result<Ended> {
    let launch = args.iter().fold(up(manifest)?, |launch, arg| launch.arg(arg));
    let ended = launch.run()?;
    ensure!(
        ended.code == code,
        "exit code {} instead of {code}\n{}",
        ended.code,
        ended.text()
    );
    for word in words {
        ensure!(
            ended.text().contains(word),
            "nothing about {word:?}\n{}",
            ended.text()
        );
    }
    Ok(ended)
}

fn of_file(file: &Path) -> Result<String> {
    Ok(Manifest::of("app", file).http("app", free_address()?, &[]).text())
}

fn refused_file(content: &[u8], words: &[&str]) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("app.wasm");
    fs::write(&file, content)?;
    let all = [&["test-app", "wadm.yaml:"], words].concat();
    refused(&of_file(&file)?, 4, &all).map(|_| ())
}

#[test]
fn a_missing_file() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("app.wasm");
    refused(&of_file(&file)?, 4, &["app.wasm does not exist", "wasm32-wasip2"])?;
    // A directory in its place.
    fs::create_dir(&file)?;
    refused(&of_file(&file)?, 4, &["is not a file"])?;
    Ok(())
}

#[test]
fn an_empty_file() -> Result<()> {
    refused_file(b"", &["is empty"])
}

#[test]
fn a_truncated_file() -> Result<()> {
    let whole = fs::read(example("http-hello-world", "http_hello_world")?)?;
    for share in [1, 2, 3] {
        let torn = whole.get(..whole.len() * share / 4).unwrap_or_default();
        refused_file(torn, &["is not a valid component"])?;
    }
    refused_file(b"\0as", &["is not WebAssembly"])
}

#[test]
fn a_file_that_is_something_else() -> Result<()> {
    refused_file(b"hello", &["is not WebAssembly", "hello"])?;
    refused_file(b"\x7fELF\x02\x01\x01", &["native executable", "wasm32-wasip2"])?;
    refused_file(b"(component)", &["text format"])?;
    refused_file(&[0x1f, 0x8b, 8, 0], &["gzip"])?;
    refused_file(&[0xff; 100_000], &["is not WebAssembly"])
}

#[test]
fn a_file_that_is_too_large() -> Result<()> {
    let file = example("http-hello-world", "http_hello_world")?;
    let limit = ["--max-component-size-bytes", "1KiB"];
    refused_with(
        &of_file(&file)?,
        &limit,
        4,
        &["the limit is 1024", "--max-component-size-bytes"],
    )?;
    // The default limit, with a file that takes no room on disk.
    let dir = tempfile::tempdir()?;
    let large = dir.path().join("large.wasm");
    fs::File::create(&large)?.set_len(51 << 20)?;
    refused(
        &of_file(&large)?,
        4,
        &["has 53477376 bytes", "the limit is 52428800"],
    )?;
    Ok(())
}

#[test]
fn a_component_without_a_link_for_its_import() -> Result<()> {
    let manifest = Manifest::of("http", &example("greeter", "greeter_http")?)
        .component("greeter", &example("greeter", "greeter")?)
        .http("http", free_address()?, &[]);
    refused(
        &manifest.text(),
        4,
        &["example:greeter/greet", "no link", "wadm.yaml:"],
    )?;
    // An interface that the host knows, and gives to nobody without a link.
    let manifest = Manifest::of("guest", &guest("http_misbehave")?).http("guest", free_address()?, &[]);
    refused(
        &manifest.text(),
        4,
        &["wasi:http/outgoing-handler", "no link", "wadm.yaml:"],
    )?;
    Ok(())
}

#[test]
fn a_component_for_another_version() -> Result<()> {
    let import = r#"(component (import "wasi:http/types@0.9.0" (instance (export "f" (func)))))"#;
    let words = [
        "wasi:http/types@0.9.0",
        "closest",
        "wasi:http/types@0.",
        "nobody offers",
    ];
    refused_file(&wat::parse_str(import)?, &words)
}

#[test]
fn a_component_that_wants_what_an_interface_does_not_have() -> Result<()> {
    let import =
        r#"(component (import "wasi:cli/environment@0.2.0" (instance (export "no-such-function" (func)))))"#;
    refused_file(
        &wat::parse_str(import)?,
        &["wasi:cli/environment@0.2.0", "no-such-function"],
    )
}

#[test]
fn a_component_that_needs_more_memory_than_it_may_have() -> Result<()> {
    let manifest = hello(free_address()?)?.text().replace(
        "            instances: 100\n",
        "            instances: 100\n        - type: runtime\n          properties:\n            memory: 64KiB\n",
    );
    refused(
        &manifest,
        4,
        &["bytes of memory to start", "`runtime`", "wadm.yaml:"],
    )?;
    Ok(())
}

#[test]
fn a_component_that_traps_when_it_starts() -> Result<()> {
    let traps = r#"(component
        (core module $m (func $start unreachable) (start $start))
        (core instance (instantiate $m)))"#;
    refused_file(
        &wat::parse_str(traps)?,
        &["the first instance failed", "unreachable"],
    )
}

#[test]
fn a_component_that_loops_when_it_starts() -> Result<()> {
    let loops = r#"(component
        (core module $m (func $start (loop (br 0))) (start $start))
        (core instance (instantiate $m)))"#;
    refused_file(
        &wat::parse_str(loops)?,
        &["the first instance failed", "did not finish in 10s"],
    )
}

#[test]
fn a_server_for_a_component_that_answers_no_http() -> Result<()> {
    let manifest =
        Manifest::of("greeter", &example("greeter", "greeter")?).http("greeter", free_address()?, &[]);
    refused(
        &manifest.text(),
        4,
        &["greeter", "wasi:http/incoming-handler", "wadm.yaml:"],
    )?;
    Ok(())
}

/// Wrong manifests: code 3 and `file:line:column`.
fn wrong(manifest: &str, words: &[&str]) -> Result<()> {
    let ended = refused(manifest, 3, words)?;
    let problem = ended
        .events()
        .into_iter()
        .find_map(|event| event.get("problems")?.get(0).cloned());
    let problem = problem.unwrap_or_default();
    for key in ["file", "line", "column", "message"] {
        ensure!(
            problem.get(key).is_some_and(|value| !value.is_null()),
            "no {key} in {problem}"
        );
    }
    Ok(())
}

#[test]
fn a_typo_in_the_manifest() -> Result<()> {
    let good = hello(free_address()?)?.text();
    wrong(
        &good.replace("instances:", "instnaces:"),
        &["instnaces", "instances"],
    )?;
    wrong(
        &good.replace("apiVersion:", "apiversion:"),
        &["apiversion", "apiVersion"],
    )?;
    wrong("a: [1, 2", &[])?;
    wrong("", &[])
}

#[test]
fn a_name_used_twice() -> Result<()> {
    let file = example("http-hello-world", "http_hello_world")?;
    let manifest = Manifest::of("hello", &file)
        .component("hello", &file)
        .http("hello", free_address()?, &[]);
    wrong(&manifest.text(), &["hello"])
}

#[test]
fn a_link_to_nobody() -> Result<()> {
    let good = hello(free_address()?)?.text();
    wrong(
        &good.replace(
            "target:\n              name: \"hello\"",
            "target:\n              name: \"helo\"",
        ),
        &["helo", "hello"],
    )
}

#[test]
fn a_setting_that_does_not_exist() -> Result<()> {
    let address = free_address()?;
    let file = example("http-hello-world", "http_hello_world")?;
    let manifest = Manifest::of("hello", &file).http("hello", address, &[("timout_ms", "5")]);
    refused(&manifest.text(), 4, &["timout_ms", "timeout_ms", "wadm.yaml:"])?;
    Ok(())
}

#[test]
fn one_route_for_two_components() -> Result<()> {
    let file = example("http-hello-world", "http_hello_world")?;
    let manifest = Manifest::of("one", &file)
        .component("two", &file)
        .path_server("server", free_address()?);
    let manifest = manifest.route("/api/*", "one").route("/api/*", "two");
    let ended = up(&manifest.text())?.run()?;
    assert!([3, 4].contains(&ended.code), "{}", ended.text());
    for word in ["/api/*", "one", "two"] {
        assert!(ended.text().contains(word), "{}", ended.text());
    }
    Ok(())
}

#[test]
fn one_address_for_two_components() -> Result<()> {
    let address = free_address()?;
    let file = example("http-hello-world", "http_hello_world")?;
    let manifest = Manifest::of("one", &file).component("two", &file);
    let manifest = manifest.http("one", address, &[]).http("two", address, &[]);
    let ended = up(&manifest.text())?.run()?;
    assert!([3, 4].contains(&ended.code), "{}", ended.text());
    for word in [&address.to_string(), "one", "two"] {
        assert!(ended.text().contains(word), "{}", ended.text());
    }
    Ok(())
}

#[test]
fn an_address_that_another_process_has() -> Result<()> {
    let address = free_address()?;
    let manifest = hello(address)?.text();
    let first = up(&manifest)?.ready()?;
    let owner = format!("{} (wash)", first.pid());
    refused(&manifest, 4, &[&address.to_string(), &owner, "in use"])?;
    first.stop()?;
    // And free again.
    up(&manifest)?.ready()?.stop()?;
    Ok(())
}
