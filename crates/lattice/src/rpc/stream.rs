//! Bytes on a path of a call, in either direction, with flow control between peers that both know it.
//!
//! A receiver has a window: the bytes that may be under way or unread. It tells the sender how much it has read in
//! all, so that a message that is lost or comes twice does no harm. A sender to a peer of v1 is not slowed down by it.

use std::sync::Arc;

use async_nats::HeaderMap;
use bytes::{Bytes, BytesMut};
use wasmcloud_wire::rpc::RpcErrorBody;
use wasmcloud_wire::rpc::header::Status;

use super::call::{Active, on_path};
use super::error::RpcError;
use super::names;

/// Longest piece of a stream in one message. Small enough that messages of others get their turn in between.
const PIECE: usize = 128 << 10;

/// What headers of the last message may take.
const HEADERS: usize = 4 << 10;

/// The most that one message of a call takes here: [`PIECE`], or less where the server takes less.
pub(super) fn piece(active: &Active) -> usize {
    let most = active.registered.connection().max_payload();
    PIECE.min(most.saturating_sub(HEADERS)).max(1)
}

/// The reading end of a path. Bytes come in the order in which they were sent, in other pieces perhaps.
pub struct Receiver {
    active: Arc<Active>,
    path: Box<str>,
    read: u64,
    told: u64,
    ended: bool,
}

impl Receiver {
    pub(super) fn new(active: Arc<Active>, path: &str) -> Self {
        Self {
            active,
            path: path.into(),
            read: 0,
            told: 0,
            ended: false,
        }
    }

    /// The next bytes; `None` when the stream has ended as it should.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RpcError> {
        if self.ended {
            return Ok(None);
        }
        match self.active.next(&self.path).await? {
            Ok(bytes) => {
                self.read += bytes.len() as u64;
                let window = self.active.registered.options().window as u64;
                if self.active.peer.ours && self.read - self.told >= window / 2 {
                    self.told = self.read;
                    self.active.credit(&self.path, self.read).await?;
                }
                Ok(Some(bytes))
            }
            Err(end) => {
                self.ended = true;
                self.active.ended(end).map(|()| None)
            }
        }
    }
}

impl Receiver {
    /// Everything, when the stream has ended as it should. More than `limit` bytes are an error.
    pub async fn whole(mut self, limit: usize) -> Result<Bytes, RpcError> {
        let first = self.next().await?.unwrap_or_default();
        let mut next = match first.len() <= limit {
            true => self.next().await?,
            false => return Err(self.active.overflow(limit)),
        };
        // Most come in one piece, which is then not copied.
        if next.is_none() {
            return Ok(first);
        }
        let mut all = BytesMut::from(first);
        while let Some(bytes) = next {
            if all.len() + bytes.len() > limit {
                return Err(self.active.overflow(limit));
            }
            all.extend_from_slice(&bytes);
            next = self.next().await?;
        }
        Ok(all.freeze())
    }
}

/// The writing end of a path.
pub struct Sender {
    active: Arc<Active>,
    path: Box<str>,
    subject: String,
    sent: u64,
}

impl Sender {
    pub(super) fn new(active: Arc<Active>, path: &str) -> Self {
        let subject = on_path(&format!("{}.{}", active.peer.inbox, active.sends), path);
        Self {
            active,
            path: path.into(),
            subject,
            sent: 0,
        }
    }

    /// Sends bytes, when the receiver's window has room for them.
    pub async fn send(&mut self, mut bytes: Bytes) -> Result<(), RpcError> {
        self.active.announce().await?;
        let connection = self.active.registered.connection();
        let piece = piece(&self.active);
        while !bytes.is_empty() {
            let room = self.room().await?;
            let now = bytes.split_to(bytes.len().min(piece).min(room));
            self.sent += now.len() as u64;
            connection.publish(&self.subject, None, now).await?;
        }
        Ok(())
    }

    /// How many bytes may be sent now; waits until it is at least one.
    async fn room(&self) -> Result<usize, RpcError> {
        let Some(window) = self.active.peer.window else {
            return Ok(usize::MAX);
        };
        let (path, sent) = (&*self.path, self.sent);
        let room = |state: &mut super::mailbox::State| {
            let under_way = sent.saturating_sub(state.read(path));
            let room = (window as u64).saturating_sub(under_way);
            usize::try_from(room).ok().filter(|room| *room > 0)
        };
        let mailbox = &self.active.registered.mailbox;
        if let Some(room) = mailbox.peek(room) {
            return Ok(room);
        }
        let alive = self.active.alive();
        let waited = mailbox.wait_for_peer(&alive, room);
        waited.await.map_err(|waited| self.active.error(waited))
    }

    /// Ends the stream: everything was sent.
    pub async fn finish(self) -> Result<(), RpcError> {
        self.end(Bytes::new(), None).await
    }

    /// Sends everything that there is to send, and ends the stream.
    pub async fn send_whole(mut self, bytes: Bytes) -> Result<(), RpcError> {
        let fits = bytes.len() <= piece(&self.active) && self.active.peer.ours;
        match fits {
            true => self.end(bytes, None).await,
            false => {
                self.send(bytes).await?;
                self.finish().await
            }
        }
    }

    /// Ends the stream before everything was sent, and says why.
    pub async fn fail(self, error: &RpcErrorBody) -> Result<(), RpcError> {
        self.end(Bytes::new(), Some(error)).await
    }

    /// Ends the stream as peers of v1 do.
    pub(super) async fn close(self) -> Result<(), RpcError> {
        let connection = self.active.registered.connection();
        connection.publish(&self.subject, None, Bytes::new()).await?;
        Ok(())
    }

    async fn end(self, last: Bytes, error: Option<&RpcErrorBody>) -> Result<(), RpcError> {
        self.active.announce().await?;
        if !self.active.peer.ours {
            return self.close().await;
        }
        let mut headers = HeaderMap::new();
        put_end(&mut headers, error);
        let connection = self.active.registered.connection();
        connection.publish(&self.subject, Some(headers), last).await?;
        Ok(())
    }
}

/// Says how a stream ended.
pub(super) fn put_end(headers: &mut HeaderMap, error: Option<&RpcErrorBody>) {
    match error {
        None => headers.insert(names::STATUS, Status::Ok.as_str()),
        Some(error) => {
            headers.insert(names::STATUS, Status::Error.as_str());
            headers.insert(names::ERROR, error.to_header());
        }
    }
}
