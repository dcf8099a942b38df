//! A scripted host: listens where hosts listen, and answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wasmcloud_core::{HostId, LatticeName};
use wasmcloud_lattice::{Connection, Message as Received};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::control::{CtlResponse, Nothing, Request};
use wasmcloud_wire::event::{CloudEvent, Event, HostStarted};
use wasmcloud_wire::subject::{Auctions, ControlInterface, EventSubject, Topic};

use crate::script::{Script, Shared};
use crate::server::SOON;

/// A host that does as its script says. Dropping it is its death, without a word.
pub struct ScriptedHost {
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

pub(crate) struct Inner {
    connection: Connection,
    pub(crate) lattice: LatticeName,
    interface: ControlInterface,
    pub(crate) script: Mutex<Script>,
    pub(crate) shared: Arc<Mutex<Shared>>,
    seen: Mutex<Vec<Request>>,
    events: AtomicU64,
}

impl Drop for ScriptedHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ScriptedHost {
    pub(crate) async fn start(
        connection: Connection,
        lattice: LatticeName,
        script: Script,
        shared: Arc<Mutex<Shared>>,
    ) -> Result<Self> {
        let interface = ControlInterface::new(&Topic::control(), &lattice);
        let mut subscriptions = Vec::new();
        for wanted in interface.subscriptions(&script.id, Auctions::default()) {
            subscriptions.push(match &wanted.queue_group {
                None => connection.subscribe(&wanted.subject).await?,
                Some(group) => connection.queue_subscribe(&wanted.subject, group).await?,
            });
        }
        connection.barrier(Instant::now() + SOON).await?;
        let inner = Arc::new(Inner {
            connection,
            lattice,
            interface,
            script: Mutex::new(script),
            shared,
            seen: Mutex::default(),
            events: AtomicU64::new(0),
        });
        let started = HostStarted {
            friendly_name: inner.script.lock().friendly_name.clone(),
            version: VERSION.to_owned(),
            ..HostStarted::default()
        };
        inner.tell(Event::HostStarted(started)).await?;
        let serving = Arc::clone(&inner);
        let task = tokio::spawn(async move {
            let mut messages = futures::stream::select_all(subscriptions);
            while let Some(message) = messages.next().await {
                match serving.answer(message).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        eprintln!("scripted host: {error:#}");
                        break;
                    }
                }
            }
            // What ends here ends its subscriptions, so that nobody listens any more.
            drop(messages);
            serving.connection.close(Instant::now() + SOON).await;
        });
        Ok(Self { inner, task })
    }

    /// Its id.
    pub fn id(&self) -> HostId {
        self.inner.script.lock().id.clone()
    }

    /// Changes what it does from now on.
    pub fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.inner.script.lock());
    }

    /// The requests that it got, in order, except those for its inventory.
    pub fn seen(&self) -> Vec<Request> {
        self.inner.seen.lock().clone()
    }

    /// Tells an event.
    pub async fn tell(&self, event: Event) -> Result<()> {
        self.inner.tell(event).await
    }

    /// Publishes bytes where events are told.
    pub async fn tell_bytes(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let subject = format!("wasmbus.evt.{}.{name}", self.inner.lattice);
        let connection = &self.inner.connection;
        connection.publish(&subject, None, bytes.to_vec().into()).await?;
        connection.barrier(Instant::now() + SOON).await?;
        Ok(())
    }

    /// Ends it without a word, and waits until nobody listens any more.
    pub async fn die(self) {
        self.task.abort();
        self.inner.connection.close(Instant::now() + SOON).await;
    }
}

/// The version that scripted hosts say they are.
pub(crate) const VERSION: &str = "1.9.2";

/// When all their events happened.
const TIME: &str = "2026-11-22T09:47:20.424571419Z";

impl Inner {
    /// Answers a message; `false` ends the host.
    async fn answer(&self, message: Received) -> Result<bool> {
        let subject = message.subject.as_str();
        let request = match Request::parse(&self.interface, subject, &message.payload) {
            Ok(request) => request,
            Err(error) => {
                self.reply(&message, error.reply().encode()).await?;
                return Ok(true);
            }
        };
        let script = self.script.lock().clone();
        let verb = verb(subject);
        if !matches!(request, Request::GetInventory(_)) {
            self.seen.lock().push(request.clone());
        }
        if script.silent.contains(&verb.as_str()) {
            return Ok(true);
        }
        if !script.delay.is_zero() {
            tokio::time::sleep(script.delay).await;
        }
        if let Some(bytes) = script.nonsense.get(verb.as_str()) {
            self.reply(&message, bytes.clone()).await?;
            return Ok(true);
        }
        if let Some(words) = script.refuses.get(verb.as_str()) {
            let no: CtlResponse<Nothing> = CtlResponse::error(words.clone());
            self.reply(&message, no.encode()).await?;
            return Ok(true);
        }
        if let Some(bytes) = self.reply_to(&request, &script) {
            self.reply(&message, bytes).await?;
        }
        self.follow(&request, &script).await
    }

    async fn reply(&self, message: &Received, bytes: Vec<u8>) -> Result<()> {
        if let Some(reply) = &message.reply {
            self.connection.publish(reply, None, bytes.into()).await?;
        }
        Ok(())
    }

    pub(crate) async fn tell(&self, event: Event) -> Result<()> {
        let subject = EventSubject {
            lattice: self.lattice.clone(),
            kind: event.kind(),
        };
        let number = self.events.fetch_add(1, Ordering::Relaxed);
        let id = self.script.lock().id.clone();
        let event = CloudEvent::new(format!("{id}-{number}"), &id, TIME, event);
        self.connection
            .publish(&subject.to_string(), None, event.encode().into())
            .await?;
        self.connection.barrier(Instant::now() + SOON).await?;
        Ok(())
    }
}

/// `host.get` of `wasmbus.ctl.v1.default.host.get.N…`.
fn verb(subject: &str) -> String {
    subject.split('.').skip(4).take(2).collect::<Vec<_>>().join(".")
}
