//! `wash app put`, `undeploy`, `delete`, `pause` and `resume`: what is done when the controller has answered.

use anyhow::anyhow;
use serde_json::json;
use wasmcloud_client::{Apps, printable};
use wasmcloud_core::AppName;
use wasmcloud_wire::app::{DeleteResult, ModelSummary};

use super::args::{DeleteArgs, NameArgs, PutArgs, UndeployArgs};
use super::deploy;
use super::reach::{apps, asking, asking_about, count};
use super::source::{Meant, checked, meant};
use crate::control::table::one_line;
use crate::exit::{Failure, INVALID};
use crate::output::Output;

pub(super) async fn put(args: &PutArgs, output: &Output) -> Result<(), Failure> {
    let manifest = match meant(args.source.as_deref(), None)? {
        Meant::Manifest(manifest) => manifest,
        Meant::Stored { app, .. } => {
            let error = anyhow!(
                "there is no file `{app}`; hint: `wash app put` takes a manifest, `wash app deploy {app}` has a stored \
                 application run"
            );
            return Err(Failure::new(INVALID, "unreadable-manifest", error));
        }
    };
    checked(&manifest, output)?;
    let apps = apps(&args.lattice).await?;
    let reply = deploy::put(&apps, &manifest, false, output).await?;
    let text = format!(
        "Put application \"{}\", version \"{}\"",
        one_line(&reply.name),
        one_line(&reply.current_version)
    );
    let value = json!({
        "model_name": reply.name,
        "model_version": reply.current_version,
        "total_versions": reply.total_versions,
        "message": reply.message,
        "success": true,
    });
    output.data(&text, &value);
    Ok(())
}

/// An application by its name, or by its manifest, as in v1.
fn named(written: &str, version: Option<&str>) -> Result<(AppName, Option<String>), Failure> {
    match meant(Some(written), version)? {
        Meant::Stored { app, version } => Ok((app, version)),
        Meant::Manifest(manifest) => {
            let desired = manifest.resolve(true)?.desired;
            Ok((desired.app, desired.version))
        }
    }
}

pub(super) async fn undeploy(args: &UndeployArgs, output: &Output) -> Result<(), Failure> {
    let named = match &args.name {
        Some(written) => Some(named(written, None)?.0),
        None => None,
    };
    let apps = apps(&args.lattice).await?;
    let names = match named {
        Some(app) => vec![app],
        None => all(&apps, |app| app.deployed_version.is_some(), output).await?,
    };
    let mut lines = Vec::new();
    for app in &names {
        asking_about(&apps, app, apps.undeploy(app)).await?;
        lines.push(format!("Undeployed application: {app}"));
    }
    if lines.is_empty() {
        lines.push("no application is deployed".to_owned());
    }
    let names: Vec<&str> = names.iter().map(AppName::as_str).collect();
    let text = lines.join("\n");
    let value = json!({ "results": text, "undeployed_application_names": names, "success": true });
    output.data(&text, &value);
    Ok(())
}

/// The applications of the lattice that are meant by `--all…`.
async fn all(
    apps: &Apps,
    meant: impl Fn(&ModelSummary) -> bool,
    output: &Output,
) -> Result<Vec<AppName>, Failure> {
    let all = asking(apps.list()).await?;
    let mut names = Vec::new();
    for app in all.iter().filter(|app| meant(app)) {
        match app.name.parse() {
            Ok(name) => names.push(name),
            Err(_) => output.note(&format!(
                "warning: `{}` is left out: it is no name",
                one_line(&app.name)
            )),
        }
    }
    Ok(names)
}

pub(super) async fn delete(args: &DeleteArgs, output: &Output) -> Result<(), Failure> {
    let Some(written) = &args.name else {
        return delete_undeployed(args, output).await;
    };
    let (app, version) = named(written, args.version.version())?;
    let apps = apps(&args.lattice).await?;
    let question = apps.delete(&app, version.as_deref());
    let reply = asking_about(&apps, &app, question).await?;
    let deleted = reply.result == DeleteResult::Deleted;
    let which = match &version {
        Some(version) => format!("version {} of application", one_line(version)),
        None => "application".to_owned(),
    };
    let text = match (deleted, &version) {
        (true, _) => format!("Deleted {which}: {app}"),
        (false, _) => format!("Already deleted {which}: {app}"),
    };
    let value = json!({
        "deleted": deleted,
        "undeployed": reply.undeploy,
        "message": printable(&reply.message),
        "success": true,
    });
    output.data(&text, &value);
    Ok(())
}

async fn delete_undeployed(args: &DeleteArgs, output: &Output) -> Result<(), Failure> {
    let apps = apps(&args.lattice).await?;
    let names = all(&apps, |app| app.deployed_version.is_none(), output).await?;
    for app in &names {
        asking_about(&apps, app, apps.delete(app, None)).await?;
    }
    let names: Vec<&str> = names.iter().map(AppName::as_str).collect();
    let text = match names.is_empty() {
        true => "every application is deployed".to_owned(),
        false => format!(
            "Deleted {}: {}",
            count(names.len(), "application"),
            names.join(", ")
        ),
    };
    let value = json!({ "deleted": !names.is_empty(), "deleted_applications": names, "success": true });
    output.data(&text, &value);
    Ok(())
}

pub(super) async fn pause(args: &NameArgs, output: &Output) -> Result<(), Failure> {
    let apps = apps(&args.lattice).await?;
    let app = &args.name;
    asking_about(&apps, app, apps.pause(app)).await?;
    let text = format!("Paused application: {app}");
    output.data(
        &text,
        &json!({ "name": app.as_str(), "paused": true, "success": true }),
    );
    Ok(())
}

pub(super) async fn resume(args: &NameArgs, output: &Output) -> Result<(), Failure> {
    let apps = apps(&args.lattice).await?;
    let app = &args.name;
    asking_about(&apps, app, apps.resume(app)).await?;
    let text = format!("Resumed application: {app}");
    output.data(
        &text,
        &json!({ "name": app.as_str(), "paused": false, "success": true }),
    );
    Ok(())
}
