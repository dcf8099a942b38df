//! Makes an application of a document, or says why it is none.
//!
//! The rules are v1's (wire reference §8.2), with its message texts where it has one, and those that v1 left to be
//! found out in production. Every rule runs, whatever the others found.

mod components;
mod configs;
mod interfaces;
mod links;
mod metadata;
mod rollout;
mod routes;
mod secrets;
mod triggers;

use std::collections::BTreeMap;

use wasmcloud_core::ComponentId;

use crate::application::{Application, Part};
use crate::diagnostic::Sink;
use crate::document::{Component, Document, Link, Pair, TraitKind};
use crate::source::Position;

/// Checks a document. The application is there if nothing was an error.
pub(crate) fn application(document: &Document, sink: &mut Sink) -> Option<Application> {
    let metadata = metadata::check(document, sink);
    // Ids begin with the application's name. Where that is wrong the other rules still run, under another name.
    let app = metadata
        .as_ref()
        .map_or("unnamed", |metadata| metadata.name.as_str());
    let ids = components::ids(app, document, sink);
    let configs = configs::collect(app, document, sink);
    let secrets = secrets::collect(app, document, sink);
    let mut links = links::check(app, document, &ids, sink);
    routes::check(document, sink);
    let rollout = rollout::read(document, sink);

    let mut parts = Vec::with_capacity(document.components.len());
    for (index, component) in document.components.iter().enumerate() {
        let kind = components::kind(component, sink);
        let (Some(kind), Some(Some(id)), Some(name)) = (kind, ids.get(index), &component.name) else {
            continue;
        };
        parts.push(Part {
            name: name.clone(),
            id: id.clone(),
            kind,
            config: configs::uses(app, &component.config),
            secrets: secrets::uses(app, &component.secrets),
            links: links.remove(&index).unwrap_or_default(),
        });
    }
    if sink.failed() {
        return None;
    }
    // What is left out above has been complained about; an application is complete or there is none.
    let written = document.components.iter().flat_map(links_of).count();
    let made = parts.iter().map(|part| part.links.len()).sum::<usize>();
    let complete = parts.len() == document.components.len() && made == written;
    let Some(metadata) = metadata.filter(|_| complete) else {
        sink.error(
            Position {
                line: 1,
                column: 1,
                width: 0,
            },
            "the manifest is incomplete",
        );
        return None;
    };
    Some(Application {
        name: metadata.name,
        version: metadata.version,
        description: metadata.description,
        shared: metadata.shared,
        annotations: map(&document.annotations),
        labels: map(&document.labels),
        parts,
        configs,
        secrets,
        rollout,
    })
}

/// The id of each component, `None` where it has none that can be used.
type Ids = Vec<Option<ComponentId>>;

fn map(pairs: &[Pair]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|pair| (pair.key.value.clone(), pair.value.value.clone()))
        .collect()
}

/// The links of a component with the place of each.
fn links_of(component: &Component) -> impl Iterator<Item = (Position, &Link)> {
    component.traits.iter().filter_map(|each| match &each.kind {
        TraitKind::Link(link) => Some((each.at, &**link)),
        _ => None,
    })
}

/// How messages name a component that may not have a name.
fn named(component: &Component) -> &str {
    component
        .name
        .as_ref()
        .map_or("(without name)", |name| name.as_str())
}

fn is_provider(component: &Component) -> bool {
    component
        .kind
        .as_ref()
        .is_some_and(|kind| kind.value == "capability")
}
