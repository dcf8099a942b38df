//! A host in this process: what `wash host` and `wash up` have in common, and `wash host` itself.

pub(crate) mod args;
pub(crate) mod connect;
mod controller;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use tokio::sync::watch;
use wasmcloud_broker::Broker;
use wasmcloud_controller::Controller;
use wasmcloud_core::Limits;
use wasmcloud_engine::EngineConfig;
use wasmcloud_host::{
    Admin, ControlAuctions, Host, HostKey, HostOptions, JoinError, JoinOptions, LatticeHost, Launcher,
    PolicyOptions, ProcessLimits, ProviderOptions, Readiness,
};
use wasmcloud_telemetry::Telemetry;

use crate::cli::{HostCommand, Switch};
use crate::embedded::Embedded;
use crate::exit::{self, FAILURE, Failure, INVALID, NOT_STARTED};
use crate::host::args::HostArgs;
use crate::output::Output;
use crate::telemetry::{FLUSH, USUAL};
use crate::up::application::Application;
use crate::up::detach::{self, Report};
use crate::up::dirs;
use crate::up::signals::Signals;

/// `wash host`: a host that takes commands from its lattice.
pub(crate) fn run(command: HostCommand, output: &Output) -> Result<(), Failure> {
    let begun = Instant::now();
    if command.detached {
        return detach::run(&command.host, "host", "wash stop host HOST", output);
    }
    let report = Report::to_parent();
    let outcome = in_runtime(&command.host, USUAL, output, async |telemetry| {
        serve(&command.host, begun, telemetry, &report, output).await
    });
    if let Err(failure) = &outcome {
        report.failed(failure);
    }
    outcome
}

async fn serve(
    args: &HostArgs,
    begun: Instant,
    telemetry: &Telemetry,
    report: &Report,
    output: &Output,
) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::new(FAILURE, "signals", error))?;
    let joined = tokio::select! {
        joined = Joined::start(args, false, telemetry, output) => joined?,
        () = signals.first() => return Err(interrupted()),
    };
    joined.readiness.ready();
    joined.announce(begun, output);
    report.ready(&[], &joined.host);
    let drain = tokio::select! {
        () = signals.first() => None,
        stop = joined.host.stop_requested() => stop.timeout,
    };
    joined.leave(None, drain, &mut signals, output).await
}

/// Sets up what every command with a host needs, and runs it.
pub(crate) fn in_runtime(
    args: &HostArgs,
    usual_logs: &str,
    output: &Output,
    command: impl AsyncFnOnce(&Telemetry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    args.obsolete
        .remarks()
        .iter()
        .for_each(|remark| output.note(remark));
    let resource = vec![("wasmcloud.lattice".to_owned(), args.nats.lattice.clone())];
    let telemetry = args
        .telemetry
        .init(usual_logs, resource, &args.registry.tls_ca_path)?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    // Fails only if one is installed already, which is then the same.
    let _ = provider.install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the async runtime")
        .map_err(|error| Failure::new(FAILURE, "runtime", error))?;
    let outcome = runtime.block_on(command(&telemetry));
    if telemetry.dropped_lines() > 0 {
        output.note(&format!(
            "{} log lines were dropped, they came too fast",
            telemetry.dropped_lines()
        ));
    }
    // Who is in such a hurry does not wait for a receiver either.
    let forced = matches!(&outcome, Err(failure) if failure.kind == exit::FORCED_KIND);
    telemetry.shutdown(if forced { Duration::ZERO } else { FLUSH });
    // Whatever still runs had its time to drain.
    runtime.shutdown_background();
    outcome
}

/// A host that is part of a lattice, and that lattice where it is this process that runs it.
pub(crate) struct Joined {
    pub(crate) host: LatticeHost,
    /// What this command waits for before it says that it is ready; the lattice is looked at besides.
    pub(crate) readiness: Readiness,
    _admin: Option<Admin>,
    controller: Option<Controller>,
    broker: Option<Broker>,
    drain: Duration,
}

impl Joined {
    /// Finds or starts the lattice, and joins it.
    pub(crate) async fn start(
        args: &HostArgs,
        up: bool,
        telemetry: &Telemetry,
        output: &Output,
    ) -> Result<Self, Failure> {
        let readiness = Readiness::not_yet("the host is starting");
        let joined = Arc::new(OnceLock::<LatticeHost>::new());
        let admin = {
            let (readiness, joined) = (readiness.clone(), Arc::clone(&joined));
            args.telemetry.admin(telemetry, move || {
                readiness.check()?;
                joined.get().map_or(Ok(()), LatticeHost::ready)
            })?
        };
        let host = Host::new(options(args, up)?).map_err(|error| Failure::new(FAILURE, "host", error))?;
        host.register_metrics(telemetry.metrics());
        let data_dir = data_dir(args);
        let chosen = connect::choose(&args.nats, &data_dir, up, output).await?;
        let mut options = join_options(args, chosen.options)?;
        if chosen.broker.is_some() {
            options
                .labels
                .extend(RUNS_LATTICE.map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        let host = LatticeHost::join(host, options).await;
        let host = host.map_err(|error| {
            let kind = match &error {
                JoinError::Connect(_) => "no-lattice",
                JoinError::Duplicate { .. } => "duplicate-host",
                _ => "lattice",
            };
            Failure::new(NOT_STARTED, kind, error)
        })?;
        host.register_metrics(telemetry.metrics());
        let _ = joined.set(host.clone());
        if chosen.broker.is_some() {
            // Before anybody starts them.
            controller::end_killed(&Embedded::below(&data_dir), &host).await?;
        }
        let controller = controller::start(args, &host, chosen.broker.as_ref(), telemetry.metrics());
        Ok(Self {
            controller,
            host,
            readiness,
            _admin: admin,
            broker: chosen.broker,
            drain: args.drain,
        })
    }

    /// Whether this process carries the lattice.
    pub(crate) fn runs_lattice(&self) -> bool {
        self.broker.is_some()
    }

    /// Whether the controller of this host leads and answers, if it has one.
    pub(crate) fn serves(&self) -> Option<watch::Receiver<bool>> {
        self.controller.as_ref().map(Controller::serves)
    }

    /// Says that the host is there, and where.
    pub(crate) fn announce(&self, begun: Instant, output: &Output) {
        let (host, ms) = (&self.host, begun.elapsed().as_millis() as u64);
        let (name, id, lattice) = (&host.identity().friendly_name, host.id(), host.lattice());
        let address = host.connection().address();
        let text = format!("host {name} ({id}) is part of lattice `{lattice}` at {address} after {ms} ms");
        let value = json!({
            "event": "ready",
            "urls": [],
            "ms": ms,
            "host_id": id.as_str(),
            "friendly_name": name,
            "lattice": lattice.as_str(),
            "nats_url": address,
        });
        output.event(&text, &value);
    }

    /// Stops everything within the drain time; a second signal leaves at once.
    pub(crate) async fn leave(
        self,
        application: Option<Application>,
        drain: Option<Duration>,
        signals: &mut Signals,
        output: &Output,
    ) -> Result<(), Failure> {
        self.readiness.not_ready("the host is stopping");
        output.event(
            "stopping, Ctrl-C again to leave at once",
            &json!({ "event": "stopping" }),
        );
        let left = async {
            let limit = drain.unwrap_or(self.drain) + GRACE;
            // First of all, so that somebody else looks after what runs here as soon as it is gone.
            let (links, configs) = match (application, self.controller) {
                (Some(application), controller) => application.end(controller, limit, output).await,
                (None, Some(controller)) => {
                    controller.stop().await;
                    Default::default()
                }
                (None, None) => Default::default(),
            };
            let leave = self.host.leave(&links, &configs);
            // What drains longer than somebody has time for is left behind.
            tokio::time::timeout(limit, leave).await.ok();
            if let Some(broker) = self.broker {
                // Asked over the lattice, as `wash down` does, and not by a signal: the others were asked as well.
                if let Some(drain) = drain {
                    all_left(&broker, drain.min(GOODBYE)).await;
                }
                broker.stop().await;
            }
        };
        tokio::select! {
            () = left => {
                output.event("stopped", &json!({ "event": "stopped" }));
                Ok(())
            }
            () = signals.next() => {
                let error = anyhow::anyhow!("left before everything had stopped");
                Err(Failure::new(exit::FORCED, exit::FORCED_KIND, error))
            }
        }
    }
}

/// Longest wait for the others, who may also be commands that have no reason to leave, such as `wash events`.
const GOODBYE: Duration = Duration::from_secs(3);

/// How often it is looked whether the others have left.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until nobody is connected to our lattice, or until the time is over.
async fn all_left(broker: &Broker, limit: Duration) {
    let deadline = Instant::now() + limit;
    while broker.connections() > 0 && Instant::now() < deadline {
        tokio::time::sleep(LOOK).await;
    }
}

/// The label of a host whose process also runs the lattice: it has to stop last.
pub(crate) const RUNS_LATTICE: [(&str, &str); 1] = [("hostcore.lattice", "embedded")];

/// What leaving takes besides the drain time: telling the lattice, closing connections and ports.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) fn interrupted() -> Failure {
    Failure::new(NOT_STARTED, "interrupted", anyhow::anyhow!("interrupted"))
}

pub(crate) fn data_dir(args: &HostArgs) -> PathBuf {
    args.data_dir.clone().unwrap_or_else(dirs::data)
}

fn options(args: &HostArgs, up: bool) -> Result<HostOptions, Failure> {
    let cache_dir = match (&args.cache_dir, args.no_cache) {
        (_, true) => None,
        (Some(dir), _) => Some(dir.clone()),
        (None, _) => dirs::cache(),
    };
    let mut artifacts = args.registry.options(None, cache_dir.clone())?;
    artifacts.allow_file_load = args.allow_file_load.unwrap_or(up);
    Ok(HostOptions {
        artifacts,
        data_dir: data_dir(args),
        engine: EngineConfig {
            cache_dir: cache_dir.map(|dir| dir.join("compiled")),
            max_component_size: args.max_component_size_bytes,
            max_instances: args.max_instances,
            max_memory: args.max_linear_memory_bytes,
            ..EngineConfig::default()
        },
        drain: args.drain,
        ingress: wasmcloud_host::IngressOptions {
            drain: args.drain,
            ..Default::default()
        },
    })
}

/// The argument with which this program becomes a provider that ends with its host.
pub(crate) const RUN_PROVIDER: &str = "__run-provider";

fn provider_options(args: &HostArgs) -> ProviderOptions {
    let launcher = match cfg!(target_os = "linux") {
        // The program that runs now, whatever is in its file by then.
        true => Launcher::Program {
            program: "/proc/self/exe".into(),
            args: vec![RUN_PROVIDER.into()],
        },
        false => Launcher::Nothing,
    };
    ProviderOptions {
        launcher,
        shutdown_delay: Duration::from_millis(args.provider_shutdown_delay_ms),
        start_deadline: args.provider_start_timeout,
        limits: ProcessLimits {
            address_space: args.provider_max_memory,
            ..ProcessLimits::default()
        },
        log_level: args.telemetry.provider_log_level(),
        structured_logging: args.telemetry.enable_structured_logging,
        otel: args.telemetry.provider_otel(&args.registry.tls_ca_path),
        ..ProviderOptions::default()
    }
}

fn join_options(args: &HostArgs, lattice: wasmcloud_lattice::LatticeOptions) -> Result<JoinOptions, Failure> {
    let invalid = |error: anyhow::Error| Failure::new(INVALID, "invalid-option", error);
    let key = match &args.host_seed {
        Some(seed) => HostKey::from_seed(seed).map_err(|error| invalid(error.into()))?,
        None => HostKey::generate(),
    };
    let topic = |text: &String| {
        text.parse()
            .map_err(|error: wasmcloud_host::InvalidTopic| invalid(error.into()))
    };
    let policy = match &args.policy.policy_topic {
        Some(asked) => Some(PolicyOptions {
            topic: topic(asked)?,
            changes: args.policy.policy_changes_topic.as_ref().map(topic).transpose()?,
            timeout: Duration::from_millis(args.policy.policy_timeout_ms),
        }),
        None => None,
    };
    Ok(JoinOptions {
        key,
        labels: args.labels().collect::<BTreeMap<_, _>>(),
        auctions: ControlAuctions {
            components: args.enable_component_auction,
            providers: args.enable_provider_auction,
        },
        heartbeat: Duration::from_secs(args.heartbeat_interval_seconds),
        policy,
        config_service: args.config_service_enabled,
        builtin_providers: args.builtin_providers == Switch::On,
        limits: Limits {
            deadline: Duration::from_millis(args.max_execution_time_ms),
            ..Limits::default()
        },
        providers: provider_options(args),
        ..JoinOptions::new(lattice)
    })
}
