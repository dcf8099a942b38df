//! `wash app import`: puts what `export` has written, and deploys what was deployed. Nothing is deleted, and nothing that
//! is there is changed: a version with the same text is left out, one with another text is told of.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde_json::json;
use wasmcloud_client::{Apps, AppsError};
use wasmcloud_core::AppName;
use wasmcloud_wire::app::VersionInfo;
use wasmcloud_wire::message;

use super::args::ImportArgs;
use super::deploy::store;
use super::index::{Index, IndexedApp};
use super::load::Text;
use super::reach::{apps, asking, count, failed};
use super::show::manifest_text;
use crate::control::table::one_line;
use crate::exit::{FAILURE, Failure, INVALID, USAGE};
use crate::output::Output;

/// One version to be put.
struct Planned {
    app: AppName,
    /// The version that it had; of a file, the one that it states.
    version: Option<String>,
    text: Text,
}

/// What was done.
#[derive(Default)]
struct Done {
    put: usize,
    skipped: usize,
    deployed: usize,
    problems: usize,
}

struct Import<'a> {
    apps: &'a Apps,
    output: &'a Output,
    done: Done,
}

pub(super) async fn run(args: &ImportArgs, output: &Output) -> Result<(), Failure> {
    // Everything is read and checked before anything is put.
    let plan = match args.paths.as_slice() {
        [dir] if dir.is_dir() => of_folder(dir)?,
        paths => paths
            .iter()
            .map(|path| of_file(path))
            .collect::<Result<Vec<_>, _>>()?,
    };
    let apps = apps(&args.lattice).await?;
    let mut import = Import {
        apps: &apps,
        output,
        done: Done::default(),
    };
    for (versions, deployed) in plan {
        import.application(&versions, deployed.as_deref()).await?;
    }
    import.finish()
}

type Application = (Vec<Planned>, Option<String>);

fn of_file(path: &Path) -> Result<Application, Failure> {
    if path.is_dir() {
        let error = anyhow!(
            "{} is a folder; hint: name one folder, or only manifests",
            path.display()
        );
        return Err(Failure::new(USAGE, "usage", error));
    }
    let text = Text::of_file(path)?;
    let desired = text.resolve(true)?.desired;
    let planned = Planned {
        app: desired.app,
        version: desired.version,
        text,
    };
    Ok((vec![planned], None))
}

fn of_folder(dir: &Path) -> Result<Vec<Application>, Failure> {
    let wrong = |error| Failure::new(INVALID, "invalid-index", error);
    let index = Index::read(dir).map_err(wrong)?;
    let mut plan = Vec::new();
    for IndexedApp {
        name,
        deployed,
        versions,
    } in index.applications
    {
        let mut planned = Vec::new();
        for version in versions {
            let path = version.path(dir).map_err(wrong)?;
            let mut text = Text::of_file(&path)?;
            text.base_dir = version.base_dir.map(PathBuf::from).unwrap_or_default();
            let app = text.resolve(true)?.desired.app;
            if app.as_str() != name {
                let error = anyhow!(
                    "{} is a manifest of `{app}`, and the index says `{name}`",
                    text.file
                );
                return Err(wrong(error));
            }
            planned.push(Planned {
                app,
                version: Some(version.version),
                text,
            });
        }
        plan.push((planned, deployed));
    }
    Ok(plan)
}

impl Import<'_> {
    /// Puts the versions of one application in their order, then deploys the one that was.
    async fn application(&mut self, versions: &[Planned], deployed: Option<&str>) -> Result<(), Failure> {
        let Some(Planned { app, .. }) = versions.first() else {
            return Ok(());
        };
        let there = match self.apps.versions(app).await {
            Err(AppsError::NotFound { .. }) => Vec::new(),
            other => other.map_err(failed)?,
        };
        let mut deploy = None;
        for planned in versions {
            let is = self.version(planned, &there).await?;
            if planned.version.as_deref() == deployed {
                deploy = deployed.and(is);
            }
        }
        let Some(version) = deploy else {
            return Ok(());
        };
        if there
            .iter()
            .any(|known| known.deployed && known.version == version)
        {
            return Ok(());
        }
        match self.apps.deploy(app, Some(&version)).await {
            Ok(_) => {
                self.done.deployed += 1;
                self.tell(app, &version, "deployed", "");
            }
            Err(error) => self.problem(app, &version, &one_line(&message::chain(&error))),
        }
        Ok(())
    }

    /// Puts one version; answers what it is called now, unless it could not be put.
    async fn version(&mut self, planned: &Planned, there: &[VersionInfo]) -> Result<Option<String>, Failure> {
        let Planned { app, version, text } = planned;
        if let Some(version) = version
            && there.iter().any(|known| known.version == *version)
        {
            let found = asking(self.apps.get(app, Some(version))).await?;
            let same = manifest_text(found.text.as_deref(), found.manifest.as_ref()) == text.text;
            if same {
                self.done.skipped += 1;
                self.tell(app, version, "skipped", ": it is there");
                return Ok(Some(version.clone()));
            }
            self.problem(app, version, "the lattice has that version with another text");
            return Ok(None);
        }
        match store(self.apps, text).await {
            Ok(reply) => {
                self.done.put += 1;
                self.tell(app, &reply.current_version, "put", "");
                Ok(Some(reply.current_version))
            }
            Err(error @ (AppsError::Refused { .. } | AppsError::BaseDir { .. })) => {
                let version = version.as_deref().unwrap_or("of no name");
                self.problem(app, version, &one_line(&error.to_string()));
                Ok(None)
            }
            Err(other) => Err(failed(other)),
        }
    }

    fn tell(&self, app: &AppName, version: &str, what: &str, remark: &str) {
        let value = json!({ "event": what, "name": app.as_str(), "version": version });
        let text = format!("  {what} {app}, version {}{remark}", one_line(version));
        self.output.event(&text, &value);
    }

    fn problem(&mut self, app: &AppName, version: &str, why: &str) {
        self.done.problems += 1;
        let value = json!({ "event": "refused", "name": app.as_str(), "version": version, "message": why });
        let warning = self.output.paint("1;33", "warning:");
        let text = format!("{warning} {app}, version {}: {why}", one_line(version));
        self.output.event(&text, &value);
    }

    /// What was done, with success only if that was all.
    fn finish(self) -> Result<(), Failure> {
        let Done {
            put,
            skipped,
            deployed,
            problems,
        } = self.done;
        let text = format!(
            "put {}, skipped {skipped} that were there, deployed {}",
            count(put, "version"),
            count(deployed, "application")
        );
        let value = json!({
            "put": put,
            "skipped": skipped,
            "deployed": deployed,
            "refused": problems,
            "success": problems == 0,
        });
        self.output.data(&text, &value);
        match problems {
            0 => Ok(()),
            _ => Err(Failure::told(FAILURE)),
        }
    }
}
