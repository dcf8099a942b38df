//! `wash up`: a host with an application on it, in the foreground or, detached, in the background.

pub(crate) mod apply;
pub(crate) mod detach;
pub(crate) mod dirs;
pub(crate) mod down;
mod elsewhere;
mod probe;
pub(crate) mod signals;
mod watch;

use std::time::{Duration, Instant};

use serde_json::json;
use wasmcloud_telemetry::Telemetry;

use crate::app::{self, Loaded};
use crate::cli::{Switch, UpArgs};
use crate::exit::{FAILURE, Failure};
use crate::host::{self, Joined, interrupted};
use crate::output::Output;
use crate::up::apply::Applied;
use crate::up::detach::Report;
use crate::up::signals::Signals;
use crate::up::watch::Snapshot;

pub(crate) fn run(args: UpArgs, output: &Output) -> Result<(), Failure> {
    let begun = Instant::now();
    // Before anything is set up: a wrong manifest is the most likely mistake and needs no host to be found.
    let mut before = Snapshot::default();
    before.add(args.manifest.as_deref());
    let loaded = match &args.manifest {
        Some(path) => Some(app::load(path, args.host.builtin_providers == Switch::On)?),
        None => None,
    };
    before.add(loaded.iter().flat_map(Loaded::files));
    if args.detached {
        return detach::run(&args.host, "up", "wash down", output);
    }
    let report = Report::to_parent();
    let outcome = host::in_runtime(&args.host, output, async |telemetry| {
        serve(&args, loaded, before, begun, telemetry, &report, output).await
    });
    if let Err(failure) = &outcome {
        report.failed(failure);
    }
    outcome
}

async fn serve(
    args: &UpArgs,
    loaded: Option<Loaded>,
    before: Snapshot,
    begun: Instant,
    telemetry: &Telemetry,
    report: &Report,
    output: &Output,
) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::new(FAILURE, "signals", error))?;
    let joined = tokio::select! {
        joined = Joined::start(&args.host, true, telemetry, output) => joined?,
        () = signals.first() => return Err(interrupted()),
    };
    let mut applied = Applied::default();
    let ran = run_application(
        args,
        loaded,
        before,
        begun,
        &joined,
        &mut applied,
        &mut signals,
        report,
        output,
    );
    let outcome = ran.await;
    let (drain, outcome) = match outcome {
        Ok(drain) => (drain, Ok(())),
        Err(failure) => (None, Err(failure)),
    };
    joined.leave(&applied, drain, &mut signals, output).await?;
    outcome
}

/// Until somebody wants it to stop; answers how long stopping may take, where somebody said so.
#[allow(
    clippy::too_many_arguments,
    reason = "what one call of one command has; a struct would only name it twice"
)]
async fn run_application(
    args: &UpArgs,
    loaded: Option<Loaded>,
    before: Snapshot,
    begun: Instant,
    joined: &Joined,
    applied: &mut Applied,
    signals: &mut Signals,
    report: &Report,
    output: &Output,
) -> Result<Option<Duration>, Failure> {
    let host = &joined.host;
    let labels = host.identity().labels();
    if let Some(loaded) = loaded {
        elsewhere::refuse(joined, &loaded).await?;
        loaded.warnings.iter().for_each(|warning| output.warning(warning));
        output.note(&apply::title(&loaded.desired, output));
        tokio::select! {
            started = apply::apply(host, applied, loaded, &labels, output) => started?,
            () = signals.first() => return Err(interrupted()),
        }
        probe::ready(host.host()).await?;
        joined.readiness.ready();
        announce(joined, begun, report, output);
    } else {
        joined.readiness.ready();
        joined.announce(begun, output);
        report.ready(&[], host);
    }
    let stop = async {
        tokio::select! {
            () = signals.first() => None,
            stop = host.stop_requested() => stop.timeout,
        }
    };
    match (args.watch, &args.manifest) {
        (true, Some(manifest)) => {
            let builtin = args.host.builtin_providers == Switch::On;
            let watching = watch::run(host, manifest, builtin, &labels, applied, before, output);
            tokio::select! {
                ended = watching => ended.map(|()| None),
                drain = stop => Ok(drain),
            }
        }
        _ => Ok(stop.await),
    }
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
