//! Several who lead at the same time, or think so: together they call once per tick.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use wasmcloud_controller::Counted;
use wasmcloud_test_lattice::TestLattice;
use wasmcloud_test_nats::NatsServer;

use crate::support::{
    Does, bucket, component, lead, leader, now, record, settled_until, trigger, until, wait,
};

/// Two leaders, a tick each second, and one leader leaves in between.
async fn once_per_tick(lattice: &TestLattice) -> Result<()> {
    let state = bucket(lattice).await?;
    let seen = component(lattice, Does::Return).await?;
    // `allow`, so that on a busy machine no tick is left out for a call that takes long.
    let each_second = trigger("* * * * * *", ", overlap: allow");
    let begun = now();
    settled_until(&state, &each_second, begun).await?;
    let one = leader(lattice, &each_second).await?;
    let other = leader(lattice, &each_second).await?;
    wait("calls by two leaders", || seen.calls() >= 4).await?;
    drop(one.triggers);
    let then = seen.calls();
    wait("calls by the other leader alone", || seen.calls() >= then + 3).await?;
    drop(other.triggers);
    let last = until("end of all calls", &state, |record| record.claims.is_empty()).await?;
    let ticks = last.settled - begun;
    let (one, other) = (one.counts.now(), other.counts.now());
    ensure!(
        one.missed + other.missed + one.failed + other.failed + one.skipped + other.skipped == 0,
        "{one:?} {other:?}"
    );
    ensure!(
        seen.calls() == ticks,
        "{} calls at {ticks} ticks: {one:?} {other:?}",
        seen.calls()
    );
    ensure!(
        one.fired + other.fired == ticks && other.fired >= 3,
        "{one:?} {other:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_leaders_call_once_per_tick() -> Result<()> {
    once_per_tick(&TestLattice::embedded().await?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_leaders_call_once_per_tick_on_nats() -> Result<()> {
    let server = NatsServer::version("2.12.8").jetstream();
    once_per_tick(&TestLattice::nats_with(server).await?).await
}

/// A leader dies with everything it has under way: the other goes on, and at most the tick that was being called for is
/// not called for.
#[test]
fn a_leader_that_is_killed_is_not_missed() -> Result<()> {
    let theirs = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let ours = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    ours.block_on(async {
        let lattice = Arc::new(TestLattice::embedded().await?);
        let state = bucket(&lattice).await?;
        let seen = component(&lattice, Does::Return).await?;
        let each_second = trigger("* * * * * *", ", overlap: allow");
        let begun = now();
        settled_until(&state, &each_second, begun).await?;
        let (to, trigger) = (Arc::clone(&lattice), each_second.clone());
        let killed = theirs.spawn(async move { leader(&to, &trigger).await });
        let _killed = killed.await.context("start the first leader")??;
        let other = leader(&lattice, &each_second).await?;
        wait("calls", || seen.calls() >= 2).await?;
        theirs.shutdown_background();
        let then = seen.calls();
        wait("calls by the other leader alone", || seen.calls() >= then + 4).await?;
        drop(other.triggers);
        let counted = other.counts.now();
        let last = until("end of all our calls", &state, |record| record.claims.len() <= 1).await?;
        let ticks = last.settled - begun;
        ensure!(
            (ticks - 1..=ticks).contains(&seen.calls()),
            "{} calls at {ticks} ticks",
            seen.calls()
        );
        ensure!(counted.failed + counted.missed == 0, "{counted:?}");
        Ok(())
    })
}

#[tokio::test]
async fn who_may_not_act_calls_nobody_and_forgets_nothing() -> Result<()> {
    let lattice = TestLattice::embedded().await?;
    let state = bucket(&lattice).await?;
    let seen = component(&lattice, Does::Return).await?;
    let each_second = trigger("* * * * * *", "");
    let idle = lead(&lattice, &each_second, false).await?;
    let acting = leader(&lattice, &each_second).await?;
    wait("calls", || seen.calls() >= 2).await?;
    ensure!(idle.counts.now() == Counted::default());
    // A trigger that is gone is forgotten by who may act.
    idle.list.send_replace(Default::default());
    wait("another call", || seen.calls() >= 4).await?;
    ensure!(record(&state).await?.is_some());
    acting.list.send_replace(Default::default());
    let gone = async {
        while record(&state).await?.is_some() {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    };
    wasmcloud_test_lattice::soon("end of the record", gone).await?
}
