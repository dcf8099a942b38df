//! `wash up --watch`: apply what changes on disk, keep running what ran if it cannot be applied.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use serde_json::json;
use tokio::sync::mpsc;
use wasmcloud_core::ImageRef;
use wasmcloud_manifest::Desired;

use super::Given;
use super::application::Application;
use crate::cli::UpArgs;
use crate::exit::{FAILURE, Failure};
use crate::output::Output;

/// A change is applied when the files have stayed the same for this long: editors and compilers write in several steps.
const QUIET: Duration = Duration::from_millis(100);

/// What the files were like when they were read for the first time. Taken before they are read, so that whatever
/// changes after that is noticed, however long the first start takes.
#[derive(Default)]
pub(crate) struct Snapshot(BTreeMap<PathBuf, State>);

impl Snapshot {
    /// Adds files that are about to be read.
    pub(crate) fn add<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>) {
        let files = files.into_iter().map(Path::to_path_buf).collect();
        self.0.extend(states(&files));
    }
}

/// Runs until it is dropped. Ends early only if the file system cannot be watched.
pub(crate) async fn run(
    args: &UpArgs,
    manifest: &Path,
    application: &mut Application,
    Snapshot(mut seen): Snapshot,
    output: &Output,
) -> Result<(), Failure> {
    let failed = |error: notify::Error| Failure::new(FAILURE, "watch", error);
    // One place in the queue: that something changed is all there is to know.
    let (changed, mut changes) = mpsc::channel(1);
    // Something may have changed while the application started.
    let _ = changed.try_send(());
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = changed.try_send(());
        }
    })
    .map_err(failed)?;
    let mut watched = BTreeSet::new();
    let mut files: BTreeSet<PathBuf> = application.running().into_iter().flat_map(files_of).collect();
    files.insert(manifest.to_path_buf());
    watch(&mut watcher, &mut watched, &files).map_err(failed)?;
    seen.retain(|file, _| files.contains(file));
    output.note(&format!("watching {} and its components", manifest.display()));
    while changes.recv().await.is_some() {
        // Something in one of the directories changed, which may be a log that has nothing to do with us.
        let mut now = states(&files);
        loop {
            tokio::time::sleep(QUIET).await;
            let later = states(&files);
            if later == now {
                break;
            }
            now = later;
        }
        if now == seen {
            continue;
        }
        seen = now;
        let outcome = match Given::read(manifest, args) {
            Ok(given) => {
                // Also of components that do not start: it may be the file that is mended next.
                let running = application.running();
                files = given.loaded.files().map(Path::to_path_buf).collect();
                files.extend(running.into_iter().flat_map(files_of));
                files.insert(manifest.to_path_buf());
                watch(&mut watcher, &mut watched, &files).map_err(failed)?;
                let manifest_read = seen.remove(manifest);
                seen = states(&files);
                seen.extend(manifest_read.map(|state| (manifest.to_path_buf(), state)));
                given
                    .loaded
                    .warnings
                    .iter()
                    .for_each(|warning| output.warning(warning));
                application.apply(given.with_contents(args).await, output).await
            }
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(()) => output.event("applied", &json!({ "event": "applied" })),
            Err(failure) => {
                output.failure(&failure);
                output.note("what ran before goes on; waiting for the next change");
            }
        }
    }
    Ok(())
}

/// The component files of what runs.
fn files_of(desired: &Desired) -> impl Iterator<Item = PathBuf> {
    let images = desired.components.iter().map(|component| &component.image);
    images.filter_map(|image| match image {
        ImageRef::File(path) => Some(path.clone()),
        _ => None,
    })
}

/// Tells whether a file changed: when, how long and which one it is; `None` if it is not there.
type State = Option<(Option<SystemTime>, u64, u64)>;

fn states(files: &BTreeSet<PathBuf>) -> BTreeMap<PathBuf, State> {
    let state = |path: &PathBuf| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.modified().ok(), meta.len(), meta.ino()))
    };
    files.iter().map(|path| (path.clone(), state(path))).collect()
}

/// Watches directories, not files: a file that is replaced by a rename is another file afterwards.
fn watch(
    watcher: &mut RecommendedWatcher,
    watched: &mut BTreeSet<PathBuf>,
    files: &BTreeSet<PathBuf>,
) -> notify::Result<()> {
    for file in files {
        let dir = match file.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_path_buf(),
            _ => PathBuf::from("."),
        };
        // A directory that does not exist yet is looked for again with the next change of the manifest.
        if !watched.contains(&dir) && dir.is_dir() {
            watcher.watch(&dir, RecursiveMode::NonRecursive)?;
            watched.insert(dir);
        }
    }
    Ok(())
}
