//! `wash app export`: all versions of all applications as files.

use std::path::Path;

use anyhow::Context as _;
use serde_json::json;
use wasmcloud_client::{Apps, AppsError};
use wasmcloud_core::AppName;

use super::args::ExportArgs;
use super::index::{FORMAT, INDEX, Index, IndexedApp, IndexedVersion, file};
use super::reach::{apps, asking, count, failed};
use super::show::manifest_text;
use crate::control::table::one_line;
use crate::exit::{FAILURE, Failure};
use crate::output::Output;

pub(super) async fn run(args: &ExportArgs, output: &Output) -> Result<(), Failure> {
    let apps = apps(&args.lattice).await?;
    let all = asking(apps.list()).await?;
    let mut index = Index {
        format: FORMAT,
        lattice: apps.client().lattice().to_string(),
        applications: Vec::new(),
    };
    let mut versions = 0;
    for app in &all {
        let Ok(name) = app.name.parse::<AppName>() else {
            output.note(&format!(
                "warning: `{}` is left out: it is no name",
                one_line(&app.name)
            ));
            continue;
        };
        // What was deleted since the list was made is no longer there to be written.
        if let Some(exported) = gone_is_none(export(&apps, &name, &args.dir, output).await)? {
            versions += exported.versions.len();
            index.applications.push(exported);
        }
    }
    // Last, so that an index names only what is there.
    let path = args.dir.join(INDEX);
    let text = serde_json::to_string_pretty(&index).map_err(|error| Failure::new(FAILURE, "files", error))?;
    write(&path, &format!("{text}\n"))?;
    let text = format!(
        "wrote {} with {} to {}",
        count(index.applications.len(), "application"),
        count(versions, "version"),
        args.dir.display()
    );
    let value = json!({
        "dir": args.dir,
        "applications": index.applications.len(),
        "versions": versions,
        "success": true,
    });
    output.data(&text, &value);
    Ok(())
}

async fn export(apps: &Apps, app: &AppName, dir: &Path, output: &Output) -> Result<IndexedApp, Trouble> {
    let mut exported = IndexedApp {
        name: app.to_string(),
        deployed: None,
        versions: Vec::new(),
    };
    for (number, version) in apps.versions(app).await?.into_iter().enumerate() {
        let found = match apps.get(app, Some(&version.version)).await {
            Err(AppsError::NotFound { .. }) => continue,
            other => other?,
        };
        let text = manifest_text(found.text.as_deref(), found.manifest.as_ref());
        let file = file(app, &version.version, &text, number + 1);
        write(&dir.join(&file), &text)?;
        if version.deployed {
            exported.deployed = Some(version.version.clone());
        }
        let event =
            json!({ "event": "exported", "name": app.as_str(), "version": version.version, "file": file });
        output.event(&format!("  {}", file.display()), &event);
        exported.versions.push(IndexedVersion {
            version: version.version,
            file,
            base_dir: found.base_dir,
        });
    }
    Ok(exported)
}

/// What stopped the export of an application.
enum Trouble {
    Ask(AppsError),
    Write(Failure),
}

impl From<AppsError> for Trouble {
    fn from(error: AppsError) -> Self {
        Self::Ask(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Write(failure)
    }
}

fn gone_is_none(outcome: Result<IndexedApp, Trouble>) -> Result<Option<IndexedApp>, Failure> {
    match outcome {
        Ok(exported) => Ok(Some(exported)),
        Err(Trouble::Ask(AppsError::NotFound { .. })) => Ok(None),
        Err(Trouble::Ask(error)) => Err(failed(error)),
        Err(Trouble::Write(failure)) => Err(failure),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = (|| {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)
    })();
    let written = written.with_context(|| format!("write {}", path.display()));
    written.map_err(|error| Failure::new(FAILURE, "files", error))
}
