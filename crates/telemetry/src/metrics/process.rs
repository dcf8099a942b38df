//! What the kernel says about this process, under the names that all Prometheus clients use. Where there is no
//! `/proc`, there is nothing.

use std::fs;
use std::time::Duration;

use crate::metrics::{Collection, Definition, Kind};

static CPU: Definition = Definition {
    name: "process_cpu_seconds_total",
    help: "CPU time of this process in seconds, user and system",
    kind: Kind::Counter,
};
static RESIDENT: Definition = Definition {
    name: "process_resident_memory_bytes",
    help: "Memory of this process that is in RAM",
    kind: Kind::Gauge,
};
static OPEN_FDS: Definition = Definition {
    name: "process_open_fds",
    help: "File descriptors in use",
    kind: Kind::Gauge,
};
static MAX_FDS: Definition = Definition {
    name: "process_max_fds",
    help: "File descriptors this process may use",
    kind: Kind::Gauge,
};
static STARTED: Definition = Definition {
    name: "process_start_time_seconds",
    help: "When this process started, in seconds since 1970",
    kind: Kind::Gauge,
};

pub(super) fn collect(out: &mut Collection) {
    if let Some(stat) = Stat::read() {
        out.family(&CPU).number(&[], stat.cpu.as_secs_f64());
        out.family(&RESIDENT).count(&[], stat.resident);
        if let Some(boot) = boot_time() {
            out.family(&STARTED)
                .number(&[], boot + stat.started.as_secs_f64());
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // Reading the directory takes one itself.
        out.family(&OPEN_FDS)
            .count(&[], open.count().saturating_sub(1) as u64);
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if let Some(current) = limit.current {
        out.family(&MAX_FDS).count(&[], current);
    }
}

/// The columns of proc_pid_stat(5) that are wanted.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu: Duration,
    /// Since the machine booted.
    started: Duration,
    resident: u64,
}

impl Stat {
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        let page = rustix::param::page_size() as u64;
        Self::parse(&text, rustix::param::clock_ticks_per_second(), page)
    }

    fn parse(text: &str, ticks: u64, page: u64) -> Option<Self> {
        // The second column is the name in parentheses, which may hold anything; the third comes after the last one.
        let (_, rest) = text.rsplit_once(')')?;
        let columns: Vec<&str> = rest.split_whitespace().collect();
        let number = |column: usize| columns.get(column - 3)?.parse::<u64>().ok();
        let time = |count: u64| Duration::from_secs_f64(count as f64 / ticks.max(1) as f64);
        Some(Self {
            cpu: time(number(14)? + number(15)?),
            started: time(number(22)?),
            resident: number(24)?.saturating_mul(page),
        })
    }
}

/// When the machine booted, in seconds since 1970 (proc_stat(5), `btime`).
fn boot_time() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_behind_any_name() {
        let line = "4711 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 17 18 1000 20 3 22 23";
        let expected = Stat {
            cpu: Duration::from_secs(2),
            started: Duration::from_secs(10),
            resident: 3 * 4096,
        };
        assert_eq!(Stat::parse(line, 100, 4096), Some(expected));
        assert_eq!(Stat::parse("4711 (a", 100, 4096), None);
        assert_eq!(Stat::parse("4711 (a) S 1", 100, 4096), None);
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let text = crate::Metrics::new().text();
        for definition in [&CPU, &RESIDENT, &OPEN_FDS, &MAX_FDS, &STARTED] {
            assert!(text.contains(&format!("\n{} ", definition.name)), "{text}");
        }
    }
}
