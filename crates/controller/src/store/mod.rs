//! The applications of a lattice as they are kept (ADR 3): records with versions and what is deployed, and revisions,
//! each the text of a manifest.
//!
//! | file | is for |
//! |---|---|
//! | `change` | the one way in which a record is changed: by compare-and-set, with the revisions it needs |
//! | `put`, `deploy`, `delete` | what is asked of an application |
//! | `checks` | whether an application can run beside the others that are deployed |
//! | `revision` | what identifies a manifest, and what should run because of it |
//! | `restore` | what a store has lost, written back by who still knows it |
//! | `catalogue`, `snapshot` | all applications as planning needs them, followed |
//! | `clock` | the only look at the clock |
//!
//! Several controllers may write, one at a time leads. Every change is compare-and-set, so that nothing of two that
//! meet is lost. Who is told of a change, and what comes of it, is for others.

mod apart;
mod catalogue;
mod change;
mod checks;
mod clock;
mod delete;
mod deploy;
mod error;
mod put;
mod restore;
mod revision;
mod rollout;
mod snapshot;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use wasmcloud_core::{AppName, LatticeName};
use wasmcloud_lattice::{Bucket, Lattice, State};
use wasmcloud_manifest::ResolveOptions;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{
    APP_PREFIX, AppRecord, REVISION_PREFIX, RevisionRecord, VersionRecord, app_bucket, app_key, revision_key,
};
use wasmcloud_wire::state_api::MAX_VALUE_LEN;

use crate::blocking::blocking;

pub use apart::tell_apart;
pub use catalogue::Catalogue;
pub use checks::missing_shared;
pub use delete::Deleted;
pub use deploy::Deployed;
pub use error::StoreError;
pub use put::{Put, PutKind};
pub use snapshot::Snapshot;

pub(crate) use clock::Stamp;
use revision::Loaded;

/// How long a change of one application is tried again while others change it too. Less than clients wait for an
/// answer.
const LIMIT: Duration = Duration::from_secs(4);

/// Longest name of a version, in bytes. With it a record of as many versions as there may be fits into one entry.
pub const MAX_VERSION_LEN: usize = 128;
/// How much of the description of a version is kept in the record, in bytes. The manifest has all of it.
pub const MAX_DESCRIPTION_LEN: usize = 256;

/// What JetStream needs of a message besides the value of an entry: subject and headers.
const ENTRY_OVERHEAD: usize = 2 << 10;

/// The version that stands for the newest one.
const LATEST: &str = "latest";

/// The applications of one lattice. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Box<dyn State>,
    options: ResolveOptions,
    /// Longest value of an entry, in bytes.
    max_value: usize,
    /// What was read and is still in use, by its key.
    loaded: Mutex<HashMap<String, Weak<Loaded>>>,
}

/// A version of an application, with its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Got {
    /// Its version.
    pub version: String,
    /// The text as it was put.
    pub text: String,
    /// What files in it are relative to.
    pub base_dir: Option<String>,
    /// The same as JSON, with its version.
    pub json: Value,
}

impl Store {
    /// Opens the bucket of a lattice, and makes it if it is not there. Images of well-known providers are answered by
    /// built-in ones.
    pub async fn open(lattice: &Lattice) -> Result<Self, StoreError> {
        Self::open_with(lattice, ResolveOptions::default()).await
    }

    /// The same, with what else resolving a manifest depends on; its `base_dir` is not looked at.
    pub async fn open_with(lattice: &Lattice, options: ResolveOptions) -> Result<Self, StoreError> {
        let bucket = Bucket::new(&app_bucket(&lattice.name)).map_err(|source| name(&lattice.name, source))?;
        let state = lattice.open_state(bucket).await?;
        let takes = match lattice.control.is_embedded() {
            true => MAX_VALUE_LEN,
            false => lattice.control.max_payload().saturating_sub(ENTRY_OVERHEAD),
        };
        Ok(Self(Arc::new(Inner {
            state,
            options,
            max_value: takes.min(RevisionRecord::MAX),
            loaded: Mutex::default(),
        })))
    }

    /// The record of an application, if there is one: also of one that was deleted and of which something may be left.
    pub async fn record(&self, app: &AppName) -> Result<Option<AppRecord>, StoreError> {
        Ok(self.entry(app).await?.map(|(record, _)| record))
    }

    /// All applications that have a version, by name. Records that are none are left out: one bad record must not hide
    /// all others, and the catalogue tells of it.
    pub async fn list(&self) -> Result<Vec<(AppName, AppRecord)>, StoreError> {
        let entries = self.0.state.list(APP_PREFIX).await?;
        let read = entries.iter().filter_map(|entry| {
            let app = app_of(&entry.key)?;
            let record = AppRecord::decode(&entry.value).ok()?;
            (!record.versions.is_empty()).then_some((app, record))
        });
        Ok(read.collect())
    }

    /// The record of an application that has a version.
    pub async fn existing(&self, app: &AppName) -> Result<AppRecord, StoreError> {
        let record = self.record(app).await?;
        record
            .filter(|record| !record.versions.is_empty())
            .ok_or_else(|| StoreError::NoApp(app.clone()))
    }

    /// The text of a version; of the newest where none is named, or `latest`.
    pub async fn get(&self, app: &AppName, version: Option<&str>) -> Result<Got, StoreError> {
        let record = self.existing(app).await?;
        let version = pick(&record, version).ok_or_else(|| StoreError::NoVersion {
            app: app.clone(),
            version: version.unwrap_or(LATEST).to_owned(),
        })?;
        let revision = self.revision(app, version).await?;
        let manifest = blocking({
            let (app, revision) = (app.clone(), revision.clone());
            move || revision::parse(&app, &revision).map(|manifest| manifest.to_json_as(&revision.version))
        })
        .await?;
        Ok(Got {
            version: revision.version,
            text: revision.manifest,
            base_dir: revision.base_dir,
            json: manifest,
        })
    }

    /// The record of an application and since which write of the bucket.
    async fn entry(&self, app: &AppName) -> Result<Option<(AppRecord, u64)>, StoreError> {
        let key = app_key(app);
        let Some(entry) = self.0.state.get(&key).await? else {
            return Ok(None);
        };
        match AppRecord::decode(&entry.value) {
            Ok(record) => Ok(Some((record, entry.revision))),
            Err(source) => Err(StoreError::Record { key, source }),
        }
    }

    async fn revision(&self, app: &AppName, version: &VersionRecord) -> Result<RevisionRecord, StoreError> {
        let lost = || StoreError::Lost {
            app: app.clone(),
            version: version.version.clone(),
            revision: version.revision.clone(),
        };
        let key = revision_key(app, &version.revision);
        let entry = self.0.state.get(&key).await?.ok_or_else(lost)?;
        RevisionRecord::decode(&entry.value).map_err(|source| StoreError::Record { key, source })
    }

    /// A revision, read once as long as somebody holds it.
    async fn loaded(&self, app: &AppName, revision: &str) -> Result<Arc<Loaded>, StoreError> {
        let key = revision_key(app, revision);
        let known = self.0.loaded.lock().get(&key).and_then(Weak::upgrade);
        if let Some(loaded) = known {
            return Ok(loaded);
        }
        let version = VersionRecord {
            version: "unknown".to_owned(),
            revision: revision.to_owned(),
            ..VersionRecord::default()
        };
        let record = self.revision(app, &version).await?;
        let (name, options) = (app.clone(), self.0.options.clone());
        let loaded = blocking(move || revision::load(&name, record, &options)).await?;
        Ok(self.keep(key, loaded))
    }

    fn keep(&self, key: String, loaded: Loaded) -> Arc<Loaded> {
        let loaded = Arc::new(loaded);
        let mut known = self.0.loaded.lock();
        // What nobody holds any more goes when the table is about to grow, so it costs little for each.
        if known.len() == known.capacity() {
            known.retain(|_, loaded| loaded.strong_count() > 0);
        }
        known.insert(key, Arc::downgrade(&loaded));
        loaded
    }
}

/// The version that is meant: the newest where none is named, or `latest`.
fn pick<'a>(record: &'a AppRecord, version: Option<&str>) -> Option<&'a VersionRecord> {
    match version {
        None | Some(LATEST) => record.versions.last(),
        Some(version) => record.versions.iter().find(|known| known.version == version),
    }
}

/// The version that is deployed. Its revision may have lost its name: then it is called by its hash.
pub(crate) fn deployed_version(record: &AppRecord) -> Option<&str> {
    let revision = record.deployed.as_deref()?;
    let version = record.versions.iter().find(|known| known.revision == revision);
    Some(version.map_or(revision, |version| &version.version))
}

/// The application whose record has this key.
fn app_of(key: &str) -> Option<AppName> {
    key.strip_prefix(APP_PREFIX)?.parse().ok()
}

/// What the keys of all revisions of an application begin with.
fn revisions_of(app: &AppName) -> String {
    format!("{REVISION_PREFIX}{app}.")
}

fn name(lattice: &LatticeName, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Name {
        lattice: lattice.to_string(),
        source: source.into(),
    }
}
