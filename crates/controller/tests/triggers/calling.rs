//! What becomes of a tick: calls that fail, take long, or find nobody, and ticks that were missed.

use std::time::Duration;

use anyhow::{Result, ensure};
use wasmcloud_test_lattice::TestLattice;
use wasmcloud_wire::app::CronOutcome;

use crate::support::{Does, at, bucket, component, leader, now, settled_until, trigger, until, wait};

#[tokio::test]
async fn a_trap_is_an_outcome_and_is_not_called_again() -> Result<()> {
    let lattice = TestLattice::embedded().await?;
    let state = bucket(&lattice).await?;
    let seen = component(&lattice, Does::Trap).await?;
    let tick = now() - 1;
    let once = trigger(&at(tick), ", missed: once");
    settled_until(&state, &once, tick - 1).await?;
    let leader = leader(&lattice, &once).await?;
    let record = until("outcome", &state, |record| record.last.is_some()).await?;
    let last = record.last.unwrap();
    ensure!(
        last.outcome == CronOutcome::Failed && last.tick == tick,
        "{last:?}"
    );
    ensure!(last.error.contains("unreachable executed"), "{last:?}");
    ensure!(record.claims.is_empty() && record.owed.is_none());
    ensure!(record.component == "shop-jobs" && record.function == "acme:jobs/nightly@1.0.0.run");
    let counted = leader.counts.now();
    ensure!(
        (counted.fired, counted.failed, seen.calls()) == (1, 1, 1),
        "{counted:?}"
    );
    Ok(())
}

#[tokio::test]
async fn ticks_that_nobody_led_for_are_called_for_once_or_left_out() -> Result<()> {
    for (missed, calls) in [("once", 1), ("skip", 0)] {
        let lattice = TestLattice::embedded().await?;
        let state = bucket(&lattice).await?;
        let seen = component(&lattice, Does::Return).await?;
        let tick = now() - 600;
        let trigger = trigger(&at(tick), &format!(", missed: {missed}"));
        settled_until(&state, &trigger, tick - 100).await?;
        let leader = leader(&lattice, &trigger).await?;
        let record = until("outcome", &state, |record| record.last.is_some()).await?;
        let last = record.last.unwrap();
        let expected = if calls == 1 {
            CronOutcome::Ok
        } else {
            CronOutcome::Missed
        };
        ensure!(
            last.outcome == expected && last.tick == tick,
            "{missed}: {last:?}"
        );
        wait("count", || leader.counts.now().missed == 1 - calls).await?;
        let fired = leader.counts.now().fired;
        ensure!((seen.calls(), fired) == (calls, calls), "{missed}: {fired} fired");
    }
    Ok(())
}

#[tokio::test]
async fn a_component_that_does_not_run_is_called_when_it_does() -> Result<()> {
    let lattice = TestLattice::embedded().await?;
    let state = bucket(&lattice).await?;
    let tick = now() - 1;
    let once = trigger(&at(tick), ", missed: once");
    settled_until(&state, &once, tick - 1).await?;
    let leader = leader(&lattice, &once).await?;
    let record = until("missed tick", &state, |record| record.last.is_some()).await?;
    let last = record.last.unwrap();
    ensure!(
        last.outcome == CronOutcome::Missed && last.error.contains("nobody"),
        "{last:?}"
    );
    ensure!(record.owed.is_some_and(|owed| owed.tick == tick));
    let seen = component(&lattice, Does::Return).await?;
    until("late call", &state, |record| {
        record
            .last
            .as_ref()
            .is_some_and(|last| last.outcome == CronOutcome::Ok && last.tick == tick)
    })
    .await?;
    ensure!((seen.calls(), leader.counts.now().fired) == (1, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_call_runs_ticks_are_skipped() -> Result<()> {
    let lattice = TestLattice::embedded().await?;
    let state = bucket(&lattice).await?;
    let seen = component(&lattice, Does::Work(Duration::from_millis(2_500))).await?;
    let each_second = trigger("* * * * * *", "");
    let (one, other) = (
        leader(&lattice, &each_second).await?,
        leader(&lattice, &each_second).await?,
    );
    wait("second call", || seen.calls() >= 2).await?;
    drop((one.triggers, other.triggers));
    until("end of all calls", &state, |record| record.claims.is_empty()).await?;
    let skipped = one.counts.now().skipped + other.counts.now().skipped;
    ensure!(
        seen.most() == 1 && skipped >= 2,
        "{} at once, {skipped} skipped",
        seen.most()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_run_beside_each_other_where_that_is_allowed() -> Result<()> {
    let lattice = TestLattice::embedded().await?;
    let seen = component(&lattice, Does::Work(Duration::from_millis(2_500))).await?;
    let each_second = trigger("* * * * * *", ", overlap: allow");
    let leader = leader(&lattice, &each_second).await?;
    wait("calls at the same time", || seen.most() >= 2).await?;
    ensure!(leader.counts.now().skipped == 0);
    Ok(())
}

#[tokio::test]
async fn a_call_ends_at_its_deadline() -> Result<()> {
    let lattice = TestLattice::embedded().await?;
    let state = bucket(&lattice).await?;
    let seen = component(&lattice, Does::Work(Duration::from_secs(60))).await?;
    let tick = now() - 1;
    let mut once = trigger(&at(tick), "");
    once.cron.deadline = Duration::from_millis(500);
    settled_until(&state, &once, tick - 1).await?;
    let leader = leader(&lattice, &once).await?;
    let record = until("outcome", &state, |record| record.last.is_some()).await?;
    let last = record.last.unwrap();
    ensure!(last.outcome == CronOutcome::Failed, "{last:?}");
    ensure!(
        last.took_ms.is_some_and(|took| (400..10_000).contains(&took)),
        "{last:?}"
    );
    ensure!(seen.calls() == 1 && leader.counts.now().failed == 1);
    Ok(())
}
