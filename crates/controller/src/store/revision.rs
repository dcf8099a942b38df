//! Revisions: what identifies a manifest that was put, and what should run because of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmcloud_core::{AppName, ImageRef};
use wasmcloud_manifest::{Desired, Manifest, ResolveOptions};
use wasmcloud_wire::app::{PutOptions, RevisionRecord};

use super::apart::tell_apart;
use super::error::StoreError;
use crate::planning::marks;

/// Digits of the hash that identifies a revision: 128 bits.
const REVISION_DIGITS: usize = 32;
/// Digits of the hash that a manifest without a version gets for one.
const VERSION_DIGITS: usize = 16;

/// A revision with what should run because of it. Immutable, so it is read once.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) revision: String,
    pub(crate) record: RevisionRecord,
    pub(crate) desired: Arc<Desired>,
}

/// What identifies a revision (ADR 3).
pub(crate) fn revision_of(record: &RevisionRecord) -> String {
    let base = record.base_dir.as_deref().unwrap_or_default();
    let mut parts = vec![record.version.as_str(), base, &record.manifest];
    said(record, &mut parts);
    hash(&parts, REVISION_DIGITS)
}

/// Adds what was said of a manifest besides its text. Nothing where nothing was.
fn said<'r>(record: &'r RevisionRecord, parts: &mut Vec<&'r str>) {
    if record.links_required {
        parts.push("links required");
    }
    for (file, content) in &record.files {
        parts.extend([file.as_str(), content]);
    }
}

pub(super) fn hash(parts: &[&str], digits: usize) -> String {
    let mut text = marks::hash(parts.iter().copied());
    text.truncate(digits);
    text
}

/// Reads a manifest that somebody puts.
pub(crate) fn read(
    text: &str,
    base_dir: Option<&str>,
    put: PutOptions,
    options: &ResolveOptions,
) -> Result<(AppName, Option<String>, Loaded), StoreError> {
    let (manifest, _warnings) =
        Manifest::parse("manifest", text).map_err(|problems| StoreError::Manifest(Box::new(problems)))?;
    let mut base_dir = base_dir;
    if let Some(base) = base_dir
        && !Path::new(base).is_absolute()
    {
        return Err(StoreError::RelativeBase(base.to_owned()));
    }
    match (manifest.relative_image(), base_dir) {
        (Some((image, at)), None) => {
            return Err(StoreError::RelativeImage {
                image: image.to_string(),
                at: at.to_string(),
            });
        }
        // Where nothing is relative, the same text is the same revision whoever put it.
        (None, _) => base_dir = None,
        (Some(_), Some(_)) => {}
    }
    let PutOptions {
        version,
        files,
        links_required,
    } = put;
    let version = version.or_else(|| manifest.version().map(str::to_owned));
    let mut record = RevisionRecord {
        version: version.unwrap_or_default(),
        manifest: text.to_owned(),
        base_dir: base_dir.map(str::to_owned),
        files,
        links_required,
    };
    if record.version.is_empty() {
        let mut parts = vec![base_dir.unwrap_or_default(), text];
        said(&record, &mut parts);
        record.version = hash(&parts, VERSION_DIGITS);
    }
    let description = manifest.description().map(str::to_owned);
    let name = manifest.name().clone();
    Ok((name, description, resolve(record, &manifest, options)?))
}

/// Reads a revision that was put before.
pub(crate) fn load(
    app: &AppName,
    record: RevisionRecord,
    options: &ResolveOptions,
) -> Result<Loaded, StoreError> {
    let manifest = parse(app, &record)?;
    resolve(record, &manifest, options)
}

/// The manifest of a revision that was put before.
pub(crate) fn parse(app: &AppName, record: &RevisionRecord) -> Result<Manifest, StoreError> {
    let (manifest, _warnings) = Manifest::parse("manifest", &record.manifest)
        .map_err(|problems| StoreError::Manifest(Box::new(problems)))?;
    if manifest.name() != app {
        return Err(StoreError::OtherName {
            expected: app.clone(),
            found: manifest.name().clone(),
        });
    }
    Ok(manifest)
}

fn resolve(
    record: RevisionRecord,
    manifest: &Manifest,
    options: &ResolveOptions,
) -> Result<Loaded, StoreError> {
    let options = ResolveOptions {
        base_dir: record.base_dir.as_deref().map(PathBuf::from).unwrap_or_default(),
        ..options.clone()
    };
    let mut desired = manifest
        .resolve(&options)
        .map_err(|problems| StoreError::Manifest(Box::new(problems)))?;
    desired.version = Some(record.version.clone());
    tell_apart(&mut desired);
    desired.links_required = record.links_required;
    for component in &mut desired.components {
        if let ImageRef::File(path) = &component.image {
            component.content = path.to_str().and_then(|path| record.files.get(path)).cloned();
        }
    }
    Ok(Loaded {
        revision: revision_of(&record),
        desired: Arc::new(desired),
        record,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_version_base_and_text() {
        let record = |version: &str, base: Option<&str>, text: &str| RevisionRecord {
            version: version.to_owned(),
            manifest: text.to_owned(),
            base_dir: base.map(str::to_owned),
            ..RevisionRecord::default()
        };
        let one = revision_of(&record("1", None, "a"));
        assert_eq!(one.len(), REVISION_DIGITS);
        assert_eq!(one, revision_of(&record("1", None, "a")));
        for other in [
            record("2", None, "a"),
            record("1", None, "b"),
            record("1", Some("/a"), "a"),
            record("1a", None, ""),
        ] {
            assert_ne!(one, revision_of(&other), "{other:?}");
        }
    }
}
