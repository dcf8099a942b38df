//! How far the shared state has come into this host, for everybody but the mirror, which alone changes it: which records
//! are applied, which links and configs are not in effect, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};
use wasmcloud_core::{ComponentId, ConfigName, Link, LinkKey, LinkSuffix};
use wasmcloud_wire::control::{LinkOwner, RefusedLink};
use wasmcloud_wire::message::chain;

use crate::error::HostError;
use crate::links::LinkId;

/// Refused links that an inventory names, so that it fits into a message; the log has all.
const MAX_REFUSED: usize = 200;

/// Longest reason that an inventory repeats for one of them, in bytes.
const MAX_REASON: usize = 500;

/// What others may know of the mirror.
#[derive(Default)]
pub(crate) struct Mirrored {
    /// Up to which revision the records of components are applied.
    pub(super) links: watch::Sender<u64>,
    /// Up to which revision the configs are applied.
    pub(super) configs: watch::Sender<u64>,
    /// Links that are in the state and not in effect on this host, and why.
    pub(super) refused: Mutex<BTreeMap<LinkId, Arc<HostError>>>,
    /// Configs whose values somebody on this host refused.
    pub(super) refused_configs: Mutex<BTreeMap<ConfigName, Arc<HostError>>>,
    pub(super) retry: Notify,
}

impl Mirrored {
    /// Waits until the record of this revision is applied. Says whether it was, by the deadline.
    pub(crate) async fn links_at(&self, revision: u64, deadline: Instant) -> bool {
        reached(&self.links, revision, deadline).await
    }

    /// Waits until the config of this revision is applied. Says whether it was, by the deadline.
    pub(crate) async fn configs_at(&self, revision: u64, deadline: Instant) -> bool {
        reached(&self.configs, revision, deadline).await
    }

    /// Why a link is not in effect on this host, if it is not.
    pub(crate) fn refusal(&self, id: &LinkId) -> Option<Arc<HostError>> {
        self.refused.lock().get(id).cloned()
    }

    /// A link that a component has for its own by this suffix and that is not in effect on this host, and why.
    pub(crate) fn refusal_of_own(
        &self,
        source: &ComponentId,
        suffix: &LinkSuffix,
    ) -> Option<(LinkKey, Arc<HostError>)> {
        let refused = self.refused.lock();
        let is_own =
            |key: &LinkKey| key.source == *source && key.name.parts().is_some_and(|(_, of)| of == *suffix);
        let ((key, _), error) = refused.iter().find(|((key, _), _)| is_own(key))?;
        Some((key.clone(), Arc::clone(error)))
    }

    /// Why the values of a config are not in effect for everybody on this host, if they are not.
    pub(crate) fn config_refusal(&self, name: &ConfigName) -> Option<Arc<HostError>> {
        self.refused_configs.lock().get(name).cloned()
    }

    /// How many links are in the state and not in effect here.
    pub(crate) fn refused(&self) -> usize {
        self.refused.lock().len()
    }

    /// Which links are in the state and not in effect here, and why; at most [`MAX_REFUSED`], the same ones each time.
    pub(crate) fn refused_links(&self) -> Vec<RefusedLink> {
        let refused = self.refused.lock();
        let shown = refused.iter().take(MAX_REFUSED).map(|((key, target), error)| {
            let text = chain(&**error);
            let end = text.floor_char_boundary(MAX_REASON);
            RefusedLink {
                source_id: key.source.to_string(),
                target: target.to_string(),
                name: key.name.to_string(),
                wit_namespace: key.namespace.clone(),
                wit_package: key.package.clone(),
                error: text.get(..end).unwrap_or(&text).to_owned(),
                owner: error.owner().map(|owner| LinkOwner {
                    source_id: owner.source.to_string(),
                    name: owner.name.to_string(),
                    wit_namespace: owner.namespace.clone(),
                    wit_package: owner.package.clone(),
                }),
            }
        });
        shown.collect()
    }

    /// Notes links that a provider refused when it started. They are tried again.
    pub(crate) fn note(&self, refused: Vec<(Link, HostError)>) {
        let ids = refused
            .into_iter()
            .map(|(link, error)| (place(&link), Arc::new(error)));
        self.refused.lock().extend(ids);
    }

    /// Has refused links tried again soon: something has changed that may help.
    pub(crate) fn retry(&self) {
        self.retry.notify_one();
    }
}

async fn reached(applied: &watch::Sender<u64>, revision: u64, deadline: Instant) -> bool {
    let mut applied = applied.subscribe();
    let wait = applied.wait_for(|now| *now >= revision);
    matches!(timeout_at(deadline, wait).await, Ok(Ok(_)))
}

/// What makes a link the same one, with the same or other interfaces and configs.
pub(super) fn place(link: &Link) -> LinkId {
    (link.key(), link.target.clone())
}
