//! The state of the lattice, served on subjects of its own: `wasmcloud_wire::state_api` says how it looks to clients.
//!
//! One thread writes and one reads. Both take requests from bounded queues and answer through the router; when a queue
//! is full, a request is refused at once. Reads see what is durable.

mod apply;
mod file;
mod read;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;
use wasmcloud_wire::state_api::{
    BucketName, Change, DecodeError, ErrorKind, Refusal, Reply, Request, StateSubject, encode_reply,
};

use crate::config::StateLimits;
use crate::protocol::Publish;
use crate::random::Dice;
use crate::router::{Audience, Batch, Body, Message, Router};

pub use self::file::StateError;
use self::file::StateFile;

/// Whether a message was a request to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is somebody else's.
    No,
    /// It is answered, now or later.
    Yes,
    /// Clients must not publish there.
    Refused,
}

/// The running state.
#[derive(Debug)]
pub(crate) struct State {
    /// Taken when it is closed: the threads end when the queues have no senders.
    queues: Mutex<Option<Queues>>,
    router: Arc<Router>,
    waiting: Arc<AtomicUsize>,
    max_waiting: usize,
    /// Closed when both threads have ended and the file is closed.
    ended: watch::Receiver<()>,
}

#[derive(Debug)]
struct Queues {
    writes: SyncSender<Job>,
    reads: SyncSender<Job>,
}

/// A request on its way through a queue.
#[derive(Debug)]
struct Job {
    bucket: BucketName,
    request: Request,
    /// Where the answer goes; empty if nobody wants it.
    reply: Bytes,
    _room: Room,
}

/// A share of the memory that may wait, given back when it is dropped.
#[derive(Debug)]
struct Room {
    waiting: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl State {
    /// Opens the file, or makes it, and starts to serve. Takes time in proportion to the file if the last process was
    /// killed.
    pub(crate) async fn open(
        path: PathBuf,
        limits: StateLimits,
        router: Arc<Router>,
    ) -> Result<Self, StateError> {
        let opened = tokio::task::spawn_blocking(move || StateFile::open(&path)).await;
        let file = Arc::new(opened.map_err(|_panic| StateError::Panicked)??);
        let (writes, write_queue) = sync_channel(limits.max_queued);
        let (reads, read_queue) = sync_channel(limits.max_queued);
        let (end, ended) = watch::channel(());
        let max_waiting = limits.max_queued_bytes;
        let answers = Answers::new(&router);
        let (read_file, read_end) = (Arc::clone(&file), end.clone());
        spawn("state-read", move || {
            read::run(&read_file, &read_queue, answers);
            drop(read_end);
        })?;
        let answers = Answers::new(&router);
        spawn("state-write", move || {
            write::run(&file, &write_queue, &limits, answers);
            file.close();
            drop(end);
        })?;
        Ok(Self {
            queues: Mutex::new(Some(Queues { writes, reads })),
            router,
            waiting: Arc::default(),
            max_waiting,
            ended,
        })
    }

    /// Looks at a message that a client published.
    pub(crate) fn offer(&self, publish: &Publish) -> Taken {
        let bucket = match StateSubject::parse(publish.subject()) {
            None => return Taken::No,
            Some(StateSubject::Changes(_)) => return Taken::Refused,
            Some(StateSubject::Requests(bucket)) => Ok(bucket),
            Some(StateSubject::Unknown) => Err(refusal(
                ErrorKind::Invalid,
                "the subject names no bucket: letters, digits, `_` and `-` are expected",
            )),
        };
        let reply = Bytes::copy_from_slice(publish.reply());
        if let Err(refusal) = bucket.and_then(|bucket| self.enqueue(bucket, publish, reply.clone())) {
            Answers::new(&self.router).answer(&reply, &Err(refusal));
        }
        Taken::Yes
    }

    fn enqueue(&self, bucket: BucketName, publish: &Publish, reply: Bytes) -> Result<(), Refusal> {
        let body = publish.payload().get(publish.header_len()..).unwrap_or_default();
        let bytes = body.len();
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let room = Room {
            waiting: Arc::clone(&self.waiting),
            bytes,
        };
        // Alone, every request has room.
        if before > 0 && before + bytes > self.max_waiting {
            return Err(busy());
        }
        let request = Request::decode(body).map_err(|error| explain(&error))?;
        let job = Job {
            bucket,
            request,
            reply,
            _room: room,
        };
        match &*self.queues.lock() {
            None => Err(refusal(ErrorKind::Unavailable, "the lattice is stopping")),
            Some(queues) => {
                let queue = match &job.request {
                    Request::Get { .. } | Request::List { .. } => &queues.reads,
                    Request::Put { .. } | Request::Delete { .. } => &queues.writes,
                };
                queue.try_send(job).map_err(|_| busy())
            }
        }
    }

    /// Does and answers what was asked for, then closes the file.
    pub(crate) async fn close(&self) {
        self.abandon();
        let mut ended = self.ended.clone();
        // Nothing is ever sent: an error means that the threads have ended.
        while ended.changed().await.is_ok() {}
    }

    /// The same without waiting for it.
    pub(crate) fn abandon(&self) {
        self.queues.lock().take();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StateError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map(drop).map_err(StateError::Thread)
}

/// How the threads speak to clients.
struct Answers {
    router: Arc<Router>,
    batch: Batch,
    dice: Dice,
}

impl Answers {
    fn new(router: &Arc<Router>) -> Self {
        Self {
            router: Arc::clone(router),
            batch: router.batch(),
            dice: Dice::new(0),
        }
    }

    /// Sends an answer.
    fn answer(&mut self, to: &[u8], reply: &Reply) {
        self.put_answer(to, reply);
        self.flush();
    }

    /// An answer that goes out with the next flush.
    fn put_answer(&mut self, to: &[u8], reply: &Reply) {
        if !to.is_empty() {
            self.put(to, encode_reply(reply).into());
        }
    }

    fn put_change(&mut self, bucket: &BucketName, change: &Change) {
        self.put(bucket.changes_subject().as_bytes(), change.encode().into());
    }

    fn put(&mut self, subject: &[u8], body: Bytes) {
        let message = Message {
            subject,
            reply: &[],
            header_len: 0,
            body: Body::Ours(&body),
            to: Audience::All,
        };
        self.router.publish(&message, &mut self.dice, &mut self.batch);
    }

    fn flush(&mut self) {
        self.batch.flush();
        self.router.renew(&mut self.batch);
    }
}

fn refusal(kind: ErrorKind, message: impl Into<String>) -> Refusal {
    Refusal {
        kind,
        message: message.into(),
        revision: None,
    }
}

fn busy() -> Refusal {
    refusal(
        ErrorKind::Unavailable,
        "too many requests wait for the state; try again",
    )
}

fn explain(error: &DecodeError) -> Refusal {
    match error {
        DecodeError::TooLong(_) => refusal(ErrorKind::TooLarge, error.to_string()),
        DecodeError::Json(source) => {
            // The only part of the JSON with a length that is not the length of the message.
            let text = source.to_string();
            let kind = if text.starts_with("the value has ") {
                ErrorKind::TooLarge
            } else {
                ErrorKind::Invalid
            };
            refusal(kind, text)
        }
        DecodeError::Reply => refusal(ErrorKind::Invalid, error.to_string()),
    }
}

#[cfg(test)]
mod tests;
