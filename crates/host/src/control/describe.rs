//! A host in the words of the wire: what it says when it is asked, and in its heartbeat.

use wasmcloud_core::Limits;
use wasmcloud_lattice::Lattice;
use wasmcloud_wire::control::{
    ComponentDescription, Host as HostReply, HostInventory, ProviderDescription, uptime_human,
};

use super::limits;
use crate::host::Host;
use crate::identity::Identity;

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
            name: None,
            annotations: Some(component.annotations),
            revision: 0,
            max_instances: component.max_instances,
            limits: limits::write(&component.limits, defaults),
        });
    let providers = inventory
        .providers
        .into_iter()
        .map(|provider| ProviderDescription {
            id: provider.id.to_string(),
            image_ref: Some(provider.image_ref),
            name: None,
            revision: 0,
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
