//! One thing to be done in a lattice. Whoever carries it out turns it into a control request.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use wasmcloud_core::{AppName, ComponentId, ConfigName, HostId, ImageRef, Limits, Link, LinkKey, LinkSuffix};
use wasmcloud_wire::Labels;

/// One thing to be done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The application for whose sake it is done.
    pub app: AppName,
    /// What is done.
    pub action: Action,
    /// Why, in a few words.
    pub why: String,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are those of the control requests of the same name"
)]
pub enum Action {
    /// A component shall run on a host with `count` instances, started there or changed.
    ScaleComponent {
        host: HostId,
        id: ComponentId,
        image: ImageRef,
        count: u32,
        annotations: Labels,
        /// Configs and secrets, later ones override earlier ones.
        config: Vec<ConfigName>,
        /// Its limits; their concurrency is `count` unless the manifest says otherwise.
        limits: Limits,
        /// Whether another image runs there that this one takes the place of.
        allow_update: bool,
        /// How many of a hundred calls it gets beside what runs there; all where it takes the place of that.
        weight: Option<u8>,
        /// The path that it has to answer before it gets any.
        probe: Option<String>,
        /// Whether it is refused where it imports what no link answers.
        links_required: bool,
        /// What the names of the links end in that are its own.
        link_suffix: Option<LinkSuffix>,
    },
    /// A component shall not run on a host any more. `image` and `annotations` are what runs.
    StopComponent {
        host: HostId,
        id: ComponentId,
        image: String,
        annotations: Labels,
    },
    /// A provider shall run on a host.
    StartProvider {
        host: HostId,
        id: ComponentId,
        /// The reference as the manifest has it.
        image: ImageRef,
        config: Vec<ConfigName>,
        annotations: Labels,
    },
    /// A provider shall not run on a host any more.
    StopProvider { host: HostId, id: ComponentId },
    /// A link shall be there. References to secrets are among its configs.
    PutLink(Link),
    /// A link shall be there in the place of the one with the same key that goes to another target, in one step.
    TurnLink { link: Link, from: ComponentId },
    /// All links with a key shall be gone. A v1 host removes the first of them for each request.
    DeleteLink(LinkKey),
    /// A config or a reference to a secret shall be there.
    PutConfig {
        name: ConfigName,
        values: BTreeMap<String, String>,
    },
    /// A config or a reference to a secret shall be gone.
    DeleteConfig(ConfigName),
}

/// What a step is about. Steps with the same key stand for each other: a later one takes the place of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepKey {
    /// The values of a config.
    PutConfig(ConfigName),
    /// The links with a key.
    DeleteLink(LinkKey),
    /// The link with a key that goes to a target.
    PutLink(LinkKey, ComponentId),
    /// A provider that ends on a host.
    StopProvider(ComponentId, HostId),
    /// A provider on a host.
    StartProvider(ComponentId, HostId),
    /// A component on a host, be it started, changed or stopped.
    Component(ComponentId, HostId),
    /// The end of a config.
    DeleteConfig(ConfigName),
}

impl StepKey {
    /// The host that is asked, where it is a certain one.
    pub fn host(&self) -> Option<&HostId> {
        match self {
            Self::StopProvider(_, host) | Self::StartProvider(_, host) | Self::Component(_, host) => {
                Some(host)
            }
            _ => None,
        }
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PutConfig(name) => write!(f, "put config {name}"),
            Self::DeleteLink(key) => write!(f, "delete link {key}"),
            Self::PutLink(key, target) => write!(f, "put link {key} {target}"),
            Self::StopProvider(id, host) => write!(f, "stop provider {id} on {host}"),
            Self::StartProvider(id, host) => write!(f, "start provider {id} on {host}"),
            Self::Component(id, host) => write!(f, "scale component {id} on {host}"),
            Self::DeleteConfig(name) => write!(f, "delete config {name}"),
        }
    }
}

impl Action {
    /// What this is about.
    pub fn key(&self) -> StepKey {
        match self {
            Self::ScaleComponent { host, id, .. } | Self::StopComponent { host, id, .. } => {
                StepKey::Component(id.clone(), host.clone())
            }
            Self::StartProvider { host, id, .. } => StepKey::StartProvider(id.clone(), host.clone()),
            Self::StopProvider { host, id } => StepKey::StopProvider(id.clone(), host.clone()),
            Self::PutLink(link) | Self::TurnLink { link, .. } => {
                StepKey::PutLink(link.key(), link.target.clone())
            }
            Self::DeleteLink(key) => StepKey::DeleteLink(key.clone()),
            Self::PutConfig { name, .. } => StepKey::PutConfig(name.clone()),
            Self::DeleteConfig(name) => StepKey::DeleteConfig(name.clone()),
        }
    }

    /// Whether something is there afterwards that was not, or is as it should be; else something is gone.
    pub fn is_additive(&self) -> bool {
        !matches!(
            self,
            Self::StopComponent { .. }
                | Self::StopProvider { .. }
                | Self::DeleteLink(_)
                | Self::DeleteConfig(_)
        )
    }

    /// A number that differs where what is asked for differs. Only for comparisons within one process. What merely
    /// describes, annotations other than the revision, does not count.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        std::mem::discriminant(self).hash(&mut hasher);
        match self {
            Self::ScaleComponent {
                image,
                count,
                annotations,
                weight,
                ..
            } => {
                let revision = annotations.get(crate::planning::marks::REVISION);
                (image, count, revision, weight).hash(&mut hasher);
            }
            Self::StartProvider {
                image, annotations, ..
            } => {
                (image, annotations.get(crate::planning::marks::REVISION)).hash(&mut hasher);
            }
            Self::PutLink(link) | Self::TurnLink { link, .. } => {
                (
                    &link.interfaces,
                    &link.source_config,
                    &link.target_config,
                    link.route,
                )
                    .hash(&mut hasher);
            }
            Self::PutConfig { values, .. } => values.hash(&mut hasher),
            Self::StopComponent { .. }
            | Self::StopProvider { .. }
            | Self::DeleteLink(_)
            | Self::DeleteConfig(_) => {}
        }
        hasher.finish()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.action {
            Action::ScaleComponent {
                count,
                weight: Some(weight),
                ..
            } => write!(
                f,
                "{} to {count} beside what runs, for {weight} % of the calls",
                self.action.key()
            )?,
            Action::ScaleComponent { count, .. } => write!(f, "{} to {count}", self.action.key())?,
            Action::StopComponent { host, id, .. } => write!(f, "stop component {id} on {host}")?,
            action => write!(f, "{}", action.key())?,
        }
        write!(f, ": {}", self.why)
    }
}
