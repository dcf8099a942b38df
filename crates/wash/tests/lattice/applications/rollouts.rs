//! Revisions that take over bit by bit, and those that do not: who asks meanwhile notices nothing but the new page.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use wasmcloud_test_kit::guests::example_manifest;
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::load::Load;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{SOON, Wash};
use wasmcloud_test_nats::Running;

use super::support::{Api, HELLO, PAGE, Web, labelled};
use super::{HELLO_WORD, PAGE_WORD};
use crate::support::{nats, until};

/// The first revision on two hosts, and all it takes to ask for the next one.
pub(super) struct Rig {
    pub(super) api: Api,
    pub(super) web: Web,
    /// The front, where the server is, and the back.
    pub(super) hosts: [Wash; 2],
    _nats: Running,
}

impl Rig {
    pub(super) async fn start() -> Result<Self> {
        let nats = nats()?;
        let hosts = [
            labelled(&nats, &[("role", "front")])?.ready()?,
            labelled(&nats, &[("role", "back")])?.ready()?,
        ];
        let api = Api::new(&nats).await?;
        let mut web = Web::new(HELLO, free_address()?, 60);
        web.spread = vec![("role", "front", 50), ("role", "back", 50)];
        api.deploy(&web.text("v1")?).await?;
        api.wait("web", "deployed").await?;
        Ok(Self {
            api,
            web,
            hosts,
            _nats: nats,
        })
    }

    /// Deploys another image in a certain way.
    pub(super) async fn deploy(&mut self, image: &str, rollout: &'static str) -> Result<()> {
        (self.web.image, self.web.rollout) = (image.to_owned(), Some(rollout));
        self.api.deploy(&self.web.text("v2")?).await?;
        Ok(())
    }

    /// What was done last with the application.
    async fn last(&self) -> Result<Value> {
        let (reply, _) = self.api.ask("history.web", "").await?;
        let history = reply["history"].as_array().context("a history")?;
        history.last().cloned().context("something was done")
    }

    /// Waits until the first revision is back, and answers why.
    async fn rolled_back(&self) -> Result<String> {
        let mut why = String::new();
        until("rollback", async || {
            let last = self.last().await?;
            ensure!(last["kind"] == "rolled-back" && last["version"] == "v1", "{last}");
            last["why"].as_str().context("a reason")?.clone_into(&mut why);
            Ok(true)
        })
        .await?;
        self.api.wait("web", "deployed").await?;
        Ok(why)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_gets_its_share_and_then_all() -> Result<()> {
    let mut rig = Rig::start().await?;
    let load = Load::start(rig.web.address, "/");
    load.wait_answer(HELLO_WORD, SOON)?;
    rig.deploy(PAGE, "{ strategy: canary, steps: '20, 60', pause: 2s }")
        .await?;
    load.wait_answer(PAGE_WORD, SOON)?;
    // Both answer in between.
    load.wait_answer(HELLO_WORD, SOON)?;
    let took = rig.api.wait("web", "deployed").await?;
    ensure!(took > Duration::from_secs(2), "it took its time: {took:?}");
    let address = rig.web.address;
    for _ in 0..50 {
        ensure!(
            get(address, "/")?.text().starts_with(PAGE_WORD),
            "the new revision answers all"
        );
    }
    println!("answers while a canary took over: {:?}", load.finish()?);
    ensure!(rig.last().await?["version"] == "v2");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blue_becomes_green_at_once() -> Result<()> {
    let mut rig = Rig::start().await?;
    let load = Load::start(rig.web.address, "/");
    load.wait_answer(HELLO_WORD, SOON)?;
    rig.deploy(PAGE, "{ strategy: blue-green, probe: / }").await?;
    load.wait_answer(PAGE_WORD, SOON)?;
    rig.api.wait("web", "deployed").await?;
    println!("answers while green took over: {:?}", load.finish()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_whose_calls_fail_goes_back() -> Result<()> {
    let mut rig = Rig::start().await?;
    rig.deploy("http_misbehave", "{ strategy: canary, steps: '50', pause: 1h }")
        .await?;
    let address = rig.web.address;
    let mut answers = [0_u32; 2];
    until("rollback", async || {
        for _ in 0..20 {
            let good = get(address, "/trap")?.status == 200;
            answers[usize::from(good)] += 1;
        }
        Ok(rig.last().await?["kind"] == "rolled-back")
    })
    .await?;
    let why = rig.rolled_back().await?;
    println!("{why}; {answers:?} failed and good answers until then");
    ensure!(why.ends_with("calls of the new revision failed"), "{why}");
    ensure!(answers.iter().all(|count| *count > 0), "{answers:?}");
    ensure!((0..20).all(|_| get(address, "/trap").is_ok_and(|answer| answer.status == 200)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_start_goes_back_and_nobody_notices() -> Result<()> {
    let mut rig = Rig::start().await?;
    let load = Load::start(rig.web.address, "/");
    load.wait_answer(HELLO_WORD, SOON)?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("broken.wasm");
    fs::write(&file, "this is no component")?;
    rig.deploy(&file.display().to_string(), "{ strategy: rolling }")
        .await?;
    let why = rig.rolled_back().await?;
    println!("rolled back because {why}");
    ensure!(why.contains("web-site failed 3 times"), "{why}");
    load.wait_answer(HELLO_WORD, SOON)?;
    load.finish()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_that_is_answered_badly_keeps_a_revision_out() -> Result<()> {
    let mut rig = Rig::start().await?;
    let load = Load::start(rig.web.address, "/");
    load.wait_answer(HELLO_WORD, SOON)?;
    let probe = "{ strategy: blue-green, probe: '/status?code=503' }";
    rig.deploy("http_misbehave", probe).await?;
    let why = rig.rolled_back().await?;
    println!("rolled back because {why}");
    ensure!(why.contains("503"), "{why}");
    load.finish()?;
    Ok(())
}

/// Configs belong to a revision like its image: each of the two sees its own values.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_revision_has_its_own_config() -> Result<()> {
    let nats = nats()?;
    let host = labelled(&nats, &[])?.ready()?;
    let api = Api::new(&nats).await?;
    let address = free_address()?;
    let policy = "spec:
  policies:
    - name: rollout
      type: policy.rollout.wasmcloud.dev/v1alpha1
      properties: { strategy: canary, steps: '50', pause: 2s }
";
    let manifest = example_manifest("http-keyvalue-counter", address)?;
    let text = |version: &str, word: &str| {
        let text = manifest.replace("spec:\n", policy);
        let text = text.replace("v0.1.0", version);
        text.replace("prefix: Counter", &format!("prefix: {word}"))
    };
    api.deploy(&text("v1", "One")).await?;
    api.wait("http-keyvalue-counter", "deployed").await?;
    let load = Load::start(address, "/visits");
    load.wait_answer("One", SOON)?;
    api.deploy(&text("v2", "Two")).await?;
    load.wait_answer("Two", SOON)?;
    load.wait_answer("One", SOON)?;
    api.wait("http-keyvalue-counter", "deployed").await?;
    for _ in 0..50 {
        let text = get(address, "/visits")?.text();
        ensure!(text.starts_with("Two"), "{text}");
    }
    println!("answers while a config changed: {:?}", load.finish()?);
    host.stop()?;
    Ok(())
}

/// The new server cannot have the address before the former lets go of it, and the former would wait for the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_another_name_takes_over_the_address() -> Result<()> {
    let mut rig = Rig::start().await?;
    rig.web.image = PAGE.to_owned();
    let renamed = rig.web.text("v2")?.replace("name: server", "name: front-door");
    rig.api.deploy(&renamed).await?;
    let took = rig.api.wait("web", "deployed").await?;
    let text = get(rig.web.address, "/")?.text();
    ensure!(text.starts_with(PAGE_WORD), "{text}");
    println!("it had the address after {took:?}");
    ensure!(rig.last().await?["version"] == "v2", "it did not go back");
    ensure!(took < Duration::from_secs(10), "{took:?}");
    Ok(())
}
