//! The life of one connection: reading, doing what is asked, waiting, closing.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::broker::Server;
use crate::connection::{Closing, Connection};
use crate::protocol::{self, Connect, Op, Parser, Publish};
use crate::random::Dice;
use crate::router::{Audience, Batch, Body, Message};
use crate::state::Taken;
use crate::sublist::Subscription;

/// The read buffer at first, and once a client has filled it.
const SMALL_BUFFER: usize = 4 << 10;
const LARGE_BUFFER: usize = 64 << 10;

/// How long a publisher is held back, for each buffer it fills, while somebody who receives from it lags behind.
const STALL: Duration = Duration::from_millis(10);

/// How long a client that is told why it is disconnected may take to read that.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How many subscriptions are removed at a time when a client leaves, so that others get to publish in between.
const REMOVE_AT_ONCE: usize = 1_000;

/// Serves a connection until either side ends it, and leaves nothing of it behind.
pub(crate) async fn run(
    server: Arc<Server>,
    connection: Arc<Connection>,
    nonce: String,
    stop: CancellationToken,
) {
    connection.put(|outbox| outbox.put(server.info(&connection, &nonce).as_bytes()));
    connection.flush();
    let mut session = Session::new(&server, &connection, nonce);
    let why = session.serve(&stop).await;
    session.leave(why).await;
}

struct Session<'a> {
    server: &'a Server,
    connection: &'a Arc<Connection>,
    nonce: String,
    options: Connect,
    logged_in: bool,
    subscriptions: HashMap<Bytes, Arc<Subscription>>,
    parser: Parser,
    buffer: BytesMut,
    chunk: usize,
    batch: Batch,
    dice: Dice,
    /// When the client must have logged in.
    login_by: Instant,
    /// When to ask whether the client is there.
    ping_at: Instant,
    /// Questions that it has not answered.
    pings_out: u32,
}

impl<'a> Session<'a> {
    fn new(server: &'a Server, connection: &'a Arc<Connection>, nonce: String) -> Self {
        let limits = &server.limits;
        let now = Instant::now();
        Self {
            server,
            connection,
            nonce,
            options: Connect::default(),
            logged_in: !server.needs_login(),
            subscriptions: HashMap::new(),
            parser: Parser::new(limits.max_control_line, limits.max_payload),
            buffer: BytesMut::new(),
            chunk: SMALL_BUFFER,
            batch: server.router.batch(),
            dice: Dice::new(connection.id),
            login_by: now + limits.auth_timeout,
            ping_at: now + limits.ping_interval,
            pings_out: 0,
        }
    }

    async fn serve(&mut self, stop: &CancellationToken) -> Closing {
        let connection = self.connection;
        let timer = tokio::time::sleep_until(self.ping_at);
        tokio::pin!(timer);
        loop {
            let status = connection.status();
            if let Some(why) = status.closing {
                return why;
            }
            let blocked = status.blocked.map(Instant::from_std);
            let next = self.next_deadline(blocked);
            if timer.deadline() != next {
                timer.as_mut().reset(next);
            }
            let done = tokio::select! {
                biased;
                () = stop.cancelled() => return Closing::Stopping,
                () = connection.wake.notified() => {
                    // While the socket takes nothing, only its readiness changes anything.
                    if blocked.is_none() {
                        connection.flush();
                    }
                    Ok(())
                }
                () = &mut timer => self.on_deadline(blocked),
                ready = connection.stream.writable(), if blocked.is_some() => {
                    connection.flush();
                    ready.map_err(|_| Closing::Gone)
                }
                ready = connection.stream.readable() => match ready {
                    Ok(()) => self.read().await,
                    Err(_) => Err(Closing::Gone),
                },
            };
            if let Err(why) = done {
                return why;
            }
        }
    }

    fn next_deadline(&self, blocked: Option<Instant>) -> Instant {
        let write_by = blocked.map(|since| since + self.server.limits.write_deadline);
        let login_by = (!self.logged_in).then_some(self.login_by);
        let others = [write_by, login_by];
        others.into_iter().flatten().fold(self.ping_at, Instant::min)
    }

    fn on_deadline(&mut self, blocked: Option<Instant>) -> Result<(), Closing> {
        let now = Instant::now();
        let limits = &self.server.limits;
        if blocked.is_some_and(|since| now >= since + limits.write_deadline) {
            return Err(Closing::SlowConsumer);
        }
        if !self.logged_in && now >= self.login_by {
            return Err(Closing::Refused("Authentication Timeout"));
        }
        if now >= self.ping_at {
            if self.pings_out >= limits.max_pings_out {
                return Err(Closing::Refused("Stale Connection"));
            }
            self.pings_out += 1;
            self.ping_at = now + limits.ping_interval;
            self.say(b"PING\r\n");
            self.connection.flush();
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Closing> {
        let missing = self.parser.wants().saturating_sub(self.buffer.len());
        self.buffer.reserve(missing.max(self.chunk));
        let room = self.buffer.capacity() - self.buffer.len();
        match self.connection.stream.try_read_buf(&mut self.buffer) {
            Ok(0) => return Err(Closing::Gone),
            Ok(read) if read == room => self.chunk = LARGE_BUFFER,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return Err(Closing::Gone),
        }
        // Who sends is there.
        self.pings_out = 0;
        let done = self.perform();
        self.batch.flush();
        self.hold_back().await;
        self.server.router.renew(&mut self.batch);
        done
    }

    fn perform(&mut self) -> Result<(), Closing> {
        loop {
            match self.parser.feed(&mut self.buffer) {
                Ok(Some(op)) => self.apply(op)?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    tracing::debug!(connection = self.connection.id, %error, "protocol error");
                    return Err(Closing::Refused(error.text()));
                }
            }
        }
    }

    /// Waits a little while a receiver has much to catch up with: a publisher that is faster than its receivers should
    /// be slowed down before they are disconnected.
    async fn hold_back(&self) {
        let much = self.server.limits.max_pending / 2;
        let lagging = self
            .batch
            .touched()
            .iter()
            .filter(|other| other.id != self.connection.id)
            .find(|other| other.pending() > much);
        let Some(lagging) = lagging else { return };
        let until = Instant::now() + STALL;
        while lagging.pending() > much {
            let drained = lagging.drained.notified();
            // Not to miss what happens between the look and the wait: `notified` counts from its creation for
            // `notify_waiters`.
            if lagging.pending() <= much || lagging.status().closing.is_some() {
                return;
            }
            if tokio::time::timeout_at(until, drained).await.is_err() {
                return;
            }
        }
    }

    fn apply(&mut self, op: Op) -> Result<(), Closing> {
        if !self.logged_in && !matches!(op, Op::Connect(_)) {
            return Err(Closing::Refused("Authorization Violation"));
        }
        match op {
            Op::Connect(json) => self.connect(&json)?,
            Op::Ping => self.say(b"PONG\r\n"),
            Op::Pong | Op::Info => {}
            Op::Sub { subject, queue, sid } => self.subscribe(subject, queue, sid),
            Op::Unsub { sid, max } => self.unsubscribe(&sid, max),
            Op::Pub(publish) => self.publish(&publish),
        }
        Ok(())
    }

    fn connect(&mut self, json: &[u8]) -> Result<(), Closing> {
        let options: Connect = serde_json::from_slice(json).map_err(|error| {
            tracing::debug!(connection = self.connection.id, %error, "CONNECT makes no sense");
            Closing::Refused("Parser Error")
        })?;
        if !self.server.admits(&options, &self.nonce) {
            tracing::warn!(connection = self.connection.id, client = ?options, "login refused");
            return Err(Closing::Refused("Authorization Violation"));
        }
        if options.no_responders && !options.headers {
            return Err(Closing::Refused("no responders requires headers support"));
        }
        self.logged_in = true;
        self.connection.set_headers(options.headers);
        self.options = options;
        self.acknowledge();
        Ok(())
    }

    fn subscribe(&mut self, subject: Bytes, queue: Option<Bytes>, sid: Bytes) {
        self.forget_ended();
        if !protocol::is_subscribable(&subject) {
            return self.say(b"-ERR 'Invalid Subject'\r\n");
        }
        // As nats-server does: the first one with a name stays.
        if !self.subscriptions.contains_key(&sid) {
            let subscription = Subscription::new(Arc::clone(self.connection), subject, queue, sid.clone());
            let room = self.subscriptions.len() < self.server.limits.max_subscriptions
                && self.server.router.subscribe(Arc::clone(&subscription));
            if !room {
                return self.say(b"-ERR 'maximum subscriptions exceeded'\r\n");
            }
            self.subscriptions.insert(sid, subscription);
        }
        self.acknowledge();
    }

    fn unsubscribe(&mut self, sid: &Bytes, max: u64) {
        self.forget_ended();
        if let Some(subscription) = self.subscriptions.get(sid)
            && !subscription.limit(max)
        {
            self.server.router.unsubscribe([subscription]);
            self.subscriptions.remove(sid);
        }
        self.acknowledge();
    }

    fn forget_ended(&mut self) {
        for ended in self.connection.take_ended() {
            let same = |known: &Arc<Subscription>| Arc::ptr_eq(known, &ended);
            if self.subscriptions.get(&ended.sid).is_some_and(same) {
                self.subscriptions.remove(&ended.sid);
            }
        }
    }

    fn publish(&mut self, publish: &Publish) {
        if self.options.pedantic && !protocol::is_publishable(publish.subject()) {
            self.say(b"-ERR 'Invalid Publish Subject'\r\n");
        }
        self.acknowledge();
        let taken = self.server.state.offer(publish);
        if taken == Taken::Refused {
            let text = format!(
                "-ERR 'Permissions Violation for Publish to \"{}\"'\r\n",
                publish.subject().escape_ascii()
            );
            return self.say(text.as_bytes());
        }
        let message = Message {
            subject: publish.subject(),
            reply: publish.reply(),
            header_len: publish.header_len(),
            body: Body::Arrived(publish),
            to: if self.options.echo {
                Audience::All
            } else {
                Audience::AllBut(self.connection.id)
            },
        };
        let delivered = self
            .server
            .router
            .publish(&message, &mut self.dice, &mut self.batch);
        if !delivered && taken == Taken::No && !publish.reply().is_empty() && self.options.no_responders {
            self.tell_no_responders(publish);
        }
    }

    fn tell_no_responders(&mut self, publish: &Publish) {
        // The subject in a header since nats-server 2.12.
        let mut text = b"NATS/1.0 503\r\nNats-Subject: ".to_vec();
        text.extend_from_slice(publish.subject());
        text.extend_from_slice(b"\r\n\r\n");
        let message = Message {
            subject: publish.reply(),
            reply: &[],
            header_len: text.len(),
            body: Body::Ours(&text.into()),
            to: Audience::Only(self.connection.id),
        };
        self.server
            .router
            .publish(&message, &mut self.dice, &mut self.batch);
    }

    fn acknowledge(&mut self) {
        if self.options.verbose {
            self.say(b"+OK\r\n");
        }
    }

    /// To this client, with the next flush of the batch.
    fn say(&mut self, text: &[u8]) {
        self.connection.put(|outbox| outbox.put(text));
        self.batch.touch(self.connection);
    }

    async fn leave(&mut self, why: Closing) {
        // From here on nobody puts anything in, and queue groups choose others.
        self.connection.close(why);
        let subscriptions: Vec<_> = self.subscriptions.drain().map(|(_, it)| it).collect();
        for some in subscriptions.chunks(REMOVE_AT_ONCE) {
            self.server.router.unsubscribe(some);
        }
        self.connection.take_ended();
        tracing::debug!(connection = self.connection.id, client = ?self.options.name, ?why, "connection ends");
        let grace = match why {
            Closing::Gone => return,
            Closing::Stopping => self.server.limits.stop_grace,
            Closing::SlowConsumer => {
                tracing::warn!(
                    connection = self.connection.id,
                    client = ?self.options.name,
                    pending = self.connection.pending(),
                    "slow consumer, disconnected"
                );
                LAST_WORDS
            }
            Closing::Refused(_) => LAST_WORDS,
        };
        // Who does not take it in time does not get it.
        tokio::time::timeout(grace, self.say_last_words(why)).await.ok();
    }

    async fn say_last_words(&mut self, why: Closing) {
        let connection = self.connection;
        connection.flush();
        while connection.pending() > 0 {
            if connection.stream.writable().await.is_err() {
                return;
            }
            connection.flush();
            // Somebody else may be in a write, and the socket ready: give way.
            tokio::task::yield_now().await;
        }
        // Closing a socket with unread input would reset the connection and take the last words with it.
        let closed = rustix::net::shutdown(&connection.stream, rustix::net::Shutdown::Write);
        if closed.is_err() || why == Closing::Stopping {
            return;
        }
        let mut scratch = [0; SMALL_BUFFER];
        loop {
            if connection.stream.readable().await.is_err() {
                return;
            }
            match connection.stream.try_read(&mut scratch) {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    }
}
