//! `wash app list`, `get`, `versions` and `history`: what is stored.

use std::io::{self, IsTerminal as _};

use serde_json::{Value, json};
use wasmcloud_client::{Apps, AppsError};
use wasmcloud_wire::app::{HistoryEntry, HistoryKind, ModelSummary, VersionInfo};

use super::args::{GetArgs, ListArgs, NameArgs};
use super::reach::{apps, asking, asking_about};
use super::words::state;
use crate::control::inventory::CLEAR;
use crate::control::table::{Table, one_line};
use crate::exit::{FAILURE, Failure};
use crate::output::Output;
use crate::up::signals::Signals;

pub(super) async fn list(args: &ListArgs, output: &Output) -> Result<(), Failure> {
    let apps = apps(&args.lattice).await?;
    let Some(every) = args.watch else {
        let all = asking(apps.list()).await?;
        if all.is_empty() && !output.is_json() {
            let lattice = apps.client().lattice();
            output.note(&format!("there is no application in lattice `{lattice}`"));
            return Ok(());
        }
        output.data(&list_text(&all, output), &list_value(&all));
        return Ok(());
    };
    let mut signals = Signals::new().map_err(|error| Failure::new(FAILURE, "signals", error))?;
    let clear = if io::stdout().is_terminal() { CLEAR } else { "" };
    let rounds = async {
        loop {
            // A round that fails ends nothing: controllers and servers come back.
            match apps.list().await {
                Ok(all) => {
                    let text = format!("{clear}{}", list_text(&all, output));
                    output.data(&text, &list_value(&all));
                }
                Err(error) => output.note(&one_line(&wasmcloud_wire::message::chain(&error))),
            }
            tokio::time::sleep(every).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        () = signals.first() => {}
    }
    Ok(())
}

fn list_text(all: &[ModelSummary], output: &Output) -> String {
    let mut table = Table::new(&["NAME", "VERSION", "DEPLOYED", "STATUS", "MESSAGE"]);
    for app in all {
        // Those before wadm 0.12 say it in detail only.
        let message = app.status_message.as_deref();
        let message = message.unwrap_or(&app.detailed_status.status.message);
        table.row([
            app.name.clone(),
            app.version.clone(),
            app.deployed_version.clone().unwrap_or_else(|| "-".to_owned()),
            match app.detailed_status.paused {
                true => format!("{}, paused", state(app.status)),
                false => state(app.status).to_owned(),
            },
            message.to_owned(),
        ]);
    }
    table.text(output)
}

fn list_value(all: &[ModelSummary]) -> Value {
    json!({ "applications": all, "success": true })
}

pub(super) async fn get(args: GetArgs, output: &Output) -> Result<(), Failure> {
    let Some(name) = &args.name else {
        let all = ListArgs {
            watch: None,
            lattice: args.lattice,
        };
        return list(&all, output).await;
    };
    let apps = apps(&args.lattice).await?;
    let question = apps.get(name, args.version.version());
    let found = asking_about(&apps, name, question).await?;
    let text = manifest_text(found.text.as_deref(), found.manifest.as_ref());
    let value = json!({ "application": found.manifest, "text": found.text, "base_dir": found.base_dir, "success": true });
    output.data(text.trim_end(), &value);
    Ok(())
}

/// The manifest as it was put; where the controller does not have that, what it has as JSON, which is YAML as well.
pub(super) fn manifest_text(text: Option<&str>, manifest: Option<&Value>) -> String {
    match (text, manifest) {
        (Some(text), _) => text.to_owned(),
        (None, Some(manifest)) => format!("{manifest:#}\n"),
        (None, None) => String::new(),
    }
}

pub(super) async fn versions(args: &NameArgs, output: &Output) -> Result<(), Failure> {
    let apps = apps(&args.lattice).await?;
    let versions = asking_about(&apps, &args.name, apps.versions(&args.name)).await?;
    let value = json!({ "versions": versions, "success": true });
    output.data(&versions_text(&versions, output), &value);
    Ok(())
}

fn versions_text(versions: &[VersionInfo], output: &Output) -> String {
    let mut table = Table::new(&["VERSION", "DEPLOYED", "PUT"]);
    for version in versions {
        table.row([
            version.version.clone(),
            if version.deployed { "yes" } else { "" }.to_owned(),
            version.put_at.clone().unwrap_or_default(),
        ]);
    }
    table.text(output)
}

pub(super) async fn history(args: &NameArgs, output: &Output) -> Result<(), Failure> {
    let apps = apps(&args.lattice).await?;
    // What v1 calls the history; scripts look for it.
    let versions = asking_about(&apps, &args.name, apps.versions(&args.name)).await?;
    let history = match known_history(&apps, args).await? {
        Some(history) => history,
        None => {
            let value = json!({ "revisions": versions, "success": true });
            output.note("v1's wadm leads this lattice and knows no history; these are the versions");
            output.data(&versions_text(&versions, output), &value);
            return Ok(());
        }
    };
    let value = json!({ "history": history, "revisions": versions, "success": true });
    output.data(&history_text(&history, output), &value);
    Ok(())
}

async fn known_history(apps: &Apps, args: &NameArgs) -> Result<Option<Vec<HistoryEntry>>, Failure> {
    let question = async {
        match apps.history(&args.name).await {
            Err(AppsError::Foreign { .. }) => Ok(None),
            other => other.map(Some),
        }
    };
    asking_about(apps, &args.name, question).await
}

fn history_text(history: &[HistoryEntry], output: &Output) -> String {
    let mut table = Table::new(&["GENERATION", "TIME", "WHAT", "VERSION", "WHY"]);
    for entry in history {
        let what = match entry.kind {
            HistoryKind::Deployed => "deployed",
            HistoryKind::Undeployed => "undeployed",
            HistoryKind::RolledBack => "rolled back",
            HistoryKind::Other => "something else",
        };
        table.row([
            entry.generation.to_string(),
            entry.at.clone(),
            what.to_owned(),
            entry.version.clone().unwrap_or_default(),
            entry.why.clone(),
        ]);
    }
    table.text(output)
}
