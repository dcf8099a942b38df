//! What goes wrong: a frozen holder, a store that is emptied, lost or gone for a while, entries that are none of ours.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use wasmcloud_controller::lease::{ACT, Candidacy, LeaseState};
use wasmcloud_wire::state::CONTROLLER_LEASE;

use crate::support::{
    Candidate, Freezable, Onlooker, SOON, Seen, Target, bucket, lattice, leads, soon, timed,
};

crate::support::for_all_servers!(
    also nats_2_11 = "2.11.11":
    a_holder_that_was_frozen_has_stopped_when_it_wakes,
    an_entry_that_is_deleted_is_taken_anew,
    an_entry_that_never_ends_is_taken_over,
);

async fn a_holder_that_was_frozen_has_stopped_when_it_wakes(target: Target) -> Result<()> {
    let server = lattice(target).await?;
    let frozen = Freezable::start(server.url(), "a", &server).await?;
    let epoch = leads(&frozen.state).await?;
    let second = Candidate::start(&server, "b", Candidacy::Always).await?;
    second.follows("a", epoch).await?;
    let seen: Seen = Arc::new(Mutex::new(vec![
        (frozen.guard.clone(), frozen.state.clone()),
        (second.lease.guard(), second.state.clone()),
    ]));
    let onlooker = Onlooker::start(&seen);
    ensure!(frozen.guard.may_act(epoch));
    let thaw = frozen.freeze();
    let next = second.leads().await?;
    ensure!(next > epoch, "{next} after {epoch}");
    // It still believes to lead, because it has heard nothing, and may not act all the same.
    ensure!(*frozen.state.borrow() == LeaseState::Leader { epoch });
    ensure!(!frozen.guard.may_act(epoch));
    drop(thaw);
    let mut state = frozen.state.clone();
    let woken = state.wait_for(|state| match state {
        LeaseState::Follower { leader: Some(leader) } => leader.epoch == Some(next.get()),
        _ => false,
    });
    soon("follower", woken).await??;
    onlooker.never_two()
}

async fn an_entry_that_is_deleted_is_taken_anew(target: Target) -> Result<()> {
    let server = lattice(target).await?;
    let first = Candidate::start(&server, "a", Candidacy::Always).await?;
    let epoch = first.leads().await?;
    let (_lattice, state) = bucket(&server).await?;
    state.delete(CONTROLLER_LEASE, None).await?;
    let mut told = first.state.clone();
    let anew = told.wait_for(|state| state.epoch().is_some_and(|next| next > epoch));
    soon("new epoch", anew).await??;
    Ok(())
}

async fn an_entry_that_never_ends_is_taken_over(target: Target) -> Result<()> {
    let server = lattice(target).await?;
    let (_lattice, state) = bucket(&server).await?;
    let revision = state.put(CONTROLLER_LEASE, "of somebody".into()).await?;
    let candidate = Candidate::start(&server, "a", Candidacy::Always).await?;
    let (epoch, took) = timed(candidate.leads()).await?;
    ensure!(epoch.get() > revision);
    ensure!(took > Duration::from_secs(5), "it was taken after {took:?}");
    Ok(())
}

/// The stream of the bucket is purged behind everybody's back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_emptied_does_not_stop_it() -> Result<()> {
    let server = lattice(Target::Nats("2.12.8")).await?;
    let first = Candidate::start(&server, "a", Candidacy::Always).await?;
    let epoch = first.leads().await?;
    let purge = "$JS.API.STREAM.PURGE.KV_LEASES_default";
    let deadline = tokio::time::Instant::now() + SOON;
    let answer = first.connection.request(purge, None, "".into(), deadline).await?;
    ensure!(String::from_utf8_lossy(&answer.payload).contains(r#""success":true"#));
    let mut told = first.state.clone();
    let anew = told.wait_for(|state| state.epoch().is_some_and(|next| next > epoch));
    soon("new epoch", anew).await??;
    Ok(())
}

/// The stream of the bucket is deleted; then epochs begin anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_deleted_is_made_again() -> Result<()> {
    let server = lattice(Target::Nats("2.12.8")).await?;
    let (first, second) = (
        Candidate::start(&server, "a", Candidacy::Always).await?,
        Candidate::start(&server, "b", Candidacy::Always).await?,
    );
    let both = [first.state.clone(), second.state.clone()];
    let any = || futures::future::select_all(both.iter().map(|state| Box::pin(leads(state))));
    any().await.0?;
    let seen = Arc::new(Mutex::new(vec![
        (first.lease.guard(), first.state.clone()),
        (second.lease.guard(), second.state.clone()),
    ]));
    let onlooker = Onlooker::start(&seen);
    let deadline = tokio::time::Instant::now() + SOON;
    let delete = "$JS.API.STREAM.DELETE.KV_LEASES_default";
    first
        .connection
        .request(delete, None, "".into(), deadline)
        .await?;
    let none = both
        .clone()
        .map(|mut state| async move { state.wait_for(|state| state.epoch().is_none()).await.map(drop) });
    soon("end of the lead", futures::future::try_join_all(none)).await??;
    let epoch = any().await.0?;
    let (_lattice, state) = bucket(&server).await?;
    let entry = state.get(CONTROLLER_LEASE).await?.context("it was taken")?;
    ensure!(entry.revision >= epoch.get());
    onlooker.never_two()
}

/// Without a server nobody leads after a while, and when it is back somebody does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_nobody_leads() -> Result<()> {
    let mut server = lattice(Target::Nats("2.12.8")).await?;
    let candidate = Candidate::start(&server, "a", Candidacy::Always).await?;
    let epoch = candidate.leads().await?;
    let running = server.server().context("a real one")?;
    running.kill()?;
    let mut told = candidate.state.clone();
    let gone = async {
        soon("end of the lead", told.wait_for(|state| state.epoch().is_none())).await??;
        Ok(())
    };
    let ((), took) = timed(gone).await?;
    ensure!(!candidate.lease.guard().may_act(epoch));
    ensure!(took < ACT + Duration::from_secs(1), "it took {took:?}");
    server.server().context("a real one")?.restart()?;
    let next = candidate.leads().await?;
    ensure!(next > epoch, "{next} after {epoch}");
    Ok(())
}
