//! What users of the state may rely on, on the embedded lattice and on JetStream alike.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use futures::StreamExt as _;
use support::{Server, Target, connected, event, expect, lost, soon};
use wasmcloud_lattice::{Event, StateError};

for_all_servers!(
    entries_are_written_read_and_deleted,
    writes_that_expect_something_else_are_conflicts,
    deleted_entries_can_be_made_again,
    no_update_of_ten_clients_is_lost,
    a_watch_yields_what_is_there_and_then_changes_in_order,
    a_prefix_need_not_end_at_a_dot,
    a_thousand_keys,
    keys_that_change_are_not_left_out_of_a_list,
    entries_with_a_time_go_when_it_is_over,
    large_values_arrive_and_larger_ones_are_refused,
    keys_that_are_none_are_refused,
    a_watch_goes_on_after_a_restart,
    a_wiped_store_deletes_nothing,
    a_slow_reader_misses_nothing,
);

fn value(text: &str) -> Bytes {
    text.to_owned().into()
}

async fn entries_are_written_read_and_deleted(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (_connection, state) = server.state().await?;
    ensure!(state.get("a").await?.is_none());
    ensure!(state.list("").await?.is_empty());
    let first = state.put("a", value("one")).await?;
    let second = state.put("a", value("two")).await?;
    ensure!(second > first);
    let entry = state.get("a").await?.context("it was written")?;
    ensure!((entry.key.as_str(), &entry.value[..], entry.revision) == ("a", &b"two"[..], second));
    ensure!(state.list("").await? == [entry]);
    state.delete("a", None).await?;
    state.delete("a", None).await?;
    ensure!(state.get("a").await?.is_none());
    ensure!(state.list("").await?.is_empty());
    Ok(())
}

async fn writes_that_expect_something_else_are_conflicts(target: Target) -> Result<()> {
    fn current(result: Result<u64, StateError>) -> Result<Option<u64>> {
        match result {
            Err(StateError::Conflict { current, .. }) => Ok(current),
            other => bail!("{other:?}"),
        }
    }
    let server = Server::start(target).await?;
    let (_connection, state) = server.state().await?;
    ensure!(current(state.set("a", value("x"), 7, None).await)? == Some(0));
    let first = state.create("a", value("one")).await?;
    ensure!(current(state.create("a", value("x")).await)? == Some(first));
    let second = state.set("a", value("two"), first, None).await?;
    ensure!(current(state.set("a", value("x"), first, None).await)? == Some(second));
    ensure!(current(state.delete("a", Some(first)).await.map(|()| 0))? == Some(second));
    ensure!(current(state.delete("b", Some(1)).await.map(|()| 0))? == Some(0));
    let entry = state.get("a").await?.context("nothing was deleted")?;
    ensure!(entry.value == "two");
    state.delete("a", Some(second)).await?;
    ensure!(state.get("a").await?.is_none());
    Ok(())
}

async fn deleted_entries_can_be_made_again(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (_connection, state) = server.state().await?;
    let mut last = 0;
    for _ in 0..3 {
        let made = state.create("a", value("x")).await?;
        ensure!(made > last, "a revision never comes back");
        last = made;
        ensure!(matches!(
            state.create("a", value("y")).await,
            Err(StateError::Conflict { .. })
        ));
        state.delete("a", None).await?;
        let late = state.set("a", value("z"), made, None).await;
        ensure!(
            matches!(late, Err(StateError::Conflict { current: Some(0), .. })),
            "{late:?}"
        );
    }
    Ok(())
}

async fn no_update_of_ten_clients_is_lost(target: Target) -> Result<()> {
    const EACH: u64 = 20;
    let server = Server::start(target).await?;
    let mut clients = Vec::new();
    for _ in 0..10 {
        let (connection, state) = server.state().await?;
        clients.push(tokio::spawn(async move {
            let _connection = connection;
            let mut done = 0;
            while done < EACH {
                let (count, revision) = match state.get("count").await? {
                    Some(entry) => (std::str::from_utf8(&entry.value)?.parse::<u64>()?, entry.revision),
                    None => (0, 0),
                };
                match state
                    .set("count", value(&(count + 1).to_string()), revision, None)
                    .await
                {
                    Ok(_) => done += 1,
                    Err(StateError::Conflict { .. }) => {}
                    Err(error) => bail!(error),
                }
            }
            Ok(())
        }));
    }
    for client in clients {
        soon("end of a client", client).await???;
    }
    let (_connection, state) = server.state().await?;
    let entry = state.get("count").await?.context("it was counted")?;
    ensure!(entry.value == (10 * EACH).to_string(), "{:?}", entry.value);
    Ok(())
}

async fn a_watch_yields_what_is_there_and_then_changes_in_order(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (_connection, state) = server.state().await?;
    state.put("b", value("1")).await?;
    state.put("a", value("2")).await?;
    state.put("gone", value("x")).await?;
    state.delete("gone", None).await?;
    let mut watch = state.watch("").await?;
    expect(&mut watch, &["a=2", "b=1", "ready"]).await?;
    for n in 0..100 {
        state.put("a", value(&n.to_string())).await?;
    }
    // Values that were replaced before they were sent may be left out, and never the last one.
    let mut last = -1;
    while last != 99 {
        let Event::Put(entry) = event(&mut watch).await? else {
            bail!("nothing was deleted")
        };
        let next = std::str::from_utf8(&entry.value)?.parse()?;
        ensure!(entry.key == "a" && next > last, "{next} came after {last}");
        last = next;
    }
    state.delete("b", None).await?;
    expect(&mut watch, &["-b"]).await?;
    state.create("b", value("new")).await?;
    expect(&mut watch, &["b=new"]).await?;
    Ok(())
}

async fn a_prefix_need_not_end_at_a_dot(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (_connection, state) = server.state().await?;
    for key in [
        "COMPONENT_a",
        "COMPONENT_b",
        "CLAIMS_x",
        "a.b.c1",
        "a.b.d",
        "a.bb",
    ] {
        state.put(key, value("1")).await?;
    }
    for (prefix, expected) in [
        ("COMPONENT_", vec!["COMPONENT_a", "COMPONENT_b"]),
        ("a.b.c", vec!["a.b.c1"]),
        ("a.b", vec!["a.b.c1", "a.b.d", "a.bb"]),
        ("none", vec![]),
    ] {
        let listed: Vec<String> = state
            .list(prefix)
            .await?
            .into_iter()
            .map(|entry| entry.key)
            .collect();
        ensure!(listed == expected, "{prefix}: {listed:?}");
    }
    let mut watch = state.watch("COMPONENT_").await?;
    state.put("CLAIMS_y", value("2")).await?;
    state.put("COMPONENT_c", value("2")).await?;
    expect(
        &mut watch,
        &["COMPONENT_a=1", "COMPONENT_b=1", "ready", "COMPONENT_c=2"],
    )
    .await?;
    Ok(())
}

async fn a_thousand_keys(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (_connection, state) = server.state().await?;
    let mut watch = state.watch("").await?;
    let keys: Vec<String> = (0..1_000).map(|n| format!("COMPONENT_{n:04}")).collect();
    futures::stream::iter(&keys)
        .map(|key| state.put(key, value(key)))
        .buffer_unordered(32)
        .for_each(|written| async {
            let _: u64 = written.unwrap();
        })
        .await;
    let listed: Vec<String> = state
        .list("COMPONENT_")
        .await?
        .into_iter()
        .map(|entry| entry.key)
        .collect();
    ensure!(listed == keys);
    expect(&mut watch, &["ready"]).await?;
    let mut seen = BTreeMap::new();
    while seen.len() < keys.len() {
        match event(&mut watch).await? {
            Event::Put(entry) => drop(seen.insert(entry.key, entry.revision)),
            other => bail!("{other:?}"),
        }
    }
    Ok(())
}

/// A list that is made while its keys are written again and again has all of them.
async fn keys_that_change_are_not_left_out_of_a_list(target: Target) -> Result<()> {
    const KEYS: usize = 50;
    let server = Server::start(target).await?;
    let (_connection, state) = server.state().await?;
    for n in 0..KEYS {
        state.put(&format!("k{n}"), value("first")).await?;
    }
    let (writing, writer) = server.state().await?;
    let writes = tokio::spawn(async move {
        for n in 0.. {
            if writer
                .put(&format!("k{}", n % KEYS), value(&n.to_string()))
                .await
                .is_err()
            {
                return;
            }
        }
    });
    for round in 0..100 {
        let found = state.list("").await?.len();
        ensure!(found == KEYS, "round {round}: {found} of {KEYS} keys");
    }
    writes.abort();
    drop(writing);
    Ok(())
}

async fn entries_with_a_time_go_when_it_is_over(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (_connection, state) = server.state().await?;
    let mut watch = state.watch("").await?;
    let lease = state
        .set("lease", value("me"), 0, Some(Duration::from_secs(60)))
        .await?;
    expect(&mut watch, &["ready", "lease=me"]).await?;
    let renewed = state
        .set("lease", value("me2"), lease, Some(Duration::from_millis(1_500)))
        .await?;
    ensure!(renewed > lease);
    expect(&mut watch, &["lease=me2", "-lease"]).await?;
    ensure!(state.get("lease").await?.is_none());
    let next = state.create("lease", value("you")).await?;
    ensure!(next > renewed, "the revision is a fencing epoch");
    let short = state
        .set("x", value("x"), 0, Some(Duration::from_millis(10)))
        .await;
    ensure!(matches!(short, Err(StateError::InvalidTtl(_))), "{short:?}");
    Ok(())
}

async fn large_values_arrive_and_larger_ones_are_refused(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (_connection, state) = server.state().await?;
    let mut watch = state.watch("").await?;
    expect(&mut watch, &["ready"]).await?;
    let large = Bytes::from(vec![7; 700 << 10]);
    state.put("large", large.clone()).await?;
    ensure!(state.get("large").await?.context("it was written")?.value == large);
    match event(&mut watch).await? {
        Event::Put(entry) => ensure!(entry.value == large),
        other => bail!("{other:?}"),
    }
    let refused = state.put("larger", Bytes::from(vec![7; 1 << 20])).await;
    ensure!(matches!(refused, Err(StateError::TooLarge { .. })), "{refused:?}");
    state.put("", Bytes::new()).await.unwrap_err();
    Ok(())
}

async fn keys_that_are_none_are_refused(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let (_connection, state) = server.state().await?;
    for key in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a b",
        "a*",
        ">",
        "ä",
        &"x".repeat(2_000),
    ] {
        let refused = state.put(key, value("x")).await;
        ensure!(
            matches!(refused, Err(StateError::InvalidKey { .. })),
            "{key}: {refused:?}"
        );
        ensure!(state.get(key).await.is_err() && state.delete(key, None).await.is_err());
    }
    Ok(())
}

async fn a_watch_goes_on_after_a_restart(target: Target) -> Result<()> {
    let mut server = Server::start(target).await?;
    let (connection, state) = server.state().await?;
    state.put("stays", value("1")).await?;
    let mut watch = state.watch("").await?;
    expect(&mut watch, &["stays=1", "ready"]).await?;
    for round in 0..3 {
        server.kill().await?;
        lost(&connection).await?;
        server.restart().await?;
        connected(&connection).await?;
        let round = format!("{round}");
        state.put("next", value(&round)).await?;
        expect(&mut watch, &[&format!("next={round}")]).await?;
    }
    state.delete("stays", None).await?;
    expect(&mut watch, &["-stays"]).await?;
    Ok(())
}

async fn a_wiped_store_deletes_nothing(target: Target) -> Result<()> {
    let mut server = Server::start(target).await?;
    let (connection, state) = server.state().await?;
    for n in 0..5 {
        state.put("a", value(&n.to_string())).await?;
    }
    let mut watch = state.watch("").await?;
    expect(&mut watch, &["a=4", "ready"]).await?;
    server.kill().await?;
    lost(&connection).await?;
    server.restart_wiped().await?;
    connected(&connection).await?;
    expect(&mut watch, &["reset", "ready"]).await?;
    // And it can be asserted again.
    state.create("a", value("again")).await?;
    expect(&mut watch, &["a=again"]).await?;
    Ok(())
}

async fn a_slow_reader_misses_nothing(target: Target) -> Result<()> {
    let server = Server::start(target).await?;
    let mut options = server.options();
    options.subscription_capacity = 64;
    let narrow = wasmcloud_lattice::Connection::connect(&options).await?;
    let bucket = wasmcloud_lattice::Bucket::new("test")?.with_ttl();
    let reader = wasmcloud_lattice::open_state(&narrow, bucket, None).await?;
    let (_connection, state) = server.state().await?;
    let mut watch = reader.watch("").await?;
    expect(&mut watch, &["ready"]).await?;
    // More than the queue of the watch and the subscription hold together.
    const COUNT: usize = 3 * wasmcloud_lattice::WATCH_QUEUE;
    futures::stream::iter(0..COUNT)
        .map(|n| {
            let state = &state;
            async move { state.put(&format!("k{}", n % 100), value(&n.to_string())).await }
        })
        .buffer_unordered(16)
        .for_each(|written| async {
            let _: u64 = written.unwrap();
        })
        .await;
    let expected: BTreeMap<String, Bytes> = state
        .list("")
        .await?
        .into_iter()
        .map(|entry| (entry.key, entry.value))
        .collect();
    let mut seen = BTreeMap::new();
    while seen != expected {
        match event(&mut watch).await? {
            Event::Put(entry) => drop(seen.insert(entry.key, entry.value)),
            other => bail!("{other:?}"),
        }
    }
    Ok(())
}
