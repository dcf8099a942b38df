//! The controller of a host: the flags that it starts with, and what it counts.

use std::path::PathBuf;

use wasmcloud_broker::Broker;
use wasmcloud_controller::store::{Store, StoreError};
use wasmcloud_controller::{Alone, Candidacy, Controller, ControllerOptions, Counted, Options};
use wasmcloud_host::{BUILTIN_PROVIDERS, LatticeHost};
use wasmcloud_manifest::ResolveOptions;
use wasmcloud_telemetry::{Definition, Kind, Metrics};

use crate::cli::{ControllerMode, Switch};
use crate::embedded::Embedded;
use crate::exit::{Failure, NOT_STARTED};
use crate::host::args::HostArgs;
use crate::up::runs::{self, Killed};

static TICKS: Definition = Definition {
    name: "wasmcloud_cron_ticks_total",
    help: "Ticks of cron triggers that this host has seen to while it led, by outcome (ok, failed, skipped, missed)",
    kind: Kind::Counter,
};

/// Undeploys what a `wash up` ran that was killed: it ends with that command. For whoever has just started the lattice.
pub(super) async fn end_killed(embedded: &Embedded, host: &LatticeHost) -> Result<(), Failure> {
    let killed = runs::killed(embedded, host.lattice());
    if killed.is_empty() {
        return Ok(());
    }
    let failed = |error: StoreError| Failure::new(NOT_STARTED, "lattice", error);
    let store = Store::open(host.lattice_connections()).await.map_err(failed)?;
    for Killed { run, revisions } in killed {
        let app = run.app();
        let record = store.record(app).await.map_err(failed)?;
        // What somebody has deployed since stays.
        let deployed = record.and_then(|record| record.deployed);
        if deployed.is_some_and(|deployed| revisions.contains(&deployed)) {
            store.undeploy(app).await.map_err(failed)?;
            tracing::info!(%app, "what a killed `wash up` ran is undeployed");
        }
        run.end();
    }
    Ok(())
}

/// Starts it, unless nobody wants it. `broker` is the lattice, where it is this process that runs it.
pub(super) fn start(
    args: &HostArgs,
    host: &LatticeHost,
    broker: Option<&Broker>,
    metrics: &Metrics,
) -> Option<Controller> {
    let candidacy = match args.controller {
        ControllerMode::Off => return None,
        ControllerMode::On => Candidacy::Always,
        ControllerMode::Auto => Candidacy::UnlessRival,
    };
    let options = ControllerOptions {
        host: host.id().clone(),
        name: host.identity().friendly_name.clone(),
        candidacy,
        alone: broker.map(|broker| alone(broker, host)).unwrap_or_default(),
        resolve: ResolveOptions {
            base_dir: PathBuf::from("/"),
            builtin_providers: args.builtin_providers == Switch::On,
            known_builtins: BUILTIN_PROVIDERS.iter().map(|name| (*name).to_owned()).collect(),
        },
        planning: Options::default(),
    };
    let controller = Controller::start(host.lattice_connections().clone(), options);
    let ticks = controller.ticks();
    metrics.register(move |out| {
        let Counted {
            fired,
            failed,
            skipped,
            missed,
        } = ticks.now();
        for (outcome, count) in [
            ("ok", fired.saturating_sub(failed)),
            ("failed", failed),
            ("skipped", skipped),
            ("missed", missed),
        ] {
            out.family(&TICKS).count(&[("outcome", outcome)], count);
        }
    });
    Some(controller)
}

/// Whether nobody is connected to our lattice but this very host.
fn alone(broker: &Broker, host: &LatticeHost) -> Alone {
    let (clients, lattice) = (broker.clients(), host.lattice_connections().clone());
    Alone::new(move || clients.are_only(&[lattice.control.client_id(), lattice.rpc.client_id()]))
}
