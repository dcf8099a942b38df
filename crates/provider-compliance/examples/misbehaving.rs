//! A provider without the SDK, that does everything as it should, or one thing as it should not: `misdeed` in its config
//! says which. Shows that the checks find what is wrong, and nothing where nothing is.

use std::collections::HashSet;
use std::process::exit;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::select_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;
use wasmcloud_lattice::rpc::{Incoming, Rpc, RpcOptions};
use wasmcloud_lattice::{Connection, Message as Received, NatsOptions};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::message::PROVIDER_SHUTTING_DOWN;
use wasmcloud_wire::provider::{ConfigUpdate, HealthReply, HostData, InterfaceLinkDefinition, Shutdown};
use wasmcloud_wire::rpc::{Payload as _, RpcErrorBody, RpcErrorCode, header};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Longest time that it takes no notice of being told to stop. A test that finds that out kills it.
const STUBBORN: Duration = Duration::from_secs(60);

/// Longest time for a call.
const LONGEST: Duration = Duration::from_secs(60);

struct Provider {
    data: HostData,
    misdeed: String,
    connection: Connection,
    links: Mutex<HashSet<(String, String)>>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let data = HostData::from_line(&line)?;
    let misdeed = data.config.get("misdeed").cloned().unwrap_or_default();
    let connection = Connection::connect(&NatsOptions::new(&data.lattice_rpc_url)?).await?;
    let rpc = Rpc::start(connection.clone(), RpcOptions::new(&data.host_id)).await?;
    let key = nkeys::XKey::from_seed(data.provider_xkey_private_key.reveal())?.public_key();
    let links = data
        .link_definitions
        .iter()
        .map(|link| (link.source_id.clone(), link.name.clone()));
    let provider = Arc::new(Provider {
        links: Mutex::new(links.collect()),
        misdeed,
        connection: connection.clone(),
        data,
    });

    let (lattice, id) = (&provider.data.lattice_rpc_prefix, &provider.data.provider_key);
    let mut told = vec![
        connection
            .subscribe(&format!("wasmbus.rpc.{lattice}.{id}.>"))
            .await?,
    ];
    if provider.misdeed != "deaf on its key" {
        told.push(
            connection
                .subscribe(&format!("wasmbus.rpc.{lattice}.{key}.linkdefs.put"))
                .await?,
        );
    }
    let subject = format!("{lattice}.{id}.wrpc.0.0.1.test:compliance/echo@0.1.0.echo");
    let mut calls = rpc.serve(&subject, &format!("{lattice}.{id}")).await?;
    connection.barrier(connection.default_deadline()).await?;

    let calling = Arc::clone(&provider);
    tokio::spawn(async move {
        while let Some(incoming) = calls.next().await {
            if let Err(error) = calling.call(incoming).await {
                eprintln!("a call: {error}");
            }
        }
    });
    let stubborn = provider.misdeed == "ignores signals";
    tokio::spawn(async move {
        let mut terminate = signal(SignalKind::terminate()).expect("signals can be heard");
        while terminate.recv().await.is_some() {
            if !stubborn {
                exit(0);
            }
        }
    });
    let mut told = select_all(told);
    while let Some(message) = told.next().await {
        if let Err(error) = provider.told(&message).await {
            eprintln!("{}: {error}", message.subject);
            if provider.misdeed == "dies of nonsense" {
                exit(3);
            }
        }
    }
    Ok(())
}

impl Provider {
    fn does(&self, misdeed: &str) -> bool {
        self.misdeed == misdeed
    }

    async fn told(&self, message: &Received) -> Result<(), Error> {
        let subject = message.subject.as_str();
        let reply = |answer: Vec<u8>| async {
            match &message.reply {
                Some(reply) => self.connection.publish(reply, None, answer.into()).await,
                None => Ok(()),
            }
        };
        if subject.ends_with(".health") {
            if message.reply.is_none() && self.does("dies without a reply") {
                exit(3);
            }
            let health = HealthReply {
                healthy: !self.does("is ill"),
                message: None,
            };
            reply(health.encode()).await?;
        } else if subject.ends_with(".linkdefs.put") {
            let link = InterfaceLinkDefinition::decode(&message.payload)?;
            if link.target == self.data.provider_key && link.target_secrets.is_none() {
                self.links.lock().await.insert((link.source_id, link.name));
            }
        } else if subject.ends_with(".linkdefs.del") {
            let link = InterfaceLinkDefinition::decode(&message.payload)?;
            let mut links = self.links.lock().await;
            if self.does("forgets all links to a component") {
                links.retain(|(source, _)| *source != link.source_id);
            } else if !self.does("keeps links for ever") {
                links.remove(&(link.source_id, link.name));
            }
        } else if subject.ends_with(".config.update") {
            ConfigUpdate::decode(&message.payload)?;
            if self.does("dies of config") {
                exit(3);
            }
        } else if subject.ends_with(".shutdown") {
            let asked = Shutdown::decode(&message.payload)?;
            if asked.host_id != self.data.host_id && !self.does("obeys anybody") {
                return Ok(());
            }
            let answer = match self.does("says something else") {
                true => "ok",
                false => PROVIDER_SHUTTING_DOWN,
            };
            reply(answer.into()).await?;
            self.connection
                .barrier(self.connection.default_deadline())
                .await?;
            if self.does("does not stop") {
                tokio::time::sleep(STUBBORN).await;
            }
            exit(match self.does("stops with an error") {
                true => 3,
                false => 0,
            });
        }
        Ok(())
    }

    async fn call(&self, incoming: Incoming) -> Result<(), Error> {
        let name = |header: &str| incoming.header(header).unwrap_or("default").to_owned();
        let link = (name(header::SOURCE_ID), name(header::LINK_NAME));
        let linked = self.links.lock().await.contains(&link);
        if self.does("does not accept calls") {
            return Ok(());
        }
        let accepted = incoming.accept(LONGEST).await?;
        if !linked {
            let denied = RpcErrorBody::new(RpcErrorCode::Denied, "not linked");
            return Ok(accepted.fail(&denied).await?);
        }
        let params = match accepted.is_whole() || self.does("does not read on") {
            true => accepted.first().clone(),
            false => accepted.params().await?,
        };
        match Vec::<u8>::from_bytes(&params) {
            Ok(_) if self.does("answers nonsense") => accepted.finish(Bytes::from_static(b"\x01?")).await?,
            Ok(value) => accepted.finish(value.to_bytes().into()).await?,
            Err(_) if self.does("answers what it cannot read") => accepted.finish(params).await?,
            Err(_) if self.does("does not answer what it cannot read") => {
                // As long as its caller waits.
                accepted.abandoned().await;
            }
            Err(error) => {
                let body = RpcErrorBody::new(RpcErrorCode::Malformed, error.to_string());
                accepted.fail(&body).await?;
            }
        }
        Ok(())
    }
}
