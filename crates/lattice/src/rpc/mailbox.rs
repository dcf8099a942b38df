//! What has arrived for one call and was not read yet.
//!
//! The inbox puts messages in and never waits; whoever handles the call takes them out and waits for more. What a peer
//! may leave here is limited: a peer that keeps to its window never meets the limits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use wasmcloud_wire::rpc::header::{self, InvalidHeader, Status};
use wasmcloud_wire::rpc::{Returned, RpcErrorBody, Terms};

use super::{RpcOptions, names};
use crate::connection::Connection;

/// Paths of one call that a peer may send on. The interfaces of v1 have two at most.
const MAX_PATHS: usize = 32;

/// Longest path, in bytes: sixteen indices of ten digits.
const MAX_PATH: usize = 176;

/// The side of a call that a mailbox belongs to, by what arrives there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Results arrive.
    Caller,
    /// Parameters arrive.
    Callee,
}

impl Role {
    /// What stands before the path in the subjects of what arrives.
    fn arrives(self) -> &'static str {
        match self {
            Self::Caller => "results",
            Self::Callee => "params",
        }
    }
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer says that it is complete.
    Complete,
    /// It ended, and nothing was said. All that peers of v1 can say.
    Closed,
    /// The peer says why it is not complete.
    Failed(RpcErrorBody),
    /// More arrived than may wait here.
    Overflow,
}

/// Why nothing more will arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Nobody listens on the subject of the call.
    NoResponders,
    /// The server says that the peer is gone.
    PeerGone,
    /// The peer does not know this call any more.
    Forgotten,
    /// The peer has lost interest.
    Cancelled,
    /// We have, or the connection was closed.
    Closed,
}

/// What the callee answered to a call.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Accepted(Peer),
    Refused(RpcErrorBody),
    /// A message that is neither.
    Malformed(String),
}

/// The other side of a call.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// What its subjects begin with, those of this call or, where that is over, of all of its calls.
    pub(crate) inbox: String,
    /// Whether it has said all that there is to say of the call with its first message, and hears nothing more.
    pub(crate) over: bool,
    /// Whether it speaks more than v1.
    pub(crate) ours: bool,
    /// The window of the streams that it reads.
    pub(crate) window: Option<usize>,
    /// Who it is, if it says so.
    pub(crate) host: Option<Box<str>>,
}

impl Peer {
    /// What a message that introduces a peer says: who it is, and the terms of one of ours.
    pub(crate) fn introduced(
        inbox: &str,
        headers: Option<&HeaderMap>,
    ) -> (Self, Result<Terms, InvalidHeader>) {
        let (inbox, beside) = Terms::beside(inbox);
        let terms = beside
            .or_else(|| names::text(headers, names::TERMS))
            .map(Terms::read);
        let ours = terms.is_some();
        let mut terms = terms.unwrap_or_else(|| Ok(Terms::default()));
        let said = terms.as_mut().ok();
        let peer = Self {
            inbox: inbox.to_owned(),
            over: false,
            ours,
            window: said
                .as_ref()
                .and_then(|said| said.window)
                .map(|window| window as usize),
            host: said.and_then(|said| said.host.take()),
        };
        (peer, terms)
    }

    /// One that sent results which are all there is of the call.
    fn returned(who: Returned<'_>) -> Self {
        Self {
            inbox: who.inbox.to_owned(),
            over: true,
            ours: true,
            window: None,
            host: who.host.map(Box::from),
        }
    }
}

struct Lane {
    path: Box<str>,
    queue: VecDeque<Bytes>,
    bytes: usize,
    end: Option<End>,
}

pub(crate) struct State {
    pub(crate) answer: Option<Answer>,
    lanes: Vec<Lane>,
    /// Bytes that the peer has read of what we send, by path, as it told.
    read: Vec<(Box<str>, u64)>,
    heard: Instant,
    over: Option<Over>,
}

pub(crate) struct Mailbox {
    role: Role,
    state: Mutex<State>,
    news: Notify,
    max_lane: usize,
    max_root: usize,
    max_unread: usize,
    all_unread: Arc<AtomicUsize>,
    pub(crate) deadline: Instant,
}

impl Mailbox {
    pub(super) fn new(
        role: Role,
        options: &RpcOptions,
        all_unread: Arc<AtomicUsize>,
        now: Instant,
        deadline: Instant,
    ) -> Self {
        Self {
            role,
            state: Mutex::new(State {
                answer: None,
                lanes: Vec::new(),
                read: Vec::new(),
                heard: now,
                over: None,
            }),
            news: Notify::new(),
            max_lane: options.max_unpaced.max(options.window.saturating_mul(2)),
            max_root: options.max_message,
            max_unread: options.max_unread,
            all_unread,
            deadline,
        }
    }

    /// A message for the call, on what stands behind its number in the subject. Answers whether its sender wants to
    /// know that we are there.
    pub(super) fn deliver(&self, tail: &str, message: &Message) -> bool {
        let mut state = self.state.lock();
        state.heard = Instant::now();
        let asks = match tail {
            "" => {
                self.handshake(&mut state, message);
                false
            }
            "ping" => true,
            "pong" => {
                if message.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
                    state.over.get_or_insert(Over::PeerGone);
                } else if names::of(message, names::STATUS).is_some_and(failed) {
                    state.over.get_or_insert(Over::Forgotten);
                }
                false
            }
            "cancel" => {
                state.over.get_or_insert(Over::Cancelled);
                false
            }
            _ => {
                if let Some(path) = path_after(tail, "credit") {
                    self.credit(&mut state, path, message);
                } else if let Some(path) = path_after(tail, self.role.arrives()) {
                    let end = ended(message);
                    self.push(&mut state, path, &message.payload, end);
                } else if let Some(who) = Returned::read(tail) {
                    self.returned(&mut state, who, message);
                }
                false
            }
        };
        drop(state);
        self.news.notify_waiters();
        asks
    }

    fn handshake(&self, state: &mut State, message: &Message) {
        if self.role != Role::Caller || state.answer.is_some() {
            return;
        }
        if message.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
            state.over.get_or_insert(Over::NoResponders);
            return;
        }
        let ends = names::of(message, names::STATUS).is_some();
        state.answer = Some(match (&message.reply, names::of(message, names::ERROR)) {
            (Some(reply), error) if ends || error.is_none() => {
                match Peer::introduced(reply, message.headers.as_ref()) {
                    (peer, Ok(_)) => Answer::Accepted(peer),
                    (_, Err(what)) => Answer::Malformed(what.to_string()),
                }
            }
            (_, Some(error)) => Answer::Refused(RpcErrorBody::from_header(error)),
            _ => Answer::Malformed("an answer without a subject to reply to".to_owned()),
        });
        // The results came with it.
        if ends && message.reply.is_some() {
            self.push(state, "", &message.payload, ended(message));
        }
    }

    /// The results, of a callee that had not said anything before.
    fn returned(&self, state: &mut State, who: Returned<'_>, message: &Message) {
        if self.role == Role::Caller && state.answer.is_none() {
            state.answer = Some(Answer::Accepted(Peer::returned(who)));
            self.push(state, "", &message.payload, Some(End::Complete));
        }
    }

    fn credit(&self, state: &mut State, path: &str, message: &Message) {
        let read = std::str::from_utf8(&message.payload).ok();
        let Some(read) = read.and_then(|text| text.parse::<u64>().ok()) else {
            return;
        };
        let known = state.read.len();
        match state.read.iter_mut().find(|(known, _)| **known == *path) {
            Some((_, before)) => *before = read.max(*before),
            None if known < MAX_PATHS && path.len() <= MAX_PATH => {
                state.read.push((path.into(), read));
            }
            None => {}
        }
    }

    fn push(&self, state: &mut State, path: &str, bytes: &Bytes, end: Option<End>) {
        let limit = if path.is_empty() {
            self.max_root
        } else {
            self.max_lane
        };
        let Some(lane) = state.lane(path) else { return };
        if lane.end.is_some() {
            return;
        }
        let len = bytes.len();
        let others = self.all_unread.load(Ordering::Relaxed);
        if lane.bytes + len > limit || others + len > self.max_unread {
            lane.end = Some(End::Overflow);
            lane.queue.clear();
            self.free(std::mem::take(&mut lane.bytes));
            return;
        }
        if len > 0 {
            lane.queue.push_back(bytes.clone());
            lane.bytes += len;
        }
        lane.end = end;
        self.all_unread.fetch_add(len, Ordering::Relaxed);
    }

    fn free(&self, bytes: usize) {
        self.all_unread.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Nobody waits any longer.
    pub(crate) fn close(&self) {
        self.state.lock().over.get_or_insert(Over::Closed);
        self.news.notify_waiters();
    }

    /// The next bytes on a path, or how it ended.
    pub(crate) fn take(&self, state: &mut State, path: &str) -> Option<Result<Bytes, End>> {
        let lane = state.lane(path)?;
        if let Some(bytes) = lane.queue.pop_front() {
            lane.bytes -= bytes.len();
            self.free(bytes.len());
            return Some(Ok(bytes));
        }
        lane.end.clone().map(Err)
    }

    /// Whether everything on every path that was sent on has been read to its end.
    pub(crate) fn finished(&self) -> bool {
        let state = self.state.lock();
        !state.lanes.is_empty() && state.lanes.iter().all(|lane| lane.end.is_some())
    }

    /// What has arrived before, as long as nothing has to be waited for.
    pub(crate) fn peek<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        ready(&mut self.state.lock())
    }

    /// Waits until `ready` finds something, until nothing can come any more, or until `until`.
    ///
    /// What has arrived counts first: a peer that has sent everything and is gone has sent everything.
    pub(crate) async fn wait<T>(
        &self,
        until: Instant,
        mut ready: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T, Waited> {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            {
                let mut state = self.state.lock();
                if let Some(found) = ready(&mut state) {
                    return Ok(found);
                }
                if let Some(over) = state.over {
                    return Err(Waited::Over(over));
                }
            }
            if timeout_at(until, news).await.is_err() {
                return Err(Waited::Until);
            }
        }
    }

    /// The same until the deadline of the call, asking a peer that is silent whether it is there.
    pub(crate) async fn wait_for_peer<T>(
        &self,
        alive: &Alive<'_>,
        mut ready: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T, Waited> {
        let mut asked = Instant::now();
        loop {
            let heard = self.state.lock().heard;
            let silent = heard.max(asked) + alive.silence;
            let until = match alive.peer.ours {
                true => self.deadline.min(silent),
                false => self.deadline,
            };
            match self.wait(until, &mut ready).await {
                Err(Waited::Until) if until < self.deadline => {
                    asked = Instant::now();
                    alive.ask().await;
                }
                outcome => return outcome,
            }
        }
    }
}

/// What nobody has read is not unread any more. Here and not where the call ends: the inbox may be putting something in
/// at that moment.
impl Drop for Mailbox {
    fn drop(&mut self) {
        let unread = self.state.get_mut().lanes.iter().map(|lane| lane.bytes).sum();
        self.free(unread);
    }
}

/// Why a wait ended without what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Over(Over),
    Until,
}

/// How a silent peer is asked whether it is there.
pub(crate) struct Alive<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) peer: &'a Peer,
    /// Where its answer goes.
    pub(crate) inbox: &'a str,
    pub(crate) silence: std::time::Duration,
}

impl Alive<'_> {
    async fn ask(&self) {
        let (ping, pong) = (
            format!("{}.ping", self.peer.inbox),
            format!("{}.pong", self.inbox),
        );
        // Without a server nobody can be asked; the next time will come.
        if let Err(error) = self
            .connection
            .publish_for(&ping, &pong, None, Bytes::new())
            .await
        {
            tracing::debug!(%error, "a silent peer was not asked");
        }
    }
}

impl State {
    /// The lane of a path, made at its first use. `None` if a peer uses more than there may be.
    fn lane(&mut self, path: &str) -> Option<&mut Lane> {
        let at = match self.lanes.iter().position(|lane| &*lane.path == path) {
            Some(at) => at,
            None if self.lanes.len() >= MAX_PATHS || path.len() > MAX_PATH => return None,
            None => {
                self.lanes.push(Lane {
                    path: path.into(),
                    queue: VecDeque::new(),
                    bytes: 0,
                    end: None,
                });
                self.lanes.len() - 1
            }
        };
        self.lanes.get_mut(at)
    }

    /// Bytes that the peer has read of what we send on a path.
    pub(crate) fn read(&self, path: &str) -> u64 {
        let known = self.read.iter().find(|(known, _)| **known == *path);
        known.map_or(0, |(_, read)| *read)
    }
}

/// How a path ends with a message, if it does.
fn ended(message: &Message) -> Option<End> {
    match names::of(message, names::STATUS) {
        Some(status) if !failed(status) => Some(End::Complete),
        Some(_) => Some(End::Failed(RpcErrorBody::from_header(
            names::of(message, names::ERROR).unwrap_or_default(),
        ))),
        None if message.payload.is_empty() => Some(End::Closed),
        None => None,
    }
}

/// Whether a status says so. What is not known is no success.
fn failed(status: &str) -> bool {
    header::status(status) != Ok(Status::Ok)
}

/// `results` has the path ``, `results.0.1` the path `0.1`.
fn path_after<'a>(tail: &'a str, what: &str) -> Option<&'a str> {
    let rest = tail.strip_prefix(what)?;
    match rest.strip_prefix('.') {
        Some(path) if !path.is_empty() => Some(path),
        Some(_) => None,
        None if rest.is_empty() => Some(""),
        None => None,
    }
}
