//! `wash app status`: the application, its parts, and what runs of them where; once or whenever it changes.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use serde_json::{Value, json};
use wasmcloud_client::Followed;
use wasmcloud_core::AppName;
use wasmcloud_wire::app::{AppStatus, ScalerStatus};

use super::args::StatusArgs;
use super::reach::{HostNames, apps, asking_about, failed};
use super::words::{color, fares, hosts, is_link, name, whole};
use crate::control::inventory::CLEAR;
use crate::control::table::one_line;
use crate::exit::{FAILURE, Failure};
use crate::output::Output;
use crate::up::signals::Signals;

pub(super) async fn run(args: &StatusArgs, output: &Output) -> Result<(), Failure> {
    let apps = apps(&args.lattice).await?;
    let app = &args.name;
    let status = asking_about(&apps, app, apps.status(app)).await?;
    let names = match output.is_json() {
        true => HostNames::default(),
        false => HostNames::ask(apps.client()).await,
    };
    if !args.watch {
        output.data(&text(app, &status, &names, output), &value(app, &status));
        return Ok(());
    }
    let mut signals = Signals::new().map_err(|error| Failure::new(FAILURE, "signals", error))?;
    let clear = if io::stdout().is_terminal() { CLEAR } else { "" };
    let mut follower = apps.follow_status(app, 0).await.map_err(failed)?;
    loop {
        let next = tokio::select! {
            next = follower.next() => next,
            () = signals.first() => return Ok(()),
        };
        match next {
            Followed::Status(status) => {
                let names = match output.is_json() {
                    true => HostNames::default(),
                    // Hosts come and go meanwhile.
                    false => HostNames::ask(apps.client()).await,
                };
                let text = format!("{clear}{}", text(app, &status, &names, output));
                output.data(&text, &value(app, &status));
            }
            Followed::Behind { .. } => {}
            Followed::Lost(error) if error.may_pass() => {
                output.note(&one_line(&wasmcloud_wire::message::chain(&error)));
            }
            Followed::Lost(error) => return Err(failed(error)),
        }
    }
}

fn value(app: &AppName, status: &AppStatus) -> Value {
    json!({ "name": app.as_str(), "status": status, "success": true })
}

/// The tree. Each word that has a colour says the same without it.
fn text(app: &AppName, status: &AppStatus, names: &HostNames, output: &Output) -> String {
    let mut text = format!(
        "{} {}",
        output.paint_data("1", app.as_str()),
        output.paint_data(color(status.status.kind), &whole(status))
    );
    if !status.version.is_empty() {
        let _ = write!(text, ", version {}", one_line(&status.version));
    }
    if status.generation > 0 {
        let _ = write!(text, ", generation {}", status.generation);
    }
    let (links, runs): (Vec<_>, Vec<_>) = status.scalers.iter().partition(|part| is_link(part));
    for (heading, parts) in [("components and providers", runs), ("links", links)] {
        if parts.is_empty() {
            continue;
        }
        let _ = write!(text, "\n  {heading}");
        for part in parts {
            text.push_str(&part_text(part, names, output));
        }
    }
    text
}

fn part_text(part: &ScalerStatus, names: &HostNames, output: &Output) -> String {
    let fares = output.paint_data(color(part.status.kind), &fares(part));
    let mut text = format!("\n    {}  {fares}", name(part));
    if !part.hosts.is_empty() {
        let _ = write!(text, "\n      on {}", hosts(&part.hosts, names));
    }
    text
}
