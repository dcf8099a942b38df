//! Any event.

use proptest::option::of;
use proptest::prelude::*;
use wasmcloud_wire::event::{
    CloudEvent, ComponentEventClaims, ComponentScaleFailed, ComponentScaled, ConfigChanged, Event, EventKind,
    HealthCheck, HostStarted, HostStopped, LabelsChanged, LinkdefDeleted, LinkdefSet, LinkdefSetFailed,
    ProviderEventClaims, ProviderStartFailed, ProviderStarted, ProviderStopped,
};

use crate::values::{any_of, inventory, labels, link, text, texts};

fn component_claims() -> impl Strategy<Value = ComponentEventClaims> {
    any_of!(ComponentEventClaims {
        call_alias: of(text()),
        issuer: text(),
        tags: of(texts()),
        name: of(text()),
        version: of(text()),
        revision: of(any::<i32>()),
        not_before_human: text(),
        expires_human: text(),
    })
}

fn provider_claims() -> impl Strategy<Value = ProviderEventClaims> {
    any_of!(ProviderEventClaims {
        issuer: text(),
        tags: of(texts()),
        name: of(text()),
        version: of(text()),
        not_before_human: text(),
        expires_human: text(),
    })
}

/// Data of one kind of event. Who adds a kind is told by the compiler to come here.
fn data(kind: EventKind) -> BoxedStrategy<Event> {
    let health = || {
        any_of!(HealthCheck {
            host_id: text(),
            provider_id: text()
        })
    };
    let config = || any_of!(ConfigChanged { config_name: text() });
    let set = || link().prop_map(|link| LinkdefSet::from(&link));
    match kind {
        EventKind::HostStarted => any_of!(HostStarted {
            friendly_name: text(),
            labels: labels(),
            uptime_seconds: any::<u64>(),
            version: text(),
        })
        .prop_map(Event::HostStarted)
        .boxed(),
        EventKind::HostHeartbeat => inventory().prop_map(Event::HostHeartbeat).boxed(),
        EventKind::HostStopped => any_of!(HostStopped { labels: labels() })
            .prop_map(Event::HostStopped)
            .boxed(),
        EventKind::LabelsChanged => any_of!(LabelsChanged {
            host_id: text(),
            labels: labels()
        })
        .prop_map(Event::LabelsChanged)
        .boxed(),
        EventKind::ComponentScaled => any_of!(ComponentScaled {
            public_key: of(text()),
            claims: of(component_claims()),
            annotations: labels(),
            host_id: text(),
            image_ref: text(),
            max_instances: any::<u32>(),
            component_id: text(),
        })
        .prop_map(Event::ComponentScaled)
        .boxed(),
        EventKind::ComponentScaleFailed => any_of!(ComponentScaleFailed {
            public_key: of(text()),
            annotations: labels(),
            host_id: text(),
            image_ref: text(),
            max_instances: any::<u32>(),
            component_id: text(),
            error: text(),
        })
        .prop_map(Event::ComponentScaleFailed)
        .boxed(),
        EventKind::ProviderStarted => any_of!(ProviderStarted {
            host_id: text(),
            image_ref: text(),
            provider_id: text(),
            annotations: labels(),
            claims: of(provider_claims()),
            instance_id: of(text()),
            public_key: of(text()),
            link_name: of(text()),
        })
        .prop_map(Event::ProviderStarted)
        .boxed(),
        EventKind::ProviderStartFailed => any_of!(ProviderStartFailed {
            provider_ref: text(),
            provider_id: text(),
            host_id: text(),
            error: text(),
            link_name: text(),
        })
        .prop_map(Event::ProviderStartFailed)
        .boxed(),
        EventKind::ProviderStopped => any_of!(ProviderStopped {
            host_id: text(),
            provider_id: text(),
            annotations: labels(),
            reason: text(),
            instance_id: text(),
            public_key: text(),
            link_name: text(),
        })
        .prop_map(Event::ProviderStopped)
        .boxed(),
        EventKind::HealthCheckPassed => health().prop_map(Event::HealthCheckPassed).boxed(),
        EventKind::HealthCheckFailed => health().prop_map(Event::HealthCheckFailed).boxed(),
        EventKind::HealthCheckStatus => health().prop_map(Event::HealthCheckStatus).boxed(),
        EventKind::LinkdefSet => set().prop_map(Event::LinkdefSet).boxed(),
        EventKind::LinkdefSetFailed => any_of!(LinkdefSetFailed {
            error: text(),
            link: set()
        })
        .prop_map(Event::LinkdefSetFailed)
        .boxed(),
        EventKind::LinkdefDeleted => any_of!(LinkdefDeleted {
            source_id: text(),
            name: text(),
            wit_namespace: text(),
            wit_package: text(),
            target: of(text()),
            interfaces: of(texts()),
        })
        .prop_map(Event::LinkdefDeleted)
        .boxed(),
        EventKind::ConfigSet => config().prop_map(Event::ConfigSet).boxed(),
        EventKind::ConfigDeleted => config().prop_map(Event::ConfigDeleted).boxed(),
    }
}

pub(crate) fn event() -> impl Strategy<Value = CloudEvent> {
    let any = prop::sample::select(EventKind::ALL.to_vec()).prop_flat_map(data);
    any_of!(CloudEvent {
        id: text(),
        source: text(),
        time: text(),
        event: any,
    })
}
