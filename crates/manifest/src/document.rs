//! A manifest as it was written: every scalar with its position, everything optional.
//!
//! Reading a [`Document`] out of a tree does not complain; [`crate::check`] did that before, and what has the
//! wrong form is absent here. Whether it makes sense is left to [`crate::validate`].

use crate::source::{Position, Spanned};
use crate::tree::{Entry, Node, Value};

pub(crate) type Text = Spanned<String>;

#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) name: Option<Text>,
    pub(crate) annotations: Vec<Pair>,
    pub(crate) labels: Vec<Pair>,
    pub(crate) components: Vec<Component>,
    pub(crate) policies: Vec<Policy>,
}

/// One entry of a free-form map.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) key: Text,
    pub(crate) value: Text,
}

#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) name: Option<Text>,
    pub(crate) kind: Option<Text>,
    pub(crate) properties: Vec<Pair>,
}

#[derive(Debug)]
pub(crate) struct Component {
    /// Where its entry in the list starts.
    pub(crate) at: Position,
    pub(crate) name: Option<Text>,
    pub(crate) kind: Option<Text>,
    pub(crate) image: Option<Text>,
    pub(crate) application: Option<Shared>,
    pub(crate) id: Option<Text>,
    pub(crate) config: Vec<Config>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) traits: Vec<Trait>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) name: Option<Text>,
    pub(crate) component: Option<Text>,
}

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) at: Position,
    pub(crate) name: Option<Text>,
    /// `None` where the config is only named.
    pub(crate) properties: Option<Vec<Pair>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Secret {
    /// Where its entry in the list starts.
    pub(crate) at: Position,
    pub(crate) name: Option<Text>,
    pub(crate) policy: Option<Text>,
    pub(crate) key: Option<Text>,
    pub(crate) field: Option<Text>,
    pub(crate) version: Option<Text>,
}

#[derive(Debug)]
pub(crate) struct Trait {
    /// Where its type was written.
    pub(crate) at: Position,
    pub(crate) kind: TraitKind,
}

#[derive(Debug)]
pub(crate) enum TraitKind {
    Scaler(Scaler),
    Link(Box<Link>),
    Runtime(Runtime),
    Cron(Box<Cron>),
    /// A trait type we do not know; the check has told that it is ignored.
    Unknown,
}

#[derive(Debug)]
pub(crate) struct Scaler {
    pub(crate) daemon: bool,
    pub(crate) instances: Option<Spanned<u64>>,
    pub(crate) spread: Vec<Spread>,
    pub(crate) auto: Option<Autoscaler>,
}

/// What an `autoscaler` has instead of a number of instances.
#[derive(Debug)]
pub(crate) struct Autoscaler {
    pub(crate) min: Option<Spanned<u64>>,
    pub(crate) max: Option<Spanned<u64>>,
    pub(crate) utilization: Option<Spanned<u64>>,
    pub(crate) queue_time: Option<Text>,
    pub(crate) cooldown: Option<Text>,
}

#[derive(Debug)]
pub(crate) struct Spread {
    pub(crate) name: Option<Text>,
    pub(crate) requirements: Vec<Pair>,
    pub(crate) weight: Option<Spanned<u64>>,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) name: Option<Text>,
    pub(crate) namespace: Option<Text>,
    pub(crate) package: Option<Text>,
    /// `None` where it is absent or not a list.
    pub(crate) interfaces: Option<Spanned<Vec<Text>>>,
    pub(crate) target: Option<Text>,
    pub(crate) source_end: End,
    pub(crate) target_end: End,
    pub(crate) route: Option<Text>,
}

/// What one end of a link gets with it.
#[derive(Debug, Default)]
pub(crate) struct End {
    pub(crate) config: Vec<Config>,
    pub(crate) secrets: Vec<Secret>,
    /// The older way to write `config`, which was beside the end and not in it.
    pub(crate) older: Option<Spanned<Vec<Config>>>,
}

#[derive(Debug)]
pub(crate) struct Runtime {
    pub(crate) memory: Option<Text>,
    pub(crate) deadline: Option<Text>,
    pub(crate) instance: Option<Text>,
    pub(crate) max_reuse: Option<Spanned<u64>>,
    pub(crate) concurrency: Option<Spanned<u64>>,
    pub(crate) queue: Option<Spanned<u64>>,
    pub(crate) idle: Option<Text>,
}

#[derive(Debug)]
pub(crate) struct Cron {
    pub(crate) schedule: Option<Text>,
    pub(crate) function: Option<Text>,
    pub(crate) timezone: Option<Text>,
    pub(crate) missed: Option<Text>,
    pub(crate) deadline: Option<Text>,
    pub(crate) overlap: Option<Text>,
}

impl Document {
    pub(crate) fn read(root: &Node) -> Self {
        let metadata = root.get("metadata");
        let spec = root.get("spec");
        Self {
            name: metadata.and_then(|node| text(node, "name")),
            annotations: metadata
                .map(|node| pairs(node, "annotations"))
                .unwrap_or_default(),
            labels: metadata.map(|node| pairs(node, "labels")).unwrap_or_default(),
            components: list(spec, "components", component),
            policies: list(spec, "policies", |node| Policy {
                name: text(node, "name"),
                kind: text(node, "type"),
                properties: pairs(node, "properties"),
            }),
        }
    }
}

/// The place of a map that has no name to point at: its first key.
fn start(node: &Node) -> Position {
    node.entries().first().map_or(node.at, |first| first.key_at)
}

fn text(node: &Node, key: &str) -> Option<Text> {
    let value = node.get(key)?;
    Some(Spanned::new(value.text()?.to_owned(), value.at))
}

/// A size may be written as a number of bytes.
fn text_or_number(node: &Node, key: &str) -> Option<Text> {
    let value = node.get(key)?;
    match value.whole() {
        Some(number) => Some(Spanned::new(number.to_string(), value.at)),
        None => text(node, key),
    }
}

fn whole(node: &Node, key: &str) -> Option<Spanned<u64>> {
    let value = node.get(key)?;
    Some(Spanned::new(value.whole()?, value.at))
}

fn pairs(node: &Node, key: &str) -> Vec<Pair> {
    let entries = node.get(key).map(Node::entries).unwrap_or_default();
    let pair = |entry: &Entry| {
        let value = Spanned::new(entry.value.text()?.to_owned(), entry.value.at);
        Some(Pair {
            key: Spanned::new(entry.key.to_string(), entry.key_at),
            value,
        })
    };
    entries.iter().filter_map(pair).collect()
}

fn list<T>(node: Option<&Node>, key: &str, read: impl Fn(&Node) -> T) -> Vec<T> {
    let items = node
        .and_then(|node| node.get(key))
        .map(Node::items)
        .unwrap_or_default();
    items
        .iter()
        .filter(|item| matches!(item.value, Value::Map(_)))
        .map(read)
        .collect()
}

fn component(node: &Node) -> Component {
    let properties = node.get("properties");
    Component {
        at: start(node),
        name: text(node, "name"),
        kind: text(node, "type"),
        image: properties.and_then(|node| text(node, "image")),
        application: properties
            .and_then(|node| node.get("application"))
            .map(|node| Shared {
                name: text(node, "name"),
                component: text(node, "component"),
            }),
        id: properties.and_then(|node| text(node, "id")),
        config: list(properties, "config", config),
        secrets: list(properties, "secrets", secret),
        traits: list(Some(node), "traits", any_trait),
    }
}

fn config(node: &Node) -> Config {
    let defined = node
        .get("properties")
        .filter(|node| matches!(node.value, Value::Map(_)));
    Config {
        at: start(node),
        name: text(node, "name"),
        properties: defined.map(|_| pairs(node, "properties")),
    }
}

fn secret(node: &Node) -> Secret {
    let properties = node.get("properties");
    let property = |key| properties.and_then(|node| text(node, key));
    Secret {
        at: start(node),
        name: text(node, "name"),
        policy: property("policy"),
        key: property("key"),
        field: property("field"),
        version: property("version"),
    }
}

fn any_trait(node: &Node) -> Trait {
    let empty = Node {
        value: Value::Map(Vec::new()),
        at: node.at,
    };
    let properties = node.get("properties").unwrap_or(&empty);
    let at = node.get("type").map_or(node.at, |kind| kind.at);
    let kind = match node.get("type").and_then(Node::text) {
        Some("spreadscaler") => TraitKind::Scaler(scaler(properties, false)),
        Some("daemonscaler") => TraitKind::Scaler(scaler(properties, true)),
        Some("autoscaler") => TraitKind::Scaler(Scaler {
            auto: Some(Autoscaler {
                min: whole(properties, "min"),
                max: whole(properties, "max"),
                utilization: whole(properties, "utilization"),
                queue_time: text(properties, "queueTime"),
                cooldown: text(properties, "cooldown"),
            }),
            ..scaler(properties, false)
        }),
        Some("link") => TraitKind::Link(Box::new(link(properties))),
        Some("runtime") => TraitKind::Runtime(Runtime {
            memory: text_or_number(properties, "memory"),
            deadline: text(properties, "deadline"),
            instance: text(properties, "instance"),
            max_reuse: whole(properties, "maxReuse"),
            concurrency: whole(properties, "concurrency"),
            queue: whole(properties, "queue"),
            idle: text(properties, "idle"),
        }),
        Some("cron") => TraitKind::Cron(Box::new(Cron {
            schedule: text(properties, "schedule"),
            function: text(properties, "function"),
            timezone: text(properties, "timezone"),
            missed: text(properties, "missed"),
            deadline: text(properties, "deadline"),
            overlap: text(properties, "overlap"),
        })),
        _ => TraitKind::Unknown,
    };
    Trait { at, kind }
}

fn scaler(node: &Node, daemon: bool) -> Scaler {
    Scaler {
        daemon,
        instances: whole(node, "instances").or_else(|| whole(node, "replicas")),
        spread: list(Some(node), "spread", |node| Spread {
            name: text(node, "name"),
            requirements: pairs(node, "requirements"),
            weight: whole(node, "weight"),
        }),
        auto: None,
    }
}

fn link(node: &Node) -> Link {
    let interfaces = node
        .get("interfaces")
        .filter(|node| matches!(node.value, Value::List(_)));
    let interface = |item: &Node| Some(Spanned::new(item.text()?.to_owned(), item.at));
    let target = node.get("target");
    let older = |key| {
        let value = node
            .get(key)
            .filter(|value| !matches!(value.value, Value::Null))?;
        Some(Spanned::new(list(Some(node), key, config), value.at))
    };
    let end = |end: Option<&Node>, key| End {
        config: list(end, "config", config),
        secrets: list(end, "secrets", secret),
        older: older(key),
    };
    Link {
        name: text(node, "name"),
        namespace: text(node, "namespace"),
        package: text(node, "package"),
        interfaces: interfaces
            .map(|node| Spanned::new(node.items().iter().filter_map(interface).collect(), node.at)),
        // The older form was only the name.
        target: text(node, "target").or_else(|| target.and_then(|node| text(node, "name"))),
        source_end: end(node.get("source"), "source_config"),
        target_end: end(target, "target_config"),
        route: text(node, "route"),
    }
}
