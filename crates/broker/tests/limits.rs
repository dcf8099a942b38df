//! What is bounded, and what is said at the bound.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use std::time::Duration;

use anyhow::{Result, ensure};
use support::raw::{CONNECT, Raw};
use wasmcloud_broker::{Access, Broker, BrokerConfig};

/// Short enough to wait for, long enough that a slow machine does what it does before.
const SHORT: Duration = Duration::from_millis(300);

async fn start(change: impl FnOnce(&mut BrokerConfig)) -> Result<(Broker, tempfile::TempDir)> {
    let dir = tempfile::tempdir()?;
    let mut config = BrokerConfig::new(dir.path());
    config.port = 0;
    config.access = Access::Anyone;
    change(&mut config);
    Ok((Broker::start(config).await?, dir))
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_and_a_free_place_is_given_again() -> Result<()> {
    let (broker, _dir) = start(|config| config.limits.max_connections = 1).await?;
    let mut first = Raw::connect(broker.address()).await?;
    first.send(CONNECT).await?;
    first.barrier().await?;
    let refused = Raw::connect(broker.address()).await.map(|_| ()).unwrap_err();
    ensure!(
        refused.to_string() == "-ERR 'maximum connections exceeded'\r\n",
        "{refused}"
    );
    drop(first);
    let again = async { while Raw::connect(broker.address()).await.is_err() {} };
    support::soon("free place", again).await?;
    Ok(())
}

#[tokio::test]
async fn subscriptions_too_many_are_refused_and_the_others_stay() -> Result<()> {
    let (broker, _dir) = start(|config| {
        config.limits.max_subscriptions = 2;
        config.limits.max_total_subscriptions = 3;
    })
    .await?;
    let mut one = Raw::connect(broker.address()).await?;
    one.send(CONNECT).await?;
    one.send("SUB a 1\r\nSUB b 2\r\nSUB c 3\r\n").await?;
    ensure!(one.barrier().await? == "-ERR 'maximum subscriptions exceeded'\r\nPONG\r\n");
    let mut two = Raw::connect(broker.address()).await?;
    two.send(CONNECT).await?;
    two.send("SUB a 1\r\nSUB b 2\r\n").await?;
    ensure!(two.barrier().await? == "-ERR 'maximum subscriptions exceeded'\r\nPONG\r\n");
    // One that ended by itself gives its place back.
    one.send("UNSUB 1 1\r\nPUB a 1\r\nx\r\n").await?;
    ensure!(one.barrier().await? == "MSG a 1 1\r\nx\r\nPONG\r\n");
    one.send("SUB c 1\r\nPUB c 1\r\ny\r\n").await?;
    ensure!(one.barrier().await? == "MSG c 1 1\r\ny\r\nPONG\r\n");
    Ok(())
}

#[tokio::test]
async fn who_does_not_log_in_has_to_leave() -> Result<()> {
    let (broker, _dir) = start(|config| {
        config.access = Access::Credentials;
        config.limits.auth_timeout = SHORT;
    })
    .await?;
    let mut raw = Raw::connect(broker.address()).await?;
    let said = String::from_utf8(raw.read_to_end().await?)?;
    ensure!(said == "-ERR 'Authentication Timeout'\r\n", "{said}");
    Ok(())
}

#[tokio::test]
async fn who_does_not_answer_pings_is_gone() -> Result<()> {
    let (broker, _dir) = start(|config| config.limits.ping_interval = SHORT).await?;
    let mut raw = Raw::connect(broker.address()).await?;
    raw.send(CONNECT).await?;
    let said = String::from_utf8(raw.read_to_end().await?)?;
    ensure!(said == "PING\r\nPING\r\n-ERR 'Stale Connection'\r\n", "{said}");
    // Who answers stays.
    let mut raw = Raw::connect(broker.address()).await?;
    raw.send(CONNECT).await?;
    for _ in 0..4 {
        raw.read_until("PING\r\n").await?;
        raw.send("PONG\r\n").await?;
    }
    raw.barrier().await?;
    Ok(())
}

#[tokio::test]
async fn who_takes_nothing_is_gone_after_the_deadline() -> Result<()> {
    let (broker, _dir) = start(|config| config.limits.write_deadline = SHORT).await?;
    let mut slow = Raw::connect(broker.address()).await?;
    slow.send(CONNECT).await?;
    slow.send("SUB flood 1\r\n").await?;
    slow.barrier().await?;
    // More than the buffers of the sockets take, less than may wait.
    let mut sender = Raw::connect(broker.address()).await?;
    sender.send(CONNECT).await?;
    let message = format!("PUB flood 1000000\r\n{}\r\n", "x".repeat(1_000_000));
    for _ in 0..30 {
        sender.send(&message).await?;
    }
    sender.barrier().await?;
    // Nobody is left to receive, as soon as it is gone.
    let gone = async {
        loop {
            sender.send("SUB inbox 1\r\nPUB flood inbox 1\r\nx\r\n").await?;
            if sender.barrier().await?.contains("NATS/1.0 503") {
                return anyhow::Ok(());
            }
        }
    };
    support::soon("end of the slow one", gone).await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_sends_what_is_queued_and_waits_for_nobody_for_ever() -> Result<()> {
    let (broker, _dir) = start(|config| config.limits.stop_grace = Duration::from_secs(4)).await?;
    let mut reader = Raw::connect(broker.address()).await?;
    reader.send(CONNECT).await?;
    reader.send("SUB s 1\r\n").await?;
    reader.barrier().await?;
    let mut stuck = Raw::connect(broker.address()).await?;
    stuck.send(CONNECT).await?;
    stuck.send("SUB s 1\r\n").await?;
    stuck.barrier().await?;
    let mut sender = Raw::connect(broker.address()).await?;
    sender.send(CONNECT).await?;
    let message = format!("PUB s 1000000\r\n{}\r\n", "x".repeat(1_000_000));
    for _ in 0..30 {
        sender.send(&message).await?;
    }
    sender.barrier().await?;
    let reading = tokio::spawn(async move { reader.read_to_end().await });
    support::soon("stop", broker.stop()).await?;
    let got = support::soon("end", reading).await???;
    ensure!(got.len() >= 30_000_000, "{} bytes came", got.len());
    Ok(())
}
