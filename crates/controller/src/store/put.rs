//! Manifests that are put: a new version, a new application, or what was there before.

use std::sync::Arc;

use bytes::Bytes;
use wasmcloud_core::AppName;
use wasmcloud_manifest::Desired;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{MAX_VERSIONS, PutOptions, VersionRecord, revision_key};

use super::change::Needs;
use super::clock::Stamp;
use super::error::StoreError;
use super::{MAX_DESCRIPTION_LEN, MAX_VERSION_LEN, Store, revision};
use crate::blocking::blocking;

/// What came of a manifest that was put.
#[derive(Clone, Debug)]
pub struct Put {
    /// Whether it was new.
    pub kind: PutKind,
    /// The application.
    pub app: AppName,
    /// Its version: that of the manifest, or one made of the hash of its text.
    pub version: String,
    /// What identifies it.
    pub revision: String,
    /// How many versions there are now.
    pub total: usize,
    /// What would run because of it.
    pub desired: Arc<Desired>,
}

/// Whether what was put was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutKind {
    /// The application had no version.
    Created,
    /// It had others.
    NewVersion,
    /// The very same text was there under this version. It is the newest one now.
    Again,
}

impl Store {
    /// Stores a manifest, in YAML or JSON. `base_dir` is what files in it are relative to.
    pub async fn put(&self, text: &str, base_dir: Option<&str>) -> Result<Put, StoreError> {
        self.put_with(text, base_dir, PutOptions::default()).await
    }

    /// The same, with what else is to be said of it.
    pub async fn put_with(
        &self,
        text: &str,
        base_dir: Option<&str>,
        said: PutOptions,
    ) -> Result<Put, StoreError> {
        let (text, base_dir) = (text.to_owned(), base_dir.map(str::to_owned));
        let options = self.0.options.clone();
        let (app, description, loaded) =
            blocking(move || revision::read(&text, base_dir.as_deref(), said, &options)).await?;
        let version = loaded.record.version.clone();
        if version.len() > MAX_VERSION_LEN {
            return Err(StoreError::VersionLength(version.len()));
        }
        let value = Bytes::from(loaded.record.encode());
        if value.len() > self.0.max_value {
            return Err(StoreError::TooLarge {
                size: value.len(),
                limit: self.0.max_value,
                app,
            });
        }
        let key = revision_key(&app, &loaded.revision);
        let loaded = self.keep(key.clone(), loaded);
        let put = VersionRecord {
            version: version.clone(),
            revision: loaded.revision.clone(),
            put_at: Stamp::now().text,
            description: description.map(|text| shorten(&text)),
        };
        let (kind, total) = self
            .change(&app, Some(&Needs { key, value }), |record| {
                let versions = &mut record.versions;
                let known = versions.iter().position(|known| known.version == put.version);
                let kind = match known {
                    Some(place)
                        if versions
                            .get(place)
                            .is_some_and(|known| known.revision == put.revision) =>
                    {
                        // The newest is the last that was put, or what is deployed without a version would be another.
                        if place + 1 < versions.len() {
                            versions.remove(place);
                            versions.push(put.clone());
                        }
                        PutKind::Again
                    }
                    Some(_) => return Err(StoreError::VersionExists(put.version.clone())),
                    None if versions.len() >= MAX_VERSIONS => {
                        return Err(StoreError::TooManyVersions(app.clone()));
                    }
                    None => {
                        versions.push(put.clone());
                        match versions.len() {
                            1 => PutKind::Created,
                            _ => PutKind::NewVersion,
                        }
                    }
                };
                Ok((kind, versions.len()))
            })
            .await?;
        Ok(Put {
            kind,
            version,
            revision: loaded.revision.clone(),
            total,
            desired: Arc::clone(&loaded.desired),
            app,
        })
    }
}

fn shorten(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_DESCRIPTION_LEN);
    text.get(..end).unwrap_or_default().to_owned()
}
