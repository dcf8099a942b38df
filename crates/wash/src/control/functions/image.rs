//! Who runs a component or provider, and the functions of its image.

use anyhow::{Context as _, anyhow};
use wasmcloud_artifacts::{Kind, SizeLimits, par};
use wasmcloud_client::{Client, ClientError};
use wasmcloud_core::ImageRef;
use wasmcloud_wire::control::HostInventory;

use super::Functions;
use crate::control::args::ImageArgs;
use crate::control::table::{one_line, short_id};
use crate::progress;

/// Hosts that an error lists.
const SHOWN: usize = 5;

/// Who runs a component or provider.
#[derive(Debug, Default)]
pub(in crate::control) struct Runs {
    /// Id and friendly name of each host that runs it.
    on: Vec<(String, String)>,
    /// The images it runs from there, each once. Several while it is being updated.
    pub(in crate::control) images: Vec<String>,
    /// Whether it is a provider.
    pub(in crate::control) provider: bool,
    /// Hosts that answered.
    answered: usize,
    /// Hosts that did not say what runs on them.
    silent: usize,
}

/// Asks all hosts who runs it.
pub(in crate::control) async fn who_runs(client: &Client, id: &str) -> Result<Runs, ClientError> {
    let all = client.inventories().await?;
    Ok(Runs::among(&all.answers, all.problems.len(), id))
}

impl Runs {
    /// The same among hosts that were asked; `silent` others did not answer.
    pub(in crate::control) fn among(hosts: &[HostInventory], silent: usize, id: &str) -> Self {
        let mut runs = Self {
            answered: hosts.len(),
            silent,
            ..Self::default()
        };
        for host in hosts {
            let component = host.components.iter().find(|component| component.id == id);
            let provider = host.providers.iter().find(|provider| provider.id == id);
            let image = match (component, provider) {
                (Some(component), _) => Some(component.image_ref.clone()),
                (None, Some(provider)) => {
                    runs.provider = true;
                    provider.image_ref.clone()
                }
                (None, None) => continue,
            };
            runs.on.push((host.host_id.clone(), host.friendly_name.clone()));
            if let Some(image) = image.filter(|image| !runs.images.contains(image)) {
                runs.images.push(image);
            }
        }
        runs
    }

    /// Whether anybody does.
    pub(in crate::control) fn anybody(&self) -> bool {
        !self.on.is_empty()
    }

    /// Who does, in words that follow the id of what is run.
    pub(in crate::control) fn words(&self) -> String {
        let silent = match self.silent {
            0 => String::new(),
            silent => format!(", {silent} did not answer"),
        };
        if self.on.is_empty() {
            return match self.answered {
                0 => format!("runs nowhere: no host answers{silent}"),
                answered => format!("runs on none of the hosts that answered ({answered}{silent})"),
            };
        }
        let shown = self.on.iter().take(SHOWN).map(|(id, name)| named(id, name));
        let mut shown: Vec<String> = shown.collect();
        if let Some(more) = self.on.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            shown.push(format!("{more} more"));
        }
        format!("runs on {}{silent}", shown.join(", "))
    }

    /// What a host is called whose id something else has told.
    pub(in crate::control) fn host(&self, id: &str) -> String {
        let known = self.on.iter().find(|(known, _)| known == id);
        named(id, known.map_or("", |(_, name)| name))
    }
}

fn named(id: &str, name: &str) -> String {
    match name {
        "" => one_line(id),
        name => format!("{} ({})", one_line(name), short_id(id)),
    }
}

/// The functions of an image, from where it is kept.
pub(in crate::control) async fn of_image(image: &ImageRef, args: &ImageArgs) -> anyhow::Result<Functions> {
    let artifacts = args.registry.artifacts(Some(image), args.cache_dir.clone());
    let artifacts = artifacts.map_err(|failure| match failure.message {
        crate::exit::Message::Error { error, .. } => error,
        _ => anyhow!("the options for registries are wrong"),
    })?;
    let what = image.to_string();
    let fetched = progress::shown(&what, |progress| {
        let artifacts = &artifacts;
        async move {
            let limits = SizeLimits::default();
            artifacts
                .fetch(image, Kind::Either, limits, Some(&progress))
                .await
        }
    });
    let artifact = fetched.await?;
    if par::is_archive(&artifact.bytes) {
        return Err(anyhow!(
            "{} is a provider, whose exports are not known",
            artifact.name
        ));
    }
    let name = &artifact.name;
    Functions::exported(&artifact.bytes).with_context(|| format!("read the exports of {name}"))
}
