//! A host in the words of the wire: what it says when it is asked, in its heartbeat, and of what it started.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

use wasmcloud_core::{ComponentId, HostId, Limits, LinkSuffix};
use wasmcloud_lattice::Lattice;
use wasmcloud_wire::control::{
    CandidateDescription, ComponentDescription, ComponentLoad, FEATURE_CANDIDATES, FEATURE_IN_PLACE,
    FEATURE_LINK_SUFFIX, FEATURE_LOAD, Host as HostReply, HostInventory, ProviderDescription, ProviderHealth,
    RefusedLink, uptime_human, write_limits,
};
use wasmcloud_wire::event::{ComponentScaled, ProviderStarted};

use crate::claims::{self, ComponentClaims, ProviderClaims};
use crate::host::Host;
use crate::identity::Identity;
use crate::inventory::{CandidateInfo, ComponentInfo};

/// The answer to a ping, with the revision of the inventory.
pub(crate) fn host(identity: &Identity, lattice: &Lattice, revision: Option<u64>) -> HostReply {
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
        inventory_revision: revision,
    }
}

/// What runs, as inventory and heartbeat have it.
pub(crate) fn inventory(
    identity: &Identity,
    host: &Host,
    defaults: &Limits,
    refused_links: Vec<RefusedLink>,
    draining: bool,
) -> HostInventory {
    let inventory = host.inventory();
    let ended: Vec<_> = inventory.components.iter().map(ended).collect();
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
            limits: write_limits(&component.limits, component.max_instances, defaults),
            asleep: component.asleep,
            link_suffix: component.link_suffix.as_ref().map(ToString::to_string),
            leaving_link_suffixes: component.leaving.into_iter().map(leaving).collect(),
            candidate: component.candidate.map(candidate),
            ..ComponentDescription::default()
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
            health: provider.healthy.map(|healthy| match healthy {
                true => ProviderHealth::Healthy,
                false => ProviderHealth::Unhealthy,
            }),
        });
    let mut inventory = HostInventory {
        components: components.collect(),
        providers: providers.collect(),
        host_id: identity.id.to_string(),
        friendly_name: identity.friendly_name.clone(),
        labels: identity.labels(),
        version: identity.version.to_owned(),
        uptime_human: String::new(),
        uptime_seconds: 0,
        inventory_revision: None,
        features: [
            FEATURE_IN_PLACE,
            FEATURE_CANDIDATES,
            FEATURE_LINK_SUFFIX,
            FEATURE_LOAD,
        ]
        .map(str::to_owned)
        .to_vec(),
        draining,
        refused_links,
    };
    // All but the time and the counters: whatever else changes what is said, changes the number, and nobody has to remember to count.
    inventory.inventory_revision = Some(revision(&inventory));
    inventory.uptime_human = uptime_human(identity.uptime());
    inventory.uptime_seconds = identity.uptime().as_secs();
    for (component, ended) in inventory.components.iter_mut().zip(ended) {
        (component.calls, component.failures) = ended.current;
        component.load = Some(ended.load).filter(|load| *load != ComponentLoad::default());
        if let Some(candidate) = &mut component.candidate {
            (candidate.calls, candidate.failures) = ended.candidate;
        }
    }
    inventory
}

/// What changes with each call of a component.
struct Ended {
    load: ComponentLoad,
    current: (u64, u64),
    candidate: (u64, u64),
}

fn ended(component: &ComponentInfo) -> Ended {
    let candidate = component.candidate.as_ref();
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Ended {
        load: ComponentLoad {
            running: component.running,
            waiting: component.waiting,
            ended: component.invocations,
            busy_us: micros(component.busy),
            queued_us: micros(component.queued),
            refused: component.turned_away,
        },
        current: (component.calls, component.failures),
        candidate: candidate.map_or((0, 0), |candidate| (candidate.calls, candidate.failures)),
    }
}

/// A number made of what an inventory says. Below 2^53, which is as far as programs get that know floating point only.
fn revision(inventory: &HostInventory) -> u64 {
    let mut hashed = Hashed(DefaultHasher::new());
    // Neither the hasher nor any of its texts and numbers fails.
    serde_json::to_writer(&mut hashed, inventory).ok();
    hashed.0.finish() >> 11
}

struct Hashed(DefaultHasher);

impl std::io::Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn leaving(suffix: Option<LinkSuffix>) -> String {
    suffix.map_or_else(String::new, |suffix| suffix.to_string())
}

fn candidate(candidate: CandidateInfo) -> CandidateDescription {
    CandidateDescription {
        image_ref: candidate.image_ref,
        annotations: Some(candidate.annotations),
        max_instances: candidate.max_instances,
        weight: candidate.weight,
        link_suffix: candidate.link_suffix.as_ref().map(ToString::to_string),
        ..CandidateDescription::default()
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
