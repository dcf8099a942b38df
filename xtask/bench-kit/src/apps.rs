//! `bench-kit apps …`: what applications cost. Prints what it took as JSON.
//!
//! | words | what |
//! |---|---|
//! | `plan` | times of plans for lattices of several sizes, in microseconds |
//! | `deploy URL COMPONENT COUNT…` | deploys an application of so many components on the hosts that are there, waits until it is deployed, and undeploys it; in milliseconds. Beside it, the same starts asked for by hand |
//! | `hosts URL COUNT` | is so many hosts that run ten components each, until it is killed |

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::StreamExt as _;
use serde_json::{Value, json};
use wasmcloud_controller::Sample;
use wasmcloud_lattice::{Connection, NatsOptions};

/// For anything that should happen.
const LIMIT: Duration = Duration::from_secs(300);
/// How often it is looked whether an application is deployed.
const LOOK: Duration = Duration::from_millis(5);
/// What ids of simulated hosts begin with.
const SIMULATED: &str = "NSIMULATED";
/// Components of each simulated host.
const EACH: usize = 10;
/// Starts by hand that are under way at the same time, as many as a controller has.
const AT_ONCE: usize = 64;

pub(crate) async fn main(words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["plan"] => println!("{}", plan()?),
        ["deploy", url, component, counts @ ..] => {
            let lattice = Asking::new(url).await?;
            let mut measured = Vec::new();
            for count in counts {
                let count = count.parse()?;
                // The first of each size finds nothing compiled or cached that is new to the hosts.
                lattice.deploy(component, count).await?;
                let deployed = lattice.deploy(component, count).await?;
                let by_hand = lattice.by_hand(component, count).await?;
                measured.push(json!({ "components": count, "deployed_ms": deployed, "by_hand_ms": by_hand }));
            }
            println!("{}", Value::from(measured));
        }
        ["hosts", url, count] => simulate(url, count.parse()?).await?,
        _ => bail!("usage: bench-kit apps plan | deploy URL COMPONENT COUNT… | hosts URL COUNT"),
    }
    Ok(())
}

fn plan() -> Result<Value> {
    let mut rows = Vec::new();
    for hosts in [10, 100] {
        for components in [10, 100, 1_000, 10_000] {
            let mut sample = Sample::new(components, hosts)?;
            // Configs and links come first.
            let first = sample.plan();
            sample.carry_out(&first);
            let placing = time(&mut sample);
            sample.settle(10);
            let settled = time(&mut sample);
            sample.lose_a_host();
            let lost = time(&mut sample);
            rows.push(json!({
                "hosts": hosts, "components": components,
                "placing_us": placing, "settled_us": settled, "host_lost_us": lost,
            }));
        }
    }
    Ok(rows.into())
}

/// The time of one plan: the median of a few, each with what is remembered as it was.
fn time(sample: &mut Sample) -> f64 {
    let memory = sample.memory.clone();
    let mut runs: Vec<f64> = (0..7)
        .map(|_| {
            sample.memory.clone_from(&memory);
            let begun = Instant::now();
            std::hint::black_box(sample.plan());
            begun.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs.get(runs.len() / 2).copied().unwrap_or_default()
}

/// A client of hosts and controller.
struct Asking(Connection);

impl Asking {
    async fn new(url: &str) -> Result<Self> {
        let mut options = NatsOptions::new(url)?;
        options.request_timeout = LIMIT;
        Ok(Self(Connection::connect(&options).await?))
    }

    async fn ask(&self, subject: &str, body: impl Into<bytes::Bytes>) -> Result<Value> {
        let (begun, body) = (Instant::now(), body.into());
        loop {
            let answer = self
                .0
                .request(subject, None, body.clone(), self.0.default_deadline())
                .await;
            match answer {
                Ok(message) => return Ok(serde_json::from_slice(&message.payload)?),
                // Nobody leads yet.
                Err(error) if begun.elapsed() > LIMIT => return Err(error).context(subject.to_owned()),
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn model(&self, what: &str, body: impl Into<bytes::Bytes>) -> Result<Value> {
        self.ask(&format!("wadm.api.default.model.{what}"), body).await
    }

    async fn wait(&self, status: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let reply = self.model("status.bench", "").await?;
            if reply.pointer("/status/status/type") == Some(&json!(status)) {
                return Ok(());
            }
            ensure!(begun.elapsed() < LIMIT, "not {status}: {reply:#}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// From the word "deploy" to the status "deployed", in milliseconds.
    async fn deploy(&self, component: &str, count: usize) -> Result<f64> {
        let put = self.model("put", manifest(component, count)?).await?;
        ensure!(put.get("result") != Some(&json!("error")), "{put}");
        let begun = Instant::now();
        let deployed = self.model("deploy.bench", "").await?;
        ensure!(
            deployed.get("result") == Some(&json!("acknowledged")),
            "{deployed}"
        );
        self.wait("deployed").await?;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        self.model("undeploy.bench", "").await?;
        self.wait("undeployed").await?;
        self.model("del.bench", "").await?;
        Ok(took)
    }

    /// The same components started by somebody who knows where: on one host after the other, until all inventories
    /// have them. In milliseconds.
    async fn by_hand(&self, component: &str, count: usize) -> Result<f64> {
        let hosts = self.hosts().await?;
        let begun = Instant::now();
        let starts = (0..count).map(|number| {
            let host = hosts.get(number % hosts.len()).cloned().unwrap_or_default();
            let body = json!({
                "component_ref": format!("file://{component}"), "component_id": format!("hand-{number}"),
                "host_id": host, "count": 1,
            });
            async move {
                let subject = format!("wasmbus.ctl.v1.default.component.scale.{host}");
                self.ask(&subject, body.to_string()).await
            }
        });
        let mut answers = futures::stream::iter(starts).buffer_unordered(AT_ONCE);
        while let Some(answer) = answers.next().await {
            answer?;
        }
        self.wait_running(&hosts, count).await?;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        for number in 0..count {
            let host = hosts.get(number % hosts.len()).cloned().unwrap_or_default();
            let body = json!({
                "component_ref": format!("file://{component}"), "component_id": format!("hand-{number}"),
                "host_id": host, "count": 0,
            });
            let subject = format!("wasmbus.ctl.v1.default.component.scale.{host}");
            self.ask(&subject, body.to_string()).await?;
        }
        self.wait_running(&hosts, 0).await?;
        Ok(took)
    }

    async fn wait_running(&self, hosts: &[String], count: usize) -> Result<()> {
        let begun = Instant::now();
        loop {
            let mut running = 0;
            for host in hosts {
                let reply = self
                    .ask(&format!("wasmbus.ctl.v1.default.host.get.{host}"), "")
                    .await?;
                running += reply
                    .pointer("/response/components")
                    .and_then(Value::as_array)
                    .map_or(0, Vec::len);
            }
            if running == count {
                return Ok(());
            }
            ensure!(begun.elapsed() < LIMIT, "{running} run, not {count}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The hosts that are there, as the first inventories of a second say.
    async fn hosts(&self) -> Result<Vec<String>> {
        let inbox = self.0.new_inbox();
        let mut answers = self.0.subscribe(&inbox).await?;
        self.0.barrier(self.0.default_deadline()).await?;
        self.0
            .client()
            .publish_with_reply("wasmbus.ctl.v1.default.host.ping", inbox, bytes::Bytes::new())
            .await?;
        let mut hosts = Vec::new();
        while let Ok(Some(answer)) = tokio::time::timeout(Duration::from_secs(1), answers.next()).await {
            let reply: Value = serde_json::from_slice(&answer.payload)?;
            let id = reply.pointer("/response/id").and_then(Value::as_str);
            hosts.extend(id.map(str::to_owned));
        }
        ensure!(!hosts.is_empty(), "no hosts");
        Ok(hosts)
    }
}

fn manifest(component: &str, count: usize) -> Result<String> {
    let mut text = String::from(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: bench\nspec:\n  components:\n",
    );
    for number in 0..count {
        writeln!(
            text,
            "    - {{ name: c{number}, type: component, properties: {{ image: 'file://{component}' }}, \
             traits: [ {{ type: spreadscaler, properties: {{ instances: 1 }} }} ] }}"
        )?;
    }
    Ok(text)
}

/// Answers as so many hosts, on one connection.
async fn simulate(url: &str, count: usize) -> Result<()> {
    let connection = Connection::connect(&NatsOptions::new(url)?).await?;
    let mut pings = connection.subscribe("wasmbus.ctl.v1.default.host.ping").await?;
    let mut looks = connection.subscribe("wasmbus.ctl.v1.default.host.get.*").await?;
    connection.barrier(connection.default_deadline()).await?;
    println!("ready");
    let id = |number: usize| format!("{SIMULATED}{number:04}");
    loop {
        tokio::select! {
            Some(ping) = pings.next() => {
                let Some(reply) = ping.reply else { continue };
                for number in 0..count {
                    let host = json!({
                        "success": true, "message": "",
                        "response": { "id": id(number), "friendly_name": id(number), "inventory_revision": 1 },
                    });
                    connection.publish(&reply, None, host.to_string().into()).await?;
                }
            }
            Some(look) = looks.next() => {
                let Some(reply) = look.reply else { continue };
                let host = look.subject.rsplit('.').next().unwrap_or_default().to_owned();
                if !host.starts_with(SIMULATED) {
                    continue;
                }
                let components: Vec<Value> = (0..EACH)
                    .map(|number| json!({ "id": format!("c{number}"), "image_ref": "a.example/c:1", "max_instances": 1 }))
                    .collect();
                let inventory = json!({
                    "success": true, "message": "",
                    "response": {
                        "host_id": host, "components": components, "providers": [],
                        "inventory_revision": 1, "features": ["in-place"],
                    },
                });
                connection.publish(&reply, None, inventory.to_string().into()).await?;
            }
            else => return Ok(()),
        }
    }
}
