//! The manifest API as any client of NATS asks it, and manifests to ask it about.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wasmcloud_test_kit::control::Control;
use wasmcloud_test_kit::guests::{example, guest};
use wasmcloud_test_kit::process::{Launch, Wash};
use wasmcloud_test_nats::Running;

use crate::support::{connect, host, id, until};

/// Longest time for anything that involves a leader who was killed: 5 s until that is noticed, and what follows.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A host that may read component files, with labels.
pub(crate) fn labelled(nats: &Running, labels: &[(&str, &str)]) -> Result<Launch> {
    let mut launch = host(&nats.url())?.env("WASMCLOUD_ALLOW_FILE_LOAD", "true");
    for (key, value) in labels {
        launch = launch.arg("--label").arg(format!("{key}={value}"));
    }
    Ok(launch)
}

/// Asks the controller of the lattice.
pub(crate) struct Api {
    pub(crate) control: Control,
}

impl Api {
    pub(crate) async fn new(nats: &Running) -> Result<Self> {
        let control = connect(&nats.url()).await?;
        Ok(Self { control })
    }

    /// Asks until somebody leads. Answers what was said, and which host leads.
    pub(crate) async fn ask(&self, what: &str, payload: impl Into<Vec<u8>>) -> Result<(Value, String)> {
        let subject = format!("wadm.api.default.model.{what}");
        let (payload, connection) = (payload.into(), self.control.connection());
        let mut answered = None;
        until(&format!("answer to {what}"), async || {
            let deadline = connection.default_deadline();
            let message = connection
                .request(&subject, None, payload.clone().into(), deadline)
                .await?;
            let headers = message.headers.unwrap_or_default();
            let leader = headers.get("wasmcloud-controller").context("our controller")?;
            answered = Some((serde_json::from_slice(&message.payload)?, leader.to_string()));
            Ok(true)
        })
        .await?;
        answered.context("an answer")
    }

    /// Puts and deploys; answers the generation.
    pub(crate) async fn deploy(&self, manifest: &str) -> Result<u64> {
        let (put, _) = self.ask("put", manifest).await?;
        ensure!(put["result"] != "error", "{put}");
        let name = put["name"].as_str().context("a name")?;
        let version = json!({ "version": put["current_version"] }).to_string();
        let (deployed, _) = self.ask(&format!("deploy.{name}"), version).await?;
        ensure!(deployed["result"] == "acknowledged", "{deployed}");
        deployed["generation"].as_u64().context("a generation")
    }

    /// Who leads.
    pub(crate) async fn leader(&self) -> Result<String> {
        Ok(self.ask("list", "").await?.1)
    }

    /// Waits until an application has this status; answers how long that took.
    pub(crate) async fn wait(&self, app: &str, status: &str) -> Result<Duration> {
        let begun = Instant::now();
        until(&format!("{app} {status}"), async || {
            let (reply, _) = self.ask(&format!("status.{app}"), "").await?;
            ensure!(reply["status"]["status"]["type"] == status, "{reply:#}");
            Ok(true)
        })
        .await?;
        Ok(begun.elapsed())
    }

    /// How many instances of a component all of these hosts have.
    pub(crate) async fn instances(&self, hosts: &[&Wash], component: &str) -> Result<u64> {
        Ok(self.spread(hosts, component).await?.iter().sum())
    }

    /// How many instances of a component each host has.
    pub(crate) async fn spread(&self, hosts: &[&Wash], component: &str) -> Result<Vec<u64>> {
        let mut counts = Vec::new();
        for host in hosts {
            let subject = format!("host.get.{}", id(host)?);
            let (_, inventory) = self.control.ok(&subject, &Value::Null).await?;
            let components = inventory["components"].as_array().cloned().unwrap_or_default();
            let found = components.iter().find(|running| running["id"] == component);
            counts.push(
                found
                    .and_then(|running| running["max_instances"].as_u64())
                    .unwrap_or(0),
            );
        }
        Ok(counts)
    }
}

/// An application with one component behind an HTTP server. The server runs on hosts with `role=front`.
pub(crate) struct Web {
    /// As [`file`] takes it.
    pub(crate) image: String,
    pub(crate) address: SocketAddr,
    pub(crate) instances: u32,
    /// Where the component runs: requirements and weight of each spread; anywhere where there is none.
    pub(crate) spread: Vec<(&'static str, &'static str, u32)>,
    /// The properties of the rollout policy, as YAML.
    pub(crate) rollout: Option<&'static str>,
    /// Traits in place of the scaler, as YAML.
    pub(crate) traits: Option<&'static str>,
}

/// The example that says hello.
pub(crate) const HELLO: &str = "http-hello-world/http_hello_world";
/// The page of the router example.
pub(crate) const PAGE: &str = "http-router/web";

/// Where an image is: `example/file` of an example, the name of a guest, or the path of a file.
pub(crate) fn file(image: &str) -> Result<PathBuf> {
    match image.split_once('/') {
        Some(("", _)) => Ok(PathBuf::from(image)),
        Some((of, file)) => example(of, file),
        None => guest(image),
    }
}

impl Web {
    pub(crate) fn new(image: impl Into<String>, address: SocketAddr, instances: u32) -> Self {
        Self {
            image: image.into(),
            address,
            instances,
            spread: Vec::new(),
            rollout: None,
            traits: None,
        }
    }

    pub(crate) fn text(&self, version: &str) -> Result<String> {
        let file = file(&self.image)?;
        let policy = self.rollout.map_or_else(String::new, |properties| {
            format!(
                "  policies:
    - name: rollout
      type: policy.rollout.wasmcloud.dev/v1alpha1
      properties: {properties}
"
            )
        });
        let mut text = format!(
            "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: web
  annotations:
    version: {version}
spec:
{policy}  components:
    - name: site
      type: component
      properties:
        image: file://{}
      traits:
        {}
",
            file.display(),
            match self.traits {
                Some(traits) => traits.to_owned(),
                None => format!(
                    "- type: spreadscaler
          properties:
            instances: {}",
                    self.instances
                ),
            }
        );
        for (number, (key, value, weight)) in self.spread.iter().enumerate() {
            if number == 0 {
                text.push_str("            spread:\n");
            }
            let _ = writeln!(
                text,
                "              - {{ name: s{number}, weight: {weight}, requirements: {{ {key}: {value} }} }}"
            );
        }
        let _ = write!(
            text,
            "    - name: server
      type: capability
      properties:
        image: ghcr.io/wasmcloud/http-server:0.27.0
      traits:
        - type: spreadscaler
          properties:
            instances: 1
            spread:
              - {{ name: front, requirements: {{ role: front }} }}
        - type: link
          properties:
            target: {{ name: site }}
            namespace: wasi
            package: http
            interfaces: [incoming-handler]
            source:
              config:
                - name: address
                  properties: {{ address: '{}' }}
",
            self.address
        );
        Ok(text)
    }
}
