//! What is told without being asked: the status of an application when it has changed, and v1's events of manifests.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use wasmcloud_core::{AppName, LatticeName};
use wasmcloud_lattice::Connection;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::ManifestEvent;
use wasmcloud_wire::message::chain;

use super::{Desk, status};
use crate::store::Stamp;

/// Tells of manifests as v1's wadm does.
pub(super) struct Events {
    connection: Connection,
    lattice: LatticeName,
}

impl Events {
    pub(super) fn new(connection: Connection, lattice: &LatticeName) -> Self {
        Self {
            connection,
            lattice: lattice.clone(),
        }
    }

    /// Nobody depends on it: who wants to know what shall run asks for it.
    pub(super) async fn tell(&self, event: ManifestEvent) {
        let id = uuid::Uuid::new_v4().to_string();
        let bytes = event.encode(&id, &Stamp::now().text);
        let subject = event.subject(&self.lattice);
        if let Err(error) = self.connection.publish(&subject, None, bytes.into()).await {
            tracing::info!(subject, error = chain(&error), "an event was not told");
        }
    }
}

/// Tells the status of each application when it is another one than was told last, from the first plan on.
pub(super) async fn statuses(desk: Arc<Desk>) {
    let mut snapshots = desk.sources.snapshots.clone();
    let mut told = desk.sources.told.clone();
    let mut last: BTreeMap<AppName, Bytes> = BTreeMap::new();
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let plan = told.borrow_and_update().clone();
        if let Some(plan) = plan {
            last.retain(|app, _| snapshot.records.contains_key(app));
            for (app, record) in &snapshot.records {
                let broken = snapshot.broken.get(app).map(String::as_str);
                let status = status::of(record, status::planned(Some(&plan), app), broken);
                let bytes = Bytes::from(status.encode());
                if last.get(app) == Some(&bytes) {
                    continue;
                }
                let subject = desk.api.status_subject(app);
                match desk.connection.publish(&subject, None, bytes.clone()).await {
                    Ok(()) => {
                        last.insert(app.clone(), bytes);
                    }
                    Err(error) => {
                        tracing::info!(subject, error = chain(&error), "a status was not told");
                    }
                }
            }
        }
        let changed = tokio::select! {
            changed = snapshots.changed() => changed,
            changed = told.changed() => changed,
        };
        // Whoever leads has ended, and this is about to be dropped.
        if changed.is_err() {
            return;
        }
    }
}
