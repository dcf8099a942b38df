//! Versions and applications that are deleted, and what is forgotten of them when nothing of it runs any more.

use wasmcloud_core::AppName;

use super::Store;
use super::change::begin;
use super::deploy::undeployed;
use super::error::StoreError;

/// What a deletion did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// There is no such application.
    NoApp,
    /// There is no such version.
    NoVersion,
    /// One of several versions is gone.
    Version {
        /// Whether it was deployed, so that the application is undeployed by it.
        deployed: bool,
    },
    /// The only version is gone, and the application with it.
    Last,
    /// All versions are gone.
    All,
}

impl Store {
    /// Deletes a version, or all of an application where none is named. What is deployed is undeployed by it; of what
    /// may have left something the store knows until it is [forgotten](Self::forget_former).
    pub async fn delete(&self, app: &AppName, version: Option<&str>) -> Result<Deleted, StoreError> {
        self.change(app, None, |record| {
            let count = record.versions.len();
            if count == 0 {
                return Ok(Deleted::NoApp);
            }
            let deployed = record.deployed.clone();
            let gone: Vec<_> = record
                .versions
                .extract_if(.., |known| version.is_none_or(|version| known.version == version))
                .collect();
            let of_these = gone.iter().any(|gone| Some(&gone.revision) == deployed.as_ref());
            if of_these || (record.versions.is_empty() && deployed.is_some()) {
                begin(app, record, None, undeployed())?;
            }
            if record.versions.is_empty() {
                // Nobody can resume it any more, and what is left of it is to go.
                record.paused = false;
            }
            Ok(match version {
                None => Deleted::All,
                Some(_) if gone.is_empty() => Deleted::NoVersion,
                Some(_) if count == 1 => Deleted::Last,
                Some(_) => Deleted::Version { deployed: of_these },
            })
        })
        .await
    }

    /// Forgets what was deployed before: the leader has seen that nothing of it runs any more. With it go the revisions
    /// that nobody needs, and the application if it has no version. Says whether it did: where somebody deployed or
    /// undeployed since `generation`, nothing is forgotten.
    pub async fn forget_former(&self, app: &AppName, generation: u64) -> Result<bool, StoreError> {
        self.change(app, None, |record| {
            let same = record.generation == generation;
            if same {
                record.former.clear();
            }
            Ok(same)
        })
        .await
    }
}
