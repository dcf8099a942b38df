//! What this host counts, as metrics. docs/metrics.md lists all of them.
//!
//! Nothing here is on the path of a call: the engine and the capabilities count in plain atomics, and these are read
//! when somebody asks. The number of labels is bounded: a fixed number of components have series of their own, the others
//! share those of `other`.

mod lattice;
mod naming;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::Mutex;
use wasmcloud_engine::{CompileSnapshot, Durations};
use wasmcloud_telemetry::{Collection, Definition, Distribution, Kind, Metrics};

use crate::components::Component;
use crate::host::Host;
use crate::metrics::naming::{Counts, Levels, Naming, OTHER, Seen};

/// A host at one moment.
pub(crate) struct Look {
    pub(crate) components: Vec<Arc<Component>>,
    pub(crate) providers: usize,
    pub(crate) links: usize,
    pub(crate) connections: usize,
    pub(crate) max_instances: u32,
    pub(crate) compiled: CompileSnapshot,
}

macro_rules! definitions {
    ($($id:ident: $kind:ident $name:literal $help:literal;)*) => {
        $(static $id: Definition = Definition { name: $name, help: $help, kind: Kind::$kind };)*
    };
}

definitions! {
    INVOCATIONS: Counter "wasmcloud_component_invocations_total"
        "Calls that the component has ended";
    ERRORS: Counter "wasmcloud_component_errors_total"
        "Calls that trapped, ran out of time or into a limit";
    REFUSED: Counter "wasmcloud_component_refused_total"
        "Calls that were refused before the component saw them: full, no slot in time, too deep, not permitted";
    OVERFLOWED: Counter "wasmcloud_component_overflowed_total"
        "Calls that went over the lattice because no permit was free here";
    COLD: Counter "wasmcloud_component_cold_invocations_total"
        "Calls that had a fresh instance; the others had one that was used before";
    INSTANTIATED: Counter "wasmcloud_component_instantiations_total"
        "Instances made, with the one that each start tries";
    QUEUED: Counter "wasmcloud_component_queued_total"
        "Calls that had to wait for a slot";
    QUEUE_TIME: Counter "wasmcloud_component_queue_seconds_total"
        "Time that calls waited for a slot, added up";
    DURATION: Histogram "wasmcloud_component_duration_seconds"
        "Time from the slot to the end of a call";
    RUNNING: Gauge "wasmcloud_component_running"
        "Calls that run, each of which has one of the permits";
    WAITING: Gauge "wasmcloud_component_waiting"
        "Calls that wait for a permit";
    PERMITS: Gauge "wasmcloud_component_permits"
        "Calls that may run at once";
    IDLE: Gauge "wasmcloud_component_idle_instances"
        "Instances that are kept for the next call";
    ASLEEP: Gauge "wasmcloud_component_asleep"
        "1 while the code of the component is out of memory, because nobody calls it";
    WOKEN: Counter "wasmcloud_component_wakes_total"
        "Times that the component was woken by a call";
    ANSWERS: Counter "wasmcloud_http_responses_total"
        "HTTP responses of the component by class of status (1xx to 5xx)";
    RECEIVED: Counter "wasmcloud_http_received_bytes_total"
        "Bytes of request bodies that the component was sent";
    SENT: Counter "wasmcloud_http_sent_bytes_total"
        "Bytes of response bodies that the component sent";
    CLIENT_RECEIVED: Counter "wasmcloud_http_client_received_bytes_total"
        "Bytes of response bodies that came for requests of the component";
    CLIENT_SENT: Counter "wasmcloud_http_client_sent_bytes_total"
        "Bytes of request bodies that the component sent out";
    COMPONENTS: Gauge "wasmcloud_components"
        "Components that run on this host";
    PROVIDERS: Gauge "wasmcloud_providers"
        "Providers that run on this host";
    LINKS: Gauge "wasmcloud_links"
        "Links that this host knows";
    CONNECTIONS: Gauge "wasmcloud_http_connections"
        "HTTP connections that are open to this host";
    INSTANCES: Gauge "wasmcloud_instances"
        "Instances that are live, in calls or kept for the next";
    MAX_INSTANCES: Gauge "wasmcloud_instances_limit"
        "Instances that may be live at once";
    COMPILE: Histogram "wasmcloud_compile_duration_seconds"
        "Time to compile a component whose code was not in the cache";
    CACHED: Counter "wasmcloud_compile_cache_hits_total"
        "Components whose compiled code was in the cache";
    NOT_COMPILED: Counter "wasmcloud_compile_failures_total"
        "Files that could not be compiled";
}

impl Host {
    /// Adds what this host counts to the metrics of the process, for as long as the host exists.
    pub fn register_metrics(&self, metrics: &Metrics) {
        let host = self.downgrade();
        let naming = Mutex::new(Naming::default());
        metrics.register(move |out| {
            if let Some(host) = host() {
                collect(&host.look(), &mut naming.lock(), out);
            }
        });
    }
}

fn collect(look: &Look, naming: &mut Naming, out: &mut Collection) {
    let seen = look.components.iter().filter_map(|component| Seen::of(component));
    components(seen.collect(), naming, out);
    out.family(&PROVIDERS).count(&[], look.providers as u64);
    out.family(&LINKS).count(&[], look.links as u64);
    out.family(&CONNECTIONS).count(&[], look.connections as u64);
    out.family(&MAX_INSTANCES).count(&[], look.max_instances.into());
    let CompileSnapshot {
        compiled,
        cached,
        failed,
    } = &look.compiled;
    out.family(&COMPILE).distribution(&[], distribution(compiled));
    out.family(&CACHED).count(&[], *cached);
    out.family(&NOT_COMPILED).count(&[], *failed);
}

fn components(seen: Vec<Seen>, naming: &mut Naming, out: &mut Collection) {
    let running = seen.iter().filter(|one| one.runs).count() as u64;
    let live = seen.iter().map(|one| one.levels.running + one.levels.idle).sum();
    let (named, other) = naming.part(seen);
    for one in &named {
        component(one.id.as_str(), &one.counts, &one.levels, out);
    }
    if let Some((counts, levels)) = &other {
        component(OTHER, counts, levels, out);
    }
    out.family(&COMPONENTS).count(&[], running);
    out.family(&INSTANCES).count(&[], live);
}

fn component(id: &str, counts: &Counts, levels: &Levels, out: &mut Collection) {
    let labels = &[("component", id)];
    let stats = &counts.stats;
    let [received, sent, client_received, client_sent] = counts.bytes;
    for (definition, value) in [
        (&INVOCATIONS, stats.invocations),
        (&ERRORS, stats.errors),
        (&REFUSED, stats.refused),
        (&OVERFLOWED, stats.overflowed),
        (&COLD, stats.cold),
        (&INSTANTIATED, stats.instantiated),
        (&QUEUED, stats.queued),
        (&RUNNING, levels.running),
        (&WAITING, levels.waiting),
        (&PERMITS, levels.permits),
        (&IDLE, levels.idle),
        (&ASLEEP, levels.asleep),
        (&WOKEN, stats.woken),
        (&RECEIVED, received),
        (&SENT, sent),
        (&CLIENT_RECEIVED, client_received),
        (&CLIENT_SENT, client_sent),
    ] {
        out.family(definition).count(labels, value);
    }
    out.family(&QUEUE_TIME)
        .number(labels, stats.queue_time.as_secs_f64());
    out.family(&DURATION)
        .distribution(labels, distribution(&stats.durations));
    let answers = out.family(&ANSWERS);
    for (class, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"]
        .into_iter()
        .zip(counts.answers)
    {
        // Most components never see most of them.
        if count > 0 {
            answers.count(&[("component", id), ("class", class)], count);
        }
    }
}

fn distribution(durations: &Durations) -> Distribution {
    let bound = |bound: Option<std::time::Duration>| bound.map_or(f64::INFINITY, |bound| bound.as_secs_f64());
    Distribution {
        buckets: durations
            .buckets
            .iter()
            .map(|(upper, count)| (bound(*upper), *count))
            .collect(),
        sum: durations.sum.as_secs_f64(),
    }
}
