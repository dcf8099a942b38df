//! What a request is meant to bring about, and how events and inventories show it. No input or output.

use wasmcloud_core::{ComponentId, HostId};
use wasmcloud_wire::control::{HostInventory, Request};
use wasmcloud_wire::event::{CloudEvent, Event};

use crate::asked::printable;

/// What should come about on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// A component runs with so many instances at most; with none it does not run.
    Scaled { id: ComponentId, count: u32 },
    /// A component runs from another image.
    Updated { id: ComponentId, image: String },
    /// A provider runs.
    ProviderRuns { id: ComponentId },
    /// A provider does not run.
    ProviderStopped { id: ComponentId },
    /// The host is not there.
    HostGone,
}

/// What an event or an inventory means for the goal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Done,
    Failed(String),
    HostStopped,
    HostDied,
    /// Not yet; in words what is.
    Other(String),
}

impl Goal {
    /// What a request is meant to bring about on which host; `None` if that is so when the host answers.
    pub(super) fn of(request: &Request) -> Option<(HostId, Self)> {
        Some(match request {
            Request::ScaleComponent(host, scale) => (
                host.clone(),
                Self::Scaled {
                    id: scale.component_id.clone(),
                    count: scale.count,
                },
            ),
            Request::UpdateComponent(host, update) => (
                host.clone(),
                Self::Updated {
                    id: update.component_id.clone(),
                    image: update.new_component_ref.clone(),
                },
            ),
            Request::StartProvider(host, start) => (
                host.clone(),
                Self::ProviderRuns {
                    id: start.provider_id.clone(),
                },
            ),
            Request::StopProvider(host, stop) => (
                host.clone(),
                Self::ProviderStopped {
                    id: stop.provider_id.clone(),
                },
            ),
            Request::StopHost(host, _) => (host.clone(), Self::HostGone),
            _ => return None,
        })
    }

    /// What an event means. Events of other hosts and about other things mean nothing.
    pub(super) fn heard(&self, host: &HostId, event: &CloudEvent) -> Option<Seen> {
        let here = |id: &str| id == host.as_str();
        let failed = |error: &str| Some(Seen::Failed(printable(error).into_owned()));
        match (&event.event, self) {
            (Event::HostStopped(_), Self::HostGone) if here(&event.source) => Some(Seen::Done),
            (Event::HostStopped(_), _) if here(&event.source) => Some(Seen::HostStopped),
            (Event::ComponentScaled(told), Self::Scaled { id, count })
                if here(&told.host_id) && told.component_id == id.as_str() =>
            {
                match told.max_instances == *count {
                    true => Some(Seen::Done),
                    false => Some(Seen::Other(format!(
                        "it was scaled to {} in the meantime",
                        told.max_instances
                    ))),
                }
            }
            (Event::ComponentScaled(told), Self::Updated { id, image })
                if here(&told.host_id) && told.component_id == id.as_str() && told.image_ref == *image =>
            {
                Some(Seen::Done)
            }
            (Event::ComponentScaleFailed(told), Self::Scaled { id, .. } | Self::Updated { id, .. })
                if here(&told.host_id) && told.component_id == id.as_str() =>
            {
                failed(&told.error)
            }
            (Event::ProviderStarted(told), Self::ProviderRuns { id })
                if here(&told.host_id) && told.provider_id == id.as_str() =>
            {
                Some(Seen::Done)
            }
            (Event::ProviderStartFailed(told), Self::ProviderRuns { id })
                if here(&told.host_id) && told.provider_id == id.as_str() =>
            {
                failed(&told.error)
            }
            (Event::ProviderStopped(told), Self::ProviderStopped { id })
                if here(&told.host_id) && told.provider_id == id.as_str() =>
            {
                Some(Seen::Done)
            }
            _ => None,
        }
    }

    /// What an inventory means. That something runs proves nothing while it may be about to be replaced, so an event
    /// is preferred unless it may have been `missed`.
    pub(super) fn looked(&self, inventory: &HostInventory, missed: bool) -> Seen {
        let component = |id: &ComponentId| inventory.components.iter().find(|runs| runs.id == id.as_str());
        let provider = |id: &ComponentId| inventory.providers.iter().any(|runs| runs.id == id.as_str());
        match self {
            Self::Scaled { id, count } => match component(id) {
                None if *count == 0 && missed => Seen::Done,
                None if *count == 0 => Seen::Other("it no longer lists the component".to_owned()),
                Some(runs) if runs.max_instances == *count && missed => Seen::Done,
                Some(runs) => Seen::Other(format!(
                    "it runs the component with at most {} instances",
                    runs.max_instances
                )),
                None => Seen::Other("it does not run the component yet".to_owned()),
            },
            Self::Updated { id, image } => match component(id) {
                // Only the update can have brought this image.
                Some(runs) if runs.image_ref == *image => Seen::Done,
                Some(runs) => Seen::Other(format!(
                    "it runs the component from {}",
                    printable(&runs.image_ref)
                )),
                None => Seen::Other("it no longer runs the component".to_owned()),
            },
            Self::ProviderRuns { id } => match provider(id) {
                true if missed => Seen::Done,
                true => Seen::Other("it lists the provider and has not said that it started".to_owned()),
                false => Seen::Other("it does not run the provider yet".to_owned()),
            },
            Self::ProviderStopped { id } => match provider(id) {
                false if missed => Seen::Done,
                false => Seen::Other("it no longer lists the provider".to_owned()),
                true => Seen::Other("it still runs the provider".to_owned()),
            },
            Self::HostGone => Seen::Other("it still answers".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::control::{ComponentDescription, ScaleComponent};
    use wasmcloud_wire::event::{ComponentScaleFailed, ComponentScaled, HostStopped};

    use super::*;

    fn host() -> HostId {
        "NA".parse().unwrap()
    }

    fn goal(count: u32) -> Goal {
        let scale = ScaleComponent {
            component_ref: "file:///hello.wasm".to_owned(),
            component_id: "hello".parse().unwrap(),
            annotations: None,
            count,
            component_limits: None,
            host_id: host(),
            config: Vec::new(),
            allow_update: false,
            weight: None,
            probe: None,
            links_required: false,
            link_suffix: None,
        };
        Goal::of(&Request::ScaleComponent(host(), scale)).unwrap().1
    }

    fn heard(goal: &Goal, source: &str, event: Event) -> Option<Seen> {
        goal.heard(
            &host(),
            &CloudEvent::new("1", &source.parse().unwrap(), "", event),
        )
    }

    fn scaled(host: &str, component: &str, count: u32) -> Event {
        Event::ComponentScaled(ComponentScaled {
            host_id: host.to_owned(),
            component_id: component.to_owned(),
            max_instances: count,
            ..ComponentScaled::default()
        })
    }

    #[test]
    fn only_the_event_that_was_waited_for_ends_the_wait() {
        assert_eq!(heard(&goal(5), "NA", scaled("NA", "hello", 5)), Some(Seen::Done));
        assert_eq!(heard(&goal(5), "NB", scaled("NB", "hello", 5)), None);
        assert_eq!(heard(&goal(5), "NA", scaled("NA", "other", 5)), None);
        assert_eq!(
            heard(&goal(5), "NA", scaled("NA", "hello", 2)),
            Some(Seen::Other("it was scaled to 2 in the meantime".to_owned()))
        );
        let failed = Event::ComponentScaleFailed(ComponentScaleFailed {
            host_id: "NA".to_owned(),
            component_id: "hello".to_owned(),
            error: "no \x1b[1mfile".to_owned(),
            ..ComponentScaleFailed::default()
        });
        assert_eq!(
            heard(&goal(5), "NA", failed),
            Some(Seen::Failed("no \u{fffd}[1mfile".to_owned()))
        );
    }

    #[test]
    fn a_host_that_stops_ends_every_wait() {
        let stopped = || Event::HostStopped(HostStopped::default());
        assert_eq!(heard(&goal(5), "NA", stopped()), Some(Seen::HostStopped));
        assert_eq!(heard(&goal(5), "NB", stopped()), None);
        assert_eq!(heard(&Goal::HostGone, "NA", stopped()), Some(Seen::Done));
    }

    #[test]
    fn an_inventory_decides_only_where_events_may_have_been_missed() {
        let inventory = |count: u32| HostInventory {
            components: vec![ComponentDescription {
                id: "hello".to_owned(),
                image_ref: "new".to_owned(),
                max_instances: count,
                ..ComponentDescription::default()
            }],
            ..HostInventory::default()
        };
        assert_eq!(goal(5).looked(&inventory(5), true), Seen::Done);
        assert!(matches!(goal(5).looked(&inventory(5), false), Seen::Other(_)));
        assert!(matches!(goal(5).looked(&inventory(4), true), Seen::Other(_)));
        assert_eq!(goal(0).looked(&HostInventory::default(), true), Seen::Done);
        let updated = Goal::Updated {
            id: "hello".parse().unwrap(),
            image: "new".to_owned(),
        };
        assert_eq!(updated.looked(&inventory(1), false), Seen::Done);
    }
}
