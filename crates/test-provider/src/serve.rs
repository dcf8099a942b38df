//! The subjects of a provider, and what it does about them.

use anyhow::{Context as _, Result};
use async_nats::{Client, Message};
use futures::StreamExt as _;
use futures::stream::select_all;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use wasmcloud_wire::provider::HostData;

use super::misbehave;
use super::report::Report;

/// Answers until it is asked to stop.
pub(crate) async fn serve(client: &Client, data: &HostData, report: &Report) -> Result<()> {
    let (lattice, id) = (&data.lattice_rpc_prefix, &data.provider_key);
    let key = nkeys::XKey::from_seed(data.provider_xkey_private_key.reveal())?.public_key();
    let of = |who: &str, what: &str| format!("wasmbus.rpc.{lattice}.{who}.{what}");
    let (health, shutdown) = (of(id, "health"), of(id, "default.shutdown"));
    let (put, del, config) = (
        of(&key, "linkdefs.put"),
        of(id, "linkdefs.del"),
        of(id, "config.update"),
    );
    let question = format!("test.provider.{id}.report");
    let mut subscriptions = Vec::new();
    // Health comes last: who is asked for it has subscribed to everything.
    for subject in [&shutdown, &put, &del, &config, &question, &health] {
        subscriptions.push(client.subscribe(subject.clone()).await?);
    }
    client.flush().await?;
    let stops = misbehave::stops(&data.config)?;
    let mut terminated = signal(SignalKind::terminate()).context("hear of SIGTERM")?;
    let mut messages = select_all(subscriptions);
    loop {
        let message = tokio::select! {
            message = messages.next() => message.context("the connection ended")?,
            _ = terminated.recv() => match stops {
                true => return Ok(()),
                false => continue,
            },
        };
        match message.subject.as_str() {
            subject if subject == health => reply(client, &message, misbehave::health(&data.config)).await?,
            subject if subject == question => reply(client, &message, report.text().into_bytes()).await?,
            subject if subject == put => report.told("put", &message.payload),
            subject if subject == del => report.told("del", &message.payload),
            subject if subject == config => report.told("config", &message.payload),
            subject if subject == shutdown => {
                let asked: Value = serde_json::from_slice(&message.payload)?;
                // The processes of other hosts hear it as well.
                if stops && asked["host_id"] == data.host_id.as_str() {
                    reply(client, &message, b"shutting down".to_vec()).await?;
                    return Ok(());
                }
            }
            _ => {}
        }
    }
}

async fn reply(client: &Client, message: &Message, payload: Vec<u8>) -> Result<()> {
    if let Some(to) = message.reply.clone() {
        client.publish(to, payload.into()).await?;
        client.flush().await?;
    }
    Ok(())
}
