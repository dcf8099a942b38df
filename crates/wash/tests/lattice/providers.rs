//! Providers that are processes of their own, on hosts that are processes: what is left of them when a host ends.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};
use tokio::time::Instant;
use wasmcloud_artifacts::claims::{ProviderMetadata, Validity};
use wasmcloud_artifacts::par::{ProviderArchiveBuilder, Target};
use wasmcloud_test_kit::process::{Launch, Wash};
use wasmcloud_test_nats::example;

use crate::support::{Driven, connect, connect_embedded, host, nats, until, up};

/// Puts an archive with the test provider beside the host's data, and answers its image.
fn archive(launch: &Launch) -> Result<String> {
    let program = std::fs::read(example("wash-test-provider")?)?;
    let metadata = ProviderMetadata {
        name: Some("test".to_owned()),
        vendor: "acme".to_owned(),
        ..ProviderMetadata::default()
    };
    let builder = ProviderArchiveBuilder::new(metadata).program(Target::here(), Bytes::from(program));
    let subject = nkeys::KeyPair::new_service().public_key();
    let validity = Validity::from(std::time::SystemTime::now());
    let archive = builder.build(&subject, &nkeys::KeyPair::new_account(), validity)?;
    let file = launch.file("test.par");
    std::fs::write(&file, archive)?;
    Ok(format!("file://{}", file.display()))
}

/// Starts the provider and answers its process.
async fn provide(driven: &mut Driven, image: &str) -> Result<Pid> {
    let start = json!({ "provider_id": "p", "provider_ref": image, "host_id": driven.id });
    driven.client.ok(&driven.on("provider.start"), &start).await?;
    driven
        .events
        .wait("provider_started", &json!({ "provider_id": "p" }))
        .await?;
    let deadline = Instant::now() + Duration::from_secs(10);
    let connection = driven.client.connection();
    let report = connection
        .request("test.provider.p.report", None, Bytes::new(), deadline)
        .await?;
    let report: Value = serde_json::from_slice(&report.payload)?;
    let pid = report["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    pid.and_then(Pid::from_raw).context("a pid")
}

async fn gone(process: Pid) -> Result<()> {
    until("end of the provider", async || {
        Ok(test_kill_process(process) == Err(rustix::io::Errno::SRCH) || is_zombie(process))
    })
    .await
}

/// Dead, and not reaped by whoever reaps orphans here.
fn is_zombie(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| {
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('Z'))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_killed_takes_its_providers_along() -> Result<()> {
    ends(|wash| wash.kill().map(drop)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_leaves_takes_its_providers_along() -> Result<()> {
    ends(|wash| wash.stop().map(drop)).await
}

async fn ends(end: fn(&Wash) -> Result<()>) -> Result<()> {
    let nats = nats()?;
    let launch = host(&nats.url())?;
    let wash = launch.ready()?;
    let mut driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    let process = provide(&mut driven, &archive(&launch)?).await?;
    ensure!(test_kill_process(process).is_ok(), "it runs");
    end(&wash)?;
    gone(process).await
}

/// The embedded lattice asks who somebody is, and providers are told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_finds_its_way_into_the_embedded_lattice() -> Result<()> {
    let launch = up()?;
    let wash = launch.ready()?;
    let client = connect_embedded(&launch.file("data")).await?;
    let mut driven = Driven::new(client, &wash).await?;
    let process = provide(&mut driven, &archive(&launch)?).await?;
    wash.stop()?;
    gone(process).await
}
