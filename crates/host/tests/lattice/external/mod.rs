//! Providers that are processes of their own (wire reference §2.5), with a real program in a real archive.

mod faults;
mod life;
mod login;
mod told;
mod v1_sdk;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};
use tokio::time::Instant;
use wasmcloud_artifacts::claims::{ProviderMetadata, Validity};
use wasmcloud_artifacts::par::{ProviderArchiveBuilder, Target as Machine};
use wasmcloud_host::{LatticeHost, ProviderOptions};
use wasmcloud_test_kit::control::Event;
use wasmcloud_test_nats::example;

use crate::support::{Rig, Target, on, until};

/// An archive with a program for one machine.
pub(crate) fn archive(machine: Machine, program: Vec<u8>) -> Result<Vec<u8>> {
    let metadata = ProviderMetadata {
        name: Some("test".to_owned()),
        vendor: "acme".to_owned(),
        ..ProviderMetadata::default()
    };
    let subject = nkeys::KeyPair::new_service().public_key();
    let account = nkeys::KeyPair::new_account();
    let archive = ProviderArchiveBuilder::new(metadata).program(machine, Bytes::from(program));
    Ok(archive.build(&subject, &account, Validity::from(std::time::SystemTime::now()))?)
}

/// A lattice with a host, and the archive of the test provider.
struct Scene {
    rig: Rig,
    host: LatticeHost,
    image: String,
}

impl Scene {
    async fn start(target: Target) -> Result<Self> {
        Self::with(target, |_, _| {}).await
    }

    /// With other options for the processes, and another drain time.
    async fn with(target: Target, change: impl FnOnce(&mut ProviderOptions, &mut Duration)) -> Result<Self> {
        let mut rig = Rig::start(target).await?;
        let host = rig
            .host(|options, join| change(&mut join.providers, &mut options.drain))
            .await?;
        let image = rig.file(
            "test.par",
            &archive(Machine::here(), std::fs::read(example("host-test-provider")?)?)?,
        )?;
        Ok(Self { rig, host, image })
    }

    /// Asks for a provider with this config, which is put under its id.
    async fn ask(&self, id: &str, config: Value) -> Result<()> {
        let client = &self.rig.client;
        client.ok(&format!("config.put.{id}"), &config).await?;
        let body = json!({
            "provider_id": id, "provider_ref": self.image, "host_id": self.host.id().as_str(), "config": [id],
            "annotations": { "a": "b" },
        });
        let (text, _) = client.ok(&on("provider.start", &self.host), &body).await?;
        ensure!(text == "successfully started provider", "{text}");
        Ok(())
    }

    /// Asks, and waits until it runs.
    async fn provide(&mut self, id: &str, config: Value) -> Result<Event> {
        self.ask(id, config).await?;
        self.rig
            .events
            .wait("provider_started", &json!({ "provider_id": id }))
            .await
    }

    /// Asks, and waits until it has failed. Returns the reason.
    async fn refused(&mut self, id: &str, config: Value) -> Result<String> {
        self.ask(id, config).await?;
        let failed = json!({ "provider_id": id });
        let event = self.rig.events.wait("provider_start_failed", &failed).await?;
        ensure!(
            self.rig.inventory(&self.host).await?["providers"] == json!([]),
            "it is listed"
        );
        Ok(event.data["error"].as_str().context("an error")?.to_owned())
    }

    async fn stop(&mut self, id: &str) -> Result<()> {
        let body = json!({ "provider_id": id, "host_id": self.host.id().as_str() });
        let (text, _) = self
            .rig
            .client
            .ok(&on("provider.stop", &self.host), &body)
            .await?;
        ensure!(text == "successfully stopped provider", "{text}");
        let stopped = json!({ "provider_id": id, "reason": "stop" });
        self.rig.events.wait("provider_stopped", &stopped).await?;
        Ok(())
    }

    /// What the provider knows and was told, or nothing if nobody answers.
    async fn report(&self, id: &str) -> Result<Value> {
        let deadline = Instant::now() + Duration::from_secs(2);
        let subject = format!("test.provider.{id}.report");
        let connection = self.rig.client.connection();
        match connection.request(&subject, None, Bytes::new(), deadline).await {
            Ok(answer) => Ok(serde_json::from_slice(&answer.payload)?),
            Err(_) => Ok(Value::Null),
        }
    }

    /// Waits for a report that is as wanted.
    async fn report_when(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut last = Value::Null;
        until(what, async || {
            last = self.report(id).await?;
            Ok(wanted(&last))
        })
        .await
        .with_context(|| format!("the last report was {last}"))?;
        Ok(last)
    }

    /// Where the host keeps programs of providers.
    fn programs(&self) -> PathBuf {
        self.rig.path("data/providers")
    }

    /// The processes that run a program of this host.
    fn processes(&self) -> Result<Vec<Pid>> {
        let programs = self.programs();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let entry = entry?;
            // Others come and go.
            let Ok(exe) = std::fs::read_link(entry.path().join("exe")) else {
                continue;
            };
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if exe.starts_with(&programs) {
                found.extend(pid.and_then(Pid::from_raw));
            }
        }
        Ok(found)
    }

    /// Waits until no program of this host runs.
    async fn all_gone(&self) -> Result<()> {
        until("end of all processes of providers", async || {
            Ok(self.processes()?.is_empty())
        })
        .await
    }
}

/// The process that a report is of.
fn pid(report: &Value) -> Result<Pid> {
    let pid = report["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    pid.and_then(Pid::from_raw)
        .with_context(|| format!("a pid in {report}"))
}

fn is_gone(pid: Pid) -> bool {
    test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
}

fn kill(pid: Pid) -> Result<()> {
    Ok(kill_process(pid, Signal::KILL)?)
}
