//! A lattice of our hosts that the published wadm of v1 leads (`tests/interop/wadm-v1`): ours stay back, what it asks
//! for is done, `wash app` and `wash up` go through it, and once it is gone one of ours takes over what runs.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, ensure};
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::load::Load;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Ended, Launch, SOON, Wash};
use wasmcloud_test_nats::{Running, interop};

use super::support::{Api, HELLO, PAGE, PATIENCE, Web, labelled};
use super::{HELLO_WORD, PAGE_WORD};
use crate::support::{WASH, cache, nats, until};

/// wadm looks at its work every five seconds and believes in a state only the second time, so what it does takes its
/// time.
const ITS_TIME: std::time::Duration = std::time::Duration::from_secs(90);

/// Starts wadm, and waits until it answers.
fn wadm(nats: &Running) -> Result<Wash> {
    let address = nats.url().trim_start_matches("nats://").to_owned();
    let wadm = Launch::command(interop("wadm-v1")?, &[&address])?.start()?;
    wadm.wait_for("line `ready`", SOON, |stdout, _| {
        stdout.iter().any(|line| line == "ready").then_some(())
    })?;
    Ok(wadm)
}

fn app(nats: &Running, words: &[&str]) -> Result<Ended> {
    let mut all = vec!["-o", "json", "app"];
    all.extend(words);
    let ended = Launch::command(WASH, &all)?
        .arg("--nats-url")
        .arg(nats.url())
        .run_within(ITS_TIME)?;
    ensure!(ended.code == 0, "{words:?}: {}", ended.text());
    Ok(ended)
}

fn file(dir: &Path, address: SocketAddr, image: &str, version: &str) -> Result<String> {
    let file = dir.join(format!("{version}.yaml"));
    std::fs::write(&file, Web::new(image, address, 2).text(version)?)?;
    Ok(file.display().to_string())
}

fn says(address: SocketAddr, word: &str) -> Result<bool> {
    Ok(get(address, "/")?.expect(200)?.text().contains(word))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wadm_of_v1_leads_our_hosts_until_it_is_gone() -> Result<()> {
    let nats = nats()?;
    let wadm = wadm(&nats)?;
    let front = labelled(&nats, &[("role", "front")])?.ready()?;
    let _back = labelled(&nats, &[])?.ready()?;
    let (address, dir) = (free_address()?, tempfile::tempdir()?);
    let first = file(dir.path(), address, HELLO, "v1")?;
    let second = file(dir.path(), address, PAGE, "v2")?;
    let api = Api::new(&nats).await?;

    app(&nats, &["deploy", &first])?;
    ensure!(says(address, HELLO_WORD)?);
    app(&nats, &["deploy", &second])?;
    until("the other page", async || says(address, PAGE_WORD)).await?;
    front.wait_log(&["a controller of v1 (wadm) is at work"], SOON)?;

    // Gone, with all that it kept in its bucket: what runs goes on under load and is ours.
    let load = Load::start(address, "/");
    wadm.terminate()?;
    wadm.wait_exit(SOON)?;
    api.leader().await?;
    app(&nats, &["import", "--from-wadm"])?;
    api.wait("web", "deployed").await?;
    ensure!(says(address, PAGE_WORD)?);
    println!("answers while one of ours took over: {:?}", load.finish()?);
    app(&nats, &["undeploy", "web"])?;
    until("the end of it", async || Ok(get(address, "/").is_err())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wash_up_goes_through_a_wadm_of_v1() -> Result<()> {
    let nats = nats()?;
    let _wadm = wadm(&nats)?;
    let _front = labelled(&nats, &[("role", "front")])?.ready()?;
    let address = free_address()?;
    let manifest = Web::new(HELLO, address, 2).text("v1")?;
    let up = Launch::up(WASH, &cache(), &manifest)?
        .arg("--nats-url")
        .arg(nats.url())
        .start()?;
    up.wait_ready(ITS_TIME)?;
    ensure!(says(address, HELLO_WORD)?);
    up.interrupt()?;
    let ended = up.wait_exit(PATIENCE)?;
    ensure!(ended.code == 0, "{}", ended.text());
    // wadm says that it is done before its commands have arrived.
    until("the end of it", async || Ok(get(address, "/").is_err())).await
}
