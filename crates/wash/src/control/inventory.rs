//! `wash get inventory`: what runs on a host, or on all; once or again and again.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use serde_json::{Value, json};
use wasmcloud_client::{Client, ClientError};
use wasmcloud_core::HostId;
use wasmcloud_wire::Labels;
use wasmcloud_wire::control::{HostInventory, ProviderHealth};

use super::args::InventoryArgs;
use super::connect::connect;
use super::report::{complete, failed, host, problems};
use super::table::{Table, one_line};
use crate::exit::{FAILURE, Failure};
use crate::output::Output;
use crate::up::signals::Signals;

/// To the top of an empty screen.
pub(crate) const CLEAR: &str = "\x1b[H\x1b[2J";

/// What was found out in one round.
struct Round {
    inventories: Vec<HostInventory>,
    problems: Vec<ClientError>,
}

pub(super) async fn run(args: &InventoryArgs, output: &Output) -> Result<(), Failure> {
    let client = connect(&args.lattice).await?;
    let one = match &args.host {
        Some(text) => Some(host(&client, text).await?.id),
        None => None,
    };
    match args.watch {
        None => {
            let round = ask(&client, one.as_ref()).await.map_err(failed)?;
            if round.inventories.is_empty() && round.problems.is_empty() && !output.is_json() {
                output.note(&format!("no host answers in lattice `{}`", client.lattice()));
                return Ok(());
            }
            let told = problems(output, &round.problems);
            output.data(&text(&round, output), &value(&round, told));
            complete(&round.problems)
        }
        Some(every) => watch(&client, one.as_ref(), every, output).await,
    }
}

async fn ask(client: &Client, host: Option<&HostId>) -> Result<Round, ClientError> {
    match host {
        Some(host) => Ok(Round {
            inventories: vec![client.inventory(host).await?],
            problems: Vec::new(),
        }),
        None => {
            let all = client.inventories().await?;
            Ok(Round {
                inventories: all.answers,
                problems: all.problems,
            })
        }
    }
}

/// Until a signal. A round that fails is told of, and does not end it: hosts and servers come back.
async fn watch(
    client: &Client,
    host: Option<&HostId>,
    every: Duration,
    output: &Output,
) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::new(FAILURE, "signals", error))?;
    let clear = if io::stdout().is_terminal() { CLEAR } else { "" };
    let rounds = async {
        loop {
            match ask(client, host).await {
                Ok(round) => {
                    let told = json!(round.problems.iter().map(|it| it.to_string()).collect::<Vec<_>>());
                    let text = format!("{clear}{}", text(&round, output));
                    output.data(&text, &value(&round, told));
                }
                Err(error) => output.note(&one_line(&wasmcloud_wire::message::chain(&error))),
            }
            tokio::time::sleep(every).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        () = signals.first() => {}
    }
    Ok(())
}

fn value(round: &Round, told: Value) -> Value {
    let mut value = json!({ "inventories": round.inventories, "success": round.problems.is_empty() });
    if !round.problems.is_empty()
        && let Some(value) = value.as_object_mut()
    {
        value.insert("problems".to_owned(), told);
    }
    value
}

fn text(round: &Round, output: &Output) -> String {
    let hosts: Vec<String> = round
        .inventories
        .iter()
        .map(|host| host_text(host, output))
        .collect();
    hosts.join("\n\n")
}

fn host_text(host: &HostInventory, output: &Output) -> String {
    let mut text = output.paint_data("1", &one_line(&host.friendly_name));
    let _ = write!(text, " {}", output.paint_data("2", &one_line(&host.host_id)));
    let _ = write!(
        text,
        "\n  version {}, up {}",
        one_line(&host.version),
        one_line(&host.uptime_human)
    );
    let _ = write!(text, "\n  labels  {}", pairs(&host.labels));
    if host.draining {
        text.push_str("\n  draining: it stops, and takes no new work");
    }
    let _ = write!(text, "\n  components{}", none(host.components.is_empty()));
    if !host.components.is_empty() {
        let mut table = Table::indented(&["ID", "IMAGE", "INSTANCES"]);
        for component in &host.components {
            let mut instances = self::instances(component.max_instances);
            if component.asleep {
                instances.push_str(" (asleep)");
            }
            let mut id = component.id.clone();
            // Only beside another one is it of interest which links are whose.
            if component.candidate.is_some() && component.link_suffix.is_some() {
                let _ = write!(id, " ({})", links(component.link_suffix.as_deref()));
            }
            table.row([id, component.image_ref.clone(), instances]);
            if let Some(candidate) = &component.candidate {
                let beside = format!(
                    "{} (candidate, {} % of the calls{}{})",
                    component.id,
                    candidate.weight,
                    if candidate.link_suffix.is_some() { ", " } else { "" },
                    links(candidate.link_suffix.as_deref())
                );
                let instances = self::instances(candidate.max_instances);
                table.row([beside, candidate.image_ref.clone(), instances]);
            }
        }
        let _ = write!(text, "\n{}", table.text(output));
    }
    let _ = write!(text, "\n  providers{}", none(host.providers.is_empty()));
    if !host.providers.is_empty() {
        // Hosts of v1 do not say.
        let known = host.providers.iter().any(|provider| provider.health.is_some());
        let columns: &[_] = if known {
            &["ID", "IMAGE", "HEALTH"]
        } else {
            &["ID", "IMAGE"]
        };
        let mut table = Table::indented(columns);
        for provider in &host.providers {
            let health = match provider.health {
                Some(ProviderHealth::Healthy) => "healthy",
                Some(ProviderHealth::Unhealthy) => "unhealthy",
                Some(ProviderHealth::Other) | None => "unknown",
            };
            let image = provider.image_ref.clone().unwrap_or_default();
            let cells = [provider.id.clone(), image, health.to_owned()];
            table.row(cells.into_iter().take(columns.len()));
        }
        let _ = write!(text, "\n{}", table.text(output));
    }
    if !host.refused_links.is_empty() {
        text.push_str("\n  links that are not in effect");
        let mut table = Table::indented(&["SOURCE", "TARGET", "INTERFACES", "NAME", "REASON"]);
        for link in &host.refused_links {
            table.row([
                link.source_id.clone(),
                link.target.clone(),
                format!("{}:{}", link.wit_namespace, link.wit_package),
                link.name.clone(),
                link.error.clone(),
            ]);
        }
        let _ = write!(text, "\n{}", table.text(output));
    }
    text
}

/// What tells the links of one revision from those of another.
fn links(suffix: Option<&str>) -> String {
    suffix.map_or_else(String::new, |suffix| format!("links end in -{suffix}"))
}

fn instances(most: u32) -> String {
    match most {
        u32::MAX => "no limit".to_owned(),
        most => most.to_string(),
    }
}

fn none(empty: bool) -> &'static str {
    if empty { "  none" } else { "" }
}

fn pairs(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| one_line(&format!("{key}={value}")))
        .collect();
    pairs.join(" ")
}
