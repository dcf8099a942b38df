//! What a store has lost, written back by who still knows it.
//!
//! The greater generation says what shall run; of versions there are those that either of both knows. Revisions are
//! immutable, so there is nothing to decide about them, and a version whose text nobody has any more is left out.

use std::collections::BTreeSet;
use std::sync::Arc;

use wasmcloud_core::AppName;
use wasmcloud_lattice::StateError;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{AppRecord, revision_key};

use super::Store;
use super::change::needed;
use super::error::StoreError;
use super::revision::Loaded;

/// Whether `stored` has not all that is known.
pub(super) fn lacks(stored: &AppRecord, known: &AppRecord) -> bool {
    let has = |revision: &str| stored.versions.iter().any(|version| version.revision == revision);
    stored.generation < known.generation || !known.versions.iter().all(|version| has(&version.revision))
}

impl Store {
    /// Writes back what is known of an application, with the revisions that are at hand. Says whether there is anything
    /// of it in the store now: of what was never deployed, the text may be lost.
    pub(super) async fn put_back(
        &self,
        app: &AppName,
        known: &AppRecord,
        loaded: &[Arc<Loaded>],
    ) -> Result<bool, StoreError> {
        for loaded in loaded {
            let key = revision_key(app, &loaded.revision);
            match self.0.state.create(&key, loaded.record.encode().into()).await {
                Ok(_) | Err(StateError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut there = BTreeSet::new();
        for revision in needed(known) {
            if self.0.state.get(&revision_key(app, revision)).await?.is_some() {
                there.insert(revision);
            }
        }
        self.change(app, None, |record| {
            if lacks(record, known) {
                *record = merge(record, known, |revision| there.contains(revision));
            }
            Ok(!needed(record).is_empty())
        })
        .await
    }
}

fn merge(stored: &AppRecord, known: &AppRecord, there: impl Fn(&str) -> bool) -> AppRecord {
    let (newer, older) = match stored.generation < known.generation {
        true => (known, stored),
        false => (stored, known),
    };
    let mut merged = newer.clone();
    let versions = older.versions.iter().filter(|version| {
        let same = |other: &&wasmcloud_wire::app::VersionRecord| other.version == version.version;
        !newer.versions.iter().any(|other| same(&other))
    });
    // What either of them had first is still the older one; what is newest is said by who is newer.
    merged.versions.splice(0..0, versions.cloned());
    merged
        .versions
        .retain(|version| there(&version.revision) || stored.versions.contains(version));
    merged.deployed = merged
        .deployed
        .filter(|revision| there(revision) || stored.deployed.as_ref() == Some(revision));
    for former in older.former.iter().chain(&older.deployed) {
        if there(former) && !merged.former.contains(former) && merged.deployed.as_ref() != Some(former) {
            merged.former.push(former.clone());
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmcloud_wire::app::VersionRecord;

    fn record(generation: u64, deployed: Option<&str>, versions: &[&str]) -> AppRecord {
        let version = |name: &&str| VersionRecord {
            version: (*name).to_owned(),
            revision: format!("r{name}"),
            ..VersionRecord::default()
        };
        AppRecord {
            generation,
            deployed: deployed.map(str::to_owned),
            versions: versions.iter().map(version).collect(),
            ..AppRecord::default()
        }
    }

    fn versions(record: &AppRecord) -> Vec<&str> {
        record
            .versions
            .iter()
            .map(|version| version.version.as_str())
            .collect()
    }

    #[test]
    fn the_greater_generation_says_what_runs_and_no_version_is_lost() {
        let (old, new) = (
            record(1, Some("r1"), &["1", "x"]),
            record(2, Some("r2"), &["1", "2"]),
        );
        assert!(lacks(&old, &new) && lacks(&new, &old) && lacks(&AppRecord::default(), &new));
        assert!(!lacks(&new, &new) && !lacks(&record(3, None, &["1", "2", "3"]), &new));
        for (stored, known) in [(&old, &new), (&new, &old)] {
            let merged = merge(stored, known, |_| true);
            assert_eq!(merged.deployed.as_deref(), Some("r2"));
            assert_eq!(versions(&merged), ["x", "1", "2"]);
            assert_eq!(merged.former, ["r1"], "of it something may be left");
            assert_eq!(merged.generation, 2);
        }
    }

    #[test]
    fn what_nobody_has_the_text_of_is_left_out() {
        let merged = merge(
            &AppRecord::default(),
            &record(2, Some("r2"), &["1", "2"]),
            |revision| revision == "r1",
        );
        assert_eq!(versions(&merged), ["1"]);
        assert_eq!(merged.deployed, None);
    }
}
