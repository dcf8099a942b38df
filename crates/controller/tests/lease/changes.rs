//! The lead changes hands, and only one has it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use wasmcloud_controller::lease::{Candidacy, LeaseState, TTL};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::control::Epoch;
use wasmcloud_wire::state::{CONTROLLER_LEASE, LeaseRecord};

use crate::support::{Candidate, Onlooker, Seen, bucket, holder, lattice, soon, timed};

crate::support::for_all_servers!(
    also nats_2_11 = "2.11.11":
    one_of_several_leads_and_keeps_it,
    a_release_hands_over_at_once,
    who_dies_is_succeeded,
    the_lead_goes_from_hand_to_hand_and_nobody_shares_it,
);

use crate::support::Target;

async fn candidates(server: &wasmcloud_test_lattice::TestLattice, names: &[&str]) -> Result<Vec<Candidate>> {
    let mut all = Vec::new();
    for name in names {
        all.push(Candidate::start(server, name, Candidacy::Always).await?);
    }
    Ok(all)
}

/// Waits until one of them leads; answers which, and since when.
async fn leader(candidates: &[Candidate]) -> Result<(usize, Epoch)> {
    let leads = candidates.iter().map(|candidate| Box::pin(candidate.leads()));
    let (epoch, index, _) = soon("leader", futures::future::select_all(leads)).await?;
    Ok((index, epoch?))
}

async fn one_of_several_leads_and_keeps_it(target: Target) -> Result<()> {
    let server = lattice(target).await?;
    let names = ["a", "b", "c"];
    let candidates = candidates(&server, &names).await?;
    let (index, epoch) = leader(&candidates).await?;
    let name = *names.get(index).context("one of them")?;
    for (at, candidate) in candidates.iter().enumerate() {
        if at != index {
            candidate.follows(name, epoch).await?;
        }
    }
    // The entry says who, with the epoch in all writes but the first; and it is written again and again.
    let (_lattice, state) = bucket(&server).await?;
    let mut watch = state.watch(CONTROLLER_LEASE).await?;
    let mut revisions = Vec::new();
    while revisions.len() < 5 {
        let event = soon("write", futures::StreamExt::next(&mut watch)).await?;
        match event.context("the watch ended")? {
            wasmcloud_lattice::Event::Put(entry) => {
                let record = LeaseRecord::decode(&entry.value)?;
                ensure!(
                    record.holder == holder(name).host && record.name == name,
                    "{record:?}"
                );
                ensure!(
                    record.epoch(entry.revision) == Some(epoch),
                    "{record:?} at {}",
                    entry.revision
                );
                revisions.push(entry.revision);
            }
            wasmcloud_lattice::Event::Ready => {}
            other => anyhow::bail!("{other:?}"),
        }
    }
    ensure!(revisions.is_sorted(), "{revisions:?}");
    let leader = candidates.get(index).context("one of them")?;
    ensure!(*leader.state.borrow() == LeaseState::Leader { epoch });
    ensure!(leader.lease.guard().may_act(epoch));
    ensure!(
        !leader
            .lease
            .guard()
            .may_act(Epoch::new(epoch.get() + 1).context("an epoch")?)
    );
    Ok(())
}

async fn a_release_hands_over_at_once(target: Target) -> Result<()> {
    let server = lattice(target).await?;
    let first = Candidate::start(&server, "a", Candidacy::Always).await?;
    let epoch = first.leads().await?;
    let second = Candidate::start(&server, "b", Candidacy::Always).await?;
    second.follows("a", epoch).await?;
    let guard = first.lease.guard();
    let released = async {
        first.lease.release().await;
        ensure!(!guard.may_act(epoch));
        second.leads().await
    };
    let (next, took) = timed(released).await?;
    ensure!(next > epoch, "{next} after {epoch}");
    ensure!(took < Duration::from_secs(1), "it took {took:?}");
    Ok(())
}

async fn who_dies_is_succeeded(target: Target) -> Result<()> {
    let server = lattice(target).await?;
    let first = Candidate::start(&server, "a", Candidacy::Always).await?;
    let epoch = first.leads().await?;
    let second = Candidate::start(&server, "b", Candidacy::Always).await?;
    second.follows("a", epoch).await?;
    let dead = async {
        first.die().await;
        second.leads().await
    };
    let (next, took) = timed(dead).await?;
    ensure!(next > epoch, "{next} after {epoch}");
    // Its last write was at most 1.5 s ago; JetStream looks once a second, and the machine may be busy.
    ensure!(
        took > TTL - Duration::from_secs(2) && took < Duration::from_secs(8),
        "it took {took:?}"
    );
    Ok(())
}

async fn the_lead_goes_from_hand_to_hand_and_nobody_shares_it(target: Target) -> Result<()> {
    let server = lattice(target).await?;
    let seen: Seen = Arc::new(Mutex::default());
    let onlooker = Onlooker::start(&seen);
    let mut candidates = candidates(&server, &["a", "b", "c"]).await?;
    let look_at = |candidate: &Candidate| {
        let pair = (candidate.lease.guard(), candidate.state.clone());
        seen.lock().unwrap().push(pair);
    };
    candidates.iter().for_each(look_at);
    let mut last = None;
    for round in 0..4 {
        let (index, epoch) = leader(&candidates).await?;
        ensure!(last < Some(epoch), "{epoch} after {last:?}");
        last = Some(epoch);
        let gone = candidates.remove(index);
        if round == 1 {
            gone.die().await;
        } else {
            gone.lease.release().await;
        }
        let name = format!("n{round}");
        candidates.push(Candidate::start(&server, &name, Candidacy::Always).await?);
        candidates.iter().last().into_iter().for_each(look_at);
    }
    onlooker.never_two()
}
