//! Carries out steps: each becomes a control request under the epoch of the plan.
//!
//! A phase begins when all requests of the one before were answered. An answer says that a host has accepted, not that
//! it is done: that is seen.

use futures::StreamExt as _;
use wasmcloud_client::Client;
use wasmcloud_core::Limits;
use wasmcloud_wire::control::{
    DeleteLink, Probe, Request, ScaleComponent, StartProvider, StopProvider, write_limits,
};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::state::Config;

use crate::planning::{Action, Step, StepKey};

/// Requests that are under way at the same time for one plan.
const AT_ONCE: usize = 64;

/// Has all steps done. Answers those that were refused or not answered, and why.
pub(crate) async fn carry_out(client: &Client, steps: Vec<Step>) -> Vec<(StepKey, String)> {
    let mut failures = Vec::new();
    let mut steps = steps.into_iter().peekable();
    while let Some(phase) = steps.peek().map(|step| step.action.phase()) {
        let mut of_phase = Vec::new();
        while let Some(step) = steps.next_if(|step| step.action.phase() == phase) {
            of_phase.push(step);
        }
        let mut answers = futures::stream::iter(of_phase)
            .map(|step| send(client, step))
            .buffer_unordered(AT_ONCE);
        while let Some(answer) = answers.next().await {
            failures.extend(answer.err());
        }
    }
    failures
}

async fn send(client: &Client, step: Step) -> Result<(), (StepKey, String)> {
    tracing::info!(app = %step.app, "{step}");
    let key = step.action.key();
    match client.send(&request(step.action)).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let error = chain(&error);
            tracing::warn!(app = %step.app, error, "failed to {key}");
            Err((key, error))
        }
    }
}

fn request(action: Action) -> Request {
    match action {
        Action::ScaleComponent {
            host,
            id,
            image,
            count,
            annotations,
            config,
            limits,
            allow_update,
            weight,
            probe,
            links_required,
            link_suffix,
        } => Request::ScaleComponent(
            host.clone(),
            ScaleComponent {
                component_ref: image.to_string(),
                component_id: id,
                annotations: Some(annotations),
                count,
                component_limits: write_limits(&limits, count, &Limits::default()),
                host_id: host,
                config,
                allow_update,
                weight,
                probe: probe.map(|path| Probe {
                    path,
                    timeout_ms: None,
                }),
                links_required,
                link_suffix,
            },
        ),
        Action::StopComponent {
            host,
            id,
            image,
            annotations,
        } => Request::ScaleComponent(
            host.clone(),
            ScaleComponent {
                component_ref: image,
                component_id: id,
                annotations: Some(annotations),
                count: 0,
                component_limits: None,
                host_id: host,
                config: Vec::new(),
                allow_update: false,
                weight: None,
                probe: None,
                links_required: false,
                link_suffix: None,
            },
        ),
        Action::StartProvider {
            host,
            id,
            image,
            config,
            annotations,
        } => Request::StartProvider(
            host.clone(),
            StartProvider {
                provider_id: id,
                provider_ref: image.to_string(),
                host_id: host,
                config,
                annotations: Some(annotations),
            },
        ),
        Action::StopProvider { host, id } => Request::StopProvider(
            host.clone(),
            StopProvider {
                host_id: host,
                provider_id: id,
            },
        ),
        Action::PutLink(link) => Request::PutLink((&link).into()),
        Action::TurnLink { link, from } => Request::PutLink(wasmcloud_wire::Link {
            instead_of: Some(from.to_string()),
            ..(&link).into()
        }),
        Action::DeleteLink(key) => Request::DeleteLink(DeleteLink::from(&key)),
        Action::PutConfig { name, values } => Request::PutConfig(name, Config(values)),
        Action::DeleteConfig(name) => Request::DeleteConfig(name),
    }
}
