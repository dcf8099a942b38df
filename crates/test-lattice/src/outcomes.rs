//! What comes of a request that a scripted host has accepted: the event that tells of it, and what runs from then on.

use anyhow::Result;
use wasmcloud_wire::control::{ComponentDescription, ProviderDescription, Request};
use wasmcloud_wire::event::{
    ComponentScaleFailed, ComponentScaled, Event, HostStopped, ProviderStartFailed, ProviderStarted,
    ProviderStopped,
};

use crate::host::Inner;
use crate::script::{Outcome, Script};

impl Inner {
    /// What comes of what was accepted; `false` ends the host.
    pub(crate) async fn follow(&self, request: &Request, script: &Script) -> Result<bool> {
        let Some((done, failed)) = outcome_events(request, script) else {
            return Ok(true);
        };
        match &script.outcome {
            Outcome::Nothing => {}
            Outcome::Dies => return Ok(false),
            Outcome::Stops => {
                self.tell(Event::HostStopped(HostStopped::default())).await?;
                return Ok(false);
            }
            Outcome::Fails(error) => {
                if let Some(event) = failed(error) {
                    self.tell(event).await?;
                }
            }
            Outcome::Untold => self.apply(request),
            Outcome::Done { told } => {
                self.apply(request);
                for _ in 0..*told {
                    self.tell(done.clone()).await?;
                }
                return Ok(!matches!(request, Request::StopHost(..)));
            }
        }
        Ok(true)
    }

    fn apply(&self, request: &Request) {
        let mut script = self.script.lock();
        match request {
            Request::ScaleComponent(_, scale) => {
                script
                    .components
                    .retain(|runs| runs.id != scale.component_id.as_str());
                if scale.count > 0 {
                    script.components.push(ComponentDescription {
                        id: scale.component_id.to_string(),
                        image_ref: scale.component_ref.clone(),
                        max_instances: scale.count,
                        annotations: scale.annotations.clone(),
                        ..ComponentDescription::default()
                    });
                }
            }
            Request::UpdateComponent(_, update) => {
                let id = update.component_id.as_str();
                script
                    .components
                    .iter_mut()
                    .filter(|runs| runs.id == id)
                    .for_each(|runs| {
                        runs.image_ref.clone_from(&update.new_component_ref);
                    });
            }
            Request::StartProvider(_, start) => script.providers.push(ProviderDescription {
                id: start.provider_id.to_string(),
                image_ref: Some(start.provider_ref.clone()),
                annotations: start.annotations.clone(),
                ..ProviderDescription::default()
            }),
            Request::StopProvider(_, stop) => {
                script
                    .providers
                    .retain(|runs| runs.id != stop.provider_id.as_str());
            }
            _ => {}
        }
    }
}

type Failure<'a> = Box<dyn Fn(&str) -> Option<Event> + Send + Sync + 'a>;

/// The event that tells of success, and what makes the one that tells of failure; `None` for requests that are done
/// when they are answered.
fn outcome_events<'a>(request: &'a Request, script: &'a Script) -> Option<(Event, Failure<'a>)> {
    let host_id = script.id.to_string();
    let never = || -> Failure<'a> { Box::new(|_| None) };
    Some(match request {
        Request::ScaleComponent(_, scale) => {
            let runs = script
                .components
                .iter()
                .find(|runs| runs.id == scale.component_id.as_str());
            // A component that stops is told of with the image that it ran from (wire reference §2.4).
            let image_ref = match runs {
                Some(runs) if scale.count == 0 => runs.image_ref.clone(),
                _ => scale.component_ref.clone(),
            };
            let done = ComponentScaled {
                annotations: scale.annotations.clone().unwrap_or_default(),
                host_id,
                image_ref,
                max_instances: scale.count,
                component_id: scale.component_id.to_string(),
                ..ComponentScaled::default()
            };
            let failed = done.clone();
            (
                Event::ComponentScaled(done),
                Box::new(move |error| {
                    Some(Event::ComponentScaleFailed(ComponentScaleFailed {
                        host_id: failed.host_id.clone(),
                        image_ref: failed.image_ref.clone(),
                        max_instances: failed.max_instances,
                        component_id: failed.component_id.clone(),
                        error: error.to_owned(),
                        ..ComponentScaleFailed::default()
                    }))
                }),
            )
        }
        Request::UpdateComponent(_, update) => {
            let done = ComponentScaled {
                host_id,
                image_ref: update.new_component_ref.clone(),
                max_instances: 1,
                component_id: update.component_id.to_string(),
                ..ComponentScaled::default()
            };
            (Event::ComponentScaled(done), never())
        }
        Request::StartProvider(_, start) => {
            let done = ProviderStarted {
                host_id,
                image_ref: start.provider_ref.clone(),
                provider_id: start.provider_id.to_string(),
                ..ProviderStarted::default()
            };
            let failed = done.clone();
            (
                Event::ProviderStarted(done),
                Box::new(move |error| {
                    Some(Event::ProviderStartFailed(ProviderStartFailed {
                        provider_ref: failed.image_ref.clone(),
                        provider_id: failed.provider_id.clone(),
                        host_id: failed.host_id.clone(),
                        error: error.to_owned(),
                        link_name: "default".to_owned(),
                    }))
                }),
            )
        }
        Request::StopProvider(_, stop) => {
            let done = ProviderStopped {
                host_id,
                provider_id: stop.provider_id.to_string(),
                reason: "stop".to_owned(),
                ..ProviderStopped::default()
            };
            (Event::ProviderStopped(done), never())
        }
        Request::StopHost(..) => (Event::HostStopped(HostStopped::default()), never()),
        _ => return None,
    })
}
