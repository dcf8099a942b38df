//! Bounds of `/metrics`, with components that never ran.

use std::time::Duration;

use wasmcloud_engine::StatsSnapshot;

use super::naming::MAX_NAMED;
use super::*;

/// A component with this many calls, each of which had something of everything.
fn seen(id: &str, calls: u64) -> Seen {
    let bounds = (0..13).map(|at| Some(Duration::from_micros(10_u64 << at)));
    let stats = StatsSnapshot {
        invocations: calls,
        errors: calls,
        instantiated: calls,
        durations: Durations {
            buckets: bounds.chain([None]).map(|bound| (bound, calls)).collect(),
            sum: Duration::from_micros(123_457 * calls),
        },
        ..StatsSnapshot::default()
    };
    Seen {
        id: id.parse().unwrap(),
        runs: true,
        counts: Counts {
            stats,
            bytes: [calls * 1_000_003; 4],
            answers: [calls; 5],
        },
        levels: Levels {
            running: 1,
            permits: 100,
            ..Levels::default()
        },
    }
}

/// `/metrics` with these components, of a host that has been asked before.
fn page(naming: &Arc<Mutex<Naming>>, of: impl Fn() -> Vec<Seen> + Send + Sync + 'static) -> String {
    let metrics = Metrics::default();
    let naming = Arc::clone(naming);
    metrics.register(move |out| components(of(), &mut naming.lock(), out));
    metrics.text()
}

fn calls(page: &str, component: &str) -> Option<u64> {
    let name = format!("wasmcloud_component_invocations_total{{component=\"{component}\"}} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&name))?;
    line.parse().ok()
}

#[test]
fn ten_thousand_components_fit_into_two_megabytes() {
    let naming = Arc::default();
    let text = page(&naming, || {
        (0..10_000)
            .map(|number| seen(&format!("{number:0>256}"), 1_000_000 + number))
            .collect()
    });
    assert!(text.len() < 2_000_000, "{} bytes", text.len());
    let own = text.matches("wasmcloud_component_invocations_total{").count();
    assert_eq!(own, MAX_NAMED + 1);
    assert_eq!(
        calls(&text, &format!("{:0>256}", 9_999)),
        Some(1_009_999),
        "the busiest"
    );
    assert!(text.contains("\nwasmcloud_components 10000\n"), "all are counted");
    assert!(text.contains("wasmcloud_component_permits{component=\"other\"} 987200\n"));
}

#[test]
fn the_others_never_fall_and_nobody_moves() {
    let naming = Arc::default();
    let many = |calls: u64| -> Vec<Seen> {
        (0..MAX_NAMED)
            .map(|number| seen(&format!("c{number}"), calls))
            .collect()
    };
    let first = page(&naming, move || many(5));
    assert_eq!((calls(&first, "c0"), calls(&first, "other")), (Some(5), None));
    let late = move |calls: u64| many(5).into_iter().chain([seen("late", calls)]).collect();
    assert_eq!(calls(&page(&naming, move || late(3)), "other"), Some(3));
    // It is the busiest now, and stays where it was.
    let third = page(&naming, move || late(1_000));
    assert_eq!(
        (calls(&third, "other"), calls(&third, "late")),
        (Some(1_000), None)
    );
    // It leaves, and comes back with new counters into a place of its own, because one is free.
    let gone = page(&naming, move || many(5).into_iter().skip(1).collect());
    assert_eq!(calls(&gone, "other"), Some(1_000));
    let back = page(&naming, move || late(7).into_iter().skip(1).collect());
    assert_eq!(
        (calls(&back, "other"), calls(&back, "late")),
        (Some(1_000), Some(7))
    );
}

#[test]
fn a_component_called_other_makes_no_second_series() {
    let naming = Arc::default();
    let text = page(&naming, || vec![seen("other", 2), seen("a", 1)]);
    assert_eq!((calls(&text, "other"), calls(&text, "a")), (Some(2), Some(1)));
    let mut lines: Vec<&str> = text
        .lines()
        .filter_map(|line| line.rsplit_once(' ').map(|l| l.0))
        .collect();
    let all = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), all);
}
