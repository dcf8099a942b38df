//! Which applications `wash up` has running in the embedded lattice of this machine, known also after a kill: a file
//! for each in the folder of the lattice, locked for as long as the process lives, with names in it until it ends in
//! order.
//!
//! What `wash up` deploys runs as long as that command. Whoever starts the lattice again after a kill has such
//! applications undeployed before anybody can start them; what `wash app deploy` has deployed stays.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use wasmcloud_core::{AppName, LatticeName};

use crate::embedded::Embedded;

/// Longest file that is read. Ours have two names and two revisions in them.
const MAX_FILE: u64 = 4 << 10;

/// An application that this process runs. Files are never removed, so that there is one lock for each.
#[derive(Debug)]
pub(crate) struct Run {
    file: File,
    lattice: LatticeName,
    app: AppName,
}

/// What a process that was killed had deployed.
pub(crate) struct Killed {
    pub(crate) run: Run,
    /// The revisions of which one may be deployed.
    pub(crate) revisions: Vec<String>,
}

impl Run {
    /// Keeps others from running the application with `wash up`; `None` if another process does.
    pub(crate) fn begin(embedded: &Embedded, lattice: &LatticeName, app: &AppName) -> Result<Option<Self>> {
        let dir = folder(embedded);
        let doing = || format!("note in {} what runs", dir.display());
        fs::create_dir_all(&dir).with_context(doing)?;
        let file = open(&dir.join(format!("{lattice}@{app}"))).with_context(doing)?;
        Ok(file.map(|file| Self {
            file,
            lattice: lattice.clone(),
            app: app.clone(),
        }))
    }

    pub(crate) fn app(&self) -> &AppName {
        &self.app
    }

    /// Says that these revisions may be deployed from now on.
    pub(crate) fn note<'r>(&mut self, revisions: impl Iterator<Item = &'r str>) -> Result<()> {
        let mut text = format!("{}\n{}\n", self.lattice, self.app);
        revisions.for_each(|revision| text.extend([revision, "\n"]));
        let written = self.file.set_len(0).and_then(|()| {
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())
        });
        written.with_context(|| format!("note that `{}` runs", self.app))
    }

    /// Says that it does not any more.
    pub(crate) fn end(self) {
        if let Err(error) = self.file.set_len(0) {
            tracing::warn!(%error, app = %self.app, "it stays noted that the application runs");
        }
    }
}

/// What processes that were killed had running in this lattice. What [`Run::end`] is not called for is found again.
pub(crate) fn killed(embedded: &Embedded, lattice: &LatticeName) -> Vec<Killed> {
    let files = fs::read_dir(folder(embedded)).into_iter().flatten();
    let mut found = Vec::new();
    for path in files.filter_map(|file| Some(file.ok()?.path())) {
        match left_by_killed(&path) {
            Ok(Some(killed)) if killed.run.lattice == *lattice => found.push(killed),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "it is not known whether this is left of a killed run");
            }
        }
    }
    found
}

fn left_by_killed(path: &Path) -> io::Result<Option<Killed>> {
    let Some(mut file) = open(path)? else {
        return Ok(None);
    };
    let mut text = String::new();
    (&mut file).take(MAX_FILE).read_to_string(&mut text)?;
    let mut lines = text.lines();
    let lattice = lines.next().and_then(|lattice| lattice.parse().ok());
    let app = lines.next().and_then(|app| app.parse().ok());
    let revisions = lines.map(str::to_owned).collect();
    let run = lattice.zip(app).map(|(lattice, app)| Run { file, lattice, app });
    Ok(run.map(|run| Killed { run, revisions }))
}

/// The file, locked; `None` if another process has the lock.
fn open(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    let file = options.open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn folder(embedded: &Embedded) -> PathBuf {
    embedded.folder().join("up")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_ran_is_found_until_somebody_has_seen_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let embedded = Embedded::below(dir.path());
        let (lattice, app): (LatticeName, AppName) = ("default".parse().unwrap(), "shop".parse().unwrap());
        assert!(killed(&embedded, &lattice).is_empty());
        let mut run = Run::begin(&embedded, &lattice, &app).unwrap().unwrap();
        run.note(["1f", "2f"].into_iter()).unwrap();
        run.note(["2f"].into_iter()).unwrap();
        assert!(
            Run::begin(&embedded, &lattice, &app).unwrap().is_none(),
            "it runs"
        );
        assert!(killed(&embedded, &lattice).is_empty(), "it lives");
        // As a kill does: the lock goes, the names stay.
        drop(run);
        assert!(killed(&embedded, &"other".parse().unwrap()).is_empty());
        let mut found = killed(&embedded, &lattice);
        let left = found.pop().unwrap();
        assert_eq!((left.run.app(), found.len()), (&app, 0));
        assert_eq!(left.revisions, ["2f"]);
        left.run.end();
        assert!(killed(&embedded, &lattice).is_empty());
        let run = Run::begin(&embedded, &lattice, &app).unwrap().unwrap();
        drop(run);
        assert!(killed(&embedded, &lattice).is_empty(), "it had deployed nothing");
    }
}
