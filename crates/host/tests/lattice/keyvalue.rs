//! `wasi:keyvalue` from one host to another, and with peers of v1, which are plain messages here (wire reference §4.2,
//! §4.6): what was recorded of v1, byte for byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use wasmcloud_cap_keyvalue::backends::LatticeStore;
use wasmcloud_cap_keyvalue::{BucketName, Cursor, Increment, Key, Store};
use wasmcloud_host::LatticeHost;
use wasmcloud_lattice::Connection;
use wasmcloud_lattice::rpc::{Caller, ProviderLink, Rpc, RpcOptions};
use wasmcloud_test_kit::guests::example;
use wasmcloud_test_kit::{http, keyvalue};
use wasmcloud_wire::rpc::Payload as _;
use wasmcloud_wire::rpc::keyvalue as wire;

use crate::on_both_lattices;
use crate::support::{HTTP, MEMORY, Rig, Target, free_address, on, reference, scale, soon, until, web_link};
use crate::v1_peer::{answer_as_v1, call_as_v1, component, serve_as_v1};

on_both_lattices!(
    a_component_counts_in_a_store_on_another_host,
    a_provider_of_v1_is_called_as_recorded,
    what_a_provider_says_is_checked,
    a_caller_of_v1_is_answered_as_recorded,
    nonsense_is_answered_with_errors,
    the_suite_passes_as_far_as_it_can_travel,
    a_provider_that_stops_breaks_off_no_call,
);

const RECORDING: &str = include_str!("../../../wire/tests/golden/keyvalue.jsonl");
const INCREMENT: &str = "default.kv.wrpc.0.0.1.wrpc:keyvalue/atomics@0.2.0-draft.increment";

/// From a component to the store.
pub(crate) fn link(source: &str) -> Value {
    json!({
        "source_id": source, "target": "kv", "name": "default", "wit_namespace": "wasi",
        "wit_package": "keyvalue", "interfaces": ["store", "atomics", "batch"], "source_config": [],
        "target_config": [],
    })
}

/// A host with the counter behind HTTP.
async fn counter(rig: &mut Rig) -> Result<(LatticeHost, SocketAddr)> {
    let front = rig.host(|_, _| {}).await?;
    let address = counter_on(rig, &front).await?;
    Ok((front, address))
}

/// Starts the counter behind HTTP on a host that has no links yet, linked to `kv`.
pub(crate) async fn counter_on(rig: &mut Rig, front: &LatticeHost) -> Result<SocketAddr> {
    let address = free_address()?;
    rig.provide(front, "http", HTTP).await?;
    rig.client
        .ok("config.put.web", &json!({ "address": address.to_string() }))
        .await?;
    rig.client.ok("link.put", &web_link("counter")).await?;
    rig.client.ok("link.put", &link("counter")).await?;
    let image = reference(&example("http-keyvalue-counter", "http_keyvalue_counter")?);
    let many = scale(front, "counter", &image, 10);
    rig.client.ok(&on("component.scale", front), &many).await?;
    rig.events
        .wait("component_scaled", &json!({ "component_id": "counter" }))
        .await?;
    until("listener and links", async || {
        Ok(front.host().listening().await.contains(&address) && front.host().links().len() == 2)
    })
    .await?;
    Ok(address)
}

async fn ask(address: SocketAddr, method: &'static str, path: &'static str) -> Result<(u16, String)> {
    let asked = tokio::task::spawn_blocking(move || http::request(address, method, path, &[], b""));
    let response = soon("answer", asked).await???;
    Ok((response.status, response.text().to_string()))
}

/// Counts up, and answers with status and text.
pub(crate) async fn count(address: SocketAddr) -> Result<(u16, String)> {
    ask(address, "GET", "/c1").await
}

/// Waits until a host with the store knows the link.
async fn linked(host: &LatticeHost, source: &str) -> Result<()> {
    until("link", async || {
        let links = host.host().links();
        Ok(links
            .iter()
            .any(|link| link.source.as_str() == source && link.target.as_str() == "kv"))
    })
    .await
}

async fn a_component_counts_in_a_store_on_another_host(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let (front, address) = counter(&mut rig).await?;
    let nobody =
        "increment `c1`: key-value provider `kv`: no host of the lattice runs it; hint: start it there";
    let (status, text) = count(address).await?;
    ensure!(status == 500 && text.starts_with(nobody), "{status} {text}");

    let back = rig.host(|_, _| {}).await?;
    linked(&back, "counter").await?;
    for _ in 0..2 {
        rig.provide(&back, "kv", MEMORY).await?;
        for expected in ["Counter c1: 1\n", "Counter c1: 2\n"] {
            let answer = count(address).await?;
            ensure!(answer == (200, expected.to_owned()), "{answer:?}");
        }
        let reset = ask(address, "DELETE", "/c1").await?;
        ensure!(reset == (200, "Counter c1: 0\n".to_owned()), "{reset:?}");
        ensure!(count(address).await?.1 == "Counter c1: 1\n");
        // It goes, and it comes back without what it had.
        let stop = json!({ "provider_id": "kv", "host_id": back.id().as_str() });
        rig.client.ok(&on("provider.stop", &back), &stop).await?;
        rig.events.wait("provider_stopped", &json!({})).await?;
        let (status, text) = count(address).await?;
        ensure!(status == 500 && text.starts_with(nobody), "{status} {text}");
    }

    // Here first, and elsewhere only if the link says so.
    rig.provide(&back, "kv", MEMORY).await?;
    ensure!(count(address).await?.1 == "Counter c1: 1\n");
    rig.provide(&front, "kv", MEMORY).await?;
    ensure!(
        count(address).await?.1 == "Counter c1: 1\n",
        "it has a store here now"
    );
    let stop = json!({ "provider_id": "kv", "host_id": front.id().as_str() });
    rig.client.ok(&on("provider.stop", &front), &stop).await?;
    rig.events.wait("provider_stopped", &json!({})).await?;
    ensure!(count(address).await?.1 == "Counter c1: 2\n");
    let mut local = link("counter");
    local["route"] = "local".into();
    rig.client.ok("link.put", &local).await?;
    until("link", async || {
        let links = front.host().links();
        Ok(links
            .iter()
            .any(|link| link.route == wasmcloud_core::Route::Local))
    })
    .await?;
    let (status, text) = count(address).await?;
    ensure!(
        status == 500 && text.contains("hint: the route of the link is `local`"),
        "{text}"
    );
    Ok(())
}

/// A recorded call of the provider: what the caller sent, and what came back.
struct Recorded {
    headers: Value,
    params: Bytes,
    results: Bytes,
}

fn recorded() -> Result<Vec<Recorded>> {
    let lines: Vec<Value> = RECORDING
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let bytes = |line: &Value| -> Result<Bytes> {
        Ok(STANDARD.decode(line["base64"].as_str().context("bytes")?)?.into())
    };
    let calls = lines.iter().filter(|line| line["subject"] == INCREMENT);
    let calls: Vec<Recorded> = calls
        .map(|call| {
            let results = format!("{}.results", call["reply"].as_str().context("a reply")?);
            let answer = lines
                .iter()
                .find(|line| line["subject"] == results.as_str())
                .context("an answer")?;
            Ok(Recorded {
                headers: call["headers"].clone(),
                params: bytes(call)?,
                results: bytes(answer)?,
            })
        })
        .collect::<Result<_>>()?;
    ensure!(calls.len() == 2, "{} calls were recorded", calls.len());
    Ok(calls)
}

async fn a_provider_of_v1_is_called_as_recorded(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let v1 = Connection::connect(&rig.options()).await?;
    let mut calls = serve_as_v1(&v1, "kv").await?;
    let (_front, address) = counter(&mut rig).await?;
    for (recorded, expected) in recorded()?
        .into_iter()
        .zip(["Counter c1: 1\n", "Counter c1: 2\n"])
    {
        let (asked, called) = tokio::join!(
            count(address),
            answer_as_v1(&v1, &mut calls, std::slice::from_ref(&recorded.results))
        );
        let (asked, called) = (asked?, called?);
        ensure!(asked == (200, expected.to_owned()), "{asked:?}");
        ensure!(called.subject == INCREMENT, "{}", called.subject);
        for name in ["source-id", "link-name"] {
            let sent = called.header(name);
            ensure!(sent == recorded.headers[name].as_str(), "{name}: {sent:?}");
        }
        // The example of v1 has the slash of the path in the key, ours has not.
        let mut theirs = wire::Increment::from_bytes(&recorded.params)?;
        ensure!(theirs.to_bytes() == recorded.params);
        ensure!(theirs.key == "/c1");
        theirs.key.remove(0);
        ensure!(theirs.to_bytes() == called.params, "{:?}", called.params);
    }
    // A trap of v1, of which it says nothing.
    let (asked, called) = tokio::join!(count(address), answer_as_v1(&v1, &mut calls, &[]));
    let (status, text) = asked?;
    called?;
    ensure!(
        status == 500 && text.contains("key-value provider `kv`: it ended the call without results"),
        "{text}"
    );
    Ok(())
}

/// The store behind a link, as the adapter makes one for an invocation.
async fn store(rig: &Rig, source: &str) -> Result<LatticeStore> {
    store_by(rig, source, "default").await
}

/// The store behind a link of another name.
pub(crate) async fn store_by(rig: &Rig, source: &str, name: &str) -> Result<LatticeStore> {
    let connection = Connection::connect(&rig.options()).await?;
    // As a host has it: what is sent in the moment in which somebody leaves is lost, and made again after a second.
    let rpc = Rpc::start(connection, RpcOptions::new("test")).await?;
    let caller = Caller::new(rpc, "default".parse()?, Arc::new(|_| {}));
    let link = ProviderLink::new(caller, source.parse()?, name.parse()?, "kv".parse()?);
    Ok(LatticeStore::new(
        link,
        Instant::now() + Duration::from_secs(300),
        1,
    ))
}

async fn what_a_provider_says_is_checked(target: Target) -> Result<()> {
    let rig = Rig::start(target).await?;
    let v1 = Connection::connect(&rig.options()).await?;
    let mut calls = serve_as_v1(&v1, "kv").await?;
    let store = store(&rig, "cart").await?;
    let (bucket, key) = (BucketName::new("b")?, Key::new("k")?);
    let malformed = "key-value provider `kv`: it answers `get` with something else than results of \
                     `wrpc:keyvalue/store@0.2.0-draft`: ";
    for (results, expected) in [
        (vec![0, 0], Ok(None)),
        (vec![0, 1, 2, 7, 8], Ok(Some(vec![7, 8]))),
        (vec![1, 0], Err("there is no bucket `b`")),
        (vec![1, 1], Err("access denied")),
        (vec![1, 2, 4, b't', b'e', b'x', b't'], Err("text")),
        (vec![1, 3], Err(malformed)),
        (vec![0, 1, 9], Err(malformed)),
        (vec![0, 0, 0], Err(malformed)),
        (vec![0xff; 32], Err(malformed)),
    ] {
        let answer = [results.clone().into()];
        let (found, called) = tokio::join!(store.get(&bucket, &key), answer_as_v1(&v1, &mut calls, &answer));
        called?;
        match (found, expected) {
            (Ok(found), Ok(expected)) => ensure!(found.map(Vec::from) == expected, "{results:?}"),
            (Err(error), Err(expected)) => {
                let text = error.to_string();
                ensure!(text.starts_with(expected), "{results:?}: {text}");
            }
            (found, _) => anyhow::bail!("{results:?}: {found:?}"),
        }
    }
    // Another order, and what is absent left out: read by name. And keys that nobody asked for are nobody's.
    let many = wire::KeyResponse {
        keys: vec!["a".to_owned()],
        cursor: Some(u64::MAX),
    };
    let results = [Ok::<_, wire::Error>(many).to_bytes().into()];
    let (page, called) = tokio::join!(
        store.list_keys(&bucket, Some(Cursor::Number(7)), 10),
        answer_as_v1(&v1, &mut calls, &results)
    );
    ensure!(called?.params == [1, b'b', 1, 7]);
    ensure!(page?.next == Some(Cursor::Number(u64::MAX)));
    let some = |key: &str, value: &[u8]| Some((key.to_owned(), value.to_vec()));
    let many = vec![some("z", b"?"), some("k2", b"2"), some("k", b"1")];
    let results = [Ok::<_, wire::Error>(many).to_bytes().into()];
    let keys = [key.clone(), Key::new("none")?, Key::new("k2")?];
    let (found, called) = tokio::join!(
        store.get_many(&bucket, &keys),
        answer_as_v1(&v1, &mut calls, &results)
    );
    called?;
    ensure!(found? == [Some("1".into()), None, Some("2".into())]);

    // What cannot travel does not.
    let version = store.get_versioned(&bucket, &key).await.unwrap_err().to_string();
    ensure!(
        version.starts_with("a compare-and-swap cannot be asked of key-value provider `kv`"),
        "{version}"
    );
    let down = store
        .increment(&bucket, key, Increment::signed(-1))
        .await
        .unwrap_err();
    ensure!(
        down.to_string()
            .starts_with("an increment by less than zero cannot be asked"),
        "{down}"
    );
    Ok(())
}

/// A host with a store that `counter` has a link to.
async fn provider(rig: &mut Rig) -> Result<LatticeHost> {
    let host = rig.host(|_, _| {}).await?;
    rig.client.ok("link.put", &link("counter")).await?;
    linked(&host, "counter").await?;
    rig.provide(&host, "kv", MEMORY).await?;
    Ok(host)
}

async fn a_caller_of_v1_is_answered_as_recorded(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let _host = provider(&mut rig).await?;
    let v1 = Connection::connect(&rig.options()).await?;
    let recorded = recorded()?;
    for call in &recorded {
        let source = call.headers["source-id"].as_str().context("a source")?;
        let results = call_as_v1(
            &v1,
            INCREMENT,
            component(source),
            std::slice::from_ref(&call.params),
        )
        .await?;
        ensure!(results == call.results, "{results:?}");
    }
    // In two pieces, cut anywhere.
    let params = &recorded[0].params;
    for at in 0..params.len() {
        let pieces = [params.slice(..at), params.slice(at..)];
        let results = call_as_v1(&v1, INCREMENT, component("counter"), &pieces).await?;
        ensure!(results == [0, 3 + at as u8], "{results:?}");
    }
    let stranger = call_as_v1(
        &v1,
        INCREMENT,
        component("stranger"),
        std::slice::from_ref(params),
    )
    .await?;
    let Err(wire::Error::Other(text)) = Result::<u64, wire::Error>::from_bytes(&stranger)? else {
        anyhow::bail!("a stranger was answered {stranger:?}")
    };
    ensure!(
        text.starts_with("No link found for component [stranger] with link name `default`"),
        "{text}"
    );
    Ok(())
}

async fn nonsense_is_answered_with_errors(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let _host = provider(&mut rig).await?;
    let v1 = Connection::connect(&rig.options()).await?;
    for function in [
        "store@0.2.0-draft.get",
        "store@0.2.0-draft.list-keys",
        "atomics@0.2.0-draft.increment",
        "batch@0.2.0-draft.set-many",
    ] {
        let subject = format!("default.kv.wrpc.0.0.1.wrpc:keyvalue/{function}");
        for nonsense in [
            Bytes::new(),
            Bytes::from_static(&[0xff; 40]),
            Bytes::from_static(&[3, b'b']),
            // A list of four thousand million entries.
            Bytes::from_static(&[1, b'b', 0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let results = call_as_v1(
                &v1,
                &subject,
                component("counter"),
                std::slice::from_ref(&nonsense),
            )
            .await?;
            match Result::<(), wire::Error>::from_bytes(&results) {
                Ok(Err(wire::Error::Other(text))) if text.contains("are malformed: ") => {}
                other => anyhow::bail!("{function} of {nonsense:?}: {other:?}"),
            }
        }
    }
    // Of a function that is not there v1 learns no more than that it failed.
    for subject in [
        "default.kv.wrpc.0.0.1.wrpc:keyvalue/store@0.2.0-draft.increment",
        "default.kv.wrpc.0.0.1.wrpc:keyvalue/store@9.9.9.get",
        "default.kv.wrpc.0.0.1.get",
    ] {
        let results = call_as_v1(&v1, subject, component("counter"), &[Bytes::new()]).await?;
        ensure!(results.is_empty(), "{subject}: {results:?}");
    }
    let increment = recorded()?.remove(0);
    let results = call_as_v1(&v1, INCREMENT, component("counter"), &[increment.params]).await?;
    ensure!(results == increment.results);
    Ok(())
}

async fn the_suite_passes_as_far_as_it_can_travel(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let _host = provider(&mut rig).await?;
    keyvalue::check_travelled(Arc::new(store(&rig, "counter").await?)).await?;
    let (stranger, bucket) = (store(&rig, "stranger").await?, BucketName::new("b")?);
    let refused = stranger.exists(&bucket, &Key::new("k")?).await.unwrap_err();
    ensure!(
        refused
            .to_string()
            .starts_with("No link found for component [stranger]"),
        "{refused}"
    );
    Ok(())
}

async fn a_provider_that_stops_breaks_off_no_call(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let host = provider(&mut rig).await?;
    let (counted, mut counts) = watch::channel(0);
    let mut callers = JoinSet::new();
    for _ in 0..4 {
        let (store, counted) = (store(&rig, "counter").await?, counted.clone());
        callers.spawn(async move {
            let (bucket, key) = (BucketName::new("b")?, Key::new("n")?);
            loop {
                match store
                    .increment(&bucket, key.clone(), Increment::unsigned(1))
                    .await
                {
                    Ok(number) => counted.send_replace(number),
                    Err(error) => return anyhow::Ok(error.to_string()),
                };
            }
        });
    }
    soon("calls", counts.wait_for(|number| *number > 50)).await??;
    let stop = json!({ "provider_id": "kv", "host_id": host.id().as_str() });
    rig.client.ok(&on("provider.stop", &host), &stop).await?;
    while let Some(error) = soon("end of the calls", callers.join_next()).await? {
        let error = error??;
        // Nobody had begun when it went.
        ensure!(
            error.starts_with("key-value provider `kv`: no host of the lattice runs it"),
            "{error}"
        );
    }
    Ok(())
}
