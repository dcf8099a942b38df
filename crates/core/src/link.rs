//! Links: which target answers a component's imports, or receives a provider's calls.

use std::fmt;
use std::str::FromStr;

use crate::ids::{ComponentId, ConfigName, LinkName};
use crate::suggest::nearest;

/// How calls over a link travel (design D4). Changeable while the link is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Route {
    /// In this process if the target runs here with a free slot, else over the lattice.
    #[default]
    Auto,
    /// In this process or not at all.
    Local,
    /// Over the lattice, also if the target runs here.
    Lattice,
}

impl Route {
    /// All routes by the names they have in manifests and on the command line.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("auto", Self::Auto),
        ("local", Self::Local),
        ("lattice", Self::Lattice),
    ];

    /// The name of this route in manifests and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Local => "local",
            Self::Lattice => "lattice",
        }
    }
}

impl FromStr for Route {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        Self::NAMES
            .iter()
            .find(|(name, _)| *name == raw)
            .map(|(_, route)| *route)
            .ok_or_else(|| {
                let names = Self::NAMES.map(|(name, _)| name);
                match nearest(raw, names) {
                    Some(name) => format!("route `{raw}` is unknown; did you mean `{name}`?"),
                    None => format!("route `{raw}` is unknown; use `auto`, `local` or `lattice`"),
                }
            })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A link: `source`'s use of the `interfaces` of `namespace:package` under `name` goes to `target`
/// (v1 wire reference §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Who calls.
    pub source: ComponentId,
    /// Who answers.
    pub target: ComponentId,
    /// The name under which the source selects this link.
    pub name: LinkName,
    /// `wasi` in `wasi:http`.
    pub namespace: String,
    /// `http` in `wasi:http`.
    pub package: String,
    /// Interfaces of the package, without namespace and version: `incoming-handler`.
    pub interfaces: Vec<String>,
    /// Named configs handed to the source where it is a provider, later names override earlier ones.
    pub source_config: Vec<ConfigName>,
    /// Named configs handed to the target where it is a provider, later names override earlier ones.
    pub target_config: Vec<ConfigName>,
    /// How calls travel.
    pub route: Route,
}

/// What identifies a link: at most one target answers each interface under one key (v1 wire reference §3.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkKey {
    /// Who calls.
    pub source: ComponentId,
    /// The name under which the source selects the link.
    pub name: LinkName,
    /// `wasi` in `wasi:http`.
    pub namespace: String,
    /// `http` in `wasi:http`.
    pub package: String,
}

impl Link {
    /// The key of this link.
    pub fn key(&self) -> LinkKey {
        LinkKey {
            source: self.source.clone(),
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            package: self.package.clone(),
        }
    }

    /// Whether both links cannot stand together: the same key, a shared interface, different targets.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        // Field by field: this is asked for each pair of a source's links, and keys are made of copies.
        self.source == other.source
            && self.name == other.name
            && self.namespace == other.namespace
            && self.package == other.package
            && self.target != other.target
            && self
                .interfaces
                .iter()
                .any(|interface| other.interfaces.contains(interface))
    }
}

impl fmt::Display for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} -({}:{}, {})->",
            self.source, self.namespace, self.package, self.name
        )
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key(), self.target)
    }
}
