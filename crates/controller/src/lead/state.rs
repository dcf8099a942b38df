//! Follows the links and configs of a lattice, as they are in its shared state.

use futures::StreamExt as _;
use tokio::sync::mpsc;
use wasmcloud_core::{ConfigName, Link};
use wasmcloud_lattice::{Bucket, Entry, Event, Lattice, State, StateError, Watch};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::state::{ComponentSpec, Config, LatticeKey};

use super::LeadError;
use super::sighting::Sighting;

/// The buckets that are followed. They have to live as long as their watches.
pub(crate) struct Buckets {
    links: Box<dyn State>,
    configs: Box<dyn State>,
}

impl Buckets {
    /// Opens both, and makes them if they are not there.
    pub(crate) async fn open(lattice: &Lattice) -> Result<Self, LeadError> {
        let links = Bucket::lattice_data(&lattice.name)?;
        let configs = Bucket::config_data(&lattice.name)?;
        let (links, configs) = tokio::try_join!(lattice.open_state(links), lattice.open_state(configs))?;
        Ok(Self { links, configs })
    }

    /// Tells all there is and what changes, until nobody listens or the connection is closed.
    pub(crate) async fn follow(self, out: mpsc::Sender<Sighting>) -> Result<(), StateError> {
        let (mut links, mut configs) = tokio::try_join!(self.links.watch(""), self.configs.watch(""))?;
        loop {
            let (event, read): (_, fn(Event) -> Option<Sighting>) = tokio::select! {
                event = next(&mut links) => (event, of_links),
                event = next(&mut configs) => (event, of_configs),
            };
            let Some(event) = event else { return Ok(()) };
            if let Some(sighting) = read(event)
                && out.send(sighting).await.is_err()
            {
                return Ok(());
            }
        }
    }
}

async fn next(watch: &mut Watch) -> Option<Event> {
    watch.next().await
}

fn of_links(event: Event) -> Option<Sighting> {
    match event {
        Event::Put(entry) => {
            let LatticeKey::Component(source) = entry.key.parse().ok()? else {
                return None;
            };
            Some(Sighting::Links(source, read_links(&entry)))
        }
        Event::Delete { key, .. } => match key.parse().ok()? {
            LatticeKey::Component(source) => Some(Sighting::Links(source, Vec::new())),
            LatticeKey::Claims(_) => None,
        },
        Event::Ready => Some(Sighting::LinksReady),
        Event::Reset => Some(Sighting::LinksReset),
    }
}

fn read_links(entry: &Entry) -> Vec<Link> {
    match ComponentSpec::decode(&entry.value) {
        // What cannot be a link is nobody's wish, and hosts leave it out as well.
        Ok(spec) => spec
            .links
            .iter()
            .filter_map(|link| link.try_into().ok())
            .collect(),
        Err(error) => {
            tracing::warn!(key = %entry.key, error = chain(&error), "a record cannot be read, its links do not count");
            Vec::new()
        }
    }
}

fn of_configs(event: Event) -> Option<Sighting> {
    match event {
        Event::Put(entry) => {
            let name: ConfigName = entry.key.parse().ok()?;
            match Config::decode(&entry.value) {
                Ok(config) => Some(Sighting::Config(name, Some(config.0))),
                Err(error) => {
                    tracing::warn!(config = %name, error = chain(&error), "a config cannot be read and does not count");
                    Some(Sighting::Config(name, None))
                }
            }
        }
        Event::Delete { key, .. } => Some(Sighting::Config(key.parse().ok()?, None)),
        Event::Ready => Some(Sighting::ConfigsReady),
        Event::Reset => Some(Sighting::ConfigsReset),
    }
}
