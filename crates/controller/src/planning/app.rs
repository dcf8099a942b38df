//! The application that a part belongs to, as the parts of a plan see it.

use std::collections::HashMap;

use wasmcloud_core::{AppName, ComponentId};
use wasmcloud_manifest::Desired;

use crate::planning::autoscale::Scales;
use crate::planning::claims::Claims;
use crate::planning::marks::{self, Hashes};
use crate::planning::observed::{RunningComponent, RunningProvider};
use crate::planning::status::PartReport;
use crate::planning::unmarked::Unmarked;
use crate::planning::view::View;

/// A deployed application.
pub(crate) struct App<'a> {
    pub(crate) name: &'a AppName,
    pub(crate) generation: u64,
    pub(crate) weight: Option<u8>,
    pub(crate) desired: &'a Desired,
    pub(crate) claims: &'a Claims<'a>,
    pub(crate) unmarked: Unmarked<'a>,
    pub(crate) scales: &'a Scales,
}

impl App<'_> {
    /// What is written on what this application starts.
    pub(crate) fn annotations(&self, hashes: &Hashes, spreads: &[&str]) -> wasmcloud_wire::Labels {
        marks::annotations(self.name, self.generation, hashes, spreads)
    }
}

/// What belongs to one application, whether it still should or not. Hosts are places in the [`View`].
#[derive(Default)]
pub(crate) struct Ours<'a> {
    pub(crate) components: Vec<(usize, &'a ComponentId, &'a RunningComponent)>,
    pub(crate) providers: Vec<(usize, &'a ComponentId, &'a RunningProvider)>,
    /// The greatest generation that is written on any of it.
    pub(crate) generation: u64,
}

/// What belongs to each application, by its name.
pub(crate) fn ours<'a>(view: &View<'a>) -> HashMap<&'a str, Ours<'a>> {
    let mut found: HashMap<&'a str, Ours<'a>> = HashMap::new();
    for (place, host) in view.hosts.iter().enumerate() {
        for (id, running) in &host.host.components {
            if let Some(app) = marks::app_of(&running.annotations) {
                let ours = found.entry(app).or_default();
                ours.components.push((place, id, running));
                ours.generation = ours.generation.max(marks::generation_of(&running.annotations));
            }
        }
        for (id, running) in &host.host.providers {
            if let Some(app) = marks::app_of(&running.annotations) {
                let ours = found.entry(app).or_default();
                ours.providers.push((place, id, running));
                ours.generation = ours.generation.max(marks::generation_of(&running.annotations));
            }
        }
    }
    found
}

/// What an application is told of its parts.
#[derive(Default)]
pub(crate) struct Reports {
    pub(crate) scalers: Vec<PartReport>,
    pub(crate) prerequisites: Vec<PartReport>,
}
