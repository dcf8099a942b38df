//! Follows a stream: the last message of each key, then all that come, pushed by a consumer of our own that lives as
//! long as the connection.
//!
//! The consumer numbers what it sends, so a gap shows; it sends heartbeats, so its end shows; and with every new
//! connection it is made anew. It stops when it is some way ahead of what we acknowledged, so that a subscription never
//! overflows.

use std::time::Duration;

use async_nats::{Message, StatusCode, Subject};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use wasmcloud_wire::state_api::Prefix;

use super::super::view::{Change, Snapshot};
use super::super::watch::{Feed, Heard, Source};
use super::super::{Entry, MAX_ENTRIES, StateError};
use super::api::Api;
use super::is_marker;
use crate::connection::{ConnectionState, Subscription};

/// How often an idle consumer says that it is there, and after how long a silence it counts as gone.
const HEARTBEAT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(16);

/// Most messages that the server may have sent and we not read.
const MOST_AHEAD: u64 = 1_024;

/// Longest look at a bucket.
const LOOK: Duration = Duration::from_secs(60);

pub(super) struct Watched {
    api: Api,
    prefix: Prefix,
    filter: String,
}

pub(super) struct Pushed {
    api: Api,
    name: String,
    prefix: Prefix,
    stored_prefix: String,
    subscription: Subscription,
    connected: watch::Receiver<ConnectionState>,
    delivered: u64,
    ahead: u64,
}

/// A message of the stream, and how many wait behind it.
struct Delivery {
    change: Change,
    pending: u64,
}

impl Watched {
    pub(super) fn new(api: Api, prefix: Prefix) -> Self {
        // Subjects are filtered by whole tokens; the rest of the prefix is looked at here.
        let tokens = prefix
            .as_str()
            .rsplit_once('.')
            .map_or(String::new(), |(tokens, _)| format!("{tokens}."));
        let filter = format!("{}{tokens}>", api.stored_prefix());
        Self { api, prefix, filter }
    }
}

#[async_trait]
impl Source for Watched {
    type Feed = Pushed;

    async fn open(&self) -> Result<(Snapshot, Pushed), StateError> {
        let connection = &self.api.connection;
        let info = self.api.ensure().await?;
        let failed = |source| StateError::call(self.api.bucket.name(), "watch", source);
        let inbox = connection.new_inbox();
        let subscription = connection.subscribe(&inbox).await.map_err(failed)?;
        let mut connected = connection.state();
        connected.mark_unchanged();
        connection
            .barrier(connection.default_deadline())
            .await
            .map_err(failed)?;
        let name: String = inbox.rsplit('.').next().unwrap_or_default().to_owned();
        let heartbeat = u64::try_from(HEARTBEAT.as_nanos()).unwrap_or(u64::MAX);
        // Half of what the subscription holds; the rest is for heartbeats.
        let room = u64::try_from(connection.subscription_capacity() / 2).unwrap_or(u64::MAX);
        let ahead = room.clamp(1, MOST_AHEAD);
        let mut feed = Pushed {
            api: self.api.clone(),
            name,
            prefix: self.prefix.clone(),
            stored_prefix: self.api.stored_prefix(),
            subscription,
            connected,
            delivered: 0,
            ahead,
        };
        let pending = self
            .api
            .consume(&self.filter, &inbox, &feed.name, ahead, heartbeat)
            .await?;
        let look = timeout(LOOK, feed.look(&self.filter, pending)).await;
        let entries = look.map_err(|_| {
            StateError::answer(
                self.api.bucket.name(),
                "list",
                format!("not done within {LOOK:?}"),
            )
        })??;
        let snapshot = Snapshot {
            incarnation: Some(info.created),
            revision: info.state.last_seq,
            entries,
            parts: Vec::new(),
        };
        Ok((snapshot, feed))
    }

    fn name(&self) -> String {
        self.api.bucket.name().to_owned()
    }
}

impl Pushed {
    /// Reads everything that was there when this began, and what came in its place.
    ///
    /// That nothing waits behind a message does not mean that it is the last one: the server takes a message that was
    /// replaced from the count before it adds the one that replaced it, and in between a key would be missing here.
    async fn look(&mut self, filter: &str, mut pending: u64) -> Result<Vec<Entry>, StateError> {
        let mut entries = std::collections::BTreeMap::new();
        let (mut seen, mut goal) = (0, None);
        loop {
            if pending == 0 {
                let goal = match goal {
                    Some(goal) => goal,
                    None => *goal.insert(self.api.last_number().await?),
                };
                let done = seen >= goal
                    || self
                        .api
                        .next_number(filter, seen + 1)
                        .await?
                        .is_none_or(|next| next > goal);
                if done {
                    return Ok(entries.into_values().collect());
                }
            }
            let delivery = match self.delivery().await {
                Ok(delivery) => delivery,
                Err(reason) => return Err(StateError::answer(self.api.bucket.name(), "list", reason)),
            };
            pending = delivery.pending;
            let Change { key, revision, value } = delivery.change;
            seen = revision;
            match value {
                Some(value) if key.starts_with(self.prefix.as_str()) => {
                    entries.insert(key.clone(), Entry { key, value, revision });
                }
                _ => {
                    entries.remove(&key);
                }
            }
            if entries.len() > MAX_ENTRIES {
                return Err(StateError::TooMany {
                    bucket: self.api.bucket.name().to_owned(),
                    prefix: self.prefix.to_string(),
                });
            }
        }
    }

    async fn delivery(&mut self) -> Result<Delivery, &'static str> {
        let mut silent = Instant::now() + SILENCE;
        loop {
            let message = tokio::select! {
                // In this order: what was heard before the connection was lost is still good.
                biased;
                message = self.subscription.next() => message,
                _ = self.connected.changed() => return Err("the connection was lost"),
                () = tokio::time::sleep_until(silent) => return Err("the consumer is silent"),
            };
            let message = message.ok_or("the subscription ended")?;
            match message.status {
                None => {
                    let reply = message.reply.clone();
                    let (delivery, number) = self.read(message).ok_or("a message could not be read")?;
                    if number != self.delivered + 1 {
                        return Err("messages were missed");
                    }
                    self.delivered = number;
                    self.acknowledge(reply, number).await;
                    return Ok(delivery);
                }
                Some(StatusCode::IDLE_HEARTBEAT) => {
                    if self.misses_something(&message) {
                        return Err("messages were missed");
                    }
                    // Somebody is there: the silence starts anew.
                    silent = Instant::now() + SILENCE;
                }
                Some(_) => return Err("the consumer was ended"),
            }
        }
    }

    /// Tells the server from time to time how far we have read; without, it stops sending.
    async fn acknowledge(&self, reply: Option<Subject>, number: u64) {
        if let Some(reply) = reply
            && number.is_multiple_of((self.ahead / 4).max(1))
        {
            // If it cannot be sent, the connection is lost, and that is noticed.
            self.api.connection.publish(&reply, None, Bytes::new()).await.ok();
        }
    }

    /// Whether a heartbeat tells of more messages than have come.
    fn misses_something(&self, message: &Message) -> bool {
        let last = message
            .headers
            .as_ref()
            .and_then(|headers| headers.get("Nats-Last-Consumer"));
        let last: Option<u64> = last.and_then(|last| last.as_str().parse().ok());
        last.is_some_and(|last| last != self.delivered)
    }

    /// The numbers stand in the reply subject:
    /// `$JS.ACK.{stream}.{consumer}.{deliveries}.{stream seq}.{consumer seq}.{time}.{pending}`, with a domain and an
    /// account before the stream, and sometimes a token behind, in the longer form.
    fn read(&self, message: Message) -> Option<(Delivery, u64)> {
        let reply = message.reply.as_ref()?;
        let tokens: Vec<&str> = reply.as_str().strip_prefix("$JS.ACK.")?.split('.').collect();
        let first = if tokens.len() >= 9 { 4 } else { 2 };
        let number = |at: usize| tokens.get(first + at)?.parse::<u64>().ok();
        let (revision, delivered, pending) = (number(1)?, number(2)?, number(4)?);
        let key = message
            .subject
            .as_str()
            .strip_prefix(&self.stored_prefix)?
            .to_owned();
        let value = (!is_marker(message.headers.as_ref())).then_some(message.payload);
        let change = Change { key, revision, value };
        Some((Delivery { change, pending }, delivered))
    }
}

impl Drop for Pushed {
    fn drop(&mut self) {
        self.api.forget(&self.name);
    }
}

#[async_trait]
impl Feed for Pushed {
    async fn next(&mut self, _known: u64) -> Heard {
        match self.delivery().await {
            Ok(delivery) if delivery.change.key.starts_with(self.prefix.as_str()) => {
                Heard::Change(delivery.change)
            }
            Ok(delivery) => Heard::Passed(delivery.change.revision),
            Err(reason) => Heard::Lost(reason),
        }
    }
}
