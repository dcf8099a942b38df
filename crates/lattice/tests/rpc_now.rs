//! Calls on behalf of one who serves the target itself and has no slot free (`Caller::call_now`): somebody else takes
//! them at once, or nobody does.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use support::{SOON, Server as Nats, Target, deadline, soon};
use tokio::time::Instant;
use wasmcloud_core::ComponentId;
use wasmcloud_lattice::HeaderMap;
use wasmcloud_lattice::rpc::{Caller, Request, Rpc, RpcError, RpcOptions};
use wasmcloud_wire::rpc::{RpcErrorBody, RpcErrorCode};

for_all_servers!(
    who_is_not_full_is_found,
    who_is_alone_is_told_so_and_remembers,
    others_that_are_full_are_asked_again_soon,
    a_silent_one_may_have_the_call,
    a_silent_one_among_ours_is_left_out,
);

const ALL: &str = "default.callee.wrpc.0.0.1.>";

async fn rpc(server: &Nats, host: &str, patience: Duration) -> Result<Rpc> {
    let mut options = RpcOptions::new(host);
    options.accept_timeout = patience;
    Ok(Rpc::start(server.connect().await?, options).await?)
}

/// The host of the caller, which serves the target as well, or another. It is full or answers with its name; its calls
/// are counted.
async fn member(rpc: &Rpc, name: &'static str, full: bool) -> Result<Arc<AtomicUsize>> {
    let mut server = rpc.serve(ALL, "default.callee").await?;
    rpc.connection().barrier(deadline()).await?;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Some(incoming) = server.next().await {
            counted.fetch_add(1, Ordering::Relaxed);
            if full && incoming.terms().now {
                let no = RpcErrorBody {
                    host: Some(name.to_owned()),
                    ..RpcErrorBody::new(RpcErrorCode::Full, "all slots are in use")
                };
                incoming.refuse(&no).await;
            } else if let Ok(accepted) = incoming.accept(SOON).await {
                // The caller sees whether it came about.
                accepted.finish(name.into()).await.ok();
            }
        }
    });
    Ok(calls)
}

/// One of the group that never says anything.
async fn silent(server: &Nats) -> Result<impl Sized + use<>> {
    let connection = server.connect().await?;
    let never_read = connection.queue_subscribe(ALL, "default.callee").await?;
    connection.barrier(deadline()).await?;
    Ok((connection, never_read))
}

fn id() -> ComponentId {
    "callee".parse().unwrap()
}

fn caller(rpc: &Rpc) -> Caller {
    Caller::new(rpc.clone(), "default".parse().unwrap(), Arc::new(|_| {}))
}

fn request(id: &ComponentId) -> Request<'_> {
    Request {
        source: id,
        link_name: "default",
        target: id,
        instance: "test:calls/math@0.1.0",
        function: "add",
        depth: 0,
        deadline: deadline(),
        signature: None,
        headers: HeaderMap::new(),
        params: "x".into(),
    }
}

/// Who takes a call now.
async fn now(caller: &Caller) -> Result<Option<bytes::Bytes>, RpcError> {
    match caller.call_now(request(&id())).await? {
        Some(call) => Ok(Some(call.results().await?)),
        None => Ok(None),
    }
}

/// Waits until nothing stands against looking again.
async fn may_look(caller: &Caller) -> Result<()> {
    soon("time to look", async {
        while !caller.may_have_room(&id()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
}

/// The outcome of calls until it is something, whoever the server picks by chance.
async fn something(caller: &Caller) -> Result<Result<bytes::Bytes, RpcError>> {
    soon("outcome", async {
        loop {
            may_look(caller).await?;
            if let Some(outcome) = now(caller).await.transpose() {
                return Ok(outcome);
            }
        }
    })
    .await?
}

async fn who_is_not_full_is_found(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (here, there) = (rpc(&server, "A", SOON).await?, rpc(&server, "B", SOON).await?);
    member(&here, "A", true).await?;
    member(&there, "B", false).await?;
    let caller = caller(&here);
    ensure!(something(&caller).await?? == "B");
    // Now it is known, and asked whenever the server picks ourselves.
    for _ in 0..100 {
        ensure!(now(&caller).await? == Some("B".into()));
    }
    ensure!(here.calls() == 0);
    Ok(())
}

async fn who_is_alone_is_told_so_and_remembers(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let here = rpc(&server, "A", SOON).await?;
    let calls = member(&here, "A", true).await?;
    let caller = caller(&here);
    ensure!(caller.may_have_room(&id()));
    let began = Instant::now();
    ensure!(now(&caller).await?.is_none());
    ensure!(!caller.may_have_room(&id()));
    let asked = calls.load(Ordering::Relaxed);
    ensure!((1..=8).contains(&asked), "{asked}");
    for _ in 0..1_000 {
        ensure!(now(&caller).await?.is_none());
    }
    may_look(&caller).await?;
    ensure!(began.elapsed() >= Duration::from_secs(1));
    ensure!(calls.load(Ordering::Relaxed) == asked);
    // Other targets have nothing to do with it.
    ensure!(caller.may_have_room(&"other".parse()?));
    Ok(())
}

async fn others_that_are_full_are_asked_again_soon(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (here, there) = (rpc(&server, "A", SOON).await?, rpc(&server, "B", SOON).await?);
    member(&here, "A", true).await?;
    let calls = member(&there, "B", true).await?;
    let caller = caller(&here);
    // Until it has been heard of, it may not be picked.
    soon("call of the other", async {
        while calls.load(Ordering::Relaxed) == 0 {
            may_look(&caller).await?;
            ensure!(now(&caller).await?.is_none());
        }
        Ok(())
    })
    .await??;
    let began = Instant::now();
    let mut looks = 0;
    while looks < 10 {
        may_look(&caller).await?;
        ensure!(now(&caller).await?.is_none());
        looks += 1;
    }
    // Ten milliseconds each; where there was nobody it would be a second.
    ensure!(began.elapsed() >= Duration::from_millis(90));
    ensure!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    Ok(())
}

async fn a_silent_one_may_have_the_call(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let here = rpc(&server, "A", Duration::from_millis(200)).await?;
    member(&here, "A", true).await?;
    let _silent = silent(&server).await?;
    let caller = caller(&here);
    // Nobody has ever said that whoever serves this keeps the promise.
    let error = something(&caller).await?.unwrap_err();
    ensure!(matches!(error, RpcError::NotAccepted { .. }), "{error:?}");
    ensure!(!caller.may_have_room(&id()));
    ensure!(now(&caller).await?.is_none());
    Ok(())
}

async fn a_silent_one_among_ours_is_left_out(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (here, there) = (
        rpc(&server, "A", Duration::from_millis(500)).await?,
        rpc(&server, "B", SOON).await?,
    );
    member(&here, "A", true).await?;
    member(&there, "B", false).await?;
    let caller = caller(&here);
    ensure!(something(&caller).await?? == "B");
    let _silent = silent(&server).await?;
    let (mut late, mut taken) = (0, 0);
    for _ in 0..100 {
        let began = Instant::now();
        taken += u32::from(now(&caller).await?.is_some());
        late += u32::from(began.elapsed() >= Duration::from_millis(500));
        may_look(&caller).await?;
    }
    ensure!(
        (1..10).contains(&late) && taken >= 90,
        "{late} late, {taken} taken"
    );
    Ok(())
}
