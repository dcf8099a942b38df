//! Links: both ends exist, no two stand in each other's way, and their interfaces are known.

use std::collections::{BTreeMap, HashMap};

use wasmcloud_core::{ComponentId, InvalidName, Link, LinkName, Route, nearest};

use super::{Ids, configs, interfaces, is_provider, links_of, named, secrets};
use crate::application::PartLink;
use crate::check::shorten;
use crate::diagnostic::Sink;
use crate::document::{self, Component, Document, Text};
use crate::source::Position;

/// Checks all links; those that can be used are returned by the index of the component that has them.
pub(super) fn check(
    app: &str,
    document: &Document,
    ids: &Ids,
    sink: &mut Sink,
) -> BTreeMap<usize, Vec<PartLink>> {
    let mut by_name: HashMap<&str, (usize, &Component)> = HashMap::new();
    for (index, component) in document.components.iter().enumerate() {
        if let Some(name) = &component.name {
            by_name.entry(name.as_str()).or_insert((index, component));
        }
    }
    // A component whose name could not be read may be the one that is meant.
    let complete = document
        .components
        .iter()
        .all(|component| component.name.is_some());
    let mut good: BTreeMap<usize, Vec<PartLink>> = BTreeMap::new();
    for (index, component) in document.components.iter().enumerate() {
        duplicates(component, sink);
        for (at, link) in links_of(component) {
            let name = link_name(link, sink);
            words(link, sink);
            let Some(written) = &link.target else { continue };
            let Some((target, other)) = by_name.get(written.as_str()) else {
                if complete {
                    missing(component, link, written, by_name.keys().copied(), sink);
                }
                continue;
            };
            if is_provider(component) && is_provider(other) {
                let (from, to) = (named(component), shorten(written.as_str()));
                sink.error(
                    written.at,
                    format!("`{from}` and `{to}` are both providers; a link needs a component"),
                )
                .hint("providers do not call each other; link the component to both");
                continue;
            }
            let (Some(Some(source)), Some(Some(target))) = (ids.get(index), ids.get(*target)) else {
                continue;
            };
            if let (Some(name), Some(link)) = (name, build(app, at, link, source, target)) {
                good.entry(index).or_default().push(PartLink {
                    link: Link { name, ..link.link },
                    ..link
                });
            }
        }
    }
    good
}

fn build(
    app: &str,
    at: Position,
    link: &document::Link,
    source: &ComponentId,
    target: &ComponentId,
) -> Option<PartLink> {
    let source_config = configs::uses(app, configs::of_end(&link.source_end));
    let target_config = configs::uses(app, configs::of_end(&link.target_end));
    let names =
        |uses: &[crate::application::ConfigUse]| uses.iter().map(|config| config.name.clone()).collect();
    Some(PartLink {
        link: Link {
            source: source.clone(),
            target: target.clone(),
            name: LinkName::default_name(),
            namespace: link.namespace.as_ref()?.value.clone(),
            package: link.package.as_ref()?.value.clone(),
            interfaces: link
                .interfaces
                .as_ref()?
                .value
                .iter()
                .map(|one| one.value.clone())
                .collect(),
            source_config: names(&source_config),
            target_config: names(&target_config),
            route: link
                .route
                .as_ref()
                .and_then(|route| route.as_str().parse().ok())
                .unwrap_or(Route::Auto),
        },
        configs: source_config.into_iter().chain(target_config).collect(),
        source_secrets: secrets::uses(app, &link.source_end.secrets),
        target_secrets: secrets::uses(app, &link.target_end.secrets),
        at,
    })
}

fn link_name(link: &document::Link, sink: &mut Sink) -> Option<LinkName> {
    let Some(name) = &link.name else {
        return Some(LinkName::default_name());
    };
    match name.as_str().parse() {
        Ok(name) => Some(name),
        Err(why) => {
            let why: InvalidName = why;
            sink.error(name.at, why.to_string());
            None
        }
    }
}

fn missing<'a>(
    component: &Component,
    link: &document::Link,
    written: &Text,
    known: impl Iterator<Item = &'a str>,
    sink: &mut Sink,
) {
    let shown = shorten(written.as_str());
    // v1 refused the first and only warned of the second, and then made no link.
    let message = if is_provider(component) {
        let link = match &link.name {
            Some(name) => format!("(name [{}])", shorten(name.as_str())),
            None => format!("(target [{shown}])"),
        };
        format!("link {link} target [{shown}] is not a listed component")
    } else {
        format!("The following capability component(s) are missing from the manifest: [{shown}]")
    };
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    let hint = match nearest(written.as_str(), known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "a link's target is the `name` of a component of this application".to_owned(),
    };
    sink.error(written.at, message).hint(hint);
}

/// Namespace, package and interfaces, each a word that WIT allows.
fn words(link: &document::Link, sink: &mut Sink) {
    let mut ok = true;
    for (what, word) in [("namespace", &link.namespace), ("package", &link.package)] {
        if let Some(word) = word {
            ok &= wit_word(what, word, sink);
        }
    }
    let Some(interfaces) = &link.interfaces else {
        return;
    };
    if interfaces.value.is_empty() {
        sink.error(interfaces.at, "a link needs at least one interface");
    }
    for interface in &interfaces.value {
        let known = wit_word("interface", interface, sink) && ok;
        if let (true, Some(namespace), Some(package)) = (known, &link.namespace, &link.package) {
            known_interface(namespace.as_str(), package, interface, sink);
        }
    }
}

fn wit_word(what: &str, word: &Text, sink: &mut Sink) -> bool {
    let text = word.as_str();
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return true;
    }
    let hint = match text.split_once(['@', '/', ':']) {
        Some(_) => {
            "namespace, package and interfaces are written apart, without version: \
                    `namespace: wasi`, `package: http`, `interfaces: [incoming-handler]`"
        }
        None => "letters, digits and `-` are allowed",
    };
    sink.error(word.at, format!("{what} `{}` is not a WIT name", shorten(text)))
        .hint(hint);
    false
}

fn known_interface(namespace: &str, package: &Text, interface: &Text, sink: &mut Sink) {
    let name = format!("{namespace}:{}/{}", package.value, interface.value);
    let (at, hint) = match interfaces::odd(namespace, package.as_str(), interface.as_str()) {
        None => return,
        Some(interfaces::Odd::Package(meant)) => (
            package.at,
            meant.map(|meant| format!("did you mean `{namespace}:{meant}`?")),
        ),
        Some(interfaces::Odd::Interface(meant)) => (
            interface.at,
            meant.map(|meant| format!("did you mean `{meant}`?")),
        ),
    };
    sink.warning(at, format!("unrecognized interface [{}]", shorten(&name)))
        .hint_maybe(hint);
}

/// Two links of one component for one interface under one name: the second would replace the first.
fn duplicates(component: &Component, sink: &mut Sink) {
    let mut seen: HashMap<(&str, &str, &str, &str), Position> = HashMap::new();
    for (_, link) in links_of(component) {
        let (Some(namespace), Some(package), Some(interfaces)) =
            (&link.namespace, &link.package, &link.interfaces)
        else {
            continue;
        };
        let name = link.name.as_ref().map_or("default", |name| name.as_str());
        for interface in &interfaces.value {
            let key = (name, namespace.as_str(), package.as_str(), interface.as_str());
            if let Some(first) = seen.get(&key) {
                let (component, interface_name) = (named(component), interface.as_str());
                let message = format!(
                    "Duplicate link found inside component '{component}': {name} ({}:{}/{interface_name})",
                    namespace.value, package.value
                );
                sink.error(interface.at, message)
                    .related(*first, "linked here first")
                    .hint("give one of the links another `name`");
            } else {
                seen.insert(key, interface.at);
            }
        }
    }
}
