//! Calls over a lattice: they end, with results or with the reason, whatever becomes of the other side.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use futures::StreamExt as _;
use support::{Server as Nats, Target, deadline, soon};
use tokio::sync::mpsc;
use tokio::time::Instant;
use wasmcloud_lattice::rpc::{Accepted, Caller, Outgoing, Request, Rpc, RpcError, RpcOptions};
use wasmcloud_lattice::{Connection, HeaderMap, NatsOptions};
use wasmcloud_wire::rpc::{RpcErrorBody, RpcErrorCode, Terms};

for_all_servers!(
    a_call_is_answered,
    results_that_are_all_there_is_come_alone,
    nobody_there_is_said_at_once,
    a_refusal_comes_with_its_reason,
    a_callee_with_too_many_calls_says_so,
    a_failure_is_not_taken_for_success,
    long_parameters_and_results_travel_in_pieces,
    a_stream_waits_for_its_reader,
    streams_go_both_ways_at_once,
    who_loses_interest_says_so,
    a_callee_that_dies_is_noticed,
    a_caller_that_dies_is_noticed,
    nobody_accepts,
    who_does_not_answer_is_avoided,
    a_client_is_called_directly,
    a_callee_of_v1_is_understood,
    a_caller_of_v1_is_understood,
    a_caller_that_falls_silent_is_not_waited_for_for_ever,
    garbage_is_survived,
    many_calls_at_once,
);

const SUBJECT: &str = "default.callee.wrpc.0.0.1.test:calls/math@0.1.0.add";
const ALL: &str = "default.callee.wrpc.0.0.1.>";

async fn rpc(server: &Nats, host: &str) -> Result<Rpc> {
    let mut options = RpcOptions::new(host);
    options.silence = Duration::from_millis(100);
    options.window = 256 << 10;
    // The machine may be busy.
    options.accept_timeout = Duration::from_secs(20);
    Ok(Rpc::start(server.connect().await?, options).await?)
}

fn outgoing(params: impl Into<Bytes>) -> Outgoing {
    Outgoing {
        subject: SUBJECT.to_owned(),
        server: None,
        headers: HeaderMap::new(),
        terms: Terms::default(),
        bare: false,
        params: params.into(),
        deadline: deadline(),
        accept_timeout: None,
    }
}

/// Takes calls until the test ends.
async fn serve<F, W>(rpc: &Rpc, handle: F) -> Result<()>
where
    F: Fn(Accepted) -> W + Clone + Send + 'static,
    W: Future<Output = Result<()>> + Send,
{
    let mut server = rpc.serve(ALL, "default.callee").await?;
    rpc.connection().barrier(deadline()).await?;
    tokio::spawn(async move {
        while let Some(incoming) = server.next().await {
            let handle = handle.clone();
            tokio::spawn(async move {
                if let Ok(accepted) = incoming.accept(support::SOON).await {
                    // How it ends for the callee is seen by the caller, or by the test.
                    let _ = handle(accepted).await;
                }
            });
        }
    });
    Ok(())
}

async fn echo(accepted: Accepted) -> Result<()> {
    let params = accepted.params().await?;
    Ok(accepted.finish(params).await?)
}

async fn a_call_is_answered(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (caller, callee) = (rpc(&server, "A").await?, rpc(&server, "B").await?);
    serve(&callee, echo).await?;
    for params in ["", "x", "something longer"] {
        let call = caller.call(outgoing(params)).await?;
        ensure!(call.host() == Some("B") && call.is_ours());
        ensure!(call.results().await? == params);
    }
    ensure!(caller.calls() == 0, "{} calls are still known", caller.calls());
    Ok(())
}

async fn results_that_are_all_there_is_come_alone(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (caller, callee) = (rpc(&server, "A").await?, rpc(&server, "B").await?);
    serve(&callee, |accepted| async move {
        let params = accepted.params().await?;
        match &*params {
            // Its caller has heard of the acceptance then.
            b"late" => accepted
                .during(std::pin::pin!(async {
                    tokio::task::yield_now().await;
                    accepted.conclude(params.clone()).await
                }))
                .await
                .context("nobody lost interest")??,
            b"long" => accepted.conclude(vec![7; 3 << 20].into()).await?,
            _ => accepted.conclude(params).await?,
        }
        Ok(())
    })
    .await?;
    let watcher = server.connect().await?;
    // Behind the inboxes of calls, where acceptances do not come.
    let mut seen = watcher.subscribe("_INBOX.*.*.>").await?;
    watcher.barrier(deadline()).await?;
    for (params, headers) in [("", false), ("x", false), ("late", true)] {
        let call = caller.call(outgoing(params)).await?;
        ensure!(call.host() == Some("B") && call.is_ours());
        let there = call.server().context("a client of ours")?.to_owned();
        ensure!(call.results().await? == params);
        let message = soon("the results", seen.next()).await?.context("ended")?;
        ensure!(message.headers.is_some() == headers, "{params}: {message:?}");
        // Calls to this one only go there.
        let again = Outgoing {
            server: Some(there.into()),
            ..outgoing("again")
        };
        ensure!(caller.call(again).await?.results().await? == "again");
        let again = soon("the call itself", seen.next()).await?.context("ended")?;
        ensure!(again.reply.is_some());
        soon("its results", seen.next()).await?.context("ended")?;
    }
    let call = caller.call(outgoing("long")).await?;
    ensure!(call.results().await?.len() == 3 << 20);
    drop(call);
    ensure!(caller.calls() == 0, "{} calls are still known", caller.calls());
    Ok(())
}

/// A server that takes less at once than a piece has.
#[tokio::test]
async fn results_are_cut_to_what_the_server_takes() -> Result<()> {
    let small = wasmcloud_test_nats::NatsServer::default().config("max_payload: 16384");
    let small = tokio::task::spawn_blocking(|| small.start()).await??;
    let rpc = async |host| {
        let connection = Connection::connect(&NatsOptions::new(&small.url())?).await?;
        anyhow::Ok(Rpc::start(connection, RpcOptions::new(host)).await?)
    };
    let (caller, callee) = (rpc("A").await?, rpc("B").await?);
    serve(&callee, |accepted| async move {
        let params = accepted.params().await?;
        match params.first() {
            Some(0) => accepted.finish(params).await?,
            _ => accepted.conclude(params).await?,
        }
        Ok(())
    })
    .await?;
    for how in [0, 1] {
        for size in [1, 16_000, 16_384, 100_000] {
            let params = vec![how; size];
            let call = caller.call(outgoing(params.clone())).await?;
            ensure!(call.results().await? == params, "{size} bytes");
        }
    }
    Ok(())
}

async fn nobody_there_is_said_at_once(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let caller = rpc(&server, "A").await?;
    let error = failed(caller.call(outgoing("x")).await)?;
    ensure!(
        matches!(error, RpcError::NoResponders { .. }) && error.nothing_begun(),
        "{error}"
    );
    Ok(())
}

async fn a_refusal_comes_with_its_reason(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (caller, callee) = (rpc(&server, "A").await?, rpc(&server, "B").await?);
    let mut served = callee.serve(ALL, "default.callee").await?;
    callee.connection().barrier(deadline()).await?;
    tokio::spawn(async move {
        while let Some(incoming) = served.next().await {
            incoming
                .refuse(&RpcErrorBody::new(RpcErrorCode::Full, "no\r\nroom"))
                .await;
        }
    });
    let error = failed(caller.call(outgoing("x")).await)?;
    ensure!(
        error.nothing_begun() && error.to_string() == "no\r\nroom",
        "{error:?}"
    );
    Ok(())
}

async fn a_callee_with_too_many_calls_says_so(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let caller = rpc(&server, "A").await?;
    let mut options = RpcOptions::new("B");
    options.max_calls = 1;
    let callee = Rpc::start(server.connect().await?, options).await?;
    serve(&callee, |accepted: Accepted| async move {
        accepted.abandoned().await;
        Ok(())
    })
    .await?;
    let first = caller.call(outgoing("x")).await?;
    let error = failed(caller.call(outgoing("x")).await)?;
    ensure!(
        matches!(&error, RpcError::Refused(body) if body.code == RpcErrorCode::Full) && error.nothing_begun(),
        "{error:?}"
    );
    drop(first);
    Ok(())
}

async fn a_failure_is_not_taken_for_success(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (caller, callee) = (rpc(&server, "A").await?, rpc(&server, "B").await?);
    serve(&callee, |accepted: Accepted| async move {
        Ok(accepted
            .fail(&RpcErrorBody::new(RpcErrorCode::Trap, "it trapped"))
            .await?)
    })
    .await?;
    let error = failed(caller.call(outgoing("x")).await?.results().await)?;
    ensure!(
        matches!(&error, RpcError::Failed(body) if body.code == RpcErrorCode::Trap),
        "{error:?}"
    );
    ensure!(!error.nothing_begun());
    Ok(())
}

async fn long_parameters_and_results_travel_in_pieces(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (caller, callee) = (rpc(&server, "A").await?, rpc(&server, "B").await?);
    serve(&callee, echo).await?;
    for size in [100_000, 1 << 20, (1 << 20) + 1, 5_000_000] {
        let params: Bytes = (0..size).map(|n: u32| n as u8).collect::<Vec<_>>().into();
        let results = caller.call(outgoing(params.clone())).await?.results().await?;
        ensure!(results == params, "{} of {size} bytes came back", results.len());
    }
    ensure!(caller.unread() == 0 && callee.unread() == 0);
    Ok(())
}

async fn a_stream_waits_for_its_reader(target: Target) -> Result<()> {
    const PIECES: u64 = 300;
    const PIECE: usize = 16 << 10;
    let server = Nats::start(target).await?;
    let (caller, callee) = (rpc(&server, "A").await?, rpc(&server, "B").await?);
    let (sent, mut told) = mpsc::unbounded_channel();
    serve(&callee, move |accepted: Accepted| {
        let sent = sent.clone();
        async move {
            accepted.finish(Bytes::new()).await?;
            let mut sender = accepted.sender("0.1");
            for n in 0..PIECES {
                sender.send(vec![n as u8; PIECE].into()).await?;
                sent.send(n)?;
            }
            Ok(sender.finish().await?)
        }
    })
    .await?;
    let call = caller.call(outgoing("")).await?;
    call.results().await?;
    // It stops when the window is full, and before that everything that was sent has arrived.
    let window = (256 << 10) / PIECE;
    for _ in 0..window {
        soon("piece that is sent", told.recv()).await?;
    }
    callee.connection().barrier(deadline()).await?;
    caller.connection().barrier(deadline()).await?;
    ensure!(told.try_recv().is_err(), "more was sent than the window allows");
    ensure!(
        caller.unread() <= 256 << 10,
        "{} bytes are unread",
        caller.unread()
    );
    let mut receiver = call.receiver("0.1");
    let mut read = 0;
    while let Some(bytes) = soon("piece", receiver.next()).await?? {
        ensure!(
            bytes.iter().all(|byte| *byte == (read / PIECE) as u8),
            "piece out of order"
        );
        read += bytes.len();
        ensure!(
            caller.unread() <= 256 << 10,
            "{} bytes are unread",
            caller.unread()
        );
    }
    ensure!(read == PIECES as usize * PIECE, "{read} bytes came");
    Ok(())
}

async fn streams_go_both_ways_at_once(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (caller, callee) = (rpc(&server, "A").await?, rpc(&server, "B").await?);
    serve(&callee, |accepted: Accepted| async move {
        accepted.finish(Bytes::new()).await?;
        let (mut receiver, mut sender) = (accepted.receiver("0"), accepted.sender("0"));
        while let Some(bytes) = receiver.next().await? {
            sender.send(bytes).await?;
        }
        Ok(sender.finish().await?)
    })
    .await?;
    let call = caller.call(outgoing("")).await?;
    call.results().await?;
    let (mut sender, mut receiver) = (call.sender("0"), call.receiver("0"));
    let writer = tokio::spawn(async move {
        for n in 0..200_u32 {
            sender.send(vec![n as u8; 20_000].into()).await?;
        }
        sender.finish().await
    });
    let mut read = 0;
    while let Some(bytes) = soon("piece", receiver.next()).await?? {
        read += bytes.len();
    }
    writer.await??;
    ensure!(read == 4_000_000, "{read} bytes came back");
    Ok(())
}

async fn who_loses_interest_says_so(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (caller, callee) = (rpc(&server, "A").await?, rpc(&server, "B").await?);
    let (told, mut hears) = mpsc::unbounded_channel();
    serve(&callee, move |accepted: Accepted| {
        let told = told.clone();
        async move {
            accepted.abandoned().await;
            Ok(told.send(())?)
        }
    })
    .await?;
    drop(caller.call(outgoing("x")).await?);
    soon("cancellation", hears.recv()).await?.context("ended")?;
    Ok(())
}

async fn a_callee_that_dies_is_noticed(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (caller, callee) = (rpc(&server, "A").await?, rpc(&server, "B").await?);
    let (told, mut hears) = mpsc::unbounded_channel();
    serve(&callee, move |accepted: Accepted| {
        let told = told.clone();
        async move {
            told.send(())?;
            accepted.abandoned().await;
            Ok(())
        }
    })
    .await?;
    let call = caller.call(outgoing("x")).await?;
    soon("call", hears.recv()).await?;
    callee.connection().close(deadline()).await;
    let error = failed(soon("end of the call", call.results()).await?)?;
    ensure!(
        matches!(&error, RpcError::Gone { host, .. } if host.as_deref() == Some("B")),
        "{error:?}"
    );
    Ok(())
}

async fn a_caller_that_dies_is_noticed(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (caller, callee) = (rpc(&server, "A").await?, rpc(&server, "B").await?);
    let (told, mut hears) = mpsc::unbounded_channel();
    serve(&callee, move |accepted: Accepted| {
        let told = told.clone();
        async move {
            accepted.abandoned().await;
            Ok(told.send(())?)
        }
    })
    .await?;
    let call = caller.call(outgoing("x")).await?;
    caller.connection().close(deadline()).await;
    soon("end of the caller", hears.recv()).await?.context("ended")?;
    drop(call);
    Ok(())
}

async fn nobody_accepts(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let silent = server.connect().await?;
    let _never_read = silent.subscribe(ALL).await?;
    silent.barrier(deadline()).await?;
    let mut options = RpcOptions::new("A");
    options.accept_timeout = Duration::from_millis(50);
    let caller = Rpc::start(server.connect().await?, options).await?;
    let error = failed(caller.call(outgoing("x")).await)?;
    ensure!(
        matches!(error, RpcError::NotAccepted { .. }) && !error.nothing_begun(),
        "{error:?}"
    );
    ensure!(caller.calls() == 0);
    Ok(())
}

/// Answers with the name of the host.
async fn named(rpc: &Rpc, name: &'static str) -> Result<()> {
    serve(rpc, async move |accepted: Accepted| {
        Ok(accepted.finish(name.into()).await?)
    })
    .await
}

async fn a_client_is_called_directly(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (caller, callees) = (
        rpc(&server, "A").await?,
        [rpc(&server, "B").await?, rpc(&server, "C").await?],
    );
    named(&callees[0], "B").await?;
    named(&callees[1], "C").await?;
    let first = caller.call(outgoing("x")).await?;
    let chosen = first.results().await?;
    let inbox: Box<str> = first.server().context("ours can be called directly")?.into();
    let directly = || Outgoing {
        server: Some(inbox.clone()),
        ..outgoing("x")
    };
    for _ in 0..20 {
        ensure!(caller.call(directly()).await?.results().await? == chosen);
    }
    // Who has no such target says so, and who is gone cannot.
    let elsewhere = Outgoing {
        subject: "default.other.wrpc.0.0.1.test:calls/math@0.1.0.add".to_owned(),
        ..directly()
    };
    let error = failed(caller.call(elsewhere).await)?;
    ensure!(
        matches!(&error, RpcError::Refused(body) if body.code == RpcErrorCode::NotRunning),
        "{error:?}"
    );
    let callee = callees.iter().zip(["B", "C"]).find(|(_, name)| *name == chosen);
    callee
        .context("one of them")?
        .0
        .connection()
        .close(deadline())
        .await;
    // The server learns of it a moment later.
    let gone = async || loop {
        let hurried = Outgoing {
            accept_timeout: Some(Duration::from_millis(50)),
            ..directly()
        };
        match failed(caller.call(hurried).await) {
            Ok(RpcError::NotAccepted { .. }) => continue,
            other => break other,
        }
    };
    let error = soon("word that it is gone", gone()).await??;
    ensure!(matches!(error, RpcError::NoResponders { .. }), "{error:?}");
    Ok(())
}

async fn who_does_not_answer_is_avoided(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let mut options = RpcOptions::new("A");
    options.accept_timeout = Duration::from_millis(500);
    let rpc_a = Rpc::start(server.connect().await?, options).await?;
    let caller = Caller::new(rpc_a, "default".parse()?, Arc::new(|_| {}));
    let callee = rpc(&server, "B").await?;
    named(&callee, "B").await?;
    let id = "callee".parse()?;
    let call = async || -> Result<Duration> {
        let began = Instant::now();
        let request = Request {
            source: &id,
            link_name: "default",
            target: &id,
            instance: "test:calls/math@0.1.0",
            function: "add",
            depth: 0,
            deadline: deadline(),
            signature: None,
            headers: HeaderMap::new(),
            params: "x".into(),
        };
        let results = caller.call(request).await?.results().await?;
        ensure!(results == "B", "{results:?}");
        Ok(began.elapsed())
    };
    call().await?;
    // One more of the group, which never says anything.
    let silent = server.connect().await?;
    let _never_read = silent.queue_subscribe(ALL, "default.callee").await?;
    silent.barrier(deadline()).await?;
    let mut late = 0;
    for _ in 0..100 {
        late += u32::from(call().await? >= Duration::from_millis(500));
    }
    // Of calls to the group, every second waits.
    ensure!(
        (1..10).contains(&late),
        "{late} of 100 calls waited for who does not answer"
    );
    Ok(())
}

/// What a host of v1 does, message by message (`shared/reference/captures/values.jsonl`).
async fn a_callee_of_v1_is_understood(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let caller = rpc(&server, "A").await?;
    let v1 = server.connect().await?;
    let mut calls = v1.queue_subscribe(ALL, "default.callee").await?;
    v1.barrier(deadline()).await?;
    let callee = tokio::spawn(async move {
        let call = soon("call", calls.next()).await?.context("ended")?;
        let reply = call.reply.context("a reply subject")?;
        let mut params = v1.subscribe("v1inbox.params").await?;
        v1.client()
            .publish_with_reply(reply.clone(), "v1inbox", Bytes::new())
            .await?;
        let rest = soon("end of the parameters", params.next())
            .await?
            .context("ended")?;
        ensure!(rest.payload.is_empty());
        let results = format!("{reply}.results");
        v1.publish(&results, None, "re".into()).await?;
        v1.publish(&results, None, "sult".into()).await?;
        v1.publish(&results, None, Bytes::new()).await?;
        // What was not sent when a connection is dropped is lost.
        v1.barrier(deadline()).await?;
        Ok(call.payload)
    });
    let call = caller.call(outgoing("p")).await?;
    ensure!(!call.is_ours() && call.host().is_none());
    let (results, params) = tokio::try_join!(async { Ok(soon("results", call.results()).await??) }, async {
        callee.await?
    },)?;
    ensure!(results == "result" && params == "p");
    Ok(())
}

async fn a_caller_of_v1_is_understood(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let callee = rpc(&server, "B").await?;
    serve(&callee, |accepted: Accepted| async move {
        match &**accepted.first() {
            b"fail" => Ok(accepted
                .fail(&RpcErrorBody::new(RpcErrorCode::Trap, "no"))
                .await?),
            _ => Ok(accepted.finish(accepted.params().await?).await?),
        }
    })
    .await?;
    let v1 = server.connect().await?;
    for (sent, back) in [("par", "params"), ("fail", "")] {
        let mut inbox = v1.subscribe("v1inbox").await?;
        let mut results = v1.subscribe("v1inbox.results").await?;
        v1.client()
            .publish_with_reply(SUBJECT, "v1inbox", sent.into())
            .await?;
        let accept = soon("accept", inbox.next()).await?.context("ended")?;
        let params = format!("{}.params", accept.reply.context("a reply subject")?);
        ensure!(accept.payload.is_empty() && accept.headers.is_none());
        v1.publish(&params, None, "ams".into()).await?;
        v1.publish(&params, None, Bytes::new()).await?;
        let mut all = Vec::new();
        loop {
            let message = soon("results", results.next()).await?.context("ended")?;
            ensure!(message.headers.is_none());
            if message.payload.is_empty() {
                break;
            }
            all.extend_from_slice(&message.payload);
        }
        ensure!(all == back.as_bytes(), "{all:?}");
    }
    Ok(())
}

async fn a_caller_that_falls_silent_is_not_waited_for_for_ever(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let callee = rpc(&server, "B").await?;
    let mut served = callee.serve(ALL, "default.callee").await?;
    callee.connection().barrier(deadline()).await?;
    // One of v1 says neither how long it waits nor whether more parameters follow.
    let v1 = server.connect().await?;
    v1.client()
        .publish_with_reply(SUBJECT, "v1inbox", "par".into())
        .await?;
    let incoming = soon("call", served.next()).await?.context("ended")?;
    let accepted = incoming.accept(Duration::from_millis(50)).await?;
    let error = failed(soon("end of the wait", accepted.params()).await?)?;
    ensure!(matches!(error, RpcError::TimedOut { .. }), "{error:?}");
    drop(accepted);
    ensure!(callee.calls() == 0);
    Ok(())
}

async fn garbage_is_survived(target: Target) -> Result<()> {
    let server = Nats::start(target).await?;
    let (caller, callee) = (rpc(&server, "A").await?, rpc(&server, "B").await?);
    let (told, mut hears) = mpsc::unbounded_channel();
    serve(&callee, move |accepted: Accepted| {
        let told = told.clone();
        async move {
            told.send(accepted.params().await.map(|params| params.len()))?;
            Ok(accepted.finish("ok".into()).await?)
        }
    })
    .await?;
    // An accept that leads nowhere, messages for calls that never were, and for this one on every kind of path.
    let foreign = server.connect().await?;
    let mut inbox = foreign.subscribe("foreign").await?;
    foreign
        .client()
        .publish_with_reply(SUBJECT, "foreign", "\u{0}".into())
        .await?;
    let accept = soon("accept", inbox.next()).await?.context("ended")?;
    let peer = accept.reply.context("a reply subject")?.to_string();
    let (prefix, _) = peer.rsplit_once('.').context("a subject of parts")?;
    for tail in [
        "",
        ".",
        ".params.",
        ".params.x",
        ".params.99999999999",
        ".results",
        ".credit",
        ".credit.0",
        ".cancelled",
        ".params.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0",
        ".pong.pong",
    ] {
        let subject = format!("{peer}{tail}");
        if subject.split('.').all(|part| !part.is_empty()) {
            foreign.publish(&subject, None, vec![255; 40].into()).await?;
        }
    }
    for id in ["0", "ffffffffffffffff", "fffffffffffffffff", "-1", "zz"] {
        foreign
            .publish(&format!("{prefix}.{id}.results"), None, "x".into())
            .await?;
    }
    for n in 0..100 {
        foreign
            .publish(&format!("{peer}.params.{n}"), None, vec![1; 1000].into())
            .await?;
    }
    foreign
        .publish(&format!("{peer}.params"), None, Bytes::new())
        .await?;
    let read = soon("call that ends", hears.recv()).await?.context("ended")??;
    ensure!(read == 1, "{read} bytes of parameters");
    // And a call between others goes on as ever.
    ensure!(caller.call(outgoing("x")).await?.results().await? == "ok");
    soon("nothing is left unread", async {
        while callee.unread() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
}

async fn many_calls_at_once(target: Target) -> Result<()> {
    const CALLS: usize = 2_000;
    let server = Nats::start(target).await?;
    let (caller, callee) = (rpc(&server, "A").await?, rpc(&server, "B").await?);
    serve(&callee, echo).await?;
    let calls = (0..CALLS).map(|n| {
        let caller = caller.clone();
        tokio::spawn(async move {
            let params = n.to_string();
            let results = caller.call(outgoing(params.clone())).await?.results().await?;
            ensure!(results == params, "{results:?} came back for {params}");
            Ok(())
        })
    });
    for call in calls.collect::<Vec<_>>() {
        soon("call", call).await???;
    }
    ensure!(caller.calls() == 0);
    let end = Instant::now() + support::SOON;
    while callee.calls() > 0 {
        ensure!(Instant::now() < end, "{} calls are still known", callee.calls());
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn failed<T>(outcome: Result<T, RpcError>) -> Result<RpcError> {
    match outcome {
        Ok(_) => bail!("the call succeeded"),
        Err(error) => Ok(error),
    }
}
