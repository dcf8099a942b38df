//! From what a manifest says to what runs: the steps, in an order in which each finds what it needs, and the same
//! steps again for what a change of the manifest leaves different.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use futures::StreamExt as _;
use serde_json::json;
use wasmcloud_core::{ComponentId, ConfigName, ImageRef, Link};
use wasmcloud_host::{ComponentSpec, LatticeHost, ProviderSpec, Unlinked};
use wasmcloud_manifest::{Desired, DesiredLink, Scaler};

use crate::app::Loaded;
use crate::exit::{Failure, NOT_STARTED};
use crate::output::Output;

/// Configs on their way into the lattice at the same time.
const AT_ONCE: usize = 32;

/// What runs because of the manifest.
#[derive(Default)]
pub(crate) struct Applied {
    configs: BTreeMap<ConfigName, BTreeMap<String, String>>,
    components: BTreeMap<ComponentId, ComponentSpec>,
    providers: BTreeMap<ComponentId, ProviderSpec>,
    links: Vec<Link>,
}

impl Applied {
    /// The component files in use.
    pub(crate) fn files(&self) -> impl Iterator<Item = &std::path::Path> {
        self.components.values().filter_map(|spec| match &spec.image {
            ImageRef::File(path) => Some(path.as_path()),
            _ => None,
        })
    }

    /// What the lattice remembers only as long as this application runs: its links and configs.
    pub(crate) fn records(&self) -> (Vec<Link>, Vec<ConfigName>) {
        (self.links.clone(), self.configs.keys().cloned().collect())
    }

    fn is_empty(&self) -> bool {
        self.components.is_empty() && self.providers.is_empty() && self.links.is_empty()
    }

    fn has(&self, link: &Link) -> bool {
        self.links
            .iter()
            .any(|known| known.key() == link.key() && known.target == link.target)
    }
}

/// The first line: what is being started.
pub(crate) fn title(desired: &Desired, output: &Output) -> String {
    let version = desired
        .version
        .as_ref()
        .map(|version| format!(" {version}"))
        .unwrap_or_default();
    format!("{}{version}", output.paint("1", desired.app.as_str()))
}

/// Makes the host run what the manifest says. What is the same as before is left alone. On failure `applied` says
/// what runs then.
pub(crate) async fn apply(
    host: &LatticeHost,
    applied: &mut Applied,
    loaded: Loaded,
    labels: &BTreeMap<String, String>,
    output: &Output,
) -> Result<(), Failure> {
    let Loaded { desired, file, .. } = loaded;
    let steps = Steps {
        host,
        output,
        file: &file,
        links: &[],
    };
    steps.refuse_what_is_missing(&desired).await?;
    let (components, providers) = (
        components(&desired, labels, &steps)?,
        providers(&desired, labels, &steps)?,
    );
    let links: Vec<Link> = desired.links.iter().map(|link| link.link.clone()).collect();
    let sources = components.keys().chain(providers.keys());
    steps.forget_former(sources, applied).await?;

    let changed: Vec<_> = desired
        .configs
        .iter()
        .filter(|(name, config)| applied.configs.get(*name) != Some(*config))
        .collect();
    let mut puts =
        futures::stream::iter(changed)
            .map(|(name, config)| async move {
                (name, config, host.put_config(name.clone(), config.clone()).await)
            })
            .buffer_unordered(AT_ONCE);
    while let Some((name, config, outcome)) = puts.next().await {
        steps.try_host(outcome, None)?;
        applied.configs.insert(name.clone(), config.clone());
    }
    // What goes, goes before what comes: a new owner may want the same port. Whoever stays is not touched, and a link
    // that turns to another target does so in one step, below.
    for link in applied.links.clone() {
        let follows =
            |new: &Link| new.key() == link.key() && (new.target == link.target || !applied.has(new));
        if !links.iter().any(follows) {
            steps.try_host(host.delete_link(&link.key()).await, None)?;
            // The host removes by key. What shares it and stays is put again.
            applied.links.retain(|known| known.key() != link.key());
            steps.done("link", &link.to_string(), "removed", None);
        }
    }
    let steps = Steps {
        links: &links,
        ..steps
    };
    let gone: Vec<ComponentId> = applied
        .providers
        .iter()
        .filter(|(id, spec)| providers.get(*id).is_none_or(|(new, _)| new.image != spec.image))
        .map(|(id, _)| id.clone())
        .collect();
    for id in gone {
        steps.try_host(host.stop_provider(&id).await, None)?;
        applied.providers.remove(&id);
        steps.done("provider", id.as_str(), "stopped", None);
    }
    for (id, (spec, at)) in &providers {
        match applied.providers.get(id) {
            Some(now) if now == spec => continue,
            // Its image is the same, so its list of configs differs: it starts anew, which drains it first.
            Some(_) => steps.try_host(host.stop_provider(id).await, None)?,
            None => {}
        }
        let begun = Instant::now();
        steps.try_host(host.start_provider(spec.clone()).await, Some(at))?;
        applied.providers.insert(id.clone(), spec.clone());
        steps.done("provider", id.as_str(), &spec.image.to_string(), Some(begun));
    }
    // Links of components before the components, whose start asks for them. Links of providers after: an address
    // opens when there is somebody to answer on it.
    let (of_providers, of_components): (Vec<_>, Vec<_>) = desired
        .links
        .iter()
        .partition(|link| providers.contains_key(&link.link.source));
    steps.put_links(applied, &of_components).await?;
    for (id, (spec, at)) in &components {
        let begun = Instant::now();
        if let ImageRef::Oci(image) = &spec.image
            && applied
                .components
                .get(id)
                .is_none_or(|now| now.image != spec.image)
        {
            output.note(&format!("  … {image}"));
        }
        if steps.try_host(host.scale_component(spec.clone()).await, Some(at))? {
            steps.done("component", id.as_str(), &spec.image.to_string(), Some(begun));
        }
        applied.components.insert(id.clone(), spec.clone());
    }
    steps.put_links(applied, &of_providers).await?;
    let gone: Vec<ComponentId> = applied
        .components
        .keys()
        .filter(|id| !components.contains_key(*id))
        .cloned()
        .collect();
    for id in gone {
        steps.try_host(host.stop_component(&id, None).await, None)?;
        applied.components.remove(&id);
        steps.done("component", id.as_str(), "stopped", None);
    }
    let unused: BTreeSet<ConfigName> = applied
        .configs
        .keys()
        .filter(|name| !desired.configs.contains_key(*name))
        .cloned()
        .collect();
    for name in unused {
        steps.try_host(host.delete_config(&name).await, None)?;
        applied.configs.remove(&name);
    }
    Ok(())
}

struct Steps<'a> {
    host: &'a LatticeHost,
    output: &'a Output,
    file: &'a str,
    /// All links that should be there in the end.
    links: &'a [Link],
}

impl Steps<'_> {
    fn failure(&self, error: impl Into<anyhow::Error>, at: Option<&str>) -> Failure {
        let failure = Failure::new(NOT_STARTED, "not-started", error);
        match at {
            Some(at) => failure.at(format!("{}:{at}", self.file)),
            None => failure,
        }
    }

    fn try_host<T, E>(&self, outcome: Result<T, E>, at: Option<&str>) -> Result<T, Failure>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        outcome.map_err(|error| self.failure(error, at))
    }

    /// The lattice may remember links of a run that was killed. Those of this application's sources go before
    /// anything starts; what it still wants is put again below.
    async fn forget_former(
        &self,
        sources: impl Iterator<Item = &ComponentId>,
        applied: &Applied,
    ) -> Result<(), Failure> {
        if !applied.is_empty() {
            return Ok(());
        }
        for source in sources {
            let keys = self.try_host(self.host.links_of(source).await, None)?;
            for key in keys {
                self.try_host(self.host.delete_link(&key).await, None)?;
            }
        }
        Ok(())
    }

    fn done(&self, kind: &str, name: &str, what: &str, begun: Option<Instant>) {
        let ms = begun.map(|begun| begun.elapsed().as_millis() as u64);
        let took = ms.map(|ms| format!("  {ms} ms")).unwrap_or_default();
        let mark = self.output.paint("32", "✓");
        let text = format!(
            "  {mark} {kind:<9} {name}  {}{took}",
            self.output.paint("2", what)
        );
        let value = json!({ "event": "step", "kind": kind, "name": name, "detail": what, "ms": ms });
        self.output.event(&text, &value);
    }

    /// Puts the links that are not there yet. The first that is refused is the failure; those beside it are there.
    async fn put_links(&self, applied: &mut Applied, desired: &[&DesiredLink]) -> Result<(), Failure> {
        let missing: Vec<&DesiredLink> = desired
            .iter()
            .copied()
            .filter(|desired| !applied.links.contains(&desired.link))
            .collect();
        let formers: Vec<Option<Link>> = missing
            .iter()
            .map(|desired| self.former(applied, &desired.link))
            .collect();
        let puts = missing.iter().zip(&formers).map(|(desired, former)| {
            let instead_of = former.as_ref().map(|former| former.target.clone());
            (desired.link.clone(), instead_of)
        });
        let outcomes = self.host.put_links(puts.collect()).await;
        let mut failure = None;
        for ((desired, former), outcome) in missing.into_iter().zip(formers).zip(outcomes) {
            let link = &desired.link;
            if let Err(failed) = self.try_host(outcome, Some(&desired.at.to_string())) {
                failure = failure.or(Some(failed));
                continue;
            }
            applied.links.retain(|known| {
                Some(known) != former.as_ref() && (known.key() != link.key() || known.target != link.target)
            });
            applied.links.push(link.clone());
            self.done("link", &link.to_string(), &link.interfaces.join(", "), None);
        }
        failure.map_or(Ok(()), Err)
    }

    /// The link that this one takes the place of, where it goes to another target.
    fn former(&self, applied: &Applied, link: &Link) -> Option<Link> {
        let leaves = |known: &&Link| {
            let stays = |new: &Link| new.key() == known.key() && new.target == known.target;
            known.key() == link.key() && !self.links.iter().any(stays)
        };
        applied.links.iter().find(leaves).cloned()
    }

    /// What a manifest may say and one process cannot do.
    async fn refuse_what_is_missing(&self, desired: &Desired) -> Result<(), Failure> {
        if let Some((_, secret)) = desired.secrets.iter().next() {
            let error = anyhow::anyhow!(
                "secret `{}` comes from the backend `{}`, and `wash up` has no secrets backend yet",
                secret.name,
                secret.backend
            );
            return Err(self.failure(error, None));
        }
        if let Some(reference) = desired.references.first() {
            let error = anyhow::anyhow!(
                "`{}` is part of application `{}`, and `wash up` runs one application",
                reference.name,
                reference.application
            );
            return Err(self.failure(error, Some(&reference.at.to_string())));
        }
        for (name, at) in &desired.external_configs {
            if self.try_host(self.host.config(name).await, None)?.is_none() {
                let error = anyhow::anyhow!(
                    "config `{name}` has no `properties` here and does not exist in lattice `{}`; \
                     hint: add `properties` to it, or put it with `wash config put`",
                    self.host.lattice()
                );
                return Err(self.failure(error, Some(&at.to_string())));
            }
        }
        Ok(())
    }
}

fn runs_here(
    scaler: Option<&Scaler>,
    labels: &BTreeMap<String, String>,
    name: &str,
    at: &str,
    steps: &Steps<'_>,
) -> Result<bool, Failure> {
    let Some(scaler) = scaler.filter(|scaler| scaler.instances > 0) else {
        return Ok(false);
    };
    let fits = |requirements: &BTreeMap<String, String>| {
        requirements
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
    };
    if scaler
        .spread
        .iter()
        .any(|spread| spread.weight > 0 && fits(&spread.requirements))
    {
        return Ok(true);
    }
    let wanted: Vec<String> = scaler
        .spread
        .iter()
        .flat_map(|spread| &spread.requirements)
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let error = anyhow::anyhow!(
        "`{name}` runs on hosts labelled {}, and this one is not; hint: wash up --label {}",
        wanted.join(", "),
        wanted.join(" --label ")
    );
    Err(steps.failure(error, Some(at)))
}

type Placed<T> = BTreeMap<ComponentId, (T, String)>;

fn components(
    desired: &Desired,
    labels: &BTreeMap<String, String>,
    steps: &Steps<'_>,
) -> Result<Placed<ComponentSpec>, Failure> {
    let mut placed = BTreeMap::new();
    for component in &desired.components {
        let at = component.at.to_string();
        if runs_here(component.scaler.as_ref(), labels, &component.name, &at, steps)? {
            let spec = ComponentSpec {
                id: component.id.clone(),
                image: component.image.clone(),
                reference: component.image.to_string(),
                unlinked: Unlinked::Refuse,
                limits: component.limits.clone(),
                config: component.config.clone(),
                annotations: annotations(desired),
                weight: None,
                probe: None,
            };
            placed.insert(component.id.clone(), (spec, at));
        }
    }
    Ok(placed)
}

fn providers(
    desired: &Desired,
    labels: &BTreeMap<String, String>,
    steps: &Steps<'_>,
) -> Result<Placed<ProviderSpec>, Failure> {
    let mut placed = BTreeMap::new();
    for provider in &desired.providers {
        let at = provider.at.to_string();
        if runs_here(Some(&provider.scaler), labels, &provider.name, &at, steps)? {
            let spec = ProviderSpec {
                id: provider.id.clone(),
                image: provider.image.clone(),
                reference: provider.image.to_string(),
                config: provider.config.clone(),
                annotations: annotations(desired),
            };
            placed.insert(provider.id.clone(), (spec, at));
        }
    }
    Ok(placed)
}

/// As wadm annotates what it manages (v1 wire reference §1).
fn annotations(desired: &Desired) -> BTreeMap<String, String> {
    BTreeMap::from([("wasmcloud.dev/appspec".to_owned(), desired.app.to_string())])
}
