//! `wash scale component` and `wash update component`.

use anyhow::anyhow;
use serde_json::json;
use wasmcloud_client::{Client, FoundHost};
use wasmcloud_core::ComponentId;
use wasmcloud_wire::control::{Request, ScaleComponent, UpdateComponent};

use super::args::{ScaleComponentArgs, UpdateComponentArgs};
use super::connect::connect;
use super::report::{carry_out, failed, host, image, within};
use super::start::{annotations, name};
use super::stop::{LISTEN, named};
use crate::exit::{FAILURE, Failure};
use crate::output::Output;

pub(super) async fn scale(args: ScaleComponentArgs, output: &Output) -> Result<(), Failure> {
    let image = image(&args.component_ref)?;
    let client = connect(&args.lattice).await?;
    let host = host(&client, &args.host_id).await?;
    let id = args.component_id;
    let request = Request::ScaleComponent(
        host.id.clone(),
        ScaleComponent {
            component_ref: image.clone(),
            component_id: id.clone(),
            annotations: annotations(args.annotations),
            count: args.max_instances,
            component_limits: None,
            host_id: host.id.clone(),
            config: args.config,
            allow_update: args.allow_update,
            weight: None,
            probe: None,
            links_required: false,
            link_suffix: None,
        },
    );
    let within = within(args.skip_wait, args.wait_timeout_ms);
    let doing = format!("scaling component `{id}` on {}", name(&host));
    carry_out(&client, &request, within, &doing, output).await?;
    let to = match args.max_instances {
        u32::MAX => "unbounded concurrency".to_owned(),
        instances => format!("{instances} max concurrent instances"),
    };
    let verb = if within.is_some() {
        "scaled"
    } else {
        "is being scaled"
    };
    let text = format!(
        "Component [{id}] (ref: [{image}]) {verb} on host [{}] to {to}",
        host.id
    );
    let value = json!({
        "host_id": host.id.as_str(),
        "component_id": id.as_str(),
        "component_ref": image,
        "result": text,
        "success": true,
    });
    output.data(&text, &value);
    Ok(())
}

pub(super) async fn update(args: UpdateComponentArgs, output: &Output) -> Result<(), Failure> {
    let image = image(&args.new_component_ref)?;
    let client = connect(&args.lattice).await?;
    let id = args.component_id;
    let host = match &args.host_id {
        Some(text) => host(&client, text).await?,
        None => only_host(&client, &id).await?,
    };
    let request = Request::UpdateComponent(
        host.id.clone(),
        UpdateComponent {
            component_id: id.clone(),
            annotations: None,
            host_id: host.id.clone(),
            new_component_ref: image.clone(),
        },
    );
    let within = within(args.wait.skip_wait, args.wait.wait_timeout_ms);
    let doing = format!("updating component `{id}` on {}", name(&host));
    let done = carry_out(&client, &request, within, &doing, output).await?;
    let already = done.message.contains("already updated");
    let text = match (already, within) {
        (true, _) => format!(
            "Component [{id}] already updated to [{image}] on host [{}]",
            host.id
        ),
        (false, Some(_)) => format!("Component [{id}] updated to [{image}] on host [{}]", host.id),
        (false, None) => format!(
            "Component [{id}] is being updated to [{image}] on host [{}]",
            host.id
        ),
    };
    let value = json!({
        "host_id": host.id.as_str(),
        "component_id": id.as_str(),
        "component_ref": image,
        "result": text,
        "success": true,
    });
    output.data(&text, &value);
    Ok(())
}

/// The host that runs a component, if it is one.
async fn only_host(client: &Client, id: &ComponentId) -> Result<FoundHost, Failure> {
    let all = client.clone().with_quiet(LISTEN).inventories().await;
    let mut all = all.map_err(failed)?;
    let runs = all
        .answers
        .iter()
        .filter(|host| host.components.iter().any(|runs| runs.id == id.as_str()));
    let mut hosts: Vec<FoundHost> = runs.filter_map(named).collect();
    match (hosts.pop(), hosts.len()) {
        (Some(host), 0) => Ok(host),
        (Some(last), _) => {
            hosts.push(last);
            let names: Vec<String> = hosts
                .iter()
                .map(|host| format!("{} ({})", name(host), host.id))
                .collect();
            let error = anyhow!(
                "component `{id}` runs on several hosts: {}; hint: choose one with `--host-id`",
                names.join(", ")
            );
            Err(Failure::new(FAILURE, "ambiguous", error))
        }
        (None, _) => match all.problems.pop() {
            Some(problem) => Err(failed(problem)),
            None => {
                let error = anyhow!("no host of lattice `{}` runs component `{id}`", client.lattice());
                Err(Failure::new(FAILURE, "not-running", error))
            }
        },
    }
}
