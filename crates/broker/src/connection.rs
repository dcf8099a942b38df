//! One client's socket and what waits to be sent through it. Anybody may put messages in and try to send them at once;
//! the session of the connection owns reading, waiting and closing.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::outbox::{self, Outbox};
use crate::sublist::Subscription;

/// Most pieces in one write. The kernel takes up to 1,024 (`IOV_MAX`).
const MAX_SLICES: usize = 64;

/// How often one flush looks for more before it leaves the rest to the session.
const MAX_ROUNDS: usize = 8;

/// A connected client.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) stream: TcpStream,
    /// Tells the session to look at [`Connection::status`].
    pub(crate) wake: Notify,
    /// Tells those who hold back that something was sent.
    pub(crate) drained: Notify,
    /// Whether the client understands headers.
    headers: AtomicBool,
    /// The last batch that put something in; see [`crate::router::Batch`].
    batch: AtomicU64,
    /// Subscriptions that had their last message; the session forgets them.
    ended: Mutex<Vec<Arc<Subscription>>>,
    max_pending: usize,
    sending: Mutex<Sending>,
}

#[derive(Debug, Default)]
struct Sending {
    outbox: Outbox,
    /// Somebody is in a write.
    busy: bool,
    /// Since when the client has taken nothing, if something waits for it.
    blocked: Option<Instant>,
    closing: Option<Closing>,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// The client closed it, or it broke.
    Gone,
    /// It took messages more slowly than they came.
    SlowConsumer,
    /// The client was told so with this text.
    Refused(&'static str),
    /// The broker stops.
    Stopping,
}

/// What the session needs to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status {
    /// Since when something waits that the socket does not take.
    pub(crate) blocked: Option<Instant>,
    pub(crate) closing: Option<Closing>,
}

impl Connection {
    pub(crate) fn new(id: u64, stream: TcpStream, max_pending: usize) -> Self {
        Self {
            id,
            stream,
            wake: Notify::new(),
            drained: Notify::new(),
            headers: AtomicBool::new(false),
            batch: AtomicU64::new(0),
            ended: Mutex::default(),
            max_pending,
            sending: Mutex::default(),
        }
    }

    pub(crate) fn set_headers(&self, headers: bool) {
        self.headers.store(headers, Ordering::Relaxed);
    }

    pub(crate) fn understands_headers(&self) -> bool {
        self.headers.load(Ordering::Relaxed)
    }

    /// Whether this is the first time that this batch touches the connection, as far as that is cheap to know.
    pub(crate) fn is_new_in(&self, batch: u64) -> bool {
        self.batch.swap(batch, Ordering::Relaxed) != batch
    }

    pub(crate) fn note_ended(&self, subscription: Arc<Subscription>) {
        self.ended.lock().push(subscription);
    }

    pub(crate) fn take_ended(&self) -> Vec<Arc<Subscription>> {
        std::mem::take(&mut *self.ended.lock())
    }

    /// Puts something in. False if the connection ends and takes nothing any more.
    pub(crate) fn put(&self, put: impl FnOnce(&mut Outbox)) -> bool {
        let mut sending = self.sending.lock();
        if sending.closing.is_some() {
            return false;
        }
        put(&mut sending.outbox);
        if sending.outbox.pending() > self.max_pending {
            sending.outbox.put(b"-ERR 'Slow Consumer'\r\n");
            sending.closing = Some(Closing::SlowConsumer);
            drop(sending);
            self.wake.notify_one();
        }
        true
    }

    /// Ends the connection after a last error line, if there is something to say. The first reason counts.
    pub(crate) fn close(&self, why: Closing) {
        let mut sending = self.sending.lock();
        if sending.closing.is_none() {
            if let Closing::Refused(text) = why {
                sending.outbox.put(format!("-ERR '{text}'\r\n").as_bytes());
            }
            sending.closing = Some(why);
        }
        drop(sending);
        self.wake.notify_one();
        self.drained.notify_waiters();
    }

    pub(crate) fn status(&self) -> Status {
        let sending = self.sending.lock();
        Status {
            blocked: sending.blocked,
            closing: sending.closing,
        }
    }

    pub(crate) fn pending(&self) -> usize {
        self.sending.lock().outbox.pending()
    }

    /// Sends what the socket takes now. What it does not take is left to the session, which is woken.
    pub(crate) fn flush(&self) {
        for _ in 0..MAX_ROUNDS {
            let mut pieces = {
                let mut sending = self.sending.lock();
                // Who is at it looks again before it leaves.
                if sending.busy || !sending.outbox.has_work() {
                    return;
                }
                sending.busy = true;
                sending.outbox.take()
            };
            // Without the lock: others may go on putting things in during the system call.
            let (sent, result) = self.write(&mut pieces);
            let mut sending = self.sending.lock();
            sending.busy = false;
            sending.outbox.sent(sent);
            let left = !pieces.is_empty();
            sending.outbox.put_back(pieces);
            sending.blocked = match sending.blocked {
                _ if !left => None,
                Some(since) if sent == 0 => Some(since),
                _ => Some(Instant::now()),
            };
            drop(sending);
            if sent > 0 {
                self.drained.notify_waiters();
            }
            match result {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return self.close(Closing::Gone),
                _ if left => return self.wake.notify_one(),
                _ => {}
            }
        }
        self.wake.notify_one();
    }

    /// Writes until nothing is left or the socket takes no more.
    fn write(&self, pieces: &mut std::collections::VecDeque<bytes::Bytes>) -> (usize, io::Result<()>) {
        let mut sent = 0;
        while !pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(pieces.iter()) {
                *slice = IoSlice::new(piece);
                count += 1;
            }
            match self
                .stream
                .try_write_vectored(slices.get(..count).unwrap_or_default())
            {
                Ok(0) => return (sent, Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    sent += written;
                    outbox::advance(pieces, written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (sent, Err(error)),
            }
        }
        (sent, Ok(()))
    }
}
