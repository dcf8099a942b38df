//! The way from text to a checked manifest, and from there to desired state.

use serde_json::Value as Json;
use wasmcloud_core::{AppName, ImageRef};

use crate::application::{Application, PartKind};
use crate::check;
use crate::desired::Desired;
use crate::diagnostic::{Diagnostic, Diagnostics, Sink};
use crate::document::Document;
use crate::grammar::{APPLICATION, VERSION_ANNOTATION};
use crate::resolve::{ResolveOptions, resolve};
use crate::shape::Shape;
use crate::source::{Position, Source, Spanned};
use crate::tree::Node;
use crate::{validate, yaml};

/// An application manifest that has been checked and can be deployed.
#[derive(Clone, Debug)]
pub struct Manifest {
    source: Source,
    tree: Node,
    application: Application,
}

impl Manifest {
    /// Reads a manifest in YAML or JSON and checks it. `name` is what messages call it, usually its file name.
    ///
    /// With the manifest come its warnings; without it, all errors and warnings, in the order of the text.
    pub fn parse(name: &str, text: &str) -> Result<(Self, Vec<Diagnostic>), Diagnostics> {
        let source = Source::new(name, text);
        let mut sink = Sink::new(source.clone());
        let checked = yaml::read(&source, &mut sink).and_then(|tree| {
            check::check(
                &tree,
                &Shape::Table(&APPLICATION),
                "an application manifest",
                &mut sink,
            );
            let document = Document::read(&tree);
            Some((validate::application(&document, &mut sink)?, tree))
        });
        match checked {
            Some((application, tree)) => Ok((
                Self {
                    source,
                    tree,
                    application,
                },
                sink.finish()?,
            )),
            None => Err(sink.into_diagnostics()),
        }
    }

    /// The name of the application.
    pub fn name(&self) -> &AppName {
        &self.application.name
    }

    /// The version that the manifest states, if it states one.
    pub fn version(&self) -> Option<&str> {
        self.application.version.as_deref()
    }

    /// What the manifest says the application is.
    pub fn description(&self) -> Option<&str> {
        self.application.description.as_deref()
    }

    /// Whether other applications may use its components.
    pub fn is_shared(&self) -> bool {
        self.application.shared
    }

    /// What messages call the manifest, usually its file name.
    pub fn file(&self) -> &str {
        self.source.name()
    }

    /// The text the manifest was read from.
    pub fn text(&self) -> &str {
        self.source.text()
    }

    /// The manifest as JSON, with everything that was written and nothing that was not.
    pub fn to_json(&self) -> Json {
        self.tree.to_json()
    }

    /// The same with a version in its annotations, as v1 keeps manifests that were put: the version that it states, or
    /// the one that it got.
    pub fn to_json_as(&self, version: &str) -> Json {
        let mut json = self.to_json();
        let metadata = json.get_mut("metadata").and_then(Json::as_object_mut);
        let annotations = metadata.map(|metadata| {
            let annotations = metadata.entry("annotations").or_insert(Json::Null);
            if !annotations.is_object() {
                *annotations = Json::Object(Default::default());
            }
            annotations
        });
        if let Some(Json::Object(annotations)) = annotations {
            annotations.insert(VERSION_ANNOTATION.to_owned(), version.into());
        }
        json
    }

    /// The first image that is a file with a relative path, and its place: such a manifest means something only
    /// together with a directory.
    pub fn relative_image(&self) -> Option<(&ImageRef, Position)> {
        let images = self.application.parts.iter().filter_map(|part| match &part.kind {
            PartKind::Component { image, .. } | PartKind::Provider { image, .. } => Some(image),
            PartKind::Shared { .. } => None,
        });
        let relative =
            |image: &&Spanned<ImageRef>| matches!(&image.value, ImageRef::File(path) if path.is_relative());
        images
            .into_iter()
            .find(relative)
            .map(|image| (&image.value, image.at))
    }

    /// What should run because of this manifest.
    pub fn resolve(&self, options: &ResolveOptions) -> Result<Desired, Diagnostics> {
        let mut sink = Sink::new(self.source.clone());
        let desired = resolve(self.file(), &self.application, options, &mut sink);
        sink.finish()?;
        Ok(desired)
    }
}
