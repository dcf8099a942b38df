//! `wash up`: a host with an application on it, in the foreground or, detached, in the background.

pub(crate) mod application;
mod content;
pub(crate) mod detach;
pub(crate) mod dirs;
pub(crate) mod down;
mod elsewhere;
mod parts;
mod probe;
mod progress;
pub(crate) mod runs;
pub(crate) mod signals;
mod watch;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde_json::json;
use wasmcloud_client::{Apps, AppsError, Client, DEFAULT_TIMEOUT};
use wasmcloud_core::AppName;
use wasmcloud_manifest::Desired;
use wasmcloud_telemetry::Telemetry;

use crate::app::{Loaded, Text, failed};
use crate::cli::{ControllerMode, Switch, UpArgs};
use crate::embedded::Embedded;
use crate::exit::{FAILURE, Failure, INVALID, NOT_STARTED};
use crate::host::{self, Joined, data_dir, interrupted};
use crate::output::Output;
use crate::telemetry::{BESIDE_PROGRESS, USUAL};
use crate::up::application::{Application, Change};
use crate::up::detach::Report;
use crate::up::runs::Run;
use crate::up::signals::Signals;
use crate::up::watch::Snapshot;

/// A manifest that was read, and what is in it.
struct Given {
    text: Text,
    loaded: Loaded,
}

impl Given {
    fn read(path: &Path, args: &UpArgs) -> Result<Self, Failure> {
        let text = Text::of_file(path)?;
        let loaded = text.resolve(args.host.builtin_providers == Switch::On)?;
        Ok(Self { text, loaded })
    }

    /// With what is in its files.
    async fn with_contents(self, args: &UpArgs) -> Change {
        let files = content::of(&self.loaded, args.host.max_component_size_bytes).await;
        Change::new(self.text, self.loaded.desired, files)
    }
}

pub(crate) fn run(args: UpArgs, output: &Output) -> Result<(), Failure> {
    let begun = Instant::now();
    // Before anything is set up: a wrong manifest is the most likely mistake and needs no host to be found.
    let mut before = Snapshot::default();
    before.add(args.manifest.as_deref());
    let given = match &args.manifest {
        Some(path) => Some(Given::read(path, &args)?),
        None => None,
    };
    before.add(given.iter().flat_map(|given| given.loaded.files()));
    if args.detached {
        return detach::run(&args.host, "up", "wash down", output);
    }
    let report = Report::to_parent();
    let usual = match given {
        Some(_) => BESIDE_PROGRESS,
        None => USUAL,
    };
    let outcome = host::in_runtime(&args.host, usual, output, async |telemetry| {
        serve(&args, given, before, begun, telemetry, &report, output).await
    });
    if let Err(failure) = &outcome {
        report.failed(failure);
    }
    outcome
}

async fn serve(
    args: &UpArgs,
    given: Option<Given>,
    before: Snapshot,
    begun: Instant,
    telemetry: &Telemetry,
    report: &Report,
    output: &Output,
) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::new(FAILURE, "signals", error))?;
    let (joined, change) = {
        let start = Joined::start(&args.host, true, telemetry, output);
        // Its files are read while the host starts.
        let change = async {
            match given {
                Some(given) => {
                    let warnings = given.loaded.warnings.clone();
                    Some((given.with_contents(args).await, warnings))
                }
                None => None,
            }
        };
        tokio::select! {
            (joined, change) = async { tokio::join!(start, change) } => (joined?, change),
            () = signals.first() => return Err(interrupted()),
        }
    };
    let mut application = None;
    let ran = async {
        match change {
            Some((change, warnings)) => {
                warnings.iter().for_each(|warning| output.warning(warning));
                output.note(&title(&change.desired, output));
                let app = application.insert(begin(args, &joined, &change).await?);
                tokio::select! {
                    started = app.apply(change, output) => started?,
                    () = signals.first() => return Err(interrupted()),
                }
                joined.readiness.ready();
                announce(&joined, begun, report, output);
            }
            None => {
                joined.readiness.ready();
                joined.announce(begun, output);
                report.ready(&[], &joined.host);
            }
        }
        until_stopped(args, application.as_mut(), before, &joined, &mut signals, output).await
    };
    let (drain, outcome) = match ran.await {
        Ok(drain) => (drain, Ok(())),
        Err(failure) => (None, Err(failure)),
    };
    joined.leave(application, drain, &mut signals, output).await?;
    outcome
}

/// Until somebody wants it to stop; answers how long stopping may take, where somebody said so.
async fn until_stopped(
    args: &UpArgs,
    application: Option<&mut Application>,
    before: Snapshot,
    joined: &Joined,
    signals: &mut Signals,
    output: &Output,
) -> Result<Option<Duration>, Failure> {
    let stop = async {
        tokio::select! {
            () = signals.first() => None,
            stop = joined.host.stop_requested() => stop.timeout,
        }
    };
    match (args.watch, &args.manifest, application) {
        (true, Some(manifest), Some(application)) => tokio::select! {
            ended = watch::run(args, manifest, application, before, output) => ended.map(|()| None),
            drain = stop => Ok(drain),
        },
        _ => Ok(stop.await),
    }
}

/// Finds out whether the application may run, and who leads the lattice.
async fn begin(args: &UpArgs, joined: &Joined, change: &Change) -> Result<Application, Failure> {
    let (host, desired) = (&joined.host, &change.desired);
    let (lattice, app) = (host.lattice(), &desired.app);
    if joined.runs_lattice() && args.host.controller == ControllerMode::Off {
        let error = anyhow!(
            "nobody leads a lattice that this command has just started, so nobody would start `{app}`; hint: leave \
             `--controller off` out, or name a lattice that has a controller with `--nats-url`"
        );
        return Err(Failure::new(INVALID, "invalid-option", error));
    }
    elsewhere::refuse(joined, desired).await?;
    let mut run = None;
    if host.connection().is_embedded() {
        let begun = Run::begin(&Embedded::below(&data_dir(&args.host)), lattice, app);
        run = begun.map_err(|error| Failure::new(NOT_STARTED, "not-started", error))?;
        if run.is_none() {
            let error = anyhow!(
                "another `wash up` runs application `{app}` in lattice `{lattice}`; hint: stop that one, with Ctrl-C \
                 or `wash down`"
            );
            return Err(Failure::new(NOT_STARTED, "runs-already", error));
        }
    }
    let prefix = host.control_prefix();
    let apps = Client::new(
        host.connection().clone(),
        lattice.clone(),
        prefix,
        DEFAULT_TIMEOUT,
    )
    .apps();
    led(joined, &apps, app).await?;
    Ok(Application::new(
        apps,
        host.clone(),
        joined.runs_lattice(),
        app.clone(),
        run,
    ))
}

/// Until somebody leads: this host, which is known at once, or anybody who answers.
async fn led(joined: &Joined, apps: &Apps, app: &AppName) -> Result<(), Failure> {
    let ours = async {
        if let Some(mut serves) = joined.serves()
            && serves.wait_for(|serves| *serves).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    };
    tokio::select! {
        () = ours => Ok(()),
        answer = apps.versions(app) => match answer {
            Ok(_) | Err(AppsError::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        },
    }
}

/// The first line: what is being started.
fn title(desired: &Desired, output: &Output) -> String {
    let version = desired.version.iter().map(|version| format!(" {version}"));
    format!(
        "{}{}",
        output.paint("1", desired.app.as_str()),
        version.collect::<String>()
    )
}

/// Says that the application answers, where, and how to try it.
fn announce(joined: &Joined, begun: Instant, report: &Report, output: &Output) {
    let took = begun.elapsed();
    let host = &joined.host;
    let urls: Vec<String> = host
        .host()
        .inventory()
        .providers
        .into_iter()
        .flat_map(|provider| provider.urls)
        .collect();
    let value = json!({
        "event": "ready",
        "urls": urls,
        "ms": took.as_millis() as u64,
        "host_id": host.id().as_str(),
        "friendly_name": host.identity().friendly_name,
        "lattice": host.lattice().as_str(),
        "nats_url": host.connection().address(),
    });
    output.event(
        &output.paint("1;32", &format!("ready in {} ms", took.as_millis())),
        &value,
    );
    if !output.is_json() {
        for url in &urls {
            output.data(url, &json!(url));
        }
        if let Some(url) = urls.first() {
            output.note(&format!("try: curl {url}"));
        }
        output.note("Ctrl-C stops it");
    }
    report.ready(&urls, host);
}
