//! `wash up --watch`: apply what changes on disk, keep running what ran if it cannot be applied.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wasmcloud_host::Host;

use crate::app;
use crate::exit::{FAILURE, Failure};
use crate::output::Output;
use crate::up::apply::{self, Applied};

/// A change is applied when nothing more has changed for this long: editors and compilers write in several steps.
const QUIET: Duration = Duration::from_millis(100);

/// Runs until it is dropped. Ends early only if the file system cannot be watched.
pub(crate) async fn run(
    host: &Host,
    manifest: &Path,
    builtin_providers: bool,
    labels: &BTreeMap<String, String>,
    applied: &mut Applied,
    output: &Output,
) -> Result<(), Failure> {
    let failed = |error: notify::Error| Failure::new(FAILURE, "watch", error);
    // One place in the queue: that something changed is all there is to know.
    let (changed, mut changes) = mpsc::channel(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = changed.try_send(());
        }
    })
    .map_err(failed)?;
    let mut watched = BTreeSet::new();
    watch(&mut watcher, &mut watched, manifest, applied).map_err(failed)?;
    output.note(&format!("watching {} and its components", manifest.display()));
    while changes.recv().await.is_some() {
        while let Ok(Some(())) = timeout(QUIET, changes.recv()).await {}
        let outcome = match app::load(manifest, builtin_providers) {
            Ok(loaded) => {
                loaded.warnings.iter().for_each(|warning| output.warning(warning));
                apply::apply(host, applied, loaded, labels, output).await
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
        watch(&mut watcher, &mut watched, manifest, applied).map_err(failed)?;
    }
    Ok(())
}

/// Watches directories, not files: a file that is replaced by a rename is another file afterwards.
fn watch(
    watcher: &mut RecommendedWatcher,
    watched: &mut BTreeSet<PathBuf>,
    manifest: &Path,
    applied: &Applied,
) -> notify::Result<()> {
    let files = std::iter::once(manifest).chain(applied.files());
    for file in files {
        let dir = match file.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_path_buf(),
            _ => PathBuf::from("."),
        };
        if watched.insert(dir.clone()) {
            watcher.watch(&dir, RecursiveMode::NonRecursive)?;
        }
    }
    Ok(())
}
