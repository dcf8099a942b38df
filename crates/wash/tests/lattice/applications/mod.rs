//! Applications on a lattice of real hosts: what was said to run does, wherever hosts, leaders and servers go.

mod from_wadm;
mod large;
mod own_links;
mod rollouts;
mod scaling;
mod support;
mod v1_client;
mod v1_wadm;
mod wrk;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;
use wasmcloud_test_kit::guests::root;
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::load::Load;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Launch, SOON, Wash};

use self::support::{Api, HELLO, PAGE, PATIENCE, Web, labelled};
use crate::support::{WASH, cache, id, nats, until};

/// The first words of the two pages.
const HELLO_WORD: &str = "Hello";
const PAGE_WORD: &str = "<!doctype";

/// A host is lost at most 5 s after it was last heard of, and its work is elsewhere at most 3 s later (design §8).
const RESTORED: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_is_deployed_serves_and_goes() -> Result<()> {
    let nats = nats()?;
    let front = labelled(&nats, &[("role", "front")])?.ready()?;
    let back = labelled(&nats, &[("role", "back")])?.ready()?;
    let api = Api::new(&nats).await?;
    let address = free_address()?;
    let mut web = Web::new(HELLO, address, 4);
    web.spread = vec![("role", "back", 100)];
    let generation = api.deploy(&web.text("v1")?).await?;
    api.wait("web", "deployed").await?;
    ensure!(get(address, "/")?.expect(200)?.text().contains(HELLO_WORD));
    ensure!(api.spread(&[&front, &back], "web-site").await? == [0, 4]);
    let (status, _) = api.ask("status.web", "").await?;
    ensure!(status["status"]["generation"] == generation, "{status:#}");
    ensure!(
        status["status"]["scalers"].as_array().map(Vec::len) == Some(3),
        "{status:#}"
    );

    // Elsewhere, fewer, and back: what was said last counts.
    web.spread = vec![("role", "front", 50), ("role", "back", 50)];
    api.deploy(&web.text("v2")?).await?;
    api.wait("web", "deployed").await?;
    ensure!(api.spread(&[&front, &back], "web-site").await? == [2, 2]);

    let (undeployed, _) = api.ask("undeploy.web", "").await?;
    ensure!(undeployed["result"] == "acknowledged", "{undeployed}");
    api.wait("web", "undeployed").await?;
    until("end of everything", async || {
        let gone = api.spread(&[&front, &back], "web-site").await? == [0, 0];
        Ok(gone && get(address, "/").is_err())
    })
    .await?;
    let links = api.control.ok("link.get", &Value::Null).await?.1;
    ensure!(links.as_array().is_some_and(Vec::is_empty), "{links}");
    let (deleted, _) = api.ask("del.web", "").await?;
    ensure!(deleted["result"] == "deleted", "{deleted}");
    until("an empty list", async || {
        Ok(api.ask("get", "").await?.0["models"] == serde_json::json!([]))
    })
    .await?;
    front.stop()?;
    back.stop()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_host_ran_runs_elsewhere() -> Result<()> {
    let nats = nats()?;
    let front = labelled(&nats, &[("role", "front")])?.ready()?;
    let backs = [
        labelled(&nats, &[("role", "back")])?.ready()?,
        labelled(&nats, &[("role", "back")])?.ready()?,
    ];
    let api = Api::new(&nats).await?;
    // The front leads, as it was there first, or at least somebody who stays has to.
    let leader = api.leader().await?;
    let address = free_address()?;
    let mut web = Web::new(HELLO, address, 1);
    web.spread = vec![("role", "back", 100)];
    api.deploy(&web.text("v1")?).await?;
    api.wait("web", "deployed").await?;
    let counts = api.spread(&[&backs[0], &backs[1]], "web-site").await?;
    let [one, two] = backs;
    let (runs, other) = if counts == [1, 0] { (one, two) } else { (two, one) };
    let led = id(&runs)? == leader;
    let killed = Instant::now();
    runs.kill()?;
    until("answer from the other host", async || {
        Ok(get(address, "/")?.status == 200)
    })
    .await?;
    let took = killed.elapsed();
    println!(
        "a lost host: served again after {took:?}, the leader was {}",
        if led { "lost too" } else { "another" }
    );
    let limit = if led { PATIENCE } else { RESTORED };
    ensure!(took < limit, "{took:?}");
    api.wait("web", "deployed").await?;
    ensure!(api.spread(&[&other], "web-site").await? == [1]);
    front.stop()?;
    other.stop()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_leader_finishes_what_the_last_one_began() -> Result<()> {
    let nats = nats()?;
    let mut hosts: Vec<Wash> = Vec::new();
    for _ in 0..3 {
        hosts.push(labelled(&nats, &[("role", "front")])?.ready()?);
    }
    let api = Api::new(&nats).await?;
    let address = free_address()?;
    api.deploy(&Web::new(HELLO, address, 6).text("v1")?).await?;
    api.wait("web", "deployed").await?;
    let leader = api.leader().await?;
    let place = hosts
        .iter()
        .position(|host| id(host).is_ok_and(|id| id == leader));
    let place = place.unwrap_or_default();
    // What is said in the last moment of a leader is written down, and the next one does it.
    api.deploy(&Web::new(PAGE, address, 6).text("v2")?).await?;
    let killed = Instant::now();
    hosts.remove(place).kill()?;
    let next = api.leader().await?;
    ensure!(next != leader);
    println!("another leads {:?} after its leader was killed", killed.elapsed());
    api.wait("web", "deployed").await?;
    println!("the next leader was done after {:?}", killed.elapsed());
    until("the new page", async || {
        Ok(get(address, "/")?.text().starts_with(PAGE_WORD))
    })
    .await?;
    let hosts: Vec<&Wash> = hosts.iter().collect();
    ensure!(api.instances(&hosts, "web-site").await? == 6);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_leaves_hands_over_at_once() -> Result<()> {
    let nats = nats()?;
    let one = labelled(&nats, &[])?.ready()?;
    let two = labelled(&nats, &[])?.ready()?;
    let api = Api::new(&nats).await?;
    let leader = api.leader().await?;
    let (first, second) = if id(&one)? == leader {
        (one, two)
    } else {
        (two, one)
    };
    let begun = Instant::now();
    first.stop()?;
    ensure!(api.leader().await? == id(&second)?);
    println!(
        "another leads {:?} after its leader was told to stop",
        begun.elapsed()
    );
    ensure!(begun.elapsed() < Duration::from_secs(4));
    second.stop()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_takes_over_without_a_failed_request() -> Result<()> {
    let nats = nats()?;
    let front = labelled(&nats, &[("role", "front")])?.ready()?;
    let back = labelled(&nats, &[("role", "back")])?.ready()?;
    let api = Api::new(&nats).await?;
    let address = free_address()?;
    let spread = vec![("role", "front", 50), ("role", "back", 50)];
    let web = |image: &str| Web {
        spread: spread.clone(),
        ..Web::new(image, address, 100)
    };
    api.deploy(&web(HELLO).text("v1")?).await?;
    api.wait("web", "deployed").await?;
    let load = Load::start(address, "/");
    load.wait_answer(HELLO_WORD, SOON)?;
    api.deploy(&web(PAGE).text("v2")?).await?;
    load.wait_answer(PAGE_WORD, SOON)?;
    api.wait("web", "deployed").await?;
    let (back_again, _) = api.ask("rollback.web", "").await?;
    ensure!(back_again["version"] == "v1", "{back_again}");
    load.wait_answer(HELLO_WORD, SOON)?;
    api.wait("web", "deployed").await?;
    let answers = load.finish()?;
    println!("answers while revisions changed: {answers:?}");
    front.stop()?;
    back.stop()?;
    Ok(())
}

/// From one host to all of them and back by changing the manifest only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_moves_from_one_host_to_many_and_back_under_load() -> Result<()> {
    let nats = nats()?;
    let front = labelled(&nats, &[("role", "front")])?.ready()?;
    let one = labelled(&nats, &[("role", "back")])?.ready()?;
    let two = labelled(&nats, &[("role", "back")])?.ready()?;
    let hosts = [&front, &one, &two];
    let api = Api::new(&nats).await?;
    let address = free_address()?;
    let on = |spread: &[(&'static str, &'static str, u32)]| Web {
        spread: spread.to_vec(),
        ..Web::new(HELLO, address, 60)
    };
    api.deploy(&on(&[("role", "front", 100)]).text("monolith")?)
        .await?;
    api.wait("web", "deployed").await?;
    ensure!(api.spread(&hosts, "web-site").await? == [60, 0, 0]);
    let load = Load::start(address, "/");
    for (version, spread, wanted) in [
        ("spread", vec![("role", "back", 100)], [0, 30, 30]),
        (
            "both",
            vec![("role", "front", 34), ("role", "back", 66)],
            [20, 20, 20],
        ),
        ("back", vec![("role", "front", 100)], [60, 0, 0]),
    ] {
        load.wait_answer(HELLO_WORD, SOON)?;
        api.deploy(&on(&spread).text(version)?).await?;
        let took = api.wait("web", "deployed").await?;
        let counts = api.spread(&hosts, "web-site").await?;
        println!("{version}: {counts:?} after {took:?}");
        ensure!(
            counts.iter().sum::<u64>() == 60 && (version == "both" || counts == wanted),
            "{version}: {counts:?}"
        );
    }
    load.wait_answer(HELLO_WORD, SOON)?;
    println!("answers while it moved: {:?}", load.finish()?);
    Ok(())
}

/// The example does what its README says.
#[test]
fn the_script_of_the_example_moves_an_application() -> Result<()> {
    let script = root().join("examples/move-while-running/move.sh");
    let address = free_address()?.to_string();
    let moved = Launch::command("/bin/sh", &[&script.display().to_string()])?
        .env("WASH", WASH)
        .env("WASMCLOUD_CACHE_DIR", cache())
        .env("ADDRESS", &address)
        .run_within(PATIENCE * 4)?;
    let said = moved.text();
    ensure!(moved.code == 0, "{said}");
    let last = said
        .lines()
        .rfind(|line| line.contains("answered"))
        .unwrap_or_default();
    println!("{last}");
    ensure!(
        last.ends_with(" answered, 0 failed while it moved") && !last.starts_with("0 "),
        "{said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_while_something_is_deployed() -> Result<()> {
    let mut nats = nats()?;
    let front = labelled(&nats, &[("role", "front")])?.ready()?;
    let back = labelled(&nats, &[("role", "back")])?.ready()?;
    let api = Api::new(&nats).await?;
    let address = free_address()?;
    api.deploy(&Web::new(HELLO, address, 4).text("v1")?).await?;
    nats.kill()?;
    front.wait_log(&["lost the connection to NATS"], SOON)?;
    nats.restart()?;
    api.wait("web", "deployed").await?;
    until("answer", async || Ok(get(address, "/")?.status == 200)).await?;
    ensure!(api.instances(&[&front, &back], "web-site").await? == 4);
    Ok(())
}
