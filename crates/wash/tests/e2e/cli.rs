//! Commands that run nothing: what they print, and how they end.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use wasmcloud_test_kit::guests::example;
use wasmcloud_test_kit::ports::free_address;

use crate::support::{hello, wash};

/// The one JSON document on stdout.
fn json(lines: &[String]) -> Result<Value> {
    ensure!(lines.len() == 1, "one line of JSON expected: {lines:?}");
    lines
        .first()
        .map(|line| serde_json::from_str(line))
        .transpose()?
        .context("nothing was printed")
}

#[test]
fn validate_says_that_a_manifest_is_good() -> Result<()> {
    let launch = wash(&["app", "validate", "good.yaml"])?;
    fs::write(launch.file("good.yaml"), hello(free_address()?)?.text())?;
    let ended = launch.run()?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    assert!(
        ended.stdout.join("\n").contains("good.yaml is valid"),
        "{}",
        ended.text()
    );

    let launch = wash(&["-o", "json", "app", "validate", "good.yaml"])?;
    fs::write(launch.file("good.yaml"), hello(free_address()?)?.text())?;
    let ended = launch.run()?;
    let value = json(&ended.stdout)?;
    assert_eq!(ended.code, 0);
    assert_eq!(value.get("valid"), Some(&Value::Bool(true)));
    assert_eq!(value.get("components"), Some(&1.into()));
    Ok(())
}

#[test]
fn validate_says_everything_that_is_wrong() -> Result<()> {
    let bad = hello(free_address()?)?
        .text()
        .replace("instances:", "instnaces:")
        .replace("kind: App", "kind: Ap");
    let launch = wash(&["app", "validate", "bad.yaml"])?;
    fs::write(launch.file("bad.yaml"), &bad)?;
    let ended = launch.run()?;
    assert_eq!(ended.code, 3, "{}", ended.text());
    let text = ended.stderr.join("\n");
    for word in ["bad.yaml:2:", "instnaces", "instances", "Aplication"] {
        assert!(text.contains(word), "nothing about {word:?}\n{text}");
    }
    assert!(ended.stdout.is_empty(), "{:?}", ended.stdout);

    let launch = wash(&["-o", "json", "app", "validate", "bad.yaml"])?;
    fs::write(launch.file("bad.yaml"), &bad)?;
    let ended = launch.run()?;
    assert_eq!(ended.code, 3);
    let value = json(&ended.stdout)?;
    let problems = value
        .get("problems")
        .and_then(Value::as_array)
        .context("no problems")?;
    assert!(problems.len() >= 2, "{value}");
    for problem in problems {
        for key in ["level", "file", "line", "column", "message"] {
            assert!(
                problem.get(key).is_some_and(|value| !value.is_null()),
                "no {key} in {problem}"
            );
        }
    }
    Ok(())
}

#[test]
fn validate_names_a_file_that_it_cannot_read() -> Result<()> {
    let ended = wash(&["app", "validate", "gone.yaml"])?.run()?;
    assert_eq!(ended.code, 3);
    assert!(ended.text().contains("gone.yaml"), "{}", ended.text());
    let ended = wash(&["app", "validate", "."])?.run()?;
    assert_eq!(ended.code, 3);
    assert!(
        ended.text().contains("is a directory") && ended.text().contains("wadm.yaml"),
        "{}",
        ended.text()
    );
    Ok(())
}

#[test]
fn inspect_lists_imports_and_exports() -> Result<()> {
    let file = example("http-hello-world", "http_hello_world")?;
    let file = file.to_str().context("a path in UTF-8")?;
    let ended = wash(&["inspect", file])?.run()?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    let text = ended.stdout.join("\n");
    for word in [
        "imports",
        "exports",
        "wasi:http/types@0.2",
        "wasi:http/incoming-handler@0.2",
        "sha256:",
    ] {
        assert!(text.contains(word), "nothing about {word:?}\n{text}");
    }
    let ended = wash(&["-o", "json", "inspect", file])?.run()?;
    let value = json(&ended.stdout)?;
    let exports = value
        .get("exports")
        .and_then(Value::as_array)
        .context("no exports")?;
    let handler = exports
        .iter()
        .find(|export| export.to_string().contains("incoming-handler"));
    assert_eq!(
        handler.and_then(|handler| handler.get("functions")),
        Some(&serde_json::json!(["handle"]))
    );
    Ok(())
}

#[test]
fn inspect_of_other_files() -> Result<()> {
    // A core module is adapted, as when it runs.
    let launch = wash(&["-o", "json", "inspect", "core.wasm"])?;
    fs::write(
        launch.file("core.wasm"),
        wat::parse_str("(module (memory (export \"memory\") 1) (func (export \"_start\")))")?,
    )?;
    let ended = launch.run()?;
    assert_eq!(ended.code, 0, "{}", ended.text());
    assert!(
        json(&ended.stdout)?.to_string().contains("wasi:cli/run"),
        "{}",
        ended.text()
    );

    let launch = wash(&["-o", "json", "inspect", "garbage.wasm"])?;
    fs::write(launch.file("garbage.wasm"), b"garbage")?;
    let ended = launch.run()?;
    assert_eq!(ended.code, 3, "{}", ended.text());
    let value = json(&ended.stdout)?;
    assert_eq!(
        value.get("kind").and_then(Value::as_str),
        Some("invalid-component")
    );
    assert!(value.to_string().contains("is not WebAssembly"), "{value}");

    let ended = wash(&["inspect", "gone.wasm"])?.run()?;
    assert_eq!(ended.code, 3);
    assert!(ended.stderr.join("\n").contains("hint:"), "{}", ended.text());
    Ok(())
}

#[test]
fn completions_for_each_shell() -> Result<()> {
    for shell in ["bash", "zsh", "fish"] {
        let ended = wash(&["completions", shell])?.run()?;
        assert_eq!(ended.code, 0, "{}", ended.text());
        let text = ended.stdout.join("\n");
        assert!(
            text.contains("wash") && text.contains("validate"),
            "{shell}: {text}"
        );
    }
    assert_eq!(wash(&["completions", "cobol"])?.run()?.code, 2);
    Ok(())
}

#[test]
fn a_wrong_command_line_is_2_and_help_is_0() -> Result<()> {
    for args in [
        &["up", "--no-such-flag"][..],
        &["upp"],
        &[],
        &["up", "--drain", "5"],
        &["up", "--watch"],
    ] {
        let ended = wash(args)?.run()?;
        assert_eq!(ended.code, 2, "{args:?}: {}", ended.text());
        assert!(ended.stdout.is_empty(), "{args:?}: {:?}", ended.stdout);
    }
    for args in [&["--help"][..], &["up", "--help"], &["--version"]] {
        assert_eq!(wash(args)?.run()?.code, 0, "{args:?}");
    }
    let help = wash(&["--help"])?.run()?.stdout.join("\n");
    assert!(help.contains("Exit codes:"), "{help}");
    Ok(())
}

#[test]
fn failures_are_json_where_json_is_asked_for() -> Result<()> {
    let launch = wash(&["-o", "json", "up", "--no-cache", "bad.yaml"])?;
    fs::write(launch.file("bad.yaml"), "nonsense: true")?;
    let ended = launch.run()?;
    assert_eq!(ended.code, 3);
    let value = json(&ended.stdout)?;
    assert_eq!(value.get("event").and_then(Value::as_str), Some("error"));
    assert_eq!(
        value.get("kind").and_then(Value::as_str),
        Some("invalid-manifest")
    );
    Ok(())
}
