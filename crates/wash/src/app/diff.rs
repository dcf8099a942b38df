//! `wash app diff`: what is different between a manifest and a version that the lattice has.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::anyhow;
use serde_json::{Value, json};
use wasmcloud_client::Apps;
use wasmcloud_core::AppName;
use wasmcloud_manifest::{Change, ChangeKind, Desired};

use super::args::DiffArgs;
use super::load::Text;
use super::reach::{apps, asking_about};
use super::show::manifest_text;
use super::source::{Meant, checked, meant};
use crate::control::table::one_line;
use crate::exit::{DIFFERENT, FAILURE, Failure};
use crate::output::Output;

pub(super) async fn run(args: &DiffArgs, output: &Output) -> Result<(), Failure> {
    let (apps, to, app, to_name) = match meant(Some(&args.source), None)? {
        Meant::Manifest(manifest) => {
            let to = checked(&manifest, output)?.desired;
            let app = to.app.clone();
            (apps(&args.lattice).await?, to, app, manifest.file)
        }
        Meant::Stored { app, version } => {
            let apps = apps(&args.lattice).await?;
            let to = stored(&apps, &app, version.as_deref()).await?;
            let name = match version.as_deref().or(to.version.as_deref()) {
                Some(version) => format!("{app}@{version}"),
                None => format!("the newest version of {app}"),
            };
            (apps, to, app, name)
        }
    };
    let version = match &args.version {
        Some(version) => version.clone(),
        None => deployed(&apps, &app).await?,
    };
    let from = stored(&apps, &app, Some(&version)).await?;
    let from_name = format!("{app}@{version}");
    let changes = from.changes(&to);
    let value = json!({
        "name": app.as_str(),
        "from": from_name,
        "to": to_name,
        "equal": changes.is_empty(),
        "changes": changes.iter().map(change_value).collect::<Vec<_>>(),
        "success": true,
    });
    output.data(&text(&changes, &from_name, &to_name, output), &value);
    match changes.is_empty() {
        true => Ok(()),
        false => Err(Failure::told(DIFFERENT)),
    }
}

async fn deployed(apps: &Apps, app: &AppName) -> Result<String, Failure> {
    let versions = asking_about(apps, app, apps.versions(app)).await?;
    let deployed = versions.into_iter().find(|version| version.deployed);
    deployed.map(|version| version.version).ok_or_else(|| {
        let error = anyhow!(
            "no version of application `{app}` is deployed; hint: name the version to compare with, `wash app versions \
             {app}` lists them"
        );
        Failure::new(FAILURE, "not-deployed", error)
    })
}

/// A version of the lattice, read as the same manifest in a file would be.
async fn stored(apps: &Apps, app: &AppName, version: Option<&str>) -> Result<Desired, Failure> {
    let found = asking_about(apps, app, apps.get(app, version)).await?;
    let text = Text {
        file: format!("{app}@{}", version.unwrap_or("latest")),
        text: manifest_text(found.text.as_deref(), found.manifest.as_ref()),
        base_dir: found.base_dir.map(PathBuf::from).unwrap_or_default(),
    };
    Ok(text.resolve(true)?.desired)
}

fn change_value(change: &Change) -> Value {
    let fields: Vec<Value> = change
        .fields
        .iter()
        .map(|field| json!({ "field": field.field, "from": field.from, "to": field.to }))
        .collect();
    json!({
        "change": change.kind.name(),
        "part": change.part.name(),
        "name": change.name,
        "fields": fields,
    })
}

fn text(changes: &[Change], from: &str, to: &str, output: &Output) -> String {
    let (from, to) = (one_line(from), one_line(to));
    if changes.is_empty() {
        return format!("{to} means the same as {from}");
    }
    let mut text = format!("from {from} to {to}");
    for change in changes {
        let (sign, color) = match change.kind {
            ChangeKind::Added => ("+", "32"),
            ChangeKind::Removed => ("-", "31"),
            ChangeKind::Changed => ("~", "33"),
        };
        let line = format!("{sign} {} {}", change.part, one_line(&change.name));
        let _ = write!(text, "\n{}", output.paint_data(color, &line));
        for field in &change.fields {
            let side = |side: &Option<String>| match side {
                Some(value) => one_line(value),
                None => "(not set)".to_owned(),
            };
            let _ = match change.kind {
                ChangeKind::Added => write!(text, "\n    {}: {}", one_line(&field.field), side(&field.to)),
                _ => write!(
                    text,
                    "\n    {}: {} -> {}",
                    one_line(&field.field),
                    side(&field.from),
                    side(&field.to)
                ),
            };
        }
    }
    text
}
