//! Commands that ask the hosts of a lattice, against hosts that do as a script says.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use wasmcloud_test_kit::process::SOON;
use wasmcloud_test_lattice::{Outcome, Script};
use wasmcloud_wire::control::Request;

use crate::scripted::{launch, refused, run, text, value, with_lattice};

#[test]
fn hosts_and_inventories_are_shown() -> Result<()> {
    with_lattice(async |lattice| {
        let blue = Script::new("blue-heron-1", 1).component("hello", "file:///hello.wasm", 5);
        let blue = lattice.host(blue.provider("http", "ghcr.io/acme/http:1")).await?;
        let red = lattice
            .host(Script::new("red\x1b[2J", 2).label("zone", "a"))
            .await?;
        let shown = text(&lattice, &["get", "hosts"]).await?;
        let expected = format!(
            "NAME          {:<56}  VERSION  UPTIME\n\
             blue-heron-1  {}  1.9.2    4s\n\
             red\u{fffd}[2J       {}  1.9.2    4s",
            "ID",
            blue.id(),
            red.id()
        );
        assert_eq!(shown, expected);

        let hosts = value(&lattice, &["get", "hosts"]).await?;
        assert_eq!(hosts.get("success"), Some(&true.into()));
        assert_eq!(
            hosts.pointer("/hosts/0/friendly_name"),
            Some(&"blue-heron-1".into())
        );
        assert_eq!(hosts.pointer("/hosts/0/id"), Some(&blue.id().as_str().into()));

        let shown = text(&lattice, &["get", "inventory", "blue-heron-1"]).await?;
        let expected = format!(
            "blue-heron-1 {}\n  version 1.9.2, up 4s\n  labels  hostcore.arch=x86_64 hostcore.os=linux \
             hostcore.osfamily=unix\n  components\n    ID     IMAGE               INSTANCES\n    hello  \
             file:///hello.wasm  5\n  providers\n    ID    IMAGE\n    http  ghcr.io/acme/http:1",
            blue.id()
        );
        assert_eq!(shown, expected);
        let shared = Script::new("zebra", 3)
            .component("hello", "file:///hello.wasm", 5)
            .candidate("file:///next.wasm", 2, 30);
        let shared = lattice.host(shared).await?;
        let shown = text(&lattice, &["get", "inventory", shared.id().as_str()]).await?;
        let row =
            |id: &str, image: &str, instances: &str| format!("\n    {id:<60}  {image:<18}  {instances}");
        let expected = [
            row("ID", "IMAGE", "INSTANCES"),
            row("hello", "file:///hello.wasm", "5"),
            row(
                "hello (candidate, 30 % of the calls, links end in -1a2b3c4d)",
                "file:///next.wasm",
                "2",
            ),
        ];
        assert!(shown.contains(&expected.concat()), "{shown}");
        let all = value(&lattice, &["get", "inventory"]).await?;
        assert_eq!(
            all.pointer("/inventories/0/components/0/max_instances"),
            Some(&5.into())
        );
        assert_eq!(all.pointer("/inventories/1/labels/zone"), Some(&"a".into()));
        Ok(())
    })
}

#[test]
fn what_hosts_do_not_say_is_no_success() -> Result<()> {
    with_lattice(async |lattice| {
        let ended = run(&lattice, &["get", "hosts"]).await?;
        assert_eq!((ended.code, ended.stdout.len()), (0, 0), "{}", ended.text());
        assert_eq!(ended.stderr, ["no host answers in lattice `default`"]);
        assert_eq!(
            value(&lattice, &["get", "hosts"]).await?,
            json!({ "hosts": [], "success": true })
        );
        assert!(
            refused(&lattice, &["get", "links"])
                .await?
                .contains("no host answers in lattice `default`")
        );

        let _good = lattice.host(Script::new("good", 1)).await?;
        let _bad = lattice
            .host(Script::new("bad", 2).nonsense("host.get", b"{"))
            .await?;
        let ended = run(&lattice, &["get", "inventory"]).await?;
        assert_eq!(ended.code, 1, "{}", ended.text());
        assert!(ended.stdout.join("\n").starts_with("good "), "{}", ended.text());
        assert!(
            ended
                .stderr
                .join("\n")
                .contains("warning: cannot read the inventory: host ")
        );
        let ended = run(&lattice, &["-o", "json", "get", "inventory"]).await?;
        assert_eq!((ended.code, ended.stdout.len()), (1, 1), "{}", ended.text());
        let value = ended.events().pop().context("JSON was printed")?;
        assert_eq!(value.get("success"), Some(&false.into()));
        assert_eq!(
            value.pointer("/inventories/0/friendly_name"),
            Some(&"good".into())
        );

        let said = refused(&lattice, &["get", "inventory", "goood"]).await?;
        assert!(said.contains("hint: did you mean `good`?"), "{said}");
        Ok(())
    })
}

#[test]
fn components_start_scale_update_and_stop() -> Result<()> {
    with_lattice(async |lattice| {
        let host = lattice
            .host(Script::new("blue-heron-1", 1).outcome(Outcome::Done { told: 2 }))
            .await?;
        let id = host.id();
        let image = "ghcr.io/acme/hello:1";
        let shown = text(&lattice, &["start", "component", image, "hello", "-a", "team=a"]).await?;
        assert_eq!(
            shown,
            format!("Component [hello] (ref: [{image}]) started on host [{id}]")
        );
        let Some(Request::ScaleComponent(_, scale)) = host.seen().pop() else {
            anyhow::bail!("no request to start: {:?}", host.seen());
        };
        assert_eq!(
            (scale.count, scale.annotations.map(|notes| notes.len())),
            (1, Some(1))
        );

        let beginning: String = id.as_str().chars().take(8).collect();
        let shown = text(
            &lattice,
            &["scale", "component", &beginning, image, "hello", "-c", "7"],
        )
        .await?;
        let expected =
            format!("Component [hello] (ref: [{image}]) scaled on host [{id}] to 7 max concurrent instances");
        assert_eq!(shown, expected);
        let shown = value(&lattice, &["scale", "component", "blue-heron-1", image, "hello"]).await?;
        assert!(
            shown
                .pointer("/result")
                .and_then(Value::as_str)
                .is_some_and(|it| it.ends_with("unbounded concurrency"))
        );

        let shown = value(
            &lattice,
            &["update", "component", "hello", "ghcr.io/acme/hello:2"],
        )
        .await?;
        assert_eq!(shown.get("component_ref"), Some(&"ghcr.io/acme/hello:2".into()));
        let shown = text(
            &lattice,
            &["update", "component", "hello", "ghcr.io/acme/hello:2"],
        )
        .await?;
        assert!(shown.contains("already updated"), "{shown}");

        let shown = value(&lattice, &["stop", "component", "hello"]).await?;
        let expected = json!({
            "component_id": "hello", "host_id": id.as_str(), "host_ids": [id.as_str()], "success": true,
        });
        assert_eq!(shown, expected);
        let Some(Request::ScaleComponent(_, scale)) = host
            .seen()
            .into_iter()
            .rfind(|it| matches!(it, Request::ScaleComponent(..)))
        else {
            anyhow::bail!("no request to stop: {:?}", host.seen());
        };
        assert_eq!(
            (scale.count, scale.component_ref.as_str()),
            (0, "ghcr.io/acme/hello:2")
        );
        let said = refused(&lattice, &["stop", "component", "hello"]).await?;
        assert!(
            said.contains("none of the 1 hosts of lattice `default` runs component `hello`"),
            "{said}"
        );
        Ok(())
    })
}

#[test]
fn providers_start_and_stop_and_hosts_stop() -> Result<()> {
    with_lattice(async |lattice| {
        let host = lattice.host(Script::new("blue-heron-1", 1)).await?;
        let id = host.id().to_string();
        let image = "wasmcloud+builtin://http-server";
        let shown = value(&lattice, &["start", "provider", image, "http", "--config", "web"]).await?;
        let expected =
            json!({ "provider_ref": image, "provider_id": "http", "host_id": id, "success": true });
        assert_eq!(shown, expected);
        let said = refused(
            &lattice,
            &["start", "provider", image, "http", "--host-id", "blue-heron-1"],
        )
        .await?;
        assert!(
            said.contains("cannot start provider `http`: provider with that ID is already running"),
            "{said}"
        );
        let shown = text(&lattice, &["stop", "provider", "http"]).await?;
        assert_eq!(shown, "Provider [http] stopped successfully");
        let shown = text(&lattice, &["stop", "host", "blue-heron-1"]).await?;
        assert_eq!(shown, format!("Host [{id}] stopped"));
        Ok(())
    })
}

#[test]
fn a_file_is_named_as_the_host_finds_it() -> Result<()> {
    with_lattice(async |lattice| {
        let host = lattice.host(Script::new("a", 1)).await?;
        let launch = launch(&lattice, &["start", "component", "./hello.wasm", "hello"])?;
        let file = launch.file("hello.wasm");
        std::fs::write(&file, b"\0asm")?;
        let ended = tokio::task::spawn_blocking(move || launch.run()).await??;
        assert_eq!(ended.code, 0, "{}", ended.text());
        let Some(Request::ScaleComponent(_, scale)) = host.seen().pop() else {
            anyhow::bail!("no request to start: {:?}", host.seen());
        };
        assert_eq!(
            scale.component_ref,
            format!("file://{}", file.canonicalize().unwrap_or(file).display())
        );
        Ok(())
    })
}

#[test]
fn failures_say_what_failed_and_why() -> Result<()> {
    with_lattice(async |lattice| {
        let script = Script::new("a", 1).outcome(Outcome::Fails("no such \x1b[31mfile".to_owned()));
        let host = lattice.host(script).await?;
        let start = ["start", "component", "ghcr.io/acme/hello:1", "hello"];
        let said = refused(&lattice, &start).await?;
        let expected = format!(
            "error: cannot run component `hello`: host {} tried and failed: no such \u{fffd}[31mfile",
            host.id()
        );
        assert_eq!(said, expected);
        let ended = run(&lattice, &[&["-o", "json"], &start[..]].concat()).await?;
        let value = ended.events().pop().context("JSON was printed")?;
        assert_eq!((ended.code, ended.stdout.len()), (1, 1));
        assert_eq!(value.get("success"), Some(&false.into()));
        assert_eq!(value.get("kind"), Some(&"failed".into()));
        assert!(
            value
                .get("error")
                .and_then(Value::as_str)
                .is_some_and(|error| error.contains("no such"))
        );

        host.change(|script| script.outcome = Outcome::Nothing);
        let said = refused(&lattice, &[&start[..], &["--wait-timeout-ms", "200"]].concat()).await?;
        assert!(said.contains("gave up waiting for host "), "{said}");
        assert!(
            said.contains("the last that is known: it has accepted the request"),
            "{said}"
        );
        text(&lattice, &[&start[..], &["--skip-wait"]].concat()).await?;

        host.change(|script| script.outcome = Outcome::Dies);
        let said = refused(&lattice, &start).await?;
        assert!(said.contains("has left the lattice without a word"), "{said}");
        Ok(())
    })
}

#[test]
fn an_auction_that_nobody_wins_says_why() -> Result<()> {
    with_lattice(async |lattice| {
        let _a = lattice.host(Script::new("a", 1).label("zone", "b")).await?;
        let _b = lattice.host(Script::new("b", 2)).await?;
        let script = Script::new("c", 3)
            .label("zone", "a")
            .component("hello", "x:1", 1);
        let _c = lattice.host(script).await?;
        let start = [
            "start",
            "component",
            "ghcr.io/acme/hello:1",
            "hello",
            "-c",
            "zone=a",
        ];
        let said = refused(&lattice, &[&start[..], &["--auction-timeout-ms", "300"]].concat()).await?;
        let expected = "error: no host of lattice `default` can run component `hello`\n  \
                        caused by: a: its label zone is b, not a\n  \
                        caused by: b: it has no label zone\n  \
                        caused by: c: it runs something of this id already\n\
                        hint: `--host-id` asks one host without an auction";
        assert_eq!(said, expected);
        Ok(())
    })
}

#[test]
fn links_configs_secrets_and_labels() -> Result<()> {
    with_lattice(async |lattice| {
        let host = lattice.host(Script::new("blue-heron-1", 1)).await?;
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
        let shown = text(&lattice, &[&put[..], &["--source-config", "web"]].concat()).await?;
        assert_eq!(shown, "Published link (http) -> (hello) successfully");
        let shown = text(&lattice, &["link", "query"]).await?;
        let expected = "SOURCE  TARGET  INTERFACES                  NAME     SOURCE CONFIG  TARGET CONFIG\n\
                        http    hello   wasi:http/incoming-handler  default  web";
        assert_eq!(shown, expected);
        let links = value(&lattice, &["get", "links"]).await?;
        assert_eq!(links.pointer("/links/0/source_config/0"), Some(&"web".into()));
        let put = [
            "link",
            "put",
            "http",
            "other",
            "wasi",
            "http",
            "--interface",
            "incoming-handler",
        ];
        let said = refused(&lattice, &put).await?;
        assert!(
            said.contains("link already exists with different target"),
            "{said}"
        );
        let ended = run(&lattice, &["link", "del", "--all"]).await?;
        assert!(
            ended.code == 1 && ended.text().contains("--force"),
            "{}",
            ended.text()
        );
        text(&lattice, &["link", "del", "http", "wasi", "http"]).await?;
        assert_eq!(
            value(&lattice, &["get", "links"]).await?,
            json!({ "links": [], "success": true })
        );

        let shown = value(
            &lattice,
            &["config", "put", "web", "address=127.0.0.1:80", "a=b=c"],
        )
        .await?;
        assert_eq!(
            shown,
            json!({ "message": "Configuration 'web' put successfully.", "success": true })
        );
        let shown = value(&lattice, &["config", "get", "web"]).await?;
        assert_eq!(shown, json!({ "a": "b=c", "address": "127.0.0.1:80" }));
        text(&lattice, &["config", "del", "web"]).await?;
        assert!(
            refused(&lattice, &["config", "get", "web"])
                .await?
                .contains("there is no config `web`")
        );
        let ended = run(&lattice, &["config", "put", "SECRET_a", "b=c"]).await?;
        assert!(
            ended.code == 3
                && ended
                    .text()
                    .contains("Did you mean to use the 'secrets' command?")
        );

        let put = [
            "secrets",
            "put",
            "pw",
            "nats-kv",
            "db/pw",
            "--version",
            "3",
            "--property",
            "role=x",
        ];
        assert_eq!(text(&lattice, &put).await?, "Secret 'pw' put successfully.");
        let shown = value(&lattice, &["secrets", "get", "pw"]).await?;
        assert_eq!(shown.get("key"), Some(&"db/pw".into()));
        assert_eq!(shown.get("version"), Some(&"3".into()));
        assert!(
            shown
                .get("policy")
                .and_then(Value::as_str)
                .is_some_and(|policy| policy.contains(r#""role":"x""#))
        );
        assert!(
            lattice
                .shared()
                .lock()
                .configs
                .keys()
                .any(|name| name.as_str() == "SECRET_pw")
        );
        text(&lattice, &["secrets", "del", "pw"]).await?;

        let shown = text(&lattice, &["label", "blue-heron-1", "zone=a", "team=b"]).await?;
        assert_eq!(
            shown,
            "Host `blue-heron-1` labeled with `zone=a`\nHost `blue-heron-1` labeled with `team=b`"
        );
        let shown = value(&lattice, &["label", host.id().as_str(), "zone", "--delete"]).await?;
        assert_eq!(
            shown,
            json!({ "success": true, "deleted": true, "processed": ["zone"] })
        );
        Ok(())
    })
}

#[test]
fn events_are_lines_and_end_with_a_signal() -> Result<()> {
    with_lattice(async |lattice| {
        let host = lattice.host(Script::new("blue-heron-1", 1)).await?;
        let process = launch(&lattice, &["events"])?.start()?;
        tokio::task::block_in_place(|| process.wait_log(&["listening to lattice `default`"], SOON))?;
        text(&lattice, &["start", "component", "ghcr.io/acme/hello:1", "hello"]).await?;
        host.tell_bytes("component_scaled", b"{").await?;
        let config = wasmcloud_wire::event::ConfigChanged {
            config_name: "last".to_owned(),
        };
        host.tell(wasmcloud_wire::event::Event::ConfigSet(config)).await?;
        tokio::task::block_in_place(|| {
            process.wait_for("the last event", SOON, |seen, _| {
                seen.iter()
                    .any(|line| line.contains("config last is set"))
                    .then_some(())
            })
        })?;
        process.interrupt()?;
        let ended = tokio::task::block_in_place(|| process.wait_exit(SOON))?;
        assert_eq!(ended.code, 0, "{}", ended.text());
        let first =
            "09:47:20.424  blue-heron-1  component hello runs, one instance at once (ghcr.io/acme/hello:1)";
        assert_eq!(
            ended.stdout.first().map(String::as_str),
            Some(first),
            "{}",
            ended.text()
        );
        assert!(
            ended
                .text()
                .contains("not an event known here on wasmbus.evt.default.component_scaled")
        );
        Ok(())
    })
}
