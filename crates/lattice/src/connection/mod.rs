//! A connection to NATS that knows what it can promise: its state, barriers, and calls with deadlines.
//!
//! `establish` makes the first connection, `supervise` watches it from then on, `error` says what went wrong.
//!
//! While there is no server, calls wait for it until their deadline and then fail; they are not queued in the client,
//! from where they would reach the server when nobody waits for them any more.

mod error;
mod establish;
mod lattice;
mod subscription;
mod supervise;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::{Client, HeaderMap, Message, Request};
use bytes::Bytes;
use futures::future::poll_immediate;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::options::NatsOptions;

pub use error::{CallError, ConnectError};
pub use establish::{MIN_SERVER_VERSION, ServerVersion};
pub use lattice::Lattice;
pub use subscription::Subscription;

/// How the embedded lattice calls itself in its INFO.
const EMBEDDED_SERVER: &str = "wasmcloud-broker";

/// A connection to a lattice. Clones share it; it ends with the last of them, or with [`Connection::close`].
#[derive(Clone, Debug)]
pub struct Connection(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    address: String,
    request_timeout: Duration,
    subscription_capacity: usize,
    state: watch::Receiver<ConnectionState>,
    closing: watch::Sender<bool>,
    dropped: Arc<AtomicU64>,
    supervisor: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

/// Whether there is a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Yes, and it knows all subscriptions.
    Connected {
        /// How many connections there have been, this one included: another number means that messages may have been
        /// missed in between.
        epoch: u64,
    },
    /// No, or it has not confirmed all subscriptions yet.
    Reconnecting {
        /// Since when.
        since: Instant,
    },
    /// It was closed by us.
    Closed,
}

impl Connection {
    /// Connects, checks the server's version, and lets a barrier pass. Failed attempts are logged and repeated until
    /// [`NatsOptions::connect_deadline`]; a login that is refused, and a certificate that is not trusted, are not
    /// tried again.
    pub async fn connect(options: &NatsOptions) -> Result<Self, ConnectError> {
        let established = establish::establish(options).await?;
        let address = options.shown();
        let client = established.client;
        let (closing, closed) = watch::channel(false);
        let (state, supervisor) = supervise::spawn(supervise::Watched {
            client: client.clone(),
            address: address.clone(),
            signals: established.signals.clone(),
            closed,
        });
        Ok(Self(Arc::new(Inner {
            client,
            address,
            request_timeout: options.request_timeout,
            subscription_capacity: options.subscription_capacity.max(1),
            state,
            closing,
            dropped: established.signals.dropped.clone(),
            supervisor,
        })))
    }

    /// The addresses it was made with, for messages.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// Whether there is a server, and when that changes.
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.0.state.clone()
    }

    /// How many messages were lost because subscriptions were full, since the start.
    pub fn dropped_messages(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Whether the server is the embedded lattice of one machine.
    pub fn is_embedded(&self) -> bool {
        self.0.client.server_info().server_name == EMBEDDED_SERVER
    }

    /// What the server calls this connection since it was made last, in `INFO`; another one after each reconnect.
    pub fn client_id(&self) -> u64 {
        self.0.client.server_info().client_id
    }

    /// Longest message that the server takes, headers included, in bytes.
    pub fn max_payload(&self) -> usize {
        self.0.client.max_payload()
    }

    /// Messages that may wait in one subscription.
    pub(crate) fn subscription_capacity(&self) -> usize {
        self.0.subscription_capacity
    }

    /// When a call that begins now has to end, if its caller does not say.
    pub fn default_deadline(&self) -> Instant {
        Instant::now() + self.0.request_timeout
    }

    /// A subject for replies that is nobody else's.
    pub fn new_inbox(&self) -> String {
        self.0.client.new_inbox()
    }

    /// The NATS client beneath, for what is not offered here. It queues while there is no server.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// Subscribes. The server knows of it only after the next [`barrier`](Self::barrier).
    pub async fn subscribe(&self, subject: &str) -> Result<Subscription, CallError> {
        self.subscribed(subject, None).await
    }

    /// Subscribes as a member of a group, of which one gets each message. The server knows of it only after the next
    /// [`barrier`](Self::barrier).
    pub async fn queue_subscribe(&self, subject: &str, group: &str) -> Result<Subscription, CallError> {
        self.subscribed(subject, Some(group)).await
    }

    async fn subscribed(&self, subject: &str, group: Option<&str>) -> Result<Subscription, CallError> {
        self.connected(subject, self.default_deadline()).await?;
        let client = &self.0.client;
        let subscriber = match group {
            None => client.subscribe(subject.to_owned()).await,
            Some(group) => client.queue_subscribe(subject.to_owned(), group.to_owned()).await,
        };
        let subscriber = subscriber.map_err(|source| CallError::refused(subject, source))?;
        Ok(Subscription::new(subject, subscriber, self.clone()))
    }

    /// Sends a message. That the server has it is known only after the next [`barrier`](Self::barrier).
    pub async fn publish(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<(), CallError> {
        self.published(subject, None, headers, payload).await
    }

    /// Sends a message that can be answered on another subject.
    pub(crate) async fn publish_for(
        &self,
        subject: &str,
        reply: &str,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<(), CallError> {
        self.published(subject, Some(reply), headers, payload).await
    }

    async fn published(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<(), CallError> {
        self.fits(subject, headers.as_ref(), &payload)?;
        // Mostly there is a server and room in the client's queue, and no clock to be looked at.
        let mut deadline = None;
        if !self.is_connected() {
            let until = *deadline.insert(self.default_deadline());
            self.connected(subject, until).await?;
        }
        let client = &self.0.client;
        let to = subject.to_owned();
        let mut sent = pin!(async {
            match (reply, headers) {
                (None, None) => client.publish(to, payload).await,
                (None, Some(headers)) => client.publish_with_headers(to, headers, payload).await,
                (Some(reply), None) => client.publish_with_reply(to, reply.to_owned(), payload).await,
                (Some(reply), Some(headers)) => {
                    client
                        .publish_with_reply_and_headers(to, reply.to_owned(), headers, payload)
                        .await
                }
            }
        });
        let sent = match poll_immediate(&mut sent).await {
            Some(sent) => Ok(sent),
            None => timeout_at(deadline.unwrap_or_else(|| self.default_deadline()), sent).await,
        };
        match sent {
            Ok(sent) => sent.map_err(|source| CallError::refused(subject, source)),
            Err(_) => Err(self.timed_out(subject, self.0.request_timeout)),
        }
    }

    /// Sends a message and waits for one answer. If nobody listens, that is said at once.
    pub async fn request(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        payload: Bytes,
        deadline: Instant,
    ) -> Result<Message, CallError> {
        self.fits(subject, headers.as_ref(), &payload)?;
        let began = Instant::now();
        self.connected(subject, deadline).await?;
        let mut request = Request::new().payload(payload).timeout(None);
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        let answer = self.0.client.send_request(subject.to_owned(), request);
        match timeout_at(deadline, answer).await {
            Ok(answer) => answer.map_err(|source| CallError::request(subject, source)),
            Err(_) => Err(self.timed_out(subject, began.elapsed())),
        }
    }

    /// Waits until the server has done everything that was asked of it before: it knows the subscriptions, it has
    /// routed the messages, and what it had to deliver for them has arrived here.
    pub async fn barrier(&self, deadline: Instant) -> Result<(), CallError> {
        let began = Instant::now();
        self.connected("barrier", deadline).await?;
        match timeout_at(deadline, supervise::barrier(&self.0.client)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(source)) => Err(CallError::request("barrier", source)),
            Err(_) => Err(self.timed_out("barrier", began.elapsed())),
        }
    }

    /// Sends what is queued, within the deadline, and ends the connection for all clones.
    pub async fn close(&self, deadline: Instant) {
        // Without a server there is nowhere to send to, and what was subscribed ends below in any case.
        self.barrier(deadline).await.ok();
        self.0.client.drain().await.ok();
        self.0.closing.send_replace(true);
        let mut state = self.state();
        let closed = state.wait_for(|state| *state == ConnectionState::Closed);
        timeout_at(deadline, closed).await.ok();
    }

    /// Whether there is a server now.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(*self.0.state.borrow(), ConnectionState::Connected { .. })
    }

    /// Waits for a server.
    async fn connected(&self, subject: &str, deadline: Instant) -> Result<(), CallError> {
        let mut state = self.0.state.clone();
        let now = *state.borrow();
        let since = match now {
            ConnectionState::Connected { .. } => return Ok(()),
            ConnectionState::Reconnecting { since } => since,
            ConnectionState::Closed => return Err(CallError::closed(subject)),
        };
        let settled = state.wait_for(|state| !matches!(state, ConnectionState::Reconnecting { .. }));
        match timeout_at(deadline, settled).await {
            Ok(Ok(state)) if matches!(*state, ConnectionState::Connected { .. }) => Ok(()),
            Ok(_) => Err(CallError::closed(subject)),
            Err(_) => Err(CallError::Disconnected {
                subject: subject.to_owned(),
                address: self.0.address.clone(),
                since: since.elapsed(),
            }),
        }
    }

    fn fits(&self, subject: &str, headers: Option<&HeaderMap>, payload: &Bytes) -> Result<(), CallError> {
        let (size, limit) = (
            payload.len() + headers.map_or(0, header_bytes),
            self.max_payload(),
        );
        match size > limit {
            true => Err(CallError::TooLarge {
                subject: subject.to_owned(),
                size,
                limit,
            }),
            false => Ok(()),
        }
    }

    fn timed_out(&self, subject: &str, waited: Duration) -> CallError {
        CallError::TimedOut {
            subject: subject.to_owned(),
            address: self.0.address.clone(),
            waited,
        }
    }
}

/// How long headers are as they travel: a line of version, a line each, an empty line.
pub(crate) fn header_bytes(headers: &HeaderMap) -> usize {
    let lines = headers.iter().flat_map(|(name, values)| {
        let name: &[u8] = name.as_ref();
        values
            .iter()
            .map(move |value| name.len() + value.as_str().len() + 4)
    });
    lines.sum::<usize>() + "NATS/1.0\r\n\r\n".len()
}
