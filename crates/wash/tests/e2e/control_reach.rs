//! Which lattice a command reaches, and as whom: flags, contexts, the embedded lattice, logins; and what is said when
//! it reaches none.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Ended, Launch, SOON};
use wasmcloud_test_lattice::{Script, ScriptedHost, TestLattice};
use wasmcloud_test_nats::NatsServer;

use crate::support::wash;

/// A lattice with one host, in this process.
struct Lattice {
    runtime: Runtime,
    lattice: TestLattice,
    _host: ScriptedHost,
}

impl Lattice {
    fn start(start: impl AsyncFnOnce() -> Result<TestLattice>, name: &str) -> Result<Self> {
        Self::start_as(start, name, "")
    }

    /// The same on a server to which the host has to log in, with `user:password@`.
    fn start_as(start: impl AsyncFnOnce() -> Result<TestLattice>, name: &str, login: &str) -> Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build()?;
        let (lattice, host) = runtime.block_on(async {
            let lattice = start().await?.with_login(login);
            let host = lattice.host(Script::new(name, 1)).await?;
            anyhow::Ok((lattice, host))
        })?;
        Ok(Self {
            runtime,
            lattice,
            _host: host,
        })
    }

    /// Its address, without the login.
    fn address(&self) -> Result<String> {
        let address = self.lattice.url().rsplit(['@', '/']).next();
        Ok(address.context("a URL has a host")?.to_owned())
    }

    fn port(&self) -> Result<String> {
        let address = self.address()?;
        Ok(address
            .rsplit(':')
            .next()
            .context("an address has a port")?
            .to_owned())
    }
}

/// `wash -o json get hosts` with more.
fn hosts(args: &[&str]) -> Result<Launch> {
    Ok(wash(&[&["-o", "json", "get", "hosts"], args].concat())?.env("WASMCLOUD_CTL_TIMEOUT_MS", "20000"))
}

/// The name of the one host that a command lists.
fn reached(ended: &Ended) -> Result<String> {
    ensure!(ended.code == 0, "{}", ended.text());
    let value = ended.events().pop().context("JSON was printed")?;
    let name = value.pointer("/hosts/0/friendly_name").and_then(Value::as_str);
    Ok(name.with_context(|| format!("no host in {value}"))?.to_owned())
}

#[test]
fn the_embedded_lattice_of_this_machine_is_found_with_its_login() -> Result<()> {
    let data = tempfile::tempdir()?;
    let folder = data.path().join("lattice");
    let mut lattice = Lattice::start(async || TestLattice::embedded_in(&folder).await, "here")?;
    let port = lattice.port()?;
    // By its folder, and by its address, whoever says it: a login is not asked for twice.
    for args in [
        &[][..],
        &["--ctl-port", &port],
        &["--nats-url", &format!("nats://localhost:{port}")],
    ] {
        let ended = hosts(args)?.env("WASMCLOUD_DATA_DIR", data.path()).run()?;
        assert_eq!(reached(&ended)?, "here", "{args:?}");
    }
    let ended = hosts(&["--ctl-port", &port])?.run()?;
    assert!(
        ended.code == 1 && ended.text().contains("refused the login"),
        "{}",
        ended.text()
    );

    // What v1 keeps for a default says nothing that would not be so without it.
    let launch = hosts(&[])?.env("WASMCLOUD_DATA_DIR", data.path());
    let contexts = launch.file("home/.wash/contexts");
    fs::create_dir_all(&contexts)?;
    fs::write(contexts.join("default"), "host_config")?;
    let text = r#"{"name":"host_config","ctl_host":"127.0.0.1","ctl_port":4222,"lattice_prefix":"default"}"#;
    fs::write(contexts.join("host_config.json"), text)?;
    assert_eq!(reached(&launch.run()?)?, "here");

    lattice.runtime.block_on(lattice.lattice.stop());
    let nobody = free_address()?.port().to_string();
    let ended = hosts(&["--ctl-port", &nobody])?.run()?;
    let said = ended.text();
    assert!(
        ended.code == 1 && said.contains("no lattice answers") && said.contains("wash up"),
        "{said}"
    );
    Ok(())
}

#[test]
fn contexts_are_made_chosen_and_used() -> Result<()> {
    let one = Lattice::start(async || TestLattice::embedded().await, "one")?;
    let two = Lattice::start(async || TestLattice::embedded().await, "two")?;
    let config = tempfile::tempdir()?;
    let run = |args: &[&str]| wash(args)?.env("WASH_CONFIG_DIR", config.path()).run();
    let work = |args: &[&str]| -> Result<Value> {
        let ended = run(&[&["-o", "json"], args].concat())?;
        ensure!(ended.code == 0, "{args:?}: {}", ended.text());
        ended.events().pop().context("JSON was printed")
    };
    work(&["ctx", "new", "one", "--ctl-port", &one.port()?])?;
    work(&[
        "ctx",
        "new",
        "two",
        "--ctl-host",
        "localhost",
        "--ctl-port",
        &two.port()?,
        "-t",
        "20000",
    ])?;
    assert_eq!(
        work(&["ctx", "default", "one"])?,
        json!({ "default": "one", "success": true })
    );
    let listed = json!({ "contexts": ["one", "two"], "default": "one", "success": true });
    assert_eq!(work(&["ctx", "list"])?, listed);
    assert_eq!(run(&["ctx", "list"])?.stdout, ["  CONTEXT", "* one", "  two"]);

    let file = config.path().join("contexts/two.json").display().to_string();
    for (args, expected) in [
        (&[][..], "one"),
        (&["--context", "two"], "two"),
        (&["--context", &file], "two"),
        (&["--context", "two", "--ctl-port", &one.port()?], "one"),
        (&["--nats-url", two.lattice.url()], "two"),
    ] {
        let ended = hosts(args)?.env("WASH_CONFIG_DIR", config.path()).run()?;
        assert_eq!(reached(&ended)?, expected, "{args:?}");
    }

    let said = run(&["get", "hosts", "--context", "tow"])?;
    assert!(
        said.code == 3 && said.text().contains("did you mean `two`?"),
        "{}",
        said.text()
    );
    assert_eq!(run(&["ctx", "new", "two"])?.code, 3);
    work(&["ctx", "edit", "two", "--editor", "true"])?;
    fs::write(&file, r#"{"ctl_port":"x"}"#)?;
    let said = run(&["ctx", "edit", "two", "--editor", "true"])?;
    assert!(
        said.code == 3 && said.text().contains("two.json"),
        "{}",
        said.text()
    );
    work(&["ctx", "new", "three"])?;
    work(&["ctx", "del", "one"])?;
    assert_eq!(work(&["ctx", "list"])?.get("default"), Some(&Value::Null));
    Ok(())
}

#[test]
fn users_tokens_and_keys_log_in_to_nats() -> Result<()> {
    let key = nkeys::KeyPair::new_user();
    let (seed, public) = (key.seed()?, key.public_key());
    let users =
        format!("authorization {{ users: [{{ user: me, password: s3cret }}, {{ nkey: {public} }}] }}");
    let server = NatsServer::default().config(&users);
    let lattice = Lattice::start_as(async || TestLattice::nats_with(server).await, "one", "me:s3cret@")?;
    let address = lattice.address()?;
    let url = format!("nats://{address}");
    let launch = hosts(&["--nats-url", &url, "--nats-nkey-seed-file", "seed"])?;
    fs::write(launch.file("seed"), format!("{seed}\n"))?;
    assert_eq!(reached(&launch.run()?)?, "one");
    for args in [
        &["--nats-url", &format!("nats://me:s3cret@{address}")][..],
        &[
            "--nats-url",
            &url,
            "--nats-user",
            "me",
            "--nats-password",
            "s3cret",
        ],
        &["--nats-url", &url, "--ctl-seed", &seed],
    ] {
        assert_eq!(reached(&hosts(args)?.run()?)?, "one", "{args:?}");
    }
    let ended = hosts(&[
        "--nats-url",
        &url,
        "--nats-user",
        "me",
        "--nats-password",
        "wr0ng",
    ])?
    .run()?;
    let said = ended.text();
    assert!(
        ended.code == 1 && said.contains("refused the login (user and password)"),
        "{said}"
    );
    assert!(!said.contains("wr0ng"), "{said}");
    let ended = hosts(&["--nats-url", &url, "--ctl-host", "localhost"])?.run()?;
    assert!(
        ended.code == 3 && ended.text().contains("the server is named twice"),
        "{}",
        ended.text()
    );
    Ok(())
}

#[test]
fn an_inventory_is_watched_until_a_signal() -> Result<()> {
    let lattice = Lattice::start(async || TestLattice::embedded().await, "one")?;
    let args = [
        "-o",
        "json",
        "get",
        "inventory",
        "one",
        "--watch",
        "100ms",
        "--nats-url",
        lattice.lattice.url(),
    ];
    let process = wash(&args)?.env("WASMCLOUD_CTL_TIMEOUT_MS", "20000").start()?;
    process.wait_for("three rounds", SOON, |seen, _| (seen.len() >= 3).then_some(()))?;
    process.interrupt()?;
    let ended = process.wait_exit(SOON)?;
    assert_eq!(
        (ended.code, ended.events().len()),
        (0, ended.stdout.len()),
        "{}",
        ended.text()
    );
    let said = wash(&["get", "inventory", "--watch", "1"])?.run()?;
    assert_eq!(said.code, 2, "{}", said.text());
    Ok(())
}
