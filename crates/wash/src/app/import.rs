//! `wash app import`: puts what `export` has written or v1's wadm has kept ([`wadm`]), and deploys what was deployed.
//! Nothing is deleted, and nothing that is there is changed: a version with the same text is left out, one with another
//! text is told of.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde_json::json;
use wasmcloud_client::{Apps, AppsError};
use wasmcloud_core::AppName;
use wasmcloud_wire::app::VersionInfo;

use super::args::ImportArgs;
use super::deploy::store;
use super::index::{Index, IndexedApp};
use super::load::Text;
use super::reach::{apps, asking, count, failed};
use super::show::manifest_text;
use super::wadm;
use crate::control::connect::jetstream_domain;
use crate::control::table::one_line;
use crate::exit::{FAILURE, Failure, INVALID, USAGE};
use crate::output::Output;

/// An application to be put.
pub(super) struct Planned {
    pub(super) app: AppName,
    /// Its versions in the order in which they were put.
    pub(super) versions: Vec<PlannedVersion>,
    /// The version that was deployed.
    pub(super) deployed: Option<String>,
}

/// One version to be put.
pub(super) struct PlannedVersion {
    /// What it was called; of a file, the version that it states.
    pub(super) version: Option<String>,
    pub(super) text: Text,
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
    let of_files = match args.paths.as_slice() {
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
    let plan = match &args.from_wadm {
        None => of_files,
        Some(bucket) => {
            let kept = wadm::read(&apps, bucket, jetstream_domain(&args.lattice)?).await?;
            for (name, why) in &kept.unreadable {
                import.left_out(name, why);
            }
            kept.applications
        }
    };
    let mut deploys = Vec::new();
    for planned in &plan {
        deploys.extend(import.application(planned).await?);
    }
    if !args.no_deploy {
        import.deploy(deploys).await?;
    }
    import.finish()
}

fn of_file(path: &Path) -> Result<Planned, Failure> {
    if path.is_dir() {
        let error = anyhow!(
            "{} is a folder; hint: name one folder, or only manifests",
            path.display()
        );
        return Err(Failure::new(USAGE, "usage", error));
    }
    let text = Text::of_file(path)?;
    let desired = text.resolve(true)?.desired;
    Ok(Planned {
        app: desired.app,
        versions: vec![PlannedVersion {
            version: desired.version,
            text,
        }],
        deployed: None,
    })
}

fn of_folder(dir: &Path) -> Result<Vec<Planned>, Failure> {
    let wrong = |error| Failure::new(INVALID, "invalid-index", error);
    let index = Index::read(dir).map_err(wrong)?;
    let mut plan = Vec::new();
    for IndexedApp {
        name,
        deployed,
        versions,
    } in index.applications
    {
        let app: AppName = name.parse().map_err(|error| wrong(anyhow::Error::new(error)))?;
        let mut planned = Vec::new();
        for version in versions {
            let path = version.path(dir).map_err(wrong)?;
            let mut text = Text::of_file(&path)?;
            text.base_dir = version.base_dir.map(PathBuf::from).unwrap_or_default();
            let stated = text.resolve(true)?.desired.app;
            if stated != app {
                let error = anyhow!(
                    "{} is a manifest of `{stated}`, and the index says `{app}`",
                    text.file
                );
                return Err(wrong(error));
            }
            planned.push(PlannedVersion {
                version: Some(version.version),
                text,
            });
        }
        plan.push(Planned {
            app,
            versions: planned,
            deployed,
        });
    }
    Ok(plan)
}

impl Import<'_> {
    /// Puts the versions of one application in their order. Answers the one that was deployed, if it shall be.
    async fn application(&mut self, planned: &Planned) -> Result<Option<(AppName, String)>, Failure> {
        let Planned {
            app,
            versions,
            deployed,
        } = planned;
        let there = match self.apps.versions(app).await {
            Err(AppsError::NotFound { .. }) => Vec::new(),
            other => other.map_err(failed)?,
        };
        let mut deploy = None;
        for version in versions {
            let is = self.version(app, version, &there).await?;
            if version.version == *deployed {
                deploy = deployed.as_ref().and(is);
            }
        }
        if let Some(missing) = deployed
            && !versions
                .iter()
                .any(|version| version.version.as_ref() == Some(missing))
        {
            self.problem(app, missing, "it was deployed, and is not among the versions");
        }
        let runs = |version: &str| {
            there
                .iter()
                .any(|known| known.deployed && known.version == version)
        };
        let deploy = deploy.filter(|version| !runs(version));
        Ok(deploy.map(|version| (app.clone(), version)))
    }

    /// Has applications run. What uses parts of others has to wait for those, whatever order their names have.
    async fn deploy(&mut self, mut left: Vec<(AppName, String)>) -> Result<(), Failure> {
        loop {
            let mut refused = Vec::new();
            for (app, version) in &left {
                match self.apps.deploy(app, Some(version)).await {
                    Ok(_) => {
                        self.done.deployed += 1;
                        self.tell(app, version, "deployed", "");
                    }
                    Err(error @ (AppsError::Refused { .. } | AppsError::NotFound { .. })) => {
                        refused.push((app.clone(), version.clone(), one_line(&error.to_string())));
                    }
                    Err(error) => return Err(failed(error)),
                }
            }
            if refused.is_empty() || refused.len() == left.len() {
                for (app, version, why) in refused {
                    self.problem(&app, &version, &why);
                }
                return Ok(());
            }
            left = refused
                .into_iter()
                .map(|(app, version, _)| (app, version))
                .collect();
        }
    }

    /// Puts one version; answers what it is called now, unless it could not be put.
    async fn version(
        &mut self,
        app: &AppName,
        planned: &PlannedVersion,
        there: &[VersionInfo],
    ) -> Result<Option<String>, Failure> {
        let PlannedVersion { version, text } = planned;
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

    /// An application of which nothing could be read.
    fn left_out(&mut self, name: &str, why: &str) {
        self.done.problems += 1;
        let value = json!({ "event": "refused", "name": name, "message": why });
        let warning = self.output.paint("1;33", "warning:");
        self.output
            .event(&format!("{warning} {}: {why}", one_line(name)), &value);
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
