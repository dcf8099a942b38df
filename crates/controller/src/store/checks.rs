//! Whether an application can run beside the others that are deployed (wire reference §8.3).
//!
//! A snapshot may be a moment old, so what speaks against a deployment is looked up once more in the store. What is
//! missed here in turn, because two are deployed at the same time, planning sees and says.

use std::sync::Arc;

use wasmcloud_core::{AppName, ComponentId};
use wasmcloud_manifest::{Desired, SharedReference};

use super::Store;
use super::error::StoreError;
use super::snapshot::Snapshot;

/// Refuses what another application has for its own, and what uses something that is not deployed.
pub(super) async fn deploy(
    store: &Store,
    app: &AppName,
    desired: &Desired,
    others: &Snapshot,
) -> Result<(), StoreError> {
    for (id, by) in taken(app, desired, others) {
        let deployed = store.deployed(by).await?;
        if deployed.is_some_and(|deployed| ids(&deployed).any(|known| known == id)) {
            return Err(StoreError::IdTaken {
                id: id.clone(),
                by: by.clone(),
            });
        }
    }
    let mut missing = Vec::new();
    for reference in not_shared(desired, others) {
        let owner = match reference.application.parse() {
            Ok(owner) => store.deployed(&owner).await?,
            Err(_) => None,
        };
        if !owner.is_some_and(|owner| shares(&owner, reference)) {
            missing.push(named(reference));
        }
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(StoreError::SharedMissing(missing)),
    }
}

/// What an application uses of others that is not deployed or not shared there, for people.
pub fn missing_shared(desired: &Desired, others: &Snapshot) -> Vec<String> {
    not_shared(desired, others).map(named).collect()
}

/// The ids that other deployed applications have for their own.
fn taken<'a>(
    app: &'a AppName,
    desired: &'a Desired,
    others: &'a Snapshot,
) -> impl Iterator<Item = (&'a ComponentId, &'a AppName)> {
    let mine: std::collections::HashSet<&ComponentId> = ids(desired).collect();
    others
        .applications
        .iter()
        .filter(move |other| other.name != *app)
        .flat_map(|other| {
            let deployed = other.deployed.iter();
            deployed.flat_map(move |revision| ids(&revision.desired).map(move |id| (id, &other.name)))
        })
        .filter(move |(id, _)| mine.contains(id))
}

fn not_shared<'a>(desired: &'a Desired, others: &Snapshot) -> impl Iterator<Item = &'a SharedReference> {
    desired.references.iter().filter(|reference| {
        let owner = reference.application.parse().ok();
        let owner = owner.and_then(|owner| others.application(&owner)?.deployed.as_ref());
        !owner.is_some_and(|owner| shares(&owner.desired, reference))
    })
}

fn shares(owner: &Desired, reference: &SharedReference) -> bool {
    owner.shared && ids(owner).any(|id| *id == reference.id)
}

fn named(reference: &SharedReference) -> String {
    format!("{} of {}", reference.component, reference.application)
}

fn ids(desired: &Desired) -> impl Iterator<Item = &ComponentId> {
    let components = desired.components.iter().map(|component| &component.id);
    components.chain(desired.providers.iter().map(|provider| &provider.id))
}

impl Store {
    /// What is deployed of an application now. What cannot be read is none: it keeps nobody from anything.
    async fn deployed(&self, app: &AppName) -> Result<Option<Arc<Desired>>, StoreError> {
        let Some(revision) = self.record(app).await?.and_then(|record| record.deployed) else {
            return Ok(None);
        };
        match self.loaded(app, &revision).await {
            Ok(loaded) => Ok(Some(Arc::clone(&loaded.desired))),
            Err(error @ StoreError::State(_)) => Err(error),
            Err(_) => Ok(None),
        }
    }
}
