//! The controller of a host: the flags that it starts with, and what it counts.

use std::path::PathBuf;

use wasmcloud_controller::{Candidacy, Controller, ControllerOptions, Counted, Options};
use wasmcloud_host::{BUILTIN_PROVIDERS, LatticeHost};
use wasmcloud_manifest::ResolveOptions;
use wasmcloud_telemetry::{Definition, Kind, Metrics};

use crate::cli::{ControllerMode, Switch};
use crate::host::args::HostArgs;

static TICKS: Definition = Definition {
    name: "wasmcloud_cron_ticks_total",
    help: "Ticks of cron triggers that this host has seen to while it led, by outcome (ok, failed, skipped, missed)",
    kind: Kind::Counter,
};

/// Starts it, unless nobody wants it.
pub(super) fn start(args: &HostArgs, host: &LatticeHost, metrics: &Metrics) -> Option<Controller> {
    let candidacy = match args.controller {
        ControllerMode::Off => return None,
        ControllerMode::On => Candidacy::Always,
        ControllerMode::Auto => Candidacy::UnlessRival,
    };
    let options = ControllerOptions {
        host: host.id().clone(),
        name: host.identity().friendly_name.clone(),
        candidacy,
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
