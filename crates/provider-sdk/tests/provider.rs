//! A provider lives as its host wants: links, calls in both directions, and the end.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use support::{Bench, COMPONENT, MAX_CALLS, for_both, until};
use tokio::time::Instant;
use wasmcloud_lattice::rpc::RpcError;
use wasmcloud_provider_sdk::rpc::blobstore::{
    GetContainerData, OUTCOME, ObjectId, Outcome, RESULT, STREAM, WRITTEN, WriteContainerData,
};
use wasmcloud_provider_sdk::rpc::keyvalue::Error;
use wasmcloud_provider_sdk::rpc::messaging::HandleMessage;
use wasmcloud_provider_sdk::rpc::stream::StreamOf;
use wasmcloud_provider_sdk::rpc::{Call, Payload as _, RpcErrorBody, RpcErrorCode, header};
use wasmcloud_provider_sdk::{ByteReader, ByteWriter, SessionError, receive_value};
use wasmcloud_test_lattice::{SOON, TestLattice, soon};
use wasmcloud_wire::Message as _;

for_both!(
    calls_end_whatever_the_handler_does,
    more_calls_than_allowed_are_refused,
    streams_go_both_ways,
    links_are_told_once_and_kept_apart,
    secrets_of_links_are_opened,
    a_link_that_fails_is_in_the_health,
    config_is_told_when_it_changes,
    a_provider_that_starts_says_so,
    a_provider_that_cannot_start_says_why,
    calls_under_way_finish_before_the_end,
    a_hanging_call_does_not_hold_up_the_answer,
    components_are_called_in_the_name_of_the_caller,
);

async fn calls_end_whatever_the_handler_does(lattice: TestLattice) -> Result<()> {
    let bench = Bench::ready(&lattice, "calls").await?;
    let echoed = bench.call(bench.get("bytes", "echo")).await?;
    ensure!(echoed == Ok(Some(b"bytes".to_vec())));
    ensure!(bench.call(bench.get("b", "other")).await? == Err(Error::NoSuchStore));
    for (key, code, text) in [
        ("fail", RpcErrorCode::Internal, "it was told to fail"),
        (
            "panic",
            RpcErrorCode::Trap,
            "the provider panicked in get: a bug in panic",
        ),
        (
            "link",
            RpcErrorCode::Denied,
            "component `cart` has no link `default` for wrpc:keyvalue/store",
        ),
    ] {
        let body = failure(bench.call(bench.get("b", key)).await)?;
        ensure!(body.code == code && body.message.starts_with(text), "{body:?}");
    }
    let mut malformed = bench.get("b", "echo");
    malformed.params = Bytes::from_static(&[1, b'b', 200]);
    let body = failure(bench.call(malformed).await)?;
    ensure!(body.code == RpcErrorCode::Malformed, "{body:?}");
    let mut lying = bench.get("b", "echo");
    lying.headers.insert(header::SOURCE_ID, "a.>");
    let body = failure(bench.call(lying).await)?;
    ensure!(body.code == RpcErrorCode::Malformed, "{body:?}");
    // The places of calls that reached their deadline are free again.
    for _ in 0..MAX_CALLS {
        let mut hangs = bench.get("b", "hang");
        hangs.deadline = Instant::now() + Duration::from_millis(50);
        match bench.call(hangs).await {
            // Which of the two says so first is open; on a machine that is busy it was not even accepted.
            Err(RpcError::TimedOut { .. } | RpcError::NotAccepted { .. }) => {}
            Err(RpcError::Failed(body)) if body.code == RpcErrorCode::Deadline => {}
            other => bail!("{other:?}"),
        }
    }
    let deadline = Instant::now() + SOON;
    while bench.call(bench.get("b", "echo")).await.is_err() {
        ensure!(Instant::now() < deadline, "the calls hang on");
    }
    let raw = bench.outgoing("test:own/raw@0.1.0", "reverse", b"abc".to_vec());
    ensure!(bench.begin(raw).await?.results().await? == "cba");
    let unknown = bench.outgoing("test:own/raw@0.1.0", "other", Vec::new());
    let error = bench.begin(unknown).await.err().context("it exists")?;
    ensure!(matches!(error, RpcError::NoResponders { .. }), "{error}");
    Ok(())
}

async fn more_calls_than_allowed_are_refused(lattice: TestLattice) -> Result<()> {
    let mut bench = Bench::ready(&lattice, "full").await?;
    let mut waiting = Vec::new();
    for _ in 0..MAX_CALLS {
        waiting.push(bench.begin(bench.get("b", "wait")).await?);
        bench.told("waiting").await?;
    }
    let error = bench
        .call(bench.get("b", "echo"))
        .await
        .err()
        .context("it was taken")?;
    ensure!(
        matches!(&error, RpcError::Refused(body) if body.code == RpcErrorCode::Full) && error.nothing_begun(),
        "{error:?}"
    );
    // A caller that goes away frees a place too.
    waiting.pop();
    let deadline = Instant::now() + SOON;
    while bench.call(bench.get("b", "echo")).await.is_err() {
        ensure!(Instant::now() < deadline, "the place is still taken");
    }
    bench.hooks.release.notify_waiters();
    for call in waiting {
        ensure!(!soon("results", call.results()).await??.is_empty());
    }
    Ok(())
}

async fn streams_go_both_ways(lattice: TestLattice) -> Result<()> {
    let mut bench = Bench::ready(&lattice, "streams").await?;
    let id = |object: &str| ObjectId {
        container: "c".to_owned(),
        object: object.to_owned(),
    };
    let write = |object: &str| WriteContainerData {
        id: id(object),
        data: StreamOf::Pending,
    };
    let instance = WriteContainerData::INSTANCE;
    let outgoing =
        |object: &str| bench.outgoing(instance, WriteContainerData::FUNCTION, write(object).to_bytes());
    let call = bench.begin(outgoing("o")).await?;
    ensure!(call.results().await? == [0, 0].as_slice());
    let mut writer = ByteWriter::new(call.sender(&WRITTEN.to_string()));
    for n in 0..50_u8 {
        writer.write(&vec![n; 100_001]).await?;
    }
    writer.finish().await?;
    let outcome: Outcome = receive_value(call.receiver(&RESULT.to_string()), 1_000)
        .await
        .map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
    ensure!(outcome == Ok(()));

    // A stream that ends in the middle is an error for the provider, and nothing else.
    let call = bench.begin(outgoing("o")).await?;
    call.results().await?;
    let mut sender = call.sender(&WRITTEN.to_string());
    sender.send(Bytes::from_static(&[9, 1])).await?;
    sender.finish().await?;
    let cut = receive_value::<Outcome>(call.receiver(&RESULT.to_string()), 1_000);
    let cut = soon("end of the call", cut)
        .await?
        .err()
        .context("it succeeded")?;
    ensure!(
        cut.message() == "the stream of bytes ended in the middle",
        "{cut:?}"
    );
    let body = failure(bench.begin(outgoing("no-answer")).await?.results().await)?;
    ensure!(body.message.contains("without an answer"), "{body:?}");

    let read = GetContainerData {
        id: id("o"),
        start: 0,
        end: 40,
    };
    let outgoing = bench.outgoing(instance, GetContainerData::FUNCTION, read.to_bytes());
    let call = bench.begin(outgoing).await?;
    call.results().await?;
    let mut reader = ByteReader::new(call.receiver(&STREAM.to_string()));
    let mut sum = 0;
    while let Some(piece) = soon("piece", reader.next()).await?? {
        ensure!(!piece.is_empty());
        sum += piece.len();
    }
    ensure!(sum == 4_000_000 && reader.next().await?.is_none(), "{sum}");
    let outcome: Outcome = receive_value(call.receiver(&OUTCOME.to_string()), 1_000)
        .await
        .map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
    ensure!(outcome == Ok(()));
    bench.told("wrote 5000050").await
}

async fn links_are_told_once_and_kept_apart(lattice: TestLattice) -> Result<()> {
    let mut bench = Bench::start(&lattice, "links", |data| {
        data.link_definitions = vec![wasmcloud_wire::provider::InterfaceLinkDefinition {
            source_id: COMPONENT.to_owned(),
            target: "links".to_owned(),
            name: "first".to_owned(),
            wit_namespace: "wasi".to_owned(),
            wit_package: "keyvalue".to_owned(),
            ..Default::default()
        }];
    })
    .await?;
    bench.hooks.init.add_permits(1);
    bench.told("init").await?;
    bench.told("put first  -").await?;
    bench.healthy().await?;
    let (put, del) = (bench.subject("linkdefs.put"), bench.subject("linkdefs.del"));
    let own = format!("wasmbus.rpc.default.{}", bench.provider_key.public_key());
    let own_put = format!("{own}.linkdefs.put");
    let default = bench.link("default", "a");
    // On both subjects, as hosts of v1 do; and once more.
    for subject in [&put, &own_put, &put] {
        bench.publish(subject, default.encode()).await?;
    }
    bench
        .publish(&own_put, bench.link("second", "b").encode())
        .await?;
    // Another config is another link.
    bench.publish(&put, bench.link("third", "c").encode()).await?;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(soon("link", bench.next()).await?);
    }
    told.sort();
    ensure!(
        told == ["put default a -", "put second b -", "put third c -"],
        "{told:?}"
    );
    let link = |name: &'static str| {
        let mut call = bench.get("b", "link");
        call.headers.insert(header::LINK_NAME, name);
        call
    };
    for (name, url) in [("default", "a"), ("second", "b"), ("third", "c")] {
        bench.linked(name).await?;
        ensure!(
            bench.call(link(name)).await? == Ok(Some(url.as_bytes().to_vec())),
            "{name}"
        );
    }
    bench.publish(&put, bench.link("default", "z").encode()).await?;
    bench.told("put default z -").await?;
    // The end of one, twice, and of one that is not there.
    for name in ["second", "second", "fourth"] {
        bench.publish(&del, bench.link(name, "").encode()).await?;
    }
    bench.told("del second").await?;
    // Our hosts tell of the end on the key.
    bench
        .publish(&format!("{own}.linkdefs.del"), bench.link("third", "").encode())
        .await?;
    bench.told("del third").await?;
    bench.told_nothing()?;
    Ok(())
}

async fn secrets_of_links_are_opened(lattice: TestLattice) -> Result<()> {
    let mut bench = Bench::ready(&lattice, "secrets").await?;
    let own = format!(
        "wasmbus.rpc.default.{}.linkdefs.put",
        bench.provider_key.public_key()
    );
    let link = bench.link("default", "a");
    // Sealed anew each time, and the same all the same.
    for _ in 0..2 {
        let sealed = bench.sealed(link.clone(), "s3cret")?;
        bench.publish(&own, sealed.encode()).await?;
    }
    bench.told("put default a s3cret").await?;
    // What all processes hear has no secrets, and takes none away.
    let put = bench.subject("linkdefs.put");
    bench.publish(&put, link.encode()).await?;
    let changed = bench.sealed(link, "an0ther")?;
    bench.publish(&own, changed.encode()).await?;
    bench.told("put default a an0ther").await?;
    let mut stolen = bench.link("stolen", "a");
    stolen.target_secrets = Some(vec![1; 80]);
    bench.publish(&own, stolen.encode()).await?;
    bench.publish(&own, bench.link("last", "a").encode()).await?;
    bench.told("put last a -").await
}

async fn a_link_that_fails_is_in_the_health(lattice: TestLattice) -> Result<()> {
    let mut bench = Bench::ready(&lattice, "failing").await?;
    let put = bench.subject("linkdefs.put");
    for url in ["bad", "panic"] {
        bench.publish(&put, bench.link("default", url).encode()).await?;
        bench.told(&format!("put default {url} -")).await?;
        let said = said(&bench, |message| message.is_some()).await?.unwrap();
        ensure!(
            said.starts_with("1 links do not work, link `default` of wasi:keyvalue"),
            "{said}"
        );
        let body = failure(bench.call(bench.get("b", "link")).await)?;
        ensure!(body.code == RpcErrorCode::Denied, "{body:?}");
    }
    // The next put tries again.
    bench
        .publish(&put, bench.link("default", "good").encode())
        .await?;
    bench.told("put default good -").await?;
    said(&bench, |message| message.is_none()).await?;
    // A change that fails leaves nothing of what was before.
    bench.publish(&put, bench.link("default", "bad").encode()).await?;
    bench.told("put default bad -").await?;
    bench.told("del default").await?;
    let body = failure(bench.call(bench.get("b", "link")).await)?;
    ensure!(body.code == RpcErrorCode::Denied, "{body:?}");
    Ok(())
}

/// Waits until the health message is so.
async fn said(bench: &Bench, so: fn(&Option<String>) -> bool) -> Result<Option<String>> {
    let deadline = Instant::now() + SOON;
    loop {
        let health = bench.health().await?;
        if so(&health.message) {
            return Ok(health.message);
        }
        ensure!(Instant::now() < deadline, "{health:?}");
    }
}

async fn config_is_told_when_it_changes(lattice: TestLattice) -> Result<()> {
    let mut bench = Bench::ready(&lattice, "config").await?;
    let subject = bench.subject("config.update");
    for config in ["{}", r#"{"a":"1"}"#, r#"{"a":"1"}"#, r#"{"a":1}"#, r#"{"b":"2"}"#] {
        bench.publish(&subject, config.into()).await?;
    }
    bench.told(r#"config {"a": "1"}"#).await?;
    bench.told(r#"config {"b": "2"}"#).await
}

async fn a_provider_that_starts_says_so(lattice: TestLattice) -> Result<()> {
    let mut bench = Bench::start(&lattice, "starting", |_| {}).await?;
    bench.told("init").await?;
    let health = bench.health().await?;
    ensure!(!health.healthy && health.message.as_deref() == Some("the provider is starting"));
    let error = bench
        .call(bench.get("b", "echo"))
        .await
        .err()
        .context("it answers")?;
    ensure!(error.nothing_begun(), "{error}");
    // It can be stopped all the same.
    bench.stop();
    bench.ended().await??;
    Ok(())
}

async fn a_provider_that_cannot_start_says_why(lattice: TestLattice) -> Result<()> {
    for (how, why) in [
        ("fail", "start the provider: it was told to fail"),
        ("panic", "start the provider: it panicked: it was told to panic"),
    ] {
        let mut bench = Bench::start(&lattice, &format!("failing-{how}"), |data| {
            data.config.insert("init".to_owned(), how.to_owned());
        })
        .await?;
        bench.hooks.init.add_permits(1);
        let error = bench.ended().await?.err().context("it started")?;
        ensure!(
            matches!(error, SessionError::Init(_)) && error.to_string() == why,
            "{error}"
        );
    }
    Ok(())
}

async fn calls_under_way_finish_before_the_end(lattice: TestLattice) -> Result<()> {
    let mut bench = Bench::ready(&lattice, "draining").await?;
    let waiting = bench.begin(bench.get("b", "wait")).await?;
    bench.told("waiting").await?;
    bench.stop();
    // No more calls are taken.
    let deadline = Instant::now() + SOON;
    loop {
        // One that is sent in the moment in which the provider leaves may be lost (`Subscription::drain`).
        let mut call = bench.get("b", "echo");
        call.deadline = Instant::now() + Duration::from_secs(1);
        match bench.call(call).await {
            Err(RpcError::NoResponders { .. }) => break,
            _ => ensure!(Instant::now() < deadline, "it still takes calls"),
        }
    }
    let health = bench.health().await?;
    ensure!(!health.healthy && health.message.as_deref() == Some("the provider is stopping"));
    bench.told_nothing()?;
    bench.hooks.release.notify_waiters();
    ensure!(!soon("results", waiting.results()).await??.is_empty());
    bench.told("shutdown").await?;
    bench.ended().await??;
    Ok(())
}

async fn a_hanging_call_does_not_hold_up_the_answer(lattice: TestLattice) -> Result<()> {
    let mut bench = Bench::ready(&lattice, "hanging").await?;
    let waiting = bench.begin(bench.get("b", "wait")).await?;
    bench.told("waiting").await?;
    // The answer comes before the call has ended; so does one to who asks again.
    for _ in 0..2 {
        let deadline = Instant::now() + SOON;
        let subject = bench.subject("default.shutdown");
        let answer = bench
            .connection
            .request(&subject, None, bench.shutdown().into(), deadline)
            .await?;
        ensure!(answer.payload == "shutting down");
    }
    ensure!(!bench.session.is_finished());
    bench.hooks.release.notify_waiters();
    ensure!(!soon("results", waiting.results()).await??.is_empty());
    bench.told("shutdown").await?;
    bench.ended().await??;
    Ok(())
}

async fn components_are_called_in_the_name_of_the_caller(lattice: TestLattice) -> Result<()> {
    let bench = Bench::ready(&lattice, "relay").await?;
    let subject = format!(
        "default.{COMPONENT}.wrpc.0.0.1.{}.{}",
        HandleMessage::INSTANCE,
        HandleMessage::FUNCTION
    );
    let mut server = bench.rpc.serve(&subject, "default.cart").await?;
    bench.connection.barrier(Instant::now() + SOON).await?;
    let component = tokio::spawn(async move {
        // A host that is full may not be the only one.
        for _ in 0..2 {
            let incoming = soon("call", server.next()).await?.context("the server ended")?;
            incoming
                .refuse(&RpcErrorBody::new(RpcErrorCode::Full, "full"))
                .await;
        }
        let incoming = soon("call", server.next()).await?.context("the server ended")?;
        let names = [header::SOURCE_ID, header::TARGET_ID, header::TRACEPARENT];
        let headers = names.map(|name| incoming.header(name).unwrap_or("-").to_owned());
        ensure!(incoming.terms().depth == 5, "{:?}", incoming.terms());
        ensure!(incoming.time_left().context("it has a deadline")? <= SOON);
        let accepted = incoming.accept(SOON).await?;
        let message = HandleMessage::from_bytes(&accepted.params().await?)?;
        let answer: <HandleMessage as Call>::Result = Err("heard it".to_owned());
        accepted.finish(answer.to_bytes().into()).await?;
        // Nobody takes the next one: it has failed once begun, and is not made again.
        let incoming = soon("call", server.next()).await?.context("the server ended")?;
        let accepted = incoming.accept(SOON).await?;
        accepted
            .fail(&RpcErrorBody::new(RpcErrorCode::Trap, "it trapped"))
            .await?;
        Ok((headers, message.msg.body, server))
    });
    let mut call = bench.get(COMPONENT, "relay");
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    call.headers.insert(header::TRACEPARENT, trace);
    call.terms.depth = 4;
    ensure!(bench.call(call).await? == Err(Error::Other("heard it".to_owned())));
    let body = failure(bench.call(bench.get(COMPONENT, "relay")).await)?;
    ensure!(body.message.ends_with("it trapped"), "{body:?}");
    let (headers, body, _server) = soon("component", component).await???;
    ensure!(headers == ["relay", COMPONENT, trace], "{headers:?}");
    ensure!(body == b"body");
    let body = failure(bench.call(bench.get("nobody", "relay")).await)?;
    ensure!(body.message.contains("nobody in the lattice answers"), "{body:?}");
    Ok(())
}

/// A server that is gone for a while is no reason to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_server_is_waited_for() -> Result<()> {
    let mut lattice = TestLattice::nats("2.12.8").await?;
    let mut bench = Bench::ready(&lattice, "lost").await?;
    let server = lattice.server().context("it is a real one")?;
    server.kill()?;
    until("the connection is lost", || !connected(&bench)).await?;
    server.restart()?;
    until("the connection is there again", || connected(&bench)).await?;
    bench.healthy().await?;
    let put = bench.subject("linkdefs.put");
    bench.publish(&put, bench.link("default", "a").encode()).await?;
    bench.told("put default a -").await?;
    bench.linked("default").await?;
    ensure!(bench.call(bench.get("b", "link")).await? == Ok(Some(b"a".to_vec())));
    bench.stop();
    bench.told("shutdown").await?;
    bench.ended().await??;
    Ok(())
}

fn connected(bench: &Bench) -> bool {
    let state = bench.connection.state();
    let now = *state.borrow();
    matches!(now, wasmcloud_lattice::ConnectionState::Connected { .. })
}

fn failure<T: std::fmt::Debug>(outcome: Result<T, RpcError>) -> Result<RpcErrorBody> {
    match outcome {
        Err(RpcError::Failed(body)) => Ok(body),
        other => bail!("{other:?}"),
    }
}
