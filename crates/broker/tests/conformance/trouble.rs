//! What goes wrong: receivers that do not read, servers that go away.

use anyhow::{Context as _, Result, ensure};
use async_nats::{ConnectOptions, Event};
use tokio::sync::mpsc;

use crate::for_all_servers;
use crate::support::raw::{CONNECT, Raw};
use crate::support::{Server, Settings, Target, barrier, next, soon, text};

for_all_servers!(
    a_slow_consumer_is_disconnected_and_nobody_else_suffers,
    subscriptions_survive_a_reconnect,
);

async fn a_slow_consumer_is_disconnected_and_nobody_else_suffers(target: Target) -> Result<()> {
    let settings = Settings {
        max_pending: Some(2 << 20),
        ..Settings::default()
    };
    let server = Server::start_with(target, settings).await?;
    let (sender, reader) = (server.client().await?, server.client().await?);
    let mut reads = reader.subscribe("flood").await?;
    barrier(&reader).await?;
    let mut slow = Raw::connect(server.address).await?;
    slow.send(CONNECT).await?;
    slow.send("SUB flood 1\r\n").await?;
    slow.barrier().await?;
    // More than the sockets' buffers hold together with what may wait.
    for _ in 0..400 {
        sender.publish("flood", vec![7; 64 << 10].into()).await?;
        // In step with the one that reads.
        ensure!(next(&mut reads).await?.payload.len() == 64 << 10);
    }
    let got = slow.read_to_end().await?.len();
    ensure!(got < 400 * (64 << 10), "the slow one got everything");
    sender.publish("flood", "after".into()).await?;
    ensure!(text(&mut reads).await? == "after");
    Ok(())
}

async fn subscriptions_survive_a_reconnect(target: Target) -> Result<()> {
    let mut server = Server::start(target).await?;
    let (events, mut seen) = mpsc::unbounded_channel();
    let options = ConnectOptions::new().event_callback(move |event| {
        let events = events.clone();
        async move {
            events.send(event).ok();
        }
    });
    let client = server.client_with(options).await?;
    let mut plain = client.subscribe("again").await?;
    let mut member = client.queue_subscribe("again", "q".to_owned()).await?;
    barrier(&client).await?;
    server.stop().await?;
    wait_for(&mut seen, Event::Disconnected).await?;
    server.start_again().await?;
    wait_for(&mut seen, Event::Connected).await?;
    barrier(&client).await?;
    let other = server.client().await?;
    other.publish("again", "back".into()).await?;
    ensure!(text(&mut plain).await? == "back");
    ensure!(text(&mut member).await? == "back");
    Ok(())
}

async fn wait_for(seen: &mut mpsc::UnboundedReceiver<Event>, wanted: Event) -> Result<()> {
    loop {
        let event = soon("event", seen.recv()).await?.context("the client is gone")?;
        if event == wanted {
            return Ok(());
        }
    }
}
