//! Shared applications: what one application uses of another, from both sides.

use std::collections::{BTreeSet, HashSet};

use wasmcloud_core::{AppName, ComponentId, ConfigName};
use wasmcloud_manifest::SharedReference;

use crate::planning::claims::{Claims, LinkId};
use crate::planning::links;
use crate::planning::model::Application;
use crate::planning::status::{PartKind, PartReport, Status, StatusKind};
use crate::planning::why::{Decision, Wait};

/// What stays of an application though it shall not run any more, because others use it.
#[derive(Default)]
pub(crate) struct Retained<'a> {
    pub(crate) parts: HashSet<&'a ComponentId>,
    pub(crate) links: HashSet<LinkId<'a>>,
    pub(crate) configs: HashSet<ConfigName>,
    /// Who uses it.
    pub(crate) by: BTreeSet<&'a AppName>,
}

impl<'a> Retained<'a> {
    /// What others use of an application and what that uses in turn, in any of its revisions.
    pub(crate) fn new(app: &'a Application, claims: &Claims<'a>) -> Self {
        let mut retained = Self::default();
        let parts = app.revisions().flat_map(|revision| {
            let components = revision.desired.components.iter().map(|component| &component.id);
            components.chain(revision.desired.providers.iter().map(|provider| &provider.id))
        });
        for id in parts {
            let users = claims
                .shared
                .get(id)
                .into_iter()
                .flatten()
                .filter(|user| ***user != app.name);
            for user in users {
                retained.by.insert(user);
                retained.parts.insert(id);
            }
        }
        if retained.parts.is_empty() {
            return retained;
        }
        let mut known = 0;
        while known < retained.parts.len() {
            known = retained.parts.len();
            for link in app.revisions().flat_map(|revision| &revision.desired.links) {
                if retained.parts.contains(&link.link.source) {
                    retained.parts.insert(&link.link.target);
                    retained.links.insert(LinkId::of(&link.link));
                    let full = links::full(link);
                    retained
                        .configs
                        .extend(full.source_config.into_iter().chain(full.target_config));
                }
            }
        }
        for revision in app.revisions() {
            let components = revision.desired.components.iter();
            let components =
                components.map(|component| (&component.id, &component.config, &component.secrets));
            let providers = revision.desired.providers.iter();
            let providers = providers.map(|provider| (&provider.id, &provider.config, &provider.secrets));
            for (id, config, secrets) in components.chain(providers) {
                if retained.parts.contains(id) {
                    retained.configs.extend(config.iter().chain(secrets).cloned());
                }
            }
        }
        retained
    }
}

/// What keeps a reference to another application from being used; nothing is said of one that can be.
pub(crate) fn check(reference: &SharedReference, applications: &[&Application]) -> Option<PartReport> {
    let SharedReference {
        id,
        application,
        component,
        ..
    } = reference;
    let owner = applications.iter().find(|app| app.name.as_str() == application);
    let desired = owner
        .and_then(|owner| owner.deployed.as_ref())
        .map(|revision| &revision.desired);
    let (kind, text) = match desired {
        None => (
            StatusKind::Waiting,
            format!("{component} of application {application}, which is not deployed"),
        ),
        Some(desired) => {
            let mut ids = desired.components.iter().map(|component| &component.id);
            let mut providers = desired.providers.iter().map(|provider| &provider.id);
            if !ids.any(|known| known == id) && !providers.any(|known| known == id) {
                (
                    StatusKind::Waiting,
                    format!("{component} of application {application}, which has none of this name"),
                )
            } else if !desired.shared {
                (
                    StatusKind::Failed,
                    format!("{component} of application {application}, which does not share it"),
                )
            } else {
                return None;
            }
        }
    };
    Some(PartReport {
        id: String::new(),
        kind: PartKind::Spread,
        name: id.to_string(),
        status: Status::new(kind, format!("Uses {text}")),
        decision: Decision {
            alias: Some(reference.name.clone()),
            waits: vec![Wait::NotShared(format!("for {text}"))],
            ..Decision::default()
        },
    })
}
