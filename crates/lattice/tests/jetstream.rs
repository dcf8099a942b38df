//! What only JetStream has: buckets that others made, domains, servers without it.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use support::{connected, deadline, expect, lost, options};
use wasmcloud_lattice::{Bucket, Connection, StateError, open_state};
use wasmcloud_test_nats::{NatsServer, Running};

async fn server(server: NatsServer) -> Result<(Running, Connection)> {
    let running = tokio::task::spawn_blocking(|| server.start()).await??;
    let connection = Connection::connect(&options(&running.url())).await?;
    Ok((running, connection))
}

async fn ask(connection: &Connection, what: &str, body: Value) -> Result<Value> {
    let subject = format!("$JS.API.{what}");
    let payload = match body {
        Value::Null => Bytes::new(),
        body => body.to_string().into(),
    };
    let reply = connection.request(&subject, None, payload, deadline()).await?;
    let reply: Value = serde_json::from_slice(&reply.payload)?;
    ensure!(reply.get("error").is_none(), "{reply}");
    Ok(reply)
}

#[tokio::test]
async fn buckets_are_made_as_v1_makes_them_and_taken_as_others_made_them() -> Result<()> {
    let (_server, connection) = server(NatsServer::default().jetstream()).await?;
    let lattice = "default".parse()?;
    open_state(&connection, Bucket::lattice_data(&lattice)?, None).await?;
    let info = ask(&connection, "STREAM.INFO.KV_LATTICEDATA_default", Value::Null).await?;
    let config = info.get("config").context("it has a configuration")?;
    for (field, expected) in [
        ("max_msgs_per_subject", json!(1)),
        ("num_replicas", json!(1)),
        ("storage", json!("file")),
        ("discard", json!("new")),
        ("allow_direct", json!(true)),
        ("deny_delete", json!(true)),
    ] {
        ensure!(config.get(field) == Some(&expected), "{field}: {config}");
    }

    // One with history, as somebody may have wished it.
    let other = json!({
        "name": "KV_CONFIGDATA_default", "subjects": ["$KV.CONFIGDATA_default.>"], "max_msgs_per_subject": 10,
        "storage": "memory", "allow_direct": true, "allow_rollup_hdrs": true,
    });
    ask(&connection, "STREAM.CREATE.KV_CONFIGDATA_default", other).await?;
    let state = open_state(&connection, Bucket::config_data(&lattice)?, None).await?;
    let mut watch = state.watch("").await?;
    let first = state.create("a", "1".into()).await?;
    state.set("a", "2".into(), first, None).await?;
    state.delete("a", None).await?;
    state.create("a", "3".into()).await?;
    expect(&mut watch, &["ready", "a=1", "a=2", "-a", "a=3"]).await?;
    expect(&mut state.watch("").await?, &["a=3", "ready"]).await?;

    let leases = open_state(&connection, Bucket::config_data(&lattice)?.with_ttl(), None).await;
    ensure!(
        matches!(leases, Err(StateError::WrongBucket { .. })),
        "{leases:?}"
    );
    let timed = state
        .set("b", Bytes::new(), 0, Some(wasmcloud_lattice::MIN_TTL))
        .await;
    ensure!(matches!(timed, Err(StateError::WrongBucket { .. })), "{timed:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_without_jetstream_is_told_with_what_to_do() -> Result<()> {
    let (_server, connection) = server(NatsServer::default()).await?;
    let error = open_state(&connection, Bucket::new("a")?, None)
        .await
        .unwrap_err();
    ensure!(matches!(error, StateError::NoJetStream { .. }), "{error:?}");
    ensure!(
        error
            .to_string()
            .contains("hint: start nats-server with `--jetstream`"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn a_domain_is_asked_for_by_name() -> Result<()> {
    // A second `jetstream` block would replace the harness's own, so the domain comes with a store of its own.
    let store = tempfile::tempdir()?;
    let config = format!(
        "jetstream {{ domain: hub, store_dir: \"{}\" }}",
        store.path().display()
    );
    let (_server, connection) = server(NatsServer::default().config(&config)).await?;
    let state = open_state(&connection, Bucket::new("a")?, Some("hub")).await?;
    let mut watch = state.watch("").await?;
    let first = state.create("k", "1".into()).await?;
    state.set("k", "2".into(), first, None).await?;
    ensure!(state.get("k").await?.context("it was written")?.value == "2");
    expect(&mut watch, &["ready", "k=1", "k=2"]).await?;
    let error = open_state(&connection, Bucket::new("a")?, Some("nowhere"))
        .await
        .unwrap_err();
    ensure!(
        matches!(&error, StateError::NoJetStream { domain: Some(domain), .. } if domain == "nowhere"),
        "{error:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_bucket_that_is_deleted_and_made_anew_deletes_nothing() -> Result<()> {
    let (mut server, connection) = server(NatsServer::default().jetstream()).await?;
    let state = open_state(&connection, Bucket::new("a")?, None).await?;
    state.put("k", "1".into()).await?;
    let mut watch = state.watch("").await?;
    expect(&mut watch, &["k=1", "ready"]).await?;
    ask(&connection, "STREAM.DELETE.KV_a", Value::Null).await?;
    let error = state.get("k").await.unwrap_err();
    ensure!(matches!(error, StateError::NoBucket { .. }), "{error:?}");
    // The watch looks again at the latest with the next connection.
    server.restart()?;
    lost(&connection).await.ok();
    connected(&connection).await?;
    expect(&mut watch, &["reset", "ready"]).await?;
    state.create("k", "2".into()).await?;
    expect(&mut watch, &["k=2"]).await?;
    Ok(())
}
