//! `wash call`: functions of real components on a real host, and what goes wrong with them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use wasmcloud_test_kit::guests::{example, guest};
use wasmcloud_test_kit::process::Ended;

use crate::support::Machine;

/// A machine that runs a guest.
fn running(name: &str, id: &str) -> Result<Machine> {
    let machine = Machine::start()?;
    start(&machine, name, id)?;
    Ok(machine)
}

pub(crate) fn start(machine: &Machine, name: &str, id: &str) -> Result<()> {
    let file = guest(name)?.display().to_string();
    machine.value(&["start", "component", &file, id, "--max-instances", "10"])?;
    Ok(())
}

/// What is printed by a call that works.
fn printed(machine: &Machine, args: &[&str]) -> Result<Vec<String>> {
    let ended = machine.run(&[&["call"], args].concat())?;
    assert_eq!(ended.code, 0, "{args:?}\n{}", ended.text());
    Ok(ended.stdout)
}

/// What is said of a call that does not: the exit code, the kind, and all words.
pub(crate) fn refused(machine: &Machine, args: &[&str]) -> Result<(i32, String, String)> {
    let ended = machine.run(&[&["-o", "json", "call"], args].concat())?;
    let said = ended.events().pop().with_context(|| ended.text())?;
    let kind = said.get("kind").and_then(Value::as_str);
    let kind = kind.with_context(|| ended.text())?.to_owned();
    Ok((ended.code, kind, said.to_string()))
}

#[test]
fn functions_are_called_by_their_types() -> Result<()> {
    let machine = running("callee", "callee")?;
    let whole_name = "test:calls/math@0.1.0.add";
    assert_eq!(printed(&machine, &["callee", whole_name, "1", "2"])?, ["3"]);
    assert_eq!(
        printed(&machine, &["callee", "test:calls/math.add", "1", "2"])?,
        ["3"]
    );
    assert_eq!(printed(&machine, &["callee", "add(4294967295, 2)"])?, ["1"]);
    assert_eq!(
        printed(&machine, &["callee", "math.echo", "hi you"])?,
        [r#""hi you""#]
    );
    assert_eq!(
        printed(&machine, &["callee", "math.echo", r#""a\n\u{1b}b""#])?,
        [r#""a\n\u{1b}b""#]
    );
    assert_eq!(
        printed(&machine, &["callee", "echo-bytes", "[1, 255]"])?,
        ["[1, 255]"]
    );

    // With the types of a file, nobody is asked for the image.
    let long = "x".repeat(100_000);
    let file = guest("callee")?.display().to_string();
    let echoed = machine.value(&["call", "callee", "echo", &long, "--component", &file])?;
    assert_eq!(
        echoed,
        json!({ "response": long, "result": long, "success": true })
    );
    let sum = machine.value(&["call", "callee", "add", "1", "2"])?;
    assert_eq!(sum, json!({ "response": "3", "result": 3, "success": true }));
    Ok(())
}

#[test]
fn what_cannot_be_called_is_said() -> Result<()> {
    let machine = running("callee", "callee")?;
    let (code, kind, said) = refused(&machine, &["callee", "test:calls/math.ad", "1", "2"])?;
    assert!(code == 1 && kind == "no-such-function", "{said}");
    assert!(said.contains("did you mean `test:calls/math.add`?"), "{said}");

    let (code, kind, said) = refused(&machine, &["callee", "add", "1", "2x"])?;
    assert!(code == 2 && kind == "invalid-argument", "{said}");
    assert!(
        said.contains("argument `b`")
            && said.contains("column 1: expected u32 from 0 to 4294967295, found `2x`"),
        "{said}"
    );
    let (code, _, said) = refused(&machine, &["callee", "add", "1"])?;
    assert!(
        code == 2 && said.contains("its parameters are a: u32, b: u32"),
        "{said}"
    );
    let (code, _, said) = refused(&machine, &["callee", "add", "--", "1", "-2"])?;
    assert!(code == 2 && said.contains("argument `b`"), "{said}");

    // Commands wait up to 20 s here, and none of these does.
    let began = Instant::now();
    let (code, kind, said) = refused(&machine, &["nobody", "add", "1", "2"])?;
    assert!(
        code == 1 && kind == "no-responders" && said.contains("runs on none of the hosts that answered (1)"),
        "{said}"
    );
    let file = guest("callee")?.display().to_string();
    let (code, kind, said) = refused(&machine, &["nobody", "add", "1", "2", "--component", &file])?;
    assert!(
        code == 1 && kind == "no-responders" && said.contains("runs on none of the hosts that answered (1)"),
        "{said}"
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    // A caller may be wrong about the types.
    let other = guest("caller")?.display().to_string();
    let (code, kind, said) = refused(&machine, &["callee", "run-fail", "--component", &other])?;
    assert!(
        code == 1 && kind == "mismatch" && said.contains("test:calls/driver"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_call_that_fails_says_where_and_why() -> Result<()> {
    let machine = running("callee", "callee")?;
    let hosts = machine.value(&["get", "hosts"])?;
    let name = hosts.pointer("/hosts/0/friendly_name").and_then(Value::as_str);
    let name = name.context("one host answers")?;
    let (code, kind, said) = refused(&machine, &["callee", "fail"])?;
    assert!(code == 1 && kind == "trap", "{said}");
    assert!(said.contains("unreachable") && said.contains(name), "{said}");
    let (code, kind, said) = refused(&machine, &["callee", "spin", "-t", "700"])?;
    assert!(code == 1 && kind == "timeout", "{said}");
    assert!(said.contains(name), "{said}");
    // The host is none the worse.
    assert_eq!(printed(&machine, &["callee", "add", "1", "2"])?, ["3"]);
    Ok(())
}

#[test]
fn requests_are_answered() -> Result<()> {
    let machine = running("http_misbehave", "web")?;
    let hello = example("http-hello-world", "http_hello_world")?
        .display()
        .to_string();
    machine.value(&["start", "component", &hello, "hello", "--max-instances", "10"])?;
    let call = |id: &str, more: &[&str]| -> Result<Ended> {
        machine.run(&[&["call", id, "wasi:http/incoming-handler.handle"], more].concat())
    };

    let got = call("hello", &[])?;
    assert_eq!(
        (got.code, got.stdout.as_slice()),
        (0, &["Hello from wasmCloud!".to_owned()][..])
    );
    assert!(got.stderr.contains(&"HTTP 200".to_owned()), "{}", got.text());
    let got = call("hello", &["--include"])?;
    let [status, .., empty, body] = got.stdout.as_slice() else {
        panic!("{}", got.text());
    };
    assert_eq!(
        (status.as_str(), empty.as_str(), body.as_str()),
        ("HTTP 200", "", "Hello from wasmCloud!")
    );
    assert!(
        got.stdout.contains(&"content-type: text/plain".to_owned()),
        "{}",
        got.text()
    );

    let info = call(
        "web",
        &[
            "--http-path",
            "/info?a=b",
            "--http-header",
            "X-Trace: 7",
            "--http-host",
            "example.com",
            "--http-port",
            "81",
        ],
    )?;
    for line in [
        "method: GET",
        "path: /info?a=b",
        "authority: example.com:81",
        "header x-trace: 7",
    ] {
        assert!(info.stdout.contains(&line.to_owned()), "{line}\n{}", info.text());
    }

    let post = call("web", &["--http-path", "/echo", "--http-body", r#"{"a": [1]}"#])?;
    assert_eq!(
        (post.code, post.stdout.as_slice()),
        (0, &[r#"{"a": [1]}"#.to_owned()][..])
    );
    let extract = [
        "--http-path",
        "/echo",
        "--http-body",
        r#"{"a": [1]}"#,
        "--http-response-extract-json",
    ];
    let args = [
        &["call", "web", "wasi:http/incoming-handler.handle"],
        &extract[..],
    ]
    .concat();
    let value = machine.value(&args)?;
    assert_eq!(value.get("response"), Some(&json!({ "a": [1] })), "{value}");
    assert_eq!(value.get("status"), Some(&json!(200)), "{value}");
    let wrong = call("hello", &["--http-response-extract-json"])?;
    assert!(
        wrong.code == 1 && wrong.text().contains("is not JSON"),
        "{}",
        wrong.text()
    );

    let missing = call("web", &["--http-path", "/status?code=404"])?;
    assert_eq!(
        (missing.code, missing.stdout.as_slice()),
        (5, &["status 404".to_owned()][..])
    );
    assert!(
        missing.stderr.contains(&"HTTP 404".to_owned()),
        "{}",
        missing.text()
    );
    let hosts = machine.value(&["get", "hosts"])?;
    let name = hosts.pointer("/hosts/0/friendly_name").and_then(Value::as_str);
    let trap = call("web", &["--http-path", "/trap"])?;
    assert!(
        trap.code == 1 && trap.text().contains("unreachable"),
        "{}",
        trap.text()
    );
    assert!(
        trap.text().contains(name.context("one host answers")?),
        "{}",
        trap.text()
    );
    let nobody = call("nobody", &[])?;
    assert!(
        nobody.code == 1
            && nobody
                .text()
                .contains("runs on none of the hosts that answered (1)"),
        "{}",
        nobody.text()
    );
    Ok(())
}

#[test]
fn long_bodies_travel_both_ways() -> Result<()> {
    let machine = running("http_misbehave", "web")?;
    // More than a message and a window of a stream hold.
    let line = "0123456789abcde\n";
    let lines = (5 << 20) / line.len();
    let launch = machine.launch(&["call", "web", "wasi:http/incoming-handler.handle"])?;
    let file = launch.file("body");
    std::fs::write(&file, line.repeat(lines))?;
    let launch = launch
        .arg("--http-path")
        .arg("/echo")
        .arg("--http-body-path")
        .arg(&file);
    let ended = launch.run()?;
    assert_eq!(ended.code, 0, "{:?}", ended.stderr);
    assert_eq!(ended.stdout.len(), lines);
    assert!(ended.stdout.iter().all(|got| got == line.trim_end()));
    Ok(())
}

#[test]
fn a_function_of_the_component_itself_is_called() -> Result<()> {
    let machine = Machine::start()?;
    let launch = machine.launch(&[])?;
    let file = launch.file("root.wasm");
    std::fs::write(&file, wat::parse_str(ROOT)?)?;
    let path = file.display().to_string();
    machine.value(&["start", "component", &path, "root", "--max-instances", "1"])?;
    assert_eq!(printed(&machine, &["root", "answer"])?, ["42"]);
    assert_eq!(printed(&machine, &["root", "answer()"])?, ["42"]);

    // What runs goes on when its file is gone, but nobody can read its types any more.
    std::fs::remove_file(&file)?;
    let (code, kind, said) = refused(&machine, &["root", "answer"])?;
    assert!(
        code == 1 && kind == "no-types" && said.contains("--component"),
        "{said}"
    );
    Ok(())
}

/// A component with a function beside all interfaces.
const ROOT: &str = r#"(component
  (core module $m (func (export "answer") (result i32) i32.const 42))
  (core instance $i (instantiate $m))
  (func (export "answer") (result u32) (canon lift (core func $i "answer"))))"#;
