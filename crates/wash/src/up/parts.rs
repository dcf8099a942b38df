//! The parts of a manifest as status names them: what to call each, where the manifest has it, and whether it changed.

use std::collections::BTreeMap;

use wasmcloud_core::Link;
use wasmcloud_manifest::{Desired, Scaler};
use wasmcloud_wire::app::ScalerStatus;

/// One component, provider or link.
pub(crate) struct Part {
    /// `component`, `provider` or `link`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// Where it comes from, or what it is for.
    pub(crate) detail: String,
    /// Line and column.
    pub(crate) at: String,
    /// A host with these labels would take it, by the first spread that asks for any.
    pub(crate) labels: Vec<String>,
    /// The link, if it is one.
    pub(crate) link: Option<Link>,
    /// All that makes it what it is.
    essence: String,
}

/// All parts of a manifest, by the names that status has for them.
#[derive(Default)]
pub(crate) struct Parts(BTreeMap<String, Part>);

impl Parts {
    pub(crate) fn of(desired: &Desired) -> Self {
        let mut parts = BTreeMap::new();
        for one in &desired.components {
            if let Some(scaler) = &one.scaler {
                let essence = format!(
                    "{:?} {:?} {scaler:?} {:?} {:?}",
                    one.content, one.limits, one.config, one.secrets
                );
                let part = part("component", one.id.as_str(), &one.image, &one.at, scaler, essence);
                parts.insert(one.id.to_string(), part);
            }
        }
        for one in &desired.providers {
            let essence = format!("{:?} {:?} {:?}", one.scaler, one.config, one.secrets);
            let part = part(
                "provider",
                one.id.as_str(),
                &one.image,
                &one.at,
                &one.scaler,
                essence,
            );
            parts.insert(one.id.to_string(), part);
        }
        for one in &desired.links {
            let link = &one.link;
            let written = link
                .name
                .parts()
                .map_or_else(|| link.name.clone(), |(name, _)| name);
            let part = Part {
                kind: "link",
                // As the manifest has it.
                name: Link {
                    name: written,
                    ..link.clone()
                }
                .to_string(),
                detail: link.interfaces.join(", "),
                at: one.at.to_string(),
                labels: Vec::new(),
                essence: format!("{link:?} {:?} {:?}", one.source_secrets, one.target_secrets),
                link: Some(link.clone()),
            };
            parts.insert(ends(link), part);
        }
        Self(parts)
    }

    /// What a part of a status is in the manifest; nothing where it is left of another.
    pub(crate) fn find(&self, status: &ScalerStatus) -> Option<&Part> {
        self.0.get(&status.name)
    }

    /// Whether `other` has the same part, and nothing about it differs.
    pub(crate) fn has_same(&self, name: &str, other: &Part) -> bool {
        let same = |part: &Part| (&part.detail, &part.essence) == (&other.detail, &other.essence);
        self.0.get(name).is_some_and(same)
    }

    /// The parts that `other` does not have.
    pub(crate) fn gone<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Part> {
        let gone = |(name, _): &(&String, &Part)| !other.0.contains_key(*name);
        self.0.iter().filter(gone).map(|(_, part)| part)
    }
}

fn part(
    kind: &'static str,
    name: &str,
    image: &impl ToString,
    at: &impl ToString,
    scaler: &Scaler,
    essence: String,
) -> Part {
    let requirements = scaler.spread.iter().map(|spread| &spread.requirements);
    let labels = requirements.into_iter().find(|labels| !labels.is_empty());
    Part {
        kind,
        name: name.to_owned(),
        detail: image.to_string(),
        at: at.to_string(),
        labels: labels
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key}={value}"))
            .collect(),
        link: None,
        essence,
    }
}

/// How status names a link (wire reference §8.6).
fn ends(link: &Link) -> String {
    format!(
        "{} -({}:{})-> {}",
        link.source, link.namespace, link.package, link.target
    )
}
