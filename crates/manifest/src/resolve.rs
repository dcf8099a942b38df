//! Makes desired state of an application: everything that depends on where it will run.

use std::path::PathBuf;

use wasmcloud_core::{ImageRef, builtin_for, nearest};

use crate::application::{Application, ConfigUse, Part, PartKind, PartLink};
use crate::desired::{Desired, DesiredComponent, DesiredLink, DesiredProvider, SharedReference};
use crate::diagnostic::Sink;
use crate::source::Spanned;

/// What resolving a manifest depends on besides the manifest.
#[derive(Clone, Debug)]
pub struct ResolveOptions {
    /// The directory that relative `file://` images are relative to: that of the manifest.
    pub base_dir: PathBuf,
    /// Whether images of well-known providers are answered by those built-in ones that are known.
    /// `wasmcloud+builtin://NAME` is, always.
    pub builtin_providers: bool,
    /// The names of the built-in providers there are.
    pub known_builtins: Vec<String>,
}

impl Default for ResolveOptions {
    /// Files relative to the current directory, and the built-in providers this version of the host has.
    fn default() -> Self {
        let known = [
            "http-server",
            "http-client",
            "keyvalue-redb",
            "keyvalue-memory",
            "blobstore-fs",
        ];
        Self {
            base_dir: PathBuf::new(),
            builtin_providers: true,
            known_builtins: known.map(str::to_owned).to_vec(),
        }
    }
}

pub(crate) fn resolve(
    file: &str,
    application: &Application,
    options: &ResolveOptions,
    sink: &mut Sink,
) -> Desired {
    let mut desired = Desired {
        file: file.to_owned(),
        app: application.name.clone(),
        version: application.version.clone(),
        description: application.description.clone(),
        shared: application.shared,
        annotations: application.annotations.clone(),
        labels: application.labels.clone(),
        components: Vec::new(),
        providers: Vec::new(),
        references: Vec::new(),
        links: Vec::new(),
        configs: application.configs.clone(),
        external_configs: Default::default(),
        secrets: application.secrets.clone(),
        rollout: application.rollout.clone(),
        links_required: false,
    };
    for part in &application.parts {
        add(part, options, &mut desired, sink);
    }
    desired
}

fn add(part: &Part, options: &ResolveOptions, desired: &mut Desired, sink: &mut Sink) {
    let (name, id, at) = (part.name.value.clone(), part.id.clone(), part.name.at);
    let config = part.config.iter().map(|config| config.name.clone()).collect();
    let secrets = part.secrets.clone();
    match &part.kind {
        PartKind::Component {
            image,
            limits,
            scaler,
            triggers,
        } => {
            let image = image.value.clone().relative_to(&options.base_dir);
            let (limits, scaler, triggers) = (limits.clone(), scaler.clone(), triggers.clone());
            desired.components.push(DesiredComponent {
                name,
                id,
                image,
                content: None,
                link_suffix: None,
                limits,
                scaler,
                config,
                secrets,
                triggers,
                at,
            });
        }
        PartKind::Provider { image, scaler } => {
            let (image, replaced) = provider_image(image, options, sink);
            let scaler = scaler.clone();
            desired.providers.push(DesiredProvider {
                name,
                id,
                image,
                replaced,
                scaler,
                config,
                secrets,
                at,
            });
        }
        PartKind::Shared {
            application,
            component,
            provider,
        } => {
            let (application, component) = (application.clone(), component.clone());
            let provider = *provider;
            desired.references.push(SharedReference {
                name,
                id,
                application,
                component,
                provider,
                at,
            });
        }
    }
    let on_links = part.links.iter().flat_map(|link| &link.configs);
    for ConfigUse { name, at, .. } in part
        .config
        .iter()
        .chain(on_links)
        .filter(|config| config.external)
    {
        desired.external_configs.entry(name.clone()).or_insert(*at);
    }
    for PartLink {
        link,
        source_secrets,
        target_secrets,
        at,
        ..
    } in &part.links
    {
        let (source_secrets, target_secrets) = (source_secrets.clone(), target_secrets.clone());
        desired.links.push(DesiredLink {
            link: link.clone(),
            source_secrets,
            target_secrets,
            at: *at,
        });
    }
}

fn provider_image(
    image: &Spanned<ImageRef>,
    options: &ResolveOptions,
    sink: &mut Sink,
) -> (ImageRef, Option<ImageRef>) {
    if let ImageRef::Builtin(name) = &image.value {
        let known = || options.known_builtins.iter().map(String::as_str);
        if !known().any(|known| known == name) {
            let all = known()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ");
            let message = format!("there is no built-in provider `{name}`");
            match nearest(name, known()) {
                Some(meant) => sink.error(image.at, format!("{message}, did you mean `{meant}`?")),
                None => sink.error(image.at, message).hint(format!("built in are {all}")),
            };
        }
        return (image.value.clone(), None);
    }
    let there_is = |name: &&str| options.known_builtins.iter().any(|known| known == name);
    match builtin_for(&image.value)
        .filter(there_is)
        .filter(|_| options.builtin_providers)
    {
        Some(name) => (ImageRef::Builtin(name.to_owned()), Some(image.value.clone())),
        None => (image.value.clone().relative_to(&options.base_dir), None),
    }
}
