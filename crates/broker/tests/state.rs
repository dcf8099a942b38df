//! The state over the wire: no lost update, no lost change, no lost acknowledgement.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails is to panic"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use async_nats::Client;
use futures::StreamExt as _;
use support::{next, soon};
use wasmcloud_broker::{Access, Broker, BrokerConfig};
use wasmcloud_wire::state_api::{
    BucketName, Change, ChangeOp, Done, Entry, ErrorKind, Key, MAX_VALUE_LEN, Refusal, Reply, Request, Value,
    decode_reply,
};

struct Lattice {
    broker: Broker,
    dir: tempfile::TempDir,
}

fn config(dir: &Path) -> BrokerConfig {
    let mut config = BrokerConfig::new(dir);
    config.port = 0;
    config.access = Access::Anyone;
    config
}

impl Lattice {
    async fn start() -> Result<Self> {
        Self::start_with(|_| ()).await
    }

    async fn start_with(change: impl FnOnce(&mut BrokerConfig)) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut config = config(dir.path());
        change(&mut config);
        Ok(Self {
            broker: Broker::start(config).await?,
            dir,
        })
    }

    async fn restart(self) -> Result<Self> {
        self.broker.stop().await;
        Ok(Self {
            broker: Broker::start(config(self.dir.path())).await?,
            dir: self.dir,
        })
    }

    async fn client(&self) -> Result<Client> {
        Ok(async_nats::connect(self.broker.address().to_string()).await?)
    }
}

fn bucket() -> BucketName {
    "test".parse().unwrap()
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn value(text: &str) -> Value {
    Value::new(text.as_bytes()).unwrap()
}

async fn ask(client: &Client, request: &Request) -> Result<Reply> {
    let reply = client.request(bucket().subject(), request.encode().into());
    Ok(decode_reply(&soon("reply", reply).await??.payload)?)
}

async fn put(client: &Client, name: &str, text: &str, expected: Option<u64>) -> Result<Result<u64, Refusal>> {
    let request = Request::Put {
        key: key(name),
        value: value(text),
        expected,
        ttl_ms: None,
    };
    Ok(written(ask(client, &request).await?))
}

async fn delete(client: &Client, name: &str, expected: Option<u64>) -> Result<Result<u64, Refusal>> {
    let request = Request::Delete {
        key: key(name),
        expected,
    };
    Ok(written(ask(client, &request).await?))
}

fn written(reply: Reply) -> Result<u64, Refusal> {
    match reply {
        Ok(Done::Written { revision }) => Ok(revision),
        Ok(other) => panic!("a write was answered {other:?}"),
        Err(refusal) => Err(refusal),
    }
}

async fn get(client: &Client, name: &str) -> Result<Option<Entry>> {
    match ask(client, &Request::Get { key: key(name) }).await? {
        Ok(Done::Got(entry)) => Ok(Some(entry)),
        Err(refusal) if refusal.kind == ErrorKind::NotFound => Ok(None),
        other => bail!("a read was answered {other:?}"),
    }
}

async fn list(client: &Client, prefix: &str, limit: Option<u32>) -> Result<Vec<Entry>> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let request = Request::List {
            prefix: Some(prefix.parse()?),
            after: all.last().map(|entry| entry.key.clone()),
            limit,
        };
        let Ok(Done::Page { entries, more, .. }) = ask(client, &request).await? else {
            bail!("a list was not answered with a page")
        };
        ensure!(!(more && entries.is_empty()), "an empty page with more behind it");
        all.extend(entries);
        if !more {
            return Ok(all);
        }
    }
}

#[tokio::test]
async fn entries_are_written_read_and_deleted() -> Result<()> {
    let lattice = Lattice::start().await?;
    let client = lattice.client().await?;
    ensure!(get(&client, "a").await?.is_none());
    ensure!(put(&client, "a", "one", None).await? == Ok(1));
    ensure!(put(&client, "a", "two", Some(1)).await? == Ok(2));
    ensure!(put(&client, "b", "new", Some(0)).await? == Ok(3));
    let entry = get(&client, "a").await?.context("it was written")?;
    ensure!((entry.revision, &entry.value) == (2, &value("two")));

    let refused = put(&client, "a", "x", Some(1)).await?.unwrap_err();
    ensure!((refused.kind, refused.revision) == (ErrorKind::Conflict, Some(2)));
    let refused = put(&client, "b", "x", Some(0)).await?.unwrap_err();
    ensure!((refused.kind, refused.revision) == (ErrorKind::Conflict, Some(3)));
    let refused = delete(&client, "c", Some(1)).await?.unwrap_err();
    ensure!((refused.kind, refused.revision) == (ErrorKind::Conflict, Some(0)));

    ensure!(delete(&client, "a", Some(2)).await? == Ok(4));
    ensure!(get(&client, "a").await?.is_none());
    // What is not there is deleted already, which changes nothing.
    ensure!(delete(&client, "a", None).await? == Ok(4));
    ensure!(put(&client, "a", "again", Some(0)).await? == Ok(5));

    // All of it is still there after a restart, and revisions go on.
    let lattice = lattice.restart().await?;
    let client = lattice.client().await?;
    let entry = get(&client, "a").await?.context("it was written")?;
    ensure!((entry.revision, &entry.value) == (5, &value("again")));
    ensure!(put(&client, "c", "x", None).await? == Ok(6));
    Ok(())
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_reason() -> Result<()> {
    let lattice = Lattice::start().await?;
    let client = lattice.client().await?;
    let long = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        vec![0; MAX_VALUE_LEN + 1],
    );
    let cases = [
        ("wasmcloud.state.v1.test", String::new(), ErrorKind::Invalid),
        (
            "wasmcloud.state.v1.test",
            r#"{"op":"sing"}"#.to_owned(),
            ErrorKind::Invalid,
        ),
        (
            "wasmcloud.state.v1.test",
            r#"{"op":"get","key":".."}"#.to_owned(),
            ErrorKind::Invalid,
        ),
        (
            "wasmcloud.state.v1.no.bucket",
            r#"{"op":"get","key":"a"}"#.to_owned(),
            ErrorKind::Invalid,
        ),
        (
            "wasmcloud.state.v1.test",
            r#"{"op":"put","key":"a","value":"","ttl_ms":0}"#.to_owned(),
            ErrorKind::Invalid,
        ),
        (
            "wasmcloud.state.v1.test",
            format!(r#"{{"op":"put","key":"a","value":"{long}"}}"#),
            ErrorKind::TooLarge,
        ),
    ];
    for (subject, request, kind) in cases {
        let reply = soon("reply", client.request(subject, request.clone().into())).await??;
        let refusal = decode_reply(&reply.payload)?.unwrap_err();
        ensure!(refusal.kind == kind, "{:.60}: {refusal:?}", request);
    }
    Ok(())
}

#[tokio::test]
async fn limits_refuse_and_leave_room_for_deletes() -> Result<()> {
    let lattice = Lattice::start_with(|config| {
        config.state.max_bytes = 2_000;
        config.state.max_buckets = 1;
    })
    .await?;
    let client = lattice.client().await?;
    ensure!(put(&client, "a", &"x".repeat(1_500), None).await? == Ok(1));
    let refused = put(&client, "b", &"x".repeat(500), None).await?.unwrap_err();
    ensure!(refused.kind == ErrorKind::Full, "{refused:?}");
    ensure!(put(&client, "a", "smaller", None).await? == Ok(2));
    ensure!(put(&client, "b", &"x".repeat(500), None).await? == Ok(3));
    ensure!(delete(&client, "b", None).await? == Ok(4));
    ensure!(put(&client, "b", &"x".repeat(1_500), None).await? == Ok(5));

    let second: BucketName = "second".parse()?;
    let request = Request::Put {
        key: key("a"),
        value: value("x"),
        expected: None,
        ttl_ms: None,
    };
    let reply = client.request(second.subject(), request.encode().into()).await?;
    ensure!(decode_reply(&reply.payload)?.unwrap_err().kind == ErrorKind::Full);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_updates_none_is_lost() -> Result<()> {
    const CLIENTS: u64 = 10;
    const EACH: u64 = 30;
    let lattice = Lattice::start().await?;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let client = lattice.client().await?;
        tasks.spawn(async move {
            let mut done = 0;
            while done < EACH {
                let (revision, count) = match get(&client, "count").await? {
                    None => (0, 0),
                    Some(entry) => (
                        entry.revision,
                        std::str::from_utf8(entry.value.as_bytes())?.parse::<u64>()?,
                    ),
                };
                match put(&client, "count", &(count + 1).to_string(), Some(revision)).await? {
                    Ok(_) => done += 1,
                    Err(refusal) => ensure!(refusal.kind == ErrorKind::Conflict, "{refusal:?}"),
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let entry = get(&lattice.client().await?, "count")
        .await?
        .context("it was written")?;
    ensure!(entry.value == value(&(CLIENTS * EACH).to_string()));
    ensure!(entry.revision == CLIENTS * EACH);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_sees_every_revision_in_order_and_ends_with_what_is_there() -> Result<()> {
    const WRITERS: u64 = 5;
    const EACH: u64 = 60;
    let lattice = Lattice::start().await?;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let client = lattice.client().await?;
        writers.spawn(async move {
            for number in 0..EACH {
                let name = format!("{writer}.{}", number % 7);
                match number % 3 {
                    2 => delete(&client, &name, None).await?.ok(),
                    _ => put(&client, &name, &number.to_string(), None).await?.ok(),
                };
            }
            anyhow::Ok(())
        });
    }
    // In the middle of it, as the protocol says: subscribe, list in pages, apply what is newer.
    let client = lattice.client().await?;
    let mut changes = client.subscribe(bucket().changes_subject()).await?;
    support::barrier(&client).await?;
    let mut known: BTreeMap<Key, (u64, Value)> = list(&client, "", Some(3))
        .await?
        .into_iter()
        .map(|entry| (entry.key, (entry.revision, entry.value)))
        .collect();
    while let Some(done) = writers.join_next().await {
        done??;
    }
    let last = put(&client, "end", "", None).await?.map_err(anyhow::Error::msg)?;
    let mut before = None;
    loop {
        let change = Change::decode(&next(&mut changes).await?.payload)?;
        ensure!(
            before.is_none_or(|before| change.revision == before + 1),
            "{} after {before:?}",
            change.revision
        );
        before = Some(change.revision);
        let newer = known
            .get(&change.key)
            .is_none_or(|(revision, _)| change.revision > *revision);
        match change.op {
            ChangeOp::Put { value } if newer => {
                known.insert(change.key, (change.revision, value));
            }
            ChangeOp::Delete if newer => {
                known.remove(&change.key);
            }
            _ => {}
        }
        if change.revision == last {
            break;
        }
    }
    let there: BTreeMap<Key, (u64, Value)> = list(&client, "", None)
        .await?
        .into_iter()
        .map(|entry| (entry.key, (entry.revision, entry.value)))
        .collect();
    ensure!(known == there);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_all_that_stays_while_others_write() -> Result<()> {
    let lattice = Lattice::start().await?;
    let client = lattice.client().await?;
    for number in 0..40 {
        // Large enough that pages end by their bytes as well.
        put(&client, &format!("stay.{number:02}"), &"x".repeat(5_000), None)
            .await?
            .map_err(anyhow::Error::msg)?;
    }
    let other = lattice.client().await?;
    let noise = tokio::spawn(async move {
        for number in 0_u32.. {
            let name = format!("noise.{}", number % 50);
            match number % 2 {
                0 => put(&other, &name, "x", None).await?.ok(),
                _ => delete(&other, &name, None).await?.ok(),
            };
        }
        anyhow::Ok(())
    });
    for limit in [None, Some(1), Some(7)] {
        let stay: Vec<String> = list(&client, "stay.", limit)
            .await?
            .into_iter()
            .map(|entry| entry.key.to_string())
            .collect();
        let expected: Vec<String> = (0..40).map(|number| format!("stay.{number:02}")).collect();
        ensure!(stay == expected, "limit {limit:?}: {stay:?}");
        let all = list(&client, "", limit).await?;
        ensure!(
            all.iter()
                .filter(|entry| entry.key.as_str().starts_with("stay"))
                .count()
                == 40
        );
        ensure!(all.is_sorted_by(|one, two| one.key < two.key));
    }
    noise.abort();
    Ok(())
}

#[tokio::test]
async fn what_has_a_time_is_deleted_after_it() -> Result<()> {
    let lattice = Lattice::start().await?;
    let client = lattice.client().await?;
    let mut changes = client.subscribe(bucket().changes_subject()).await?;
    let with_ttl = |name: &str, ttl| Request::Put {
        key: key(name),
        value: value("x"),
        expected: None,
        ttl_ms: Some(ttl),
    };
    ask(&client, &with_ttl("soon", 50))
        .await?
        .map_err(anyhow::Error::msg)?;
    ask(&client, &with_ttl("kept", 60_000))
        .await?
        .map_err(anyhow::Error::msg)?;
    // A write without a time takes it away.
    put(&client, "kept", "y", None)
        .await?
        .map_err(anyhow::Error::msg)?;
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let change = Change::decode(&next(&mut changes).await?.payload)?;
        seen.push((
            change.revision,
            change.key.to_string(),
            change.op == ChangeOp::Delete,
        ));
    }
    let deleted: Vec<&str> = seen
        .iter()
        .filter(|(.., deleted)| *deleted)
        .map(|(_, key, _)| key.as_str())
        .collect();
    ensure!(deleted == ["soon"], "{seen:?}");
    ensure!(seen.iter().map(|(revision, ..)| *revision).eq(1..=4), "{seen:?}");
    ensure!(get(&client, "soon").await?.is_none());
    ensure!(
        get(&client, "kept")
            .await?
            .is_some_and(|entry| entry.value == value("y"))
    );

    // What expires while nobody runs is gone at the next start.
    ask(&client, &with_ttl("later", 1))
        .await?
        .map_err(anyhow::Error::msg)?;
    let lattice = lattice.restart().await?;
    let client = lattice.client().await?;
    let gone = async {
        while get(&client, "later").await?.is_some() {}
        anyhow::Ok(())
    };
    soon("expiry", gone).await??;
    Ok(())
}

#[tokio::test]
async fn clients_cannot_forge_changes() -> Result<()> {
    let lattice = Lattice::start().await?;
    let mut raw = support::raw::Raw::connect(lattice.broker.address()).await?;
    raw.send(support::raw::CONNECT).await?;
    raw.send("SUB > 1\r\nPUB wasmcloud.state.v1.test.changed 1\r\nx\r\n")
        .await?;
    let said = raw.barrier().await?;
    ensure!(
        said == "-ERR 'Permissions Violation for Publish to \"wasmcloud.state.v1.test.changed\"'\r\nPONG\r\n",
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn writes_under_way_are_answered_before_the_end() -> Result<()> {
    let lattice = Lattice::start().await?;
    let client = lattice.client().await?;
    let inbox = client.new_inbox();
    let mut replies = client.subscribe(inbox.clone()).await?;
    for number in 0..200 {
        let request = Request::Put {
            key: key(&format!("k{number}")),
            value: value("x"),
            expected: None,
            ttl_ms: None,
        };
        client
            .publish_with_reply(bucket().subject(), inbox.clone(), request.encode().into())
            .await?;
    }
    support::barrier(&client).await?;
    lattice.broker.stop().await;
    for _ in 0..200 {
        let reply = tokio::time::timeout(Duration::from_secs(20), replies.next()).await?;
        let reply = reply.context("the subscription ended")?;
        ensure!(decode_reply(&reply.payload)?.is_ok());
    }
    Ok(())
}
