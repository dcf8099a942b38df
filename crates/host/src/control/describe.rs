//! A host in the words of the wire: what it says when it is asked, in its heartbeat, and of what it started.

use std::collections::BTreeMap;

use wasmcloud_core::{ComponentId, HostId, Limits};
use wasmcloud_lattice::Lattice;
use wasmcloud_wire::control::{
    CandidateDescription, ComponentDescription, Host as HostReply, HostInventory, ProviderDescription, uptime_human,
    write_limits,
};
use wasmcloud_wire::event::{ComponentScaled, ProviderStarted};

use crate::claims::{self, ComponentClaims, ProviderClaims};
use crate::host::Host;
use crate::identity::Identity;
use crate::inventory::CandidateInfo;

/// The answer to a ping.
pub(crate) fn host(identity: &Identity, lattice: &Lattice) -> HostReply {
    HostReply {
        rpc_host: Some(lattice.rpc.address().to_owned()),
        ctl_host: Some(lattice.control.address().to_owned()),
        friendly_name: identity.friendly_name.clone(),
        id: identity.id.to_string(),
        labels: identity.labels(),
        lattice: lattice.name.to_string(),
        js_domain: lattice.jetstream_domain.clone(),
        uptime_human: uptime_human(identity.uptime()),
        uptime_seconds: identity.uptime().as_secs(),
        version: identity.version.to_owned(),
    }
}

/// What runs, as inventory and heartbeat have it.
pub(crate) fn inventory(identity: &Identity, host: &Host, defaults: &Limits) -> HostInventory {
    let inventory = host.inventory();
    let components = inventory
        .components
        .into_iter()
        .map(|component| ComponentDescription {
            id: component.id.to_string(),
            image_ref: component.image_ref,
            name: component.claims.as_deref().and_then(claims::name),
            annotations: Some(component.annotations),
            revision: component
                .claims
                .map_or(0, |it| it.metadata.revision.unwrap_or_default()),
            max_instances: component.max_instances,
            limits: write_limits(&component.limits, defaults),
            calls: component.calls,
            failures: component.failures,
            candidate: component.candidate.map(candidate),
        });
    let providers = inventory
        .providers
        .into_iter()
        .map(|provider| ProviderDescription {
            id: provider.id.to_string(),
            image_ref: Some(provider.image_ref),
            name: provider.claims.as_deref().and_then(claims::name),
            revision: provider
                .claims
                .map_or(0, |it| it.metadata.revision.unwrap_or_default()),
            annotations: Some(provider.annotations),
        });
    HostInventory {
        components: components.collect(),
        providers: providers.collect(),
        host_id: identity.id.to_string(),
        friendly_name: identity.friendly_name.clone(),
        labels: identity.labels(),
        version: identity.version.to_owned(),
        uptime_human: uptime_human(identity.uptime()),
        uptime_seconds: identity.uptime().as_secs(),
    }
}

fn candidate(candidate: CandidateInfo) -> CandidateDescription {
    CandidateDescription {
        image_ref: candidate.image_ref,
        annotations: Some(candidate.annotations),
        max_instances: candidate.max_instances,
        weight: candidate.weight,
        calls: candidate.calls,
        failures: candidate.failures,
    }
}

/// A component runs with so many instances, or has stopped if there are none.
pub(crate) fn scaled(
    host: &HostId,
    id: &ComponentId,
    (image_ref, annotations): (String, BTreeMap<String, String>),
    max_instances: u32,
    claims: &ComponentClaims,
) -> ComponentScaled {
    let claims = claims.as_deref();
    ComponentScaled {
        public_key: claims.map(|claims| claims.subject.clone()),
        claims: claims.map(claims::component_event),
        annotations,
        host_id: host.to_string(),
        image_ref,
        max_instances,
        component_id: id.to_string(),
    }
}

/// A provider runs. v1 tells its id thrice of what is signed.
pub(crate) fn started(
    host: &HostId,
    id: &ComponentId,
    (image_ref, annotations): (String, BTreeMap<String, String>),
    claims: &ProviderClaims,
) -> ProviderStarted {
    let claims = claims.as_deref();
    let signed = |text: &dyn ToString| claims.map(|_| text.to_string());
    ProviderStarted {
        host_id: host.to_string(),
        image_ref,
        provider_id: id.to_string(),
        annotations,
        claims: claims.map(claims::provider_event),
        instance_id: signed(id),
        public_key: signed(id),
        link_name: signed(&"default"),
    }
}
