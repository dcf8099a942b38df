//! `wash app deploy` and `rollback`: put, have it run, wait until it does.

use std::time::Instant;

use anyhow::anyhow;
use serde_json::{Value, json};
use wasmcloud_client::{Apps, AppsError};
use wasmcloud_core::AppName;
use wasmcloud_wire::app::{AppStatus, DeployReply, PutReply, ScalerStatus};

use super::args::{DeployArgs, RollbackArgs, WaitArgs};
use super::load::Text;
use super::reach::{HostNames, apps, asking, asking_about, failed};
use super::source::{Meant, checked, meant};
use super::wait::{Changes, Wanted, seconds, until_deployed};
use super::words;
use crate::control::table::one_line;
use crate::exit::{FAILURE, Failure};
use crate::output::Output;

pub(super) async fn deploy(args: &DeployArgs, output: &Output) -> Result<(), Failure> {
    let began = Instant::now();
    // Before the lattice is looked for: a wrong manifest is the most likely mistake.
    let meant = meant(args.source.as_deref(), args.version.version())?;
    let (apps, app, version) = match meant {
        Meant::Stored { app, version } => (apps(&args.lattice).await?, app, version),
        Meant::Manifest(manifest) => {
            let app = checked(&manifest, output)?.desired.app;
            let apps = apps(&args.lattice).await?;
            let reply = put(&apps, &manifest, args.replace, output).await?;
            let text = format!(
                "put application `{app}`, version {}",
                one_line(&reply.current_version)
            );
            let value = json!({
                "event": "put",
                "name": app.as_str(),
                "version": reply.current_version,
                "message": reply.message,
            });
            output.event(&text, &value);
            (apps, app, Some(reply.current_version))
        }
    };
    let asked = apps.deploy(&app, version.as_deref());
    let mut reply = asking_about(&apps, &app, asked).await?;
    reply.version = reply.version.or(version);
    finish(&apps, &app, reply, &args.wait, began, "Deployed", output).await
}

pub(super) async fn rollback(args: &RollbackArgs, output: &Output) -> Result<(), Failure> {
    let began = Instant::now();
    let apps = apps(&args.lattice).await?;
    let asked = apps.rollback(&args.name, args.version.as_deref());
    let mut reply = asking_about(&apps, &args.name, asked).await?;
    reply.version = reply.version.or_else(|| args.version.clone());
    finish(&apps, &args.name, reply, &args.wait, began, "Rolled back", output).await
}

/// Stores a manifest; with `replace` also in place of another text of the same version.
pub(crate) async fn put(
    apps: &Apps,
    manifest: &Text,
    replace: bool,
    output: &Output,
) -> Result<PutReply, Failure> {
    let error = match store(apps, manifest).await {
        Ok(reply) => return Ok(reply),
        Err(error) => error,
    };
    let exists = is_stored_already(&error);
    let desired = manifest.resolve(true)?.desired;
    // Without a version the whole application would be deleted.
    let Some(version) = desired.version.filter(|_| exists) else {
        return Err(failed(error));
    };
    if !replace {
        let hint = "give the manifest another version (annotation `version`), which is changed without a gap; or \
                    `wash app deploy --replace`, which stops it meanwhile";
        let text = error.to_string();
        let text = text.split("; hint: ").next().unwrap_or_default();
        let error = anyhow!("{text}; hint: {hint}");
        return Err(Failure::new(FAILURE, "refused", error));
    }
    asking(apps.delete(&desired.app, Some(&version))).await?;
    output.note(&format!(
        "deleted version {} of application `{}`",
        one_line(&version),
        desired.app
    ));
    asking(store(apps, manifest)).await
}

/// Stores a manifest, with the folder that files in it are relative to where that is known.
pub(super) async fn store(apps: &Apps, manifest: &Text) -> Result<PutReply, AppsError> {
    apps.put(&manifest.text, manifest.base_dir()).await
}

/// Whether another text is stored under the version, in v1's words (wire reference §16).
pub(crate) fn is_stored_already(error: &AppsError) -> bool {
    matches!(error, AppsError::Refused { message, .. }
        if message.starts_with("Manifest version ") && message.contains(" already exists"))
}

/// Waits, unless nobody wants to, and says what runs where.
async fn finish(
    apps: &Apps,
    app: &AppName,
    reply: DeployReply,
    wait: &WaitArgs,
    began: Instant,
    done: &str,
    output: &Output,
) -> Result<(), Failure> {
    let version = reply.version.clone().unwrap_or_default();
    let last = format!("{done} application \"{app}\", version \"{}\"", one_line(&version));
    let mut value = json!({
        "event": "deployed",
        "deployed": true,
        "model_name": app.as_str(),
        "model_version": version,
        "generation": reply.generation,
        "success": true,
    });
    if wait.no_wait {
        set(&mut value, "event", json!("acknowledged"));
        output.data(&last, &value);
        return Ok(());
    }
    let acknowledged = json!({
        "event": "acknowledged",
        "name": app.as_str(),
        "version": version,
        "generation": reply.generation,
    });
    let doing = format!("deploying version {} of application `{app}`", one_line(&version));
    output.event(&doing, &acknowledged);
    let wanted = Wanted {
        apps,
        app,
        reply: &reply,
        within: wait.wait_timeout,
        goes_on: true,
    };
    let mut changes = Changes::default();
    let shown = |status: &AppStatus| {
        changes.show(status, output);
        Ok(())
    };
    let status = until_deployed(&wanted, output, shown).await?;
    let took = began.elapsed();
    if !output.is_json() {
        let ready = format!("deployed after {}", seconds(took));
        output.note(&output.paint("1;32", &ready));
        let names = HostNames::ask(apps.client()).await;
        places(&status, &names).iter().for_each(|line| output.note(line));
    }
    set(&mut value, "ms", json!(took.as_millis() as u64));
    let parts = status.scalers.iter().map(|part| super::wait::value("part", part));
    set(&mut value, "parts", parts.collect());
    output.data(&last, &value);
    Ok(())
}

fn set(value: &mut Value, key: &str, to: Value) {
    if let Some(value) = value.as_object_mut() {
        value.insert(key.to_owned(), to);
    }
}

/// What runs where; links run nowhere.
fn places(status: &AppStatus, names: &HostNames) -> Vec<String> {
    let runs = |part: &&ScalerStatus| part.hosts.iter().any(|host| host.runs > 0);
    let parts = status.scalers.iter().filter(runs);
    parts
        .map(|part| {
            let hosts: Vec<String> = part
                .hosts
                .iter()
                .filter(|host| host.runs > 0)
                .map(|host| match host.runs {
                    1 => names.of(&host.host),
                    u32::MAX => format!("{} (no limit)", names.of(&host.host)),
                    runs => format!("{} ({runs})", names.of(&host.host)),
                })
                .collect();
            format!("  {} runs on {}", words::name(part), hosts.join(", "))
        })
        .collect()
}
