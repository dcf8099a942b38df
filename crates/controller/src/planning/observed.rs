//! What runs in a lattice, as somebody has seen it. Whoever observes fills this in; nothing here asks anybody.

use std::collections::BTreeMap;
use std::time::Duration;

use wasmcloud_core::{ComponentId, ConfigName, HostId, ImageRef, Link, LinkKey, LinkSuffix};
use wasmcloud_wire::Labels;
use wasmcloud_wire::control::{
    ComponentLoad, FEATURE_CANDIDATES, FEATURE_IN_PLACE, FEATURE_LINK_SUFFIX, FEATURE_LOAD, HostInventory,
    ProviderHealth,
};

use crate::planning::model::Moment;

/// What is in a lattice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Whether what the store says should run can be believed.
    pub store: StoreHealth,
    /// Whether hosts may be missing that are there: so it is when somebody has just begun to observe, or goes on after
    /// having stood still or been cut off. Until every host had the time to be heard of, nothing is changed, or what runs
    /// on the others would be started again on the first one.
    pub partial: bool,
    /// The hosts, lost ones as long as they are remembered.
    pub hosts: BTreeMap<HostId, ObservedHost>,
    /// All links. Several may have the same key, with targets and interfaces of their own.
    pub links: Vec<Link>,
    /// All configs and references to secrets.
    pub configs: BTreeMap<ConfigName, BTreeMap<String, String>>,
}

/// Whether the store of applications can be believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreHealth {
    /// It has all that was ever written to it, as far as anybody can tell.
    #[default]
    Trusted,
    /// It was lost, replaced or set back, for the reason given. Nothing in the lattice is changed until somebody has
    /// made sure of it.
    Suspect(String),
}

/// A host and what runs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedHost {
    /// Its labels.
    pub labels: Labels,
    /// Whether it is being emptied: it gets nothing new, and what it has is started elsewhere.
    pub draining: bool,
    /// When it was heard of last.
    pub last_seen: Moment,
    /// When it told all of this.
    pub told_at: Moment,
    /// The number of its inventory, which is another one when anything but counters has changed; v1 hosts have none.
    pub revision: Option<u64>,
    /// Whether it replaces the image of a component, and a link, without a gap. Our hosts do. v1 hosts are stopped and
    /// started: after an update in place they answer no calls (v1 wire reference §2.4).
    pub in_place: bool,
    /// Whether it runs two revisions of a component beside each other. v1 hosts do not.
    pub candidates: bool,
    /// Whether a revision of a component can have links of its own there. On v1 hosts, and some older ones of ours, it
    /// cannot.
    pub link_suffix: bool,
    /// The components, one for each id: scaling it again changes that one (v1 wire reference §2.4).
    pub components: BTreeMap<ComponentId, RunningComponent>,
    /// The providers, one for each id.
    pub providers: BTreeMap<ComponentId, RunningProvider>,
    /// The links of the lattice that are not in effect there.
    pub refused: Vec<RefusedLink>,
}

/// A link that a host does not put into effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLink {
    /// What identifies it, together with the target.
    pub key: LinkKey,
    /// Where it goes.
    pub target: ComponentId,
    /// Why not.
    pub why: String,
    /// The link that has what this one needs, where the host says so.
    pub owner: Option<LinkKey>,
}

/// A component on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunningComponent {
    /// Where it came from, as the host says it.
    pub image: String,
    /// How many invocations may run at once.
    pub count: u32,
    /// What whoever started it wanted to remember.
    pub annotations: Labels,
    /// How its calls went since it was started.
    pub calls: Calls,
    /// How much it has to do; `None` where the host does not say.
    pub load: Option<Load>,
    /// What the names of the links end in that are its own.
    pub link_suffix: Option<LinkSuffix>,
    /// The same of those that were replaced and have calls that have not ended.
    pub leaving: Vec<Option<LinkSuffix>>,
    /// Another revision that runs beside it and gets some of its calls.
    pub candidate: Option<Candidate>,
}

/// A revision of a component that gets some of the calls of the one beside which it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Where it came from, as the host says it.
    pub image: String,
    /// What whoever started it wanted to remember.
    pub annotations: Labels,
    /// How many of a hundred calls it gets.
    pub weight: u8,
    /// What the names of the links end in that are its own.
    pub link_suffix: Option<LinkSuffix>,
    /// How its calls went since it was started.
    pub calls: Calls,
}

/// How calls went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Those that ended.
    pub ended: u64,
    /// Those of them that failed.
    pub failed: u64,
}

/// How much a component has to do on a host. What is a sum only gets smaller when the host begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Calls that run now.
    pub running: u32,
    /// Calls that wait now.
    pub waiting: u32,
    /// Calls that have ended.
    pub ended: u64,
    /// The time that these took, added up.
    pub busy: Duration,
    /// The time that calls have waited, added up.
    pub queued: Duration,
    /// Calls that came when too many were waiting already.
    pub refused: u64,
}

/// A provider on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunningProvider {
    /// Where it came from, as the host says it.
    pub image: String,
    /// Whether it does what it should.
    pub health: Health,
    /// What whoever started it wanted to remember.
    pub annotations: Labels,
}

/// What the last check of a provider said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It was not checked yet. Such a provider counts as one that runs.
    #[default]
    Unknown,
    /// It is well.
    Healthy,
    /// It is not.
    Unhealthy,
}

impl ObservedHost {
    /// What a host says of itself, and its id; `None` where it could not be asked for anything, because its id is none.
    /// What has no usable id is left out.
    pub fn read(inventory: &HostInventory, last_seen: Moment) -> Option<(HostId, Self)> {
        let suffix = |text: Option<&str>| text.and_then(|text| text.parse::<LinkSuffix>().ok());
        let has = |feature: &str| inventory.features.iter().any(|known| known == feature);
        let components = inventory.components.iter().filter_map(|component| {
            let running = RunningComponent {
                image: component.image_ref.clone(),
                count: component.max_instances,
                annotations: component.annotations.clone().unwrap_or_default(),
                calls: Calls {
                    ended: component.calls,
                    failed: component.failures,
                },
                load: has(FEATURE_LOAD).then(|| Load::read(component.load.unwrap_or_default())),
                link_suffix: suffix(component.link_suffix.as_deref()),
                leaving: component
                    .leaving_link_suffixes
                    .iter()
                    .map(|text| suffix(Some(text)))
                    .collect(),
                candidate: component.candidate.as_ref().map(|candidate| Candidate {
                    image: candidate.image_ref.clone(),
                    annotations: candidate.annotations.clone().unwrap_or_default(),
                    weight: candidate.weight,
                    link_suffix: suffix(candidate.link_suffix.as_deref()),
                    calls: Calls {
                        ended: candidate.calls,
                        failed: candidate.failures,
                    },
                }),
            };
            Some((component.id.parse().ok()?, running))
        });
        let providers = inventory.providers.iter().filter_map(|provider| {
            let running = RunningProvider {
                image: provider.image_ref.clone().unwrap_or_default(),
                health: match provider.health {
                    Some(ProviderHealth::Healthy) => Health::Healthy,
                    Some(ProviderHealth::Unhealthy) => Health::Unhealthy,
                    _ => Health::Unknown,
                },
                annotations: provider.annotations.clone().unwrap_or_default(),
            };
            Some((provider.id.parse().ok()?, running))
        });
        let refused = inventory.refused_links.iter().filter_map(|refused| {
            Some(RefusedLink {
                key: LinkKey {
                    source: refused.source_id.parse().ok()?,
                    name: refused.name.parse().ok()?,
                    namespace: refused.wit_namespace.clone(),
                    package: refused.wit_package.clone(),
                },
                target: refused.target.parse().ok()?,
                why: refused.error.clone(),
                owner: refused.owner.as_ref().and_then(|owner| {
                    Some(LinkKey {
                        source: owner.source_id.parse().ok()?,
                        name: owner.name.parse().ok()?,
                        namespace: owner.wit_namespace.clone(),
                        package: owner.wit_package.clone(),
                    })
                }),
            })
        });
        let host = Self {
            labels: inventory.labels.clone(),
            draining: inventory.draining,
            last_seen,
            told_at: last_seen,
            revision: inventory.inventory_revision,
            in_place: has(FEATURE_IN_PLACE),
            candidates: has(FEATURE_CANDIDATES),
            link_suffix: has(FEATURE_LINK_SUFFIX),
            components: components.collect(),
            providers: providers.collect(),
            refused: refused.collect(),
        };
        Some((inventory.host_id.parse().ok()?, host))
    }
}

impl RunningComponent {
    /// What the names of the links end in that its revisions have for their own, those left out that were replaced.
    pub(crate) fn link_suffixes(&self) -> impl Iterator<Item = Option<&LinkSuffix>> {
        let candidate = self.candidate.iter().map(|candidate| &candidate.link_suffix);
        candidate.chain([&self.link_suffix]).map(Option::as_ref)
    }
}

impl Load {
    fn read(told: ComponentLoad) -> Self {
        Self {
            running: told.running,
            waiting: told.waiting,
            ended: told.ended,
            busy: Duration::from_micros(told.busy_us),
            queued: Duration::from_micros(told.queued_us),
            refused: told.refused,
        }
    }
}

/// Whether what a host says runs there is `wanted`. Hosts say a reference in several ways: with or without its scheme,
/// and v1 hosts name the file of a provider by its path alone (recorded).
pub(crate) fn is_image(said: &str, wanted: &ImageRef) -> bool {
    match wanted {
        ImageRef::Oci(reference) if reference == said => true,
        ImageRef::File(path) if path.as_os_str() == said => true,
        _ => said.parse().is_ok_and(|said: ImageRef| said == *wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_say_images_in_several_ways() {
        let check = |said: &str, wanted: &str, same: bool| {
            assert_eq!(
                is_image(said, &wanted.parse().unwrap()),
                same,
                "{said} and {wanted}"
            );
        };
        check("ghcr.io/a/b:1", "ghcr.io/a/b:1", true);
        check("oci://ghcr.io/a/b:1", "ghcr.io/a/b:1", true);
        check("ghcr.io/a/b:2", "ghcr.io/a/b:1", false);
        check("/app/p.par.gz", "file:///app/p.par.gz", true);
        check("file:///app/p.par.gz", "file:///app/p.par.gz", true);
        check("", "ghcr.io/a/b:1", false);
    }

    #[test]
    fn an_inventory_is_read() {
        let text = r#"{"host_id":"NA","labels":{"zone":"eu"},
            "components":[{"id":"cart","image_ref":"a/b:1","max_instances":5,"annotations":{"k":"v"}},
                          {"id":"a.b","image_ref":"a/b:1"}],
            "providers":[{"id":"http","image_ref":"a/http:1"}]}"#;
        let inventory: HostInventory = serde_json::from_str(text).unwrap();
        let (id, host) = ObservedHost::read(&inventory, Moment::from_secs(1)).unwrap();
        assert_eq!((id.as_str(), host.labels["zone"].as_str()), ("NA", "eu"));
        let ids: Vec<&str> = host.components.keys().map(ComponentId::as_str).collect();
        assert_eq!(ids, ["cart"], "what could not be asked for is left out");
        assert_eq!(host.components["cart"].count, 5);
        assert_eq!(host.providers["http"].image, "a/http:1");
    }
}
