//! What is different between two versions of an application, by what it means and not by how it is written: order,
//! comments, quotes and places do not count.
//!
//! Each part (a component, a provider, a link, a config, …) becomes a table of fields in words; a field that says what
//! would hold anyway is left out, so that writing a default down is no change.

use std::collections::BTreeMap;
use std::fmt;

use wasmcloud_core::{ConfigName, InstanceMode, Limits, LinkName, Route};

use crate::desired::{Desired, DesiredComponent, DesiredLink, Scaler, ScalerKind, SecretRef, Spread};

/// Which part of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The application as a whole: description, labels, annotations.
    Application,
    /// A component.
    Component,
    /// A capability provider.
    Provider,
    /// A component or provider of another application.
    Reference,
    /// A link.
    Link,
    /// A config.
    Config,
    /// A reference to a secret.
    Secret,
}

impl Part {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Component => "component",
            Self::Provider => "provider",
            Self::Reference => "reference",
            Self::Link => "link",
            Self::Config => "config",
            Self::Secret => "secret",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A part that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which part.
    pub part: Part,
    /// Its name in the manifest, or the ends of a link.
    pub name: String,
    /// What became of it.
    pub kind: ChangeKind,
    /// The fields that differ, by name. What was added has all that it says, what was removed nothing.
    pub fields: Vec<FieldChange>,
}

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// It says something else.
    Changed,
}

impl ChangeKind {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// A field that is not the same on both sides. `None` is a field that is not set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Its name: `image`, `spread.east.weight`.
    pub field: String,
    /// What it said.
    pub from: Option<String>,
    /// What it says.
    pub to: Option<String>,
}

/// The parts of an application by kind and name, each with its fields in words.
type Parts = BTreeMap<(Part, String), Fields>;
type Fields = BTreeMap<String, String>;

impl Desired {
    /// What is different in `to`, by part and name; nothing where both mean the same. A version that only one side
    /// states is no difference, for the other side may have been given one when it was stored.
    pub fn changes(&self, to: &Self) -> Vec<Change> {
        let (mut from, mut to) = (parts(self), parts(to));
        one_sided_version(&mut from, &mut to);
        let mut changes = Vec::new();
        for (key, before) in &from {
            match to.get(key) {
                None => changes.push(change(key, ChangeKind::Removed, Vec::new())),
                Some(after) if before != after => {
                    changes.push(change(key, ChangeKind::Changed, fields(before, after)));
                }
                Some(_) => {}
            }
        }
        for (key, after) in to.iter().filter(|(key, _)| !from.contains_key(*key)) {
            changes.push(change(key, ChangeKind::Added, fields(&Fields::new(), after)));
        }
        changes.sort_by(|one, other| (one.part, &one.name).cmp(&(other.part, &other.name)));
        changes
    }
}

fn change((part, name): &(Part, String), kind: ChangeKind, fields: Vec<FieldChange>) -> Change {
    Change {
        part: *part,
        name: name.clone(),
        kind,
        fields,
    }
}

fn fields(before: &Fields, after: &Fields) -> Vec<FieldChange> {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|field| (field, before.get(field).cloned(), after.get(field).cloned()))
        .filter(|(_, from, to)| from != to)
        .map(|(field, from, to)| FieldChange {
            field: field.clone(),
            from,
            to,
        })
        .collect()
}

const VERSION: &str = "version";

fn one_sided_version(from: &mut Parts, to: &mut Parts) {
    let mut whole: Vec<&mut Fields> = from
        .iter_mut()
        .chain(to.iter_mut())
        .filter(|((part, _), _)| *part == Part::Application)
        .map(|(_, fields)| fields)
        .collect();
    if !whole.iter().all(|fields| fields.contains_key(VERSION)) {
        whole.iter_mut().for_each(|fields| {
            fields.remove(VERSION);
        });
    }
}

fn parts(desired: &Desired) -> Parts {
    let mut parts = Parts::new();
    add(
        &mut parts,
        Part::Application,
        desired.app.to_string(),
        whole(desired),
    );
    for component in &desired.components {
        add(
            &mut parts,
            Part::Component,
            component.name.clone(),
            of_component(component),
        );
    }
    for provider in &desired.providers {
        let mut fields = Fields::new();
        // As it is written, also where a built-in provider takes its place.
        let image = provider.replaced.as_ref().unwrap_or(&provider.image);
        set(&mut fields, "id", &provider.id);
        set(&mut fields, "image", image);
        scaler(&mut fields, &provider.scaler);
        names(&mut fields, "config", &provider.config);
        names(&mut fields, "secrets", &provider.secrets);
        add(&mut parts, Part::Provider, provider.name.clone(), fields);
    }
    for reference in &desired.references {
        let mut fields = Fields::new();
        set(&mut fields, "id", &reference.id);
        set(&mut fields, "application", &reference.application);
        set(&mut fields, "component", &reference.component);
        add(&mut parts, Part::Reference, reference.name.clone(), fields);
    }
    for link in &desired.links {
        add(&mut parts, Part::Link, ends(desired, link), of_link(link));
    }
    for (name, values) in &desired.configs {
        add(&mut parts, Part::Config, name.to_string(), values.clone());
    }
    for name in desired.external_configs.keys() {
        let fields = [("owner".to_owned(), "somebody else".to_owned())];
        add(&mut parts, Part::Config, name.to_string(), fields.into());
    }
    for (name, secret) in &desired.secrets {
        add(&mut parts, Part::Secret, name.to_string(), of_secret(secret));
    }
    parts
}

/// Names are unique in a manifest but for the ends of links: two may share all but their interfaces.
fn add(parts: &mut Parts, part: Part, name: String, fields: Fields) {
    let mut key = (part, name.clone());
    let mut number = 1;
    while parts.contains_key(&key) {
        number += 1;
        key.1 = format!("{name} ({number})");
    }
    parts.insert(key, fields);
}

fn whole(desired: &Desired) -> Fields {
    let mut fields = Fields::new();
    let stated = desired.version.iter().map(|version| (VERSION, version));
    let description = desired.description.iter().map(|text| ("description", text));
    for (name, value) in stated.chain(description) {
        set(&mut fields, name, value);
    }
    if desired.shared {
        set(&mut fields, "shared", &true);
    }
    let said = [VERSION, "description"];
    let annotations = desired.annotations.iter();
    for (key, value) in annotations.filter(|(key, _)| !said.contains(&key.as_str())) {
        set(&mut fields, &format!("annotations.{key}"), value);
    }
    for (key, value) in &desired.labels {
        set(&mut fields, &format!("labels.{key}"), value);
    }
    fields
}

fn of_component(component: &DesiredComponent) -> Fields {
    let mut fields = Fields::new();
    set(&mut fields, "id", &component.id);
    set(&mut fields, "image", &component.image);
    let mut usual = Limits::default();
    if let Some(how) = &component.scaler {
        scaler(&mut fields, how);
        // That many instances are that many invocations at once.
        if how.instances > 0 {
            usual.concurrency = how.auto.map_or(how.instances, |auto| auto.max);
        }
    }
    limits(&mut fields, &component.limits, &usual);
    names(&mut fields, "config", &component.config);
    names(&mut fields, "secrets", &component.secrets);
    fields
}

fn of_link(
    DesiredLink {
        link,
        source_secrets,
        target_secrets,
        ..
    }: &DesiredLink,
) -> Fields {
    let mut fields = Fields::new();
    // Their order means nothing.
    let mut interfaces = link.interfaces.clone();
    interfaces.sort();
    set(&mut fields, "interfaces", &interfaces.join(", "));
    names(&mut fields, "source.config", &link.source_config);
    names(&mut fields, "target.config", &link.target_config);
    names(&mut fields, "source.secrets", source_secrets);
    names(&mut fields, "target.secrets", target_secrets);
    if link.route != Route::default() {
        set(&mut fields, "route", &link.route);
    }
    fields
}

fn of_secret(secret: &SecretRef) -> Fields {
    let mut fields = Fields::new();
    set(&mut fields, "name", &secret.name);
    set(&mut fields, "policy", &secret.policy);
    set(&mut fields, "backend", &secret.backend);
    set(&mut fields, "key", &secret.key);
    let optional = [("field", &secret.field), ("version", &secret.version)];
    for (name, value) in optional {
        if let Some(value) = value {
            set(&mut fields, name, value);
        }
    }
    for (key, value) in &secret.policy_properties {
        set(&mut fields, &format!("policy.{key}"), value);
    }
    fields
}

/// The ends of a link by the names that the manifest has for them.
fn ends(desired: &Desired, DesiredLink { link, .. }: &DesiredLink) -> String {
    let components = desired.components.iter().map(|part| (&part.id, &part.name));
    let providers = desired.providers.iter().map(|part| (&part.id, &part.name));
    let references = desired.references.iter().map(|part| (&part.id, &part.name));
    let named: BTreeMap<&str, &str> = components
        .chain(providers)
        .chain(references)
        .map(|(id, name)| (id.as_str(), name.as_str()))
        .collect();
    let name = |id: &str| named.get(id).copied().unwrap_or(id).to_owned();
    let (source, target) = (name(link.source.as_str()), name(link.target.as_str()));
    let ends = format!("{source} -({}:{})-> {target}", link.namespace, link.package);
    match link.name == LinkName::default() {
        true => ends,
        false => format!("{ends} named `{}`", link.name),
    }
}

fn scaler(fields: &mut Fields, how: &Scaler) {
    let kind = match how.kind {
        ScalerKind::Spread => "spreadscaler",
        ScalerKind::Daemon => "daemonscaler",
    };
    set(
        fields,
        "scaler",
        &if how.auto.is_some() { "autoscaler" } else { kind },
    );
    match &how.auto {
        None => set(fields, "instances", &how.instances),
        Some(auto) => {
            set(fields, "min", &how.instances);
            set(fields, "max", &auto.max);
            set(fields, "utilization", &auto.utilization);
            set(fields, "queueTime", &format!("{:?}", auto.queue_time));
            set(fields, "cooldown", &format!("{:?}", auto.cooldown));
        }
    }
    if how.spread == [Spread::anywhere()] {
        return;
    }
    for spread in &how.spread {
        let base = format!("spread.{}", spread.name);
        set(fields, &format!("{base}.weight"), &spread.weight);
        for (label, value) in &spread.requirements {
            set(fields, &format!("{base}.requirements.{label}"), value);
        }
    }
}

fn limits(fields: &mut Fields, limits: &Limits, usual: &Limits) {
    let mode = |limits: &Limits| match limits.instance {
        InstanceMode::Fresh => "fresh",
        InstanceMode::Reuse => "reuse",
    };
    let said = |limits: &Limits| {
        [
            ("memory", format!("{} bytes", limits.memory)),
            ("deadline", format!("{:?}", limits.deadline)),
            ("instance", mode(limits).to_owned()),
            ("max_reuse", limits.max_reuse.to_string()),
            ("concurrency", limits.concurrency.to_string()),
            ("queue", limits.queue.to_string()),
            (
                "idle",
                limits.idle.map_or("never".to_owned(), |idle| format!("{idle:?}")),
            ),
        ]
    };
    for ((name, value), (_, usual)) in said(limits).into_iter().zip(said(usual)) {
        if value != usual {
            set(fields, &format!("runtime.{name}"), &value);
        }
    }
}

/// The order counts: what is named later wins.
fn names(fields: &mut Fields, field: &str, names: &[ConfigName]) {
    if !names.is_empty() {
        let names: Vec<&str> = names.iter().map(ConfigName::as_str).collect();
        set(fields, field, &names.join(", "));
    }
}

fn set(fields: &mut Fields, name: &str, value: &dyn fmt::Display) {
    fields.insert(name.to_owned(), value.to_string());
}
