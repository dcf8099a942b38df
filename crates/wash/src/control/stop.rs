//! `wash stop component|provider|host`.
//!
//! v1 stops a component on the first host it finds and says that it stopped. Here it is stopped on all hosts that run
//! it, unless one is named.

use std::time::Duration;

use anyhow::anyhow;
use serde_json::json;
use wasmcloud_client::{Client, FoundHost};
use wasmcloud_core::HostId;
use wasmcloud_wire::control::{HostInventory, Request, ScaleComponent, StopHost, StopProvider};

use super::args::{StopHostArgs, StopItemArgs};
use super::connect::connect;
use super::report::{carry_out, failed, host, problems, within};
use super::start::name;
use crate::exit::{FAILURE, Failure};
use crate::output::Output;

/// How long to listen for hosts that are slow to answer, where what is said is about all hosts.
pub(super) const LISTEN: Duration = Duration::from_millis(500);

pub(super) async fn component(args: &StopItemArgs, output: &Output) -> Result<(), Failure> {
    let client = connect(&args.lattice).await?;
    let of = |inventory: &HostInventory| {
        let runs = inventory
            .components
            .iter()
            .find(|runs| runs.id == args.id.as_str());
        // v1 hosts fetch the image even to stop (wire reference §2.4), so it has to be the right one.
        runs.map(|runs| runs.image_ref.clone())
    };
    let found = running(&client, args, "component", of, output).await?;
    let within = within(args.wait.skip_wait, args.wait.wait_timeout_ms);
    for (host, image) in &found {
        let request = Request::ScaleComponent(
            host.id.clone(),
            ScaleComponent {
                component_ref: image.clone(),
                component_id: args.id.clone(),
                annotations: None,
                count: 0,
                component_limits: None,
                host_id: host.id.clone(),
                config: Vec::new(),
                allow_update: false,
                weight: None,
                probe: None,
                links_required: false,
                link_suffix: None,
            },
        );
        let doing = format!("stopping component `{}` on {}", args.id, name(host));
        carry_out(&client, &request, within, &doing, output).await?;
    }
    let verb = if within.is_some() {
        "stopped"
    } else {
        "is being stopped"
    };
    let text = format!("Component [{}] {verb}{}", args.id, on(&found));
    output.data(&text, &value("component_id", args, &found));
    Ok(())
}

pub(super) async fn provider(args: &StopItemArgs, output: &Output) -> Result<(), Failure> {
    let client = connect(&args.lattice).await?;
    let of = |inventory: &HostInventory| {
        let runs = inventory
            .providers
            .iter()
            .find(|runs| runs.id == args.id.as_str());
        runs.map(|runs| runs.image_ref.clone().unwrap_or_default())
    };
    let found = running(&client, args, "provider", of, output).await?;
    let within = within(args.wait.skip_wait, args.wait.wait_timeout_ms);
    for (host, _) in &found {
        let request = Request::StopProvider(
            host.id.clone(),
            StopProvider {
                host_id: host.id.clone(),
                provider_id: args.id.clone(),
            },
        );
        let doing = format!("stopping provider `{}` on {}", args.id, name(host));
        carry_out(&client, &request, within, &doing, output).await?;
    }
    let verb = if within.is_some() {
        "stopped successfully"
    } else {
        "is being stopped"
    };
    let text = format!("Provider [{}] {verb}{}", args.id, on(&found));
    output.data(&text, &value("provider_id", args, &found));
    Ok(())
}

pub(super) async fn stop_host(args: &StopHostArgs, output: &Output) -> Result<(), Failure> {
    let client = connect(&args.lattice).await?;
    let host = host(&client, &args.host_id).await?;
    let request = Request::StopHost(
        host.id.clone(),
        StopHost {
            host_id: Some(host.id.clone()),
            timeout: Some(args.host_timeout),
        },
    );
    // What the host may take to stop is not what this command waits for an answer.
    let wait = args.wait.wait_timeout_ms.saturating_add(args.host_timeout);
    let within = within(args.wait.skip_wait, wait);
    carry_out(
        &client,
        &request,
        within,
        &format!("stopping {}", name(&host)),
        output,
    )
    .await?;
    let verb = if within.is_some() {
        "stopped"
    } else {
        "is stopping"
    };
    let text = format!("Host [{}] {verb}", host.id);
    output.data(&text, &json!({ "host_id": host.id.as_str(), "success": true }));
    Ok(())
}

/// The hosts that run it, with the image that they run it from.
async fn running(
    client: &Client,
    args: &StopItemArgs,
    kind: &str,
    of: impl Fn(&HostInventory) -> Option<String>,
    output: &Output,
) -> Result<Vec<(FoundHost, String)>, Failure> {
    if let Some(text) = &args.host_id {
        let host = host(client, text).await?;
        let inventory = client.inventory(&host.id).await.map_err(failed)?;
        return match of(&inventory) {
            Some(image) => Ok(vec![(host, image)]),
            None => {
                let error = anyhow!("{} does not run {kind} `{}`", name(&host), args.id);
                Err(Failure::new(FAILURE, "not-running", error))
            }
        };
    }
    let all = client.clone().with_quiet(LISTEN).inventories().await;
    let mut all = all.map_err(failed)?;
    let found: Vec<(FoundHost, String)> = all
        .answers
        .iter()
        .filter_map(|host| Some((named(host)?, of(host)?)))
        .collect();
    if !found.is_empty() {
        // Whoever did not answer may run it too.
        problems(output, &all.problems);
        return Ok(found);
    }
    if let Some(problem) = all.problems.pop() {
        return Err(failed(problem));
    }
    let error = match all.answers.len() {
        0 => anyhow!("no host answers in lattice `{}`", client.lattice()),
        hosts => anyhow!(
            "none of the {hosts} hosts of lattice `{}` runs {kind} `{}`",
            client.lattice(),
            args.id
        ),
    };
    Err(Failure::new(FAILURE, "not-running", error))
}

/// The host of an inventory, if its id is one.
pub(super) fn named(inventory: &HostInventory) -> Option<FoundHost> {
    let id: HostId = inventory.host_id.parse().ok()?;
    Some(FoundHost {
        id,
        friendly_name: inventory.friendly_name.clone(),
    })
}

/// v1 says nothing about hosts, so neither do we where it was one.
fn on(found: &[(FoundHost, String)]) -> String {
    match found.len() {
        1 => String::new(),
        hosts => format!(" on {hosts} hosts"),
    }
}

fn value(key: &str, args: &StopItemArgs, found: &[(FoundHost, String)]) -> serde_json::Value {
    let hosts: Vec<&str> = found.iter().map(|(host, _)| host.id.as_str()).collect();
    json!({ key: args.id.as_str(), "host_id": hosts.first(), "host_ids": hosts, "success": true })
}
