//! What components cost that do nothing: hosts with one, with many and with very many of them.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::build::Scratch;
use super::distinct;
use super::report::{self, Bound, Goal, figure};
use super::server::{Memory, free_address};
use super::wash::{self, Instance, Part, Wash};
use crate::shell;

/// A component that has to be compiled takes no longer than this on average.
const LIMIT_FOR_EACH: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(60);

/// After this long nothing that belongs to the start is under way any more.
const REST: Duration = Duration::from_secs(1);

/// A host that does nothing.
pub(super) struct Idle {
    components: u32,
    memory: Memory,
    /// From the start of the process until the application was ready.
    ready_ms: f64,
}

/// Measures hosts with 1, a tenth and all of the components.
pub(super) fn measure(most: u32, wash: &Wash, scratch: &Scratch, component: &[u8]) -> Result<Vec<Idle>> {
    if most == 0 {
        return Ok(Vec::new());
    }
    let dir = scratch.folder("idle")?;
    for number in 0..most {
        let file = dir.join(format!("idle-{number}.wasm"));
        fs::write(&file, distinct::variant(component, number))
            .with_context(|| format!("write {}", file.display()))?;
    }
    // All at once, so that the hosts that are measured compile nothing.
    eprintln!("bench: compiling {most} distinct components");
    start(most, wash, scratch, true).context("fill the cache")?;

    let mut counts = vec![1, most / 10, most];
    counts.retain(|&count| count > 0);
    counts.dedup();
    counts
        .into_iter()
        .map(|count| {
            eprintln!("bench: an idle host, distinct components: {count}");
            start(count, wash, scratch, false).with_context(|| format!("measure {count} components"))
        })
        .collect()
}

fn start(count: u32, wash: &Wash, scratch: &Scratch, progress: bool) -> Result<Idle> {
    let dir = scratch.folder("idle")?;
    let cache = scratch.folder("idle-cache")?;
    let address = free_address()?;
    let parts = (0..count).map(|number| Part {
        name: format!("idle-{number}"),
        file: format!("idle-{number}.wasm"),
        // One that answers is enough to see that the host works.
        address: (number == 0).then_some(address),
    });
    // A lattice of its own: what ran before, and is kept in its history, is no part of a host that does nothing.
    let data = dir.join("data");
    if data.exists() {
        fs::remove_dir_all(&data).with_context(|| format!("remove {}", data.display()))?;
    }
    let manifest = dir.join("wadm.yaml");
    wash::write_manifest(&manifest, &parts.collect::<Vec<_>>(), Instance::Fresh)?;

    let (mut server, events) = wash.up_with_events("wash", &manifest, &cache, &dir)?;
    let mut started = 0;
    let ready = events.until_ready(&server, LIMIT + LIMIT_FOR_EACH * count, |event| {
        if event.is_component() {
            started += 1;
            if progress && started % 100 == 0 {
                let seconds = server.begun().elapsed().as_secs_f64();
                eprintln!("bench: {started} of {count} components after {seconds:.0} s");
            }
        }
    })?;
    shell::pause(REST);
    let memory = server.memory()?;
    server.wait_for_answer(address, LIMIT)?;
    Ok(Idle {
        components: count,
        memory,
        ready_ms: (ready.at - server.begun()).as_secs_f64() * 1e3,
    })
}

pub(super) fn table(idle: &[Idle]) -> String {
    let rows = idle.iter().map(|host| {
        let Memory {
            all,
            anonymous,
            files,
        } = host.memory;
        let mut row = vec![host.components.to_string()];
        row.extend([all, anonymous, files].map(|bytes| figure(bytes / 1e6)));
        row.push(figure(host.ready_ms));
        row
    });
    let header = [
        "idle components",
        "RSS MB",
        "anonymous MB",
        "files MB",
        "ready after ms",
    ];
    report::table(&header, &rows.collect::<Vec<_>>())
}

pub(super) fn goals(idle: &[Idle]) -> Vec<Goal> {
    let goal = |what: &str, value: Option<f64>, bound: f64| Goal {
        what: what.to_owned(),
        value,
        bound: Bound::AtMost(bound),
        unit: "MB",
    };
    let first = idle.first();
    let each = first.zip(idle.last()).and_then(|(one, many)| {
        let more = many
            .components
            .checked_sub(one.components)
            .filter(|&more| more > 0)?;
        Some((many.memory.all - one.memory.all) / 1e6 / f64::from(more))
    });
    vec![
        goal("idle host", first.map(|one| one.memory.all / 1e6), 40.0),
        goal("each further idle component", each, 0.5),
    ]
}

impl Idle {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "components": self.components,
            "ready_ms": self.ready_ms,
            "rss_bytes": self.memory.all,
            "anonymous_bytes": self.memory.anonymous,
            "file_bytes": self.memory.files,
        })
    }
}
