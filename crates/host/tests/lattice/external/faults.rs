//! External providers that do not behave.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::Pid;
use serde_json::json;
use wasmcloud_artifacts::par::Target as Machine;
use wasmcloud_host::Host;
use wasmcloud_host::HostOptions;
use wasmcloud_host::ProviderSpec;

use super::{Scene, archive, is_gone, kill, pid};
use crate::on_both_lattices;
use crate::support::{Target, until};

on_both_lattices!(
    one_that_crashes_at_its_start_has_not_started,
    one_that_does_not_listen_has_not_started,
    one_that_is_no_program_for_this_machine_has_not_started,
    one_that_crashes_again_and_again_is_told_of_and_can_be_stopped,
    one_that_talks_nonsense_is_not_well,
    one_that_ignores_everything_is_killed,
    one_that_floods_its_output_disturbs_nobody,
    what_one_has_started_goes_with_it,
    one_that_starts_can_be_stopped,
);

async fn one_that_crashes_at_its_start_has_not_started(target: Target) -> Result<()> {
    let mut scene = Scene::start(target).await?;
    let why = scene.refused("p", json!({ "crash": "3" })).await?;
    ensure!(why.starts_with("start provider `p`"), "{why}");
    ensure!(
        why.contains("exit status: 3") && why.contains("I was told to crash"),
        "{why}"
    );
    ensure!(scene.processes()?.is_empty(), "it was started again");
    // The id is free again.
    scene.provide("p", json!({})).await?;
    Ok(())
}

async fn one_that_does_not_listen_has_not_started(target: Target) -> Result<()> {
    let deadline = Duration::from_millis(500);
    let mut scene = Scene::with(target, |options, _| options.start_deadline = deadline).await?;
    // Somebody who looks on at everything is no provider.
    let _spy = scene.rig.client.connection().subscribe("wasmbus.rpc.>").await?;
    let begun = Instant::now();
    let why = scene.refused("p", json!({ "hang": "" })).await?;
    ensure!(begun.elapsed() >= deadline);
    ensure!(
        why.contains("did not answer within") && why.contains("provider p begins"),
        "{why}"
    );
    scene.all_gone().await
}

async fn one_that_is_no_program_for_this_machine_has_not_started(target: Target) -> Result<()> {
    let mut scene = Scene::start(target).await?;
    scene.rig.file("test.par", b"not an archive")?;
    let why = scene.refused("p", json!({})).await?;
    ensure!(why.contains("archive"), "{why}");
    scene
        .rig
        .file("test.par", &archive("sparc-solaris".parse()?, b"x".to_vec())?)?;
    let why = scene.refused("p", json!({})).await?;
    ensure!(
        why.contains("sparc-solaris") && why.contains(Machine::here().as_str()),
        "{why}"
    );
    scene
        .rig
        .file("test.par", &archive(Machine::here(), b"no program".to_vec())?)?;
    let why = scene.refused("p", json!({})).await?;
    ensure!(why.contains("start provider `p`"), "{why}");
    scene.image = "file:///nowhere/at/all.par".to_owned();
    let why = scene.refused("p", json!({})).await?;
    ensure!(why.contains("/nowhere/at/all.par"), "{why}");
    Ok(())
}

async fn one_that_crashes_again_and_again_is_told_of_and_can_be_stopped(target: Target) -> Result<()> {
    let mut scene = Scene::start(target).await?;
    let marker = scene.rig.path("crash");
    let config = json!({ "crash_if": marker.to_string_lossy() });
    scene.provide("p", config).await?;
    std::fs::write(&marker, b"")?;
    kill(pid(&scene.report("p").await?)?)?;
    let begun = Instant::now();
    for _ in 0..5 {
        let failed = json!({ "provider_id": "p", "host_id": scene.host.id().as_str() });
        scene.rig.events.wait("health_check_failed", &failed).await?;
    }
    let took = begun.elapsed();
    ensure!(
        took >= Duration::from_millis(250 + 500 + 1_000 + 2_000),
        "without pauses: {took:?}"
    );
    // It is stopped while nothing of it runs, and does not come back.
    let begun = Instant::now();
    scene.stop("p").await?;
    ensure!(
        begun.elapsed() < Duration::from_secs(2),
        "the pause was waited for"
    );
    std::fs::remove_file(&marker)?;
    scene.all_gone().await?;
    scene.provide("p", json!({})).await?;
    Ok(())
}

async fn one_that_talks_nonsense_is_not_well(target: Target) -> Result<()> {
    let mut scene = Scene::with(target, |options, _| {
        options.first_health_check = Duration::from_millis(20);
        options.health_interval = Duration::from_millis(20);
    })
    .await?;
    for (id, answer) in [
        ("p", "garbage"),
        ("q", r#"{"healthy":false,"message":"no disk"}"#),
    ] {
        scene.provide(id, json!({ "health": answer })).await?;
        for _ in 0..2 {
            let event = scene
                .rig
                .events
                .wait("health_check_failed", &json!({ "provider_id": id }))
                .await?;
            ensure!(event.source == scene.host.id().as_str(), "{event:?}");
        }
    }
    Ok(())
}

async fn one_that_ignores_everything_is_killed(target: Target) -> Result<()> {
    let drain = Duration::from_millis(700);
    let mut scene = Scene::with(target, |_, time| *time = drain).await?;
    scene.provide("p", json!({ "shutdown": "ignore" })).await?;
    let process = pid(&scene.report("p").await?)?;
    let begun = Instant::now();
    scene.stop("p").await?;
    ensure!(begun.elapsed() >= drain, "it was killed before its time");
    ensure!(
        begun.elapsed() < drain + Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    ensure!(is_gone(process));
    Ok(())
}

async fn one_that_floods_its_output_disturbs_nobody(target: Target) -> Result<()> {
    let mut scene = Scene::start(target).await?;
    let before = memory()?;
    scene.provide("p", json!({ "flood": "" })).await?;
    // It is never held up by a full pipe, so it goes on answering, and so does the host.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        ensure!(!scene.report("p").await?.is_null(), "it does not answer");
        scene.rig.inventory(&scene.host).await?;
    }
    let grown = memory()?.saturating_sub(before);
    ensure!(grown < 200 << 20, "the host has grown by {grown} bytes");
    scene.stop("p").await
}

/// Memory of this process, in bytes.
fn memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line.unwrap_or_default().trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}

async fn what_one_has_started_goes_with_it(target: Target) -> Result<()> {
    let mut scene = Scene::start(target).await?;
    let file = scene.rig.path("grandchild");
    let started = || -> Result<Pid> {
        let text = std::fs::read_to_string(&file)?;
        std::fs::remove_file(&file)?;
        Pid::from_raw(text.parse()?).ok_or_else(|| anyhow::anyhow!("no pid: {text}"))
    };
    let config = json!({ "grandchild": file.to_string_lossy() });
    scene.provide("p", config.clone()).await?;
    let grandchild = started()?;
    ensure!(!is_gone(grandchild));
    let process = pid(&scene.report("p").await?)?;
    // A crash of the provider first, then a stop.
    kill(process)?;
    let gone = async || Ok(is_gone(grandchild) || is_zombie(grandchild));
    until("end of what a crashed provider had started", gone).await?;
    scene
        .rig
        .events
        .wait("health_check_passed", &json!({ "provider_id": "p" }))
        .await?;
    let grandchild = started()?;
    ensure!(!is_gone(grandchild));
    scene.stop("p").await?;
    let gone = async || Ok(is_gone(grandchild) || is_zombie(grandchild));
    until("end of what a stopped provider had started", gone).await?;
    scene.all_gone().await
}

/// Dead, and not reaped by whoever reaps orphans here.
fn is_zombie(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| {
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('Z'))
    })
}

async fn one_that_starts_can_be_stopped(target: Target) -> Result<()> {
    let scene = Scene::start(target).await?;
    scene.ask("p", json!({ "hang": "" })).await?;
    until("process", async || Ok(!scene.processes()?.is_empty())).await?;
    let begun = Instant::now();
    scene.host.leave(&[], &[]).await;
    ensure!(
        begun.elapsed() < Duration::from_secs(8),
        "the start deadline was waited for"
    );
    ensure!(scene.processes()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_host_without_a_lattice_says_that_it_needs_one() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let host = Host::new(HostOptions {
        data_dir: dir.path().to_owned(),
        engine: Default::default(),
        drain: Duration::from_secs(1),
        ingress: Default::default(),
        artifacts: Default::default(),
    })?;
    let spec = ProviderSpec {
        id: "p".parse()?,
        image: "file:///p.par".parse()?,
        reference: "file:///p.par".to_owned(),
        config: Vec::new(),
        annotations: Default::default(),
    };
    let error = host
        .start_provider(spec)
        .await
        .err()
        .map(|error| error.to_string());
    let error = error.unwrap_or_default();
    ensure!(
        error.contains("needs a lattice") && error.contains("hint:"),
        "{error}"
    );
    Ok(())
}
