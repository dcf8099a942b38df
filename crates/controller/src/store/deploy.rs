//! Which version shall run: deployed, undeployed, rolled back, left as it is.

use wasmcloud_core::AppName;
use wasmcloud_lattice::Retry;
use wasmcloud_wire::app::{AppRecord, HistoryEntry, HistoryKind, VersionRecord, app_key};

use super::change::begin;
use super::checks;
use super::error::StoreError;
use super::snapshot::Snapshot;
use super::{LATEST, LIMIT, Store, deployed_version, pick};

/// What shall run from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The generation that began with it, or the one that goes on where nothing changed.
    pub generation: u64,
    /// The version; none where nothing shall run.
    pub version: Option<String>,
    /// Whether it was so before.
    pub unchanged: bool,
}

impl Store {
    /// Lets a version run: the newest where none is named, or `latest`. Each deployment begins a generation, also one
    /// of what is deployed already: so a person confirms what a store that was set back says. `others` are all
    /// applications, as a [`Catalogue`](super::Catalogue) has them.
    pub async fn deploy(
        &self,
        app: &AppName,
        version: Option<&str>,
        others: &Snapshot,
    ) -> Result<Deployed, StoreError> {
        let choose = |record: &AppRecord| {
            pick(record, version)
                .cloned()
                .ok_or_else(|| StoreError::NoVersionToDeploy {
                    app: app.clone(),
                    version: version.unwrap_or(LATEST).to_owned(),
                })
        };
        self.run(app, HistoryKind::Deployed, choose, others).await
    }

    /// Lets a version run that was there before: the one that was deployed last before the present one, or a named one.
    pub async fn rollback(
        &self,
        app: &AppName,
        version: Option<&str>,
        others: &Snapshot,
    ) -> Result<Deployed, StoreError> {
        let choose = |record: &AppRecord| match version {
            Some(version) => {
                pick(record, Some(version))
                    .cloned()
                    .ok_or_else(|| StoreError::NoVersionToDeploy {
                        app: app.clone(),
                        version: version.to_owned(),
                    })
            }
            None => before(record)
                .cloned()
                .ok_or_else(|| StoreError::NothingBefore(app.clone())),
        };
        self.run(app, HistoryKind::RolledBack, choose, others).await
    }

    async fn run(
        &self,
        app: &AppName,
        kind: HistoryKind,
        choose: impl Fn(&AppRecord) -> Result<VersionRecord, StoreError>,
        others: &Snapshot,
    ) -> Result<Deployed, StoreError> {
        let mut retry = Retry::new(app_key(app), LIMIT);
        loop {
            let chosen = choose(&self.existing(app).await?)?;
            let loaded = self.loaded(app, &chosen.revision).await?;
            checks::deploy(self, app, &loaded.desired, others).await?;
            let begun = self.change(app, None, |record| {
                // Another version may be meant by now, which was not checked.
                if choose(record)
                    .ok()
                    .is_none_or(|now| now.revision != chosen.revision)
                {
                    return Ok(None);
                }
                let entry = HistoryEntry {
                    kind,
                    version: Some(chosen.version.clone()),
                    ..HistoryEntry::default()
                };
                begin(app, record, Some(chosen.revision.clone()), entry).map(Some)
            });
            if let Some(generation) = begun.await? {
                return Ok(Deployed {
                    generation,
                    version: Some(chosen.version),
                    unchanged: false,
                });
            }
            retry.again().await?;
        }
    }

    /// Lets nothing of it run. The versions stay.
    pub async fn undeploy(&self, app: &AppName) -> Result<Deployed, StoreError> {
        self.change(app, None, |record| {
            if record.versions.is_empty() {
                return Err(StoreError::NoApp(app.clone()));
            }
            let unchanged = record.deployed.is_none();
            if !unchanged {
                begin(app, record, None, undeployed())?;
            }
            Ok(Deployed {
                generation: record.generation,
                version: None,
                unchanged,
            })
        })
        .await
    }

    /// Leaves an application as it is, whatever is deployed, until it is resumed.
    pub async fn pause(&self, app: &AppName) -> Result<Deployed, StoreError> {
        self.set_paused(app, true).await
    }

    /// Looks after it again.
    pub async fn resume(&self, app: &AppName) -> Result<Deployed, StoreError> {
        self.set_paused(app, false).await
    }

    async fn set_paused(&self, app: &AppName, paused: bool) -> Result<Deployed, StoreError> {
        self.change(app, None, |record| {
            if record.versions.is_empty() {
                return Err(StoreError::NoApp(app.clone()));
            }
            let unchanged = record.paused == paused;
            record.paused = paused;
            Ok(Deployed {
                generation: record.generation,
                version: deployed_version(record).map(str::to_owned),
                unchanged,
            })
        })
        .await
    }
}

/// What the history says of an application that is undeployed.
pub(super) fn undeployed() -> HistoryEntry {
    HistoryEntry {
        kind: HistoryKind::Undeployed,
        ..HistoryEntry::default()
    }
}

/// The version that was deployed last before the present one, and that is still there.
fn before(record: &AppRecord) -> Option<&VersionRecord> {
    let present = deployed_version(record);
    let deployed = record
        .history
        .iter()
        .rev()
        .filter_map(|entry| entry.version.as_deref());
    let mut others = deployed.filter(|version| Some(*version) != present);
    others.find_map(|version| pick(record, Some(version)))
}
