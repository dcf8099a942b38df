//! The commands that ask hosts, against a real host: an application put together by hand, as the documentation of v1
//! does it.

use anyhow::{Context as _, Result};
use serde_json::Value;
use wasmcloud_test_kit::guests::example;
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Ended, Launch, SOON, Wash};
use wasmcloud_test_nats::NatsServer;

use crate::support::{Machine, WASH, cache, wash};

#[test]
fn an_application_is_put_together_by_hand_and_taken_apart() -> Result<()> {
    let machine = Machine::start()?;
    let hosts = machine.value(&["get", "hosts"])?;
    let name = hosts.pointer("/hosts/0/friendly_name").and_then(Value::as_str);
    let name = name.context("one host answers")?.to_owned();
    let id = hosts.pointer("/hosts/0/id").cloned().context("it has an id")?;

    let events = machine
        .launch(&[
            "-o",
            "json",
            "events",
            "-n",
            "2",
            "--type",
            "component_scaled,provider_started",
        ])?
        .start()?;
    events.wait_log(&["listening to lattice `default`"], SOON)?;
    let address = free_address()?;
    machine.value(&["config", "put", "web", &format!("address={address}")])?;
    let file = example("http-hello-world", "http_hello_world")?
        .display()
        .to_string();
    machine.value(&[
        "link",
        "put",
        "http",
        "hello",
        "wasi",
        "http",
        "--interface",
        "incoming-handler",
        "--source-config",
        "web",
    ])?;
    let started = machine.value(&["start", "component", &file, "hello", "--max-instances", "10"])?;
    assert_eq!(started.get("host_id"), Some(&id));
    let provider = [
        "start",
        "provider",
        "ghcr.io/wasmcloud/http-server:0.27.0",
        "http",
    ];
    machine.value(&[&provider[..], &["--host-id", &name]].concat())?;
    assert_eq!(get(address, "/")?.status, 200);
    let ended = events.wait_exit(SOON)?;
    let kinds: Vec<_> = ended
        .events()
        .iter()
        .filter_map(|event| event.get("type").cloned())
        .collect();
    let expected =
        ["component_scaled", "provider_started"].map(|kind| format!("com.wasmcloud.lattice.{kind}"));
    assert_eq!(kinds, expected);

    let inventory = machine.value(&["get", "inventory", &name])?;
    assert_eq!(
        inventory.pointer("/inventories/0/components/0/max_instances"),
        Some(&10.into())
    );
    assert_eq!(
        inventory.pointer("/inventories/0/providers/0/id"),
        Some(&"http".into())
    );
    machine.value(&["scale", "component", &name, &file, "hello", "-c", "3"])?;
    let text = machine.run(&["get", "inventory"])?.text();
    assert!(text.contains(&name) && text.contains("3"), "{text}");

    machine.value(&["label", &name, "zone=a"])?;
    let ended = machine.run(&["label", &name, "hostcore.os=plan9"])?;
    assert!(
        ended.code == 1
            && ended
                .text()
                .contains("hostcore.* labels cannot be set dynamically"),
        "{}",
        ended.text()
    );
    let ended = machine.run(&["start", "component", "/nowhere.wasm", "other"])?;
    assert!(
        ended.code == 1 && ended.text().contains("cannot run component `other`"),
        "{}",
        ended.text()
    );
    let ended = machine.run(&["start", "component", &file, "hello"])?;
    assert!(
        ended.text().contains("it runs something of this id already"),
        "{}",
        ended.text()
    );

    machine.value(&["stop", "provider", "http"])?;
    assert!(get(address, "/").is_err(), "the port is closed");
    machine.value(&["stop", "component", "hello"])?;
    machine.value(&["link", "del", "http", "wasi", "http"])?;
    machine.value(&["config", "del", "web"])?;
    let inventory = machine.value(&["get", "inventory"])?;
    assert_eq!(
        inventory.pointer("/inventories/0/components"),
        Some(&Value::Array(Vec::new()))
    );
    machine.value(&["stop", "host", &name])?;
    assert_eq!(machine.host.wait_exit(SOON)?.code, 0);
    Ok(())
}

/// A host on a NATS server, ready for commands.
fn host(nats: &str, zone: &str) -> Result<Wash> {
    let launch = Launch::command(
        WASH,
        &["-o", "json", "host", "--allow-file-load", "--nats-url", nats],
    )?;
    let data = launch.file("data");
    let launch = launch.arg("--label").arg(format!("zone={zone}"));
    let launch = launch.arg("--data-dir").arg(data).arg("--cache-dir").arg(cache());
    launch.ready()
}

#[test]
fn two_hosts_on_nats_are_told_apart_and_one_that_dies_is_missed() -> Result<()> {
    let nats = NatsServer::default().jetstream().start()?;
    let (a, b) = (host(&nats.url(), "a")?, host(&nats.url(), "b")?);
    let run = |args: &[&str]| -> Result<Ended> {
        let launch = wash(&[&["-o", "json"], args].concat())?;
        launch
            .env("WASMCLOUD_NATS_URL", nats.url())
            .env("WASMCLOUD_CTL_TIMEOUT_MS", "20000")
            .run()
    };
    let value = |args: &[&str]| -> Result<Value> {
        let ended = run(args)?;
        assert_eq!(
            (ended.code, ended.stdout.len()),
            (0, 1),
            "{args:?}\n{}",
            ended.text()
        );
        ended.events().pop().context("JSON was printed")
    };
    let hosts = value(&["get", "hosts"])?;
    let in_zone = |zone: &str| -> Result<String> {
        let hosts = hosts
            .get("hosts")
            .and_then(Value::as_array)
            .context("hosts are listed")?;
        let host = hosts
            .iter()
            .find(|host| host.pointer("/labels/zone") == Some(&zone.into()));
        let id = host.and_then(|host| host.get("id")).and_then(Value::as_str);
        Ok(id.with_context(|| format!("no host in zone {zone}"))?.to_owned())
    };
    let (id_a, id_b) = (in_zone("a")?, in_zone("b")?);

    let file = example("http-hello-world", "http_hello_world")?
        .display()
        .to_string();
    let started = value(&["start", "component", &file, "hello", "-c", "zone=b"])?;
    assert_eq!(started.get("host_id"), Some(&id_b.as_str().into()));
    value(&["start", "component", &file, "hello", "-c", "zone=a"])?;
    let several = run(&["update", "component", "hello", &file])?;
    assert!(
        several.code == 1 && several.text().contains("runs on several hosts"),
        "{}",
        several.text()
    );
    let stopped = value(&["stop", "component", "hello"])?;
    let ids = stopped.get("host_ids").and_then(Value::as_array).map(Vec::len);
    assert_eq!(ids, Some(2), "{stopped}");

    b.kill()?;
    let hosts = value(&["get", "hosts"])?;
    assert_eq!(
        hosts.get("hosts").and_then(Value::as_array).map(Vec::len),
        Some(1),
        "{hosts}"
    );
    let gone = run(&["start", "component", &file, "hello", "--host-id", &id_b])?;
    assert!(
        gone.code == 1 && gone.text().contains("is not in lattice `default`"),
        "{}",
        gone.text()
    );
    value(&["stop", "host", &id_a])?;
    assert_eq!(a.wait_exit(SOON)?.code, 0);
    let none = value(&["get", "hosts"])?;
    assert_eq!(none.get("hosts"), Some(&Value::Array(Vec::new())));
    Ok(())
}

#[test]
fn a_link_that_a_provider_refuses_is_said_to_whom_put_it() -> Result<()> {
    let machine = Machine::start()?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    machine.value(&[
        "config",
        "put",
        "web",
        &format!("address={}", taken.local_addr()?),
    ])?;
    machine.value(&["start", "provider", "wasmcloud+builtin://http-server", "http"])?;
    let put = [
        "link",
        "put",
        "http",
        "hello",
        "wasi",
        "http",
        "--interface",
        "incoming-handler",
    ];
    let ended = machine.run(&[&put[..], &["--source-config", "web"]].concat())?;
    assert_eq!(ended.code, 1, "{}", ended.text());
    assert!(
        ended.text().contains("cannot put the link into effect")
            && ended.text().contains("is in use by process"),
        "{}",
        ended.text()
    );
    // Another link says nothing of this one.
    machine.value(
        &[
            &put[..4],
            &["wasi", "http", "--interface", "incoming-handler", "-l", "other"],
        ]
        .concat(),
    )?;
    Ok(())
}

#[test]
fn an_application_runs_once_in_a_lattice() -> Result<()> {
    let machine = Machine::start()?;
    let (first, second) = (free_address()?, free_address()?);
    let up = |address| -> Result<Launch> {
        let manifest = crate::support::hello(address)?.text();
        let launch = Launch::command(WASH, &["-o", "json", "up"])?;
        let file = launch.file("wadm.yaml");
        std::fs::write(&file, manifest)?;
        Ok(launch
            .arg(file)
            .arg("--data-dir")
            .arg(&machine.data)
            .arg("--cache-dir")
            .arg(cache()))
    };
    let running = up(first)?.ready()?;
    let refused = up(second)?.run()?;
    assert_eq!(refused.code, 4, "{}", refused.text());
    let told = refused.events().pop().context("an error is told")?;
    assert_eq!(told.get("kind"), Some(&Value::from("runs-already")), "{told}");
    // The one that runs lost nothing by it.
    assert_eq!(get(first, "/")?.status, 200);
    let links = machine.value(&["get", "links"])?;
    assert_eq!(
        links.pointer("/links").and_then(Value::as_array).map(Vec::len),
        Some(1)
    );
    running.stop()?;
    up(second)?.ready()?.stop()?;
    let links = machine.value(&["get", "links"])?;
    assert_eq!(
        links.pointer("/links").and_then(Value::as_array).map(Vec::len),
        Some(0)
    );
    Ok(())
}
