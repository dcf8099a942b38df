//! `wash start component|provider`: on a host that is named, or on one that answers an auction.

use std::time::Duration;

use anyhow::anyhow;
use serde_json::json;
use wasmcloud_client::{Client, FoundHost};
use wasmcloud_core::{ComponentId, HostId};
use wasmcloud_wire::Labels;
use wasmcloud_wire::control::{
    ComponentAuction, HostInventory, ProviderAuction, Request, ScaleComponent, StartProvider,
};

use super::args::{PlaceArgs, StartComponentArgs, StartProviderArgs};
use super::connect::connect;
use super::report::{carry_out, failed, host, image, within};
use super::table::{one_line, short_id};
use crate::exit::{FAILURE, Failure};
use crate::output::Output;

pub(super) async fn component(args: StartComponentArgs, output: &Output) -> Result<(), Failure> {
    let image = image(&args.component_ref)?;
    let client = connect(&args.lattice).await?;
    let id = args.component_id;
    let what = format!("component `{id}`");
    let host = match &args.place.host_id {
        Some(text) => host(&client, text).await?,
        None => {
            let auction = ComponentAuction {
                component_ref: image.clone(),
                component_id: id.clone(),
                constraints: constraints(&args.place),
            };
            let limit = Duration::from_millis(args.place.auction_timeout_ms);
            let acks = client
                .auction_component(auction, 1, limit)
                .await
                .map_err(failed)?;
            let won = acks.answers.into_iter().next().map(|ack| ack.host_id);
            winner(&client, won, acks.nobody, &what, &id, &args.place).await?
        }
    };
    let request = Request::ScaleComponent(
        host.id.clone(),
        ScaleComponent {
            component_ref: image.clone(),
            component_id: id.clone(),
            annotations: annotations(args.place.annotations),
            count: args.max_instances,
            component_limits: None,
            host_id: host.id.clone(),
            config: args.place.config,
            allow_update: args.allow_update,
            weight: None,
            probe: None,
            links_required: false,
            link_suffix: None,
        },
    );
    let within = within(args.wait.skip_wait, args.wait.wait_timeout_ms);
    carry_out(
        &client,
        &request,
        within,
        &format!("starting {what} on {}", name(&host)),
        output,
    )
    .await?;
    let verb = if within.is_some() {
        "started"
    } else {
        "is being started"
    };
    let text = format!("Component [{id}] (ref: [{image}]) {verb} on host [{}]", host.id);
    let value = json!({
        "component_ref": image,
        "component_id": id.as_str(),
        "host_id": host.id.as_str(),
        "success": true,
    });
    output.data(&text, &value);
    Ok(())
}

pub(super) async fn provider(args: StartProviderArgs, output: &Output) -> Result<(), Failure> {
    let image = image(&args.provider_ref)?;
    let client = connect(&args.lattice).await?;
    let id = args.provider_id;
    let what = format!("provider `{id}`");
    let host = match &args.place.host_id {
        Some(text) => host(&client, text).await?,
        None => {
            let auction = ProviderAuction {
                provider_ref: image.clone(),
                provider_id: id.clone(),
                constraints: constraints(&args.place),
            };
            let limit = Duration::from_millis(args.place.auction_timeout_ms);
            let acks = client.auction_provider(auction, 1, limit).await.map_err(failed)?;
            let won = acks.answers.into_iter().next().map(|ack| ack.host_id);
            winner(&client, won, acks.nobody, &what, &id, &args.place).await?
        }
    };
    let request = Request::StartProvider(
        host.id.clone(),
        StartProvider {
            provider_id: id.clone(),
            provider_ref: image.clone(),
            host_id: host.id.clone(),
            config: args.place.config,
            annotations: annotations(args.place.annotations),
        },
    );
    let within = within(args.skip_wait, args.wait_timeout_ms);
    carry_out(
        &client,
        &request,
        within,
        &format!("starting {what} on {}", name(&host)),
        output,
    )
    .await?;
    let verb = if within.is_some() {
        "started"
    } else {
        "is being started"
    };
    let text = format!("Provider [{id}] (ref: [{image}]) {verb} on host [{}]", host.id);
    let value = json!({
        "provider_ref": image,
        "provider_id": id.as_str(),
        "host_id": host.id.as_str(),
        "success": true,
    });
    output.data(&text, &value);
    Ok(())
}

/// How a host is called in sentences: by name where it is known, else by the beginning of its id.
pub(super) fn name(host: &FoundHost) -> String {
    match host.friendly_name.is_empty() {
        true => format!("host {}", short_id(host.id.as_str())),
        false => format!("host {}", one_line(&host.friendly_name)),
    }
}

/// Annotations as a request has them.
pub(super) fn annotations(pairs: Vec<(String, String)>) -> Option<Labels> {
    (!pairs.is_empty()).then(|| pairs.into_iter().collect())
}

fn constraints(place: &PlaceArgs) -> Labels {
    place.constraint.iter().cloned().collect()
}

/// The host that won the auction; where none did, why.
async fn winner(
    client: &Client,
    won: Option<String>,
    nobody: bool,
    what: &str,
    id: &ComponentId,
    place: &PlaceArgs,
) -> Result<FoundHost, Failure> {
    if let Some(Ok(id)) = won.map(|won| won.parse::<HostId>()) {
        return Ok(FoundHost {
            id,
            friendly_name: String::new(),
        });
    }
    let lattice = client.lattice();
    if nobody {
        let error = anyhow!(
            "no host takes part in auctions in lattice `{lattice}`; hint: `wash get hosts` lists the hosts, \
             `--host-id` names one"
        );
        return Err(Failure::new(FAILURE, "no-host", error));
    }
    // Hosts that cannot say nothing, so what they could have said has to be found out.
    let hosts = client.inventories().await.map_err(failed)?;
    let constraints = constraints(place);
    let reasons = hosts.answers.iter().map(|host| {
        let why = reason(host, id, &constraints);
        anyhow!("{}: {why}", one_line(&host.friendly_name))
    });
    let headline = format!(
        "no host of lattice `{lattice}` can run {what}; hint: `--host-id` asks one host without an auction"
    );
    // Reasons become causes, in order, below the headline.
    let mut reasons: Vec<anyhow::Error> = reasons.take(10).collect();
    let error = match reasons.pop() {
        None => anyhow!(headline),
        Some(last) => {
            let chain = reasons
                .into_iter()
                .rev()
                .fold(last, |chain, reason| chain.context(reason.to_string()));
            chain.context(headline)
        }
    };
    Err(Failure::new(FAILURE, "no-host", error))
}

fn reason(host: &HostInventory, id: &ComponentId, constraints: &Labels) -> String {
    let runs = host.components.iter().any(|runs| runs.id == id.as_str())
        || host.providers.iter().any(|runs| runs.id == id.as_str());
    let lacks = constraints
        .iter()
        .find(|(key, value)| host.labels.get(*key) != Some(value));
    match lacks {
        Some((key, value)) => match host.labels.get(key) {
            Some(other) => format!("its label {key} is {other}, not {value}"),
            None => format!("it has no label {key}"),
        },
        None if runs => "it runs something of this id already".to_owned(),
        None => "it did not answer the auction".to_owned(),
    }
}
