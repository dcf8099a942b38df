//! Which application has what for its own. Two that want the same thing in different ways would undo each other's work
//! for ever, so the first one has it, and the other one is told.

use std::collections::{HashMap, HashSet};

use wasmcloud_core::{AppName, ComponentId, ConfigName, Link};
use wasmcloud_manifest::Desired;

use crate::planning::marks;
use crate::planning::model::{Application, Lattice};
use crate::planning::view::View;

/// What tells links apart: all but interfaces, configs and route.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LinkId<'a> {
    source: &'a str,
    name: &'a str,
    namespace: &'a str,
    package: &'a str,
    target: &'a str,
}

impl<'a> LinkId<'a> {
    pub(crate) fn of(link: &'a Link) -> Self {
        Self {
            source: link.source.as_str(),
            name: link.name.as_str(),
            namespace: &link.namespace,
            package: &link.package,
            target: link.target.as_str(),
        }
    }

    /// Whether both have the same key, so that a deletion by key concerns both.
    pub(crate) fn has_key_of(&self, other: &Self) -> bool {
        Self { target: "", ..*self } == Self { target: "", ..*other }
    }
}

/// Who has what, of all applications that are deployed.
#[derive(Default)]
pub(crate) struct Claims<'a> {
    ids: HashMap<&'a ComponentId, &'a AppName>,
    configs: HashMap<&'a ConfigName, &'a AppName>,
    links: HashMap<LinkId<'a>, &'a AppName>,
    /// All configs that anybody uses.
    used_configs: HashSet<&'a ConfigName>,
    /// What is used of other applications, and by whom.
    pub(crate) shared: HashMap<&'a ComponentId, Vec<&'a AppName>>,
}

impl<'a> Claims<'a> {
    /// `applications` in the order of their names. Of two applications with the same id, the one has it of which
    /// something runs with that id.
    pub(crate) fn new(applications: &[&'a Application], view: &View<'_>) -> Self {
        let mut claims = Self::default();
        let deployed = || {
            let deployed = applications
                .iter()
                .filter_map(|app| Some((*app, &*app.deployed.as_ref()?.desired)));
            deployed.map(|(app, desired)| (&app.name, desired))
        };
        for running in [true, false] {
            for (app, desired) in deployed() {
                for id in ids(desired).filter(|id| !running || runs(view, id, app)) {
                    claims.ids.entry(id).or_insert(app);
                }
            }
        }
        for (app, desired) in deployed() {
            for name in desired.configs.keys().chain(desired.secrets.keys()) {
                claims.configs.entry(name).or_insert(app);
                claims.used_configs.insert(name);
            }
            claims.used_configs.extend(desired.external_configs.keys());
            for link in &desired.links {
                claims.links.entry(LinkId::of(&link.link)).or_insert(app);
            }
            for reference in &desired.references {
                let users = claims.shared.entry(&reference.id).or_default();
                if users.last() != Some(&app) {
                    users.push(app);
                }
            }
        }
        claims
    }

    /// The other application that has an id.
    pub(crate) fn id_of_other(&self, id: &ComponentId, app: &AppName) -> Option<&'a AppName> {
        self.ids.get(id).copied().filter(|owner| *owner != app)
    }

    /// The other application that has a config.
    pub(crate) fn config_of_other(&self, name: &ConfigName, app: &AppName) -> Option<&'a AppName> {
        self.configs.get(name).copied().filter(|owner| *owner != app)
    }

    /// The application that has a link.
    pub(crate) fn link(&self, id: LinkId<'_>) -> Option<&'a AppName> {
        self.links.get(&id).copied()
    }

    /// Whether any application uses a config.
    pub(crate) fn uses_config(&self, name: &ConfigName) -> bool {
        self.used_configs.contains(name)
    }
}

/// The ids that an application runs something under.
fn ids(desired: &Desired) -> impl Iterator<Item = &ComponentId> {
    let components = desired.components.iter().map(|component| &component.id);
    components.chain(desired.providers.iter().map(|provider| &provider.id))
}

fn runs(view: &View<'_>, id: &ComponentId, app: &AppName) -> bool {
    let components = view.component(id).iter().map(|(_, running)| &running.annotations);
    let providers = view.provider(id).iter().map(|(_, running)| &running.annotations);
    components
        .chain(providers)
        .any(|annotations| marks::is_of(annotations, app))
}

/// The applications of a lattice by name; of two with one name the first counts.
pub(crate) fn by_name(lattice: &Lattice) -> Vec<&Application> {
    let mut applications: Vec<&Application> = lattice.applications.iter().collect();
    applications.sort_by(|one, other| one.name.cmp(&other.name));
    applications.dedup_by(|later, first| later.name == first.name);
    applications
}
