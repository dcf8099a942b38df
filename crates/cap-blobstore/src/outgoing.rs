//! Objects on their way from a guest: a pipe between the stream that the guest writes and a task that hands its bytes to
//! the store. The store is waited for, so that an object of any size costs a window of memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::calls::{Opened, within};
use crate::store::{CHUNK, ObjectId, StoreError, Write};

/// Bytes that may wait for the store.
const WINDOW: usize = 4 * CHUNK;

/// Bytes that may wait for `write-data` to say where they go, 1 MiB: a guest may write a small object first.
const MAX_HOMELESS: usize = 1 << 20;

/// What a piece that waits costs besides its bytes.
const PIECE: usize = 64;

/// A guest's object that is not whole yet. One that is dropped before [`OutgoingValue::finish`] is not written.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct OutgoingValue {
    pipe: Arc<Pipe>,
    body: bool,
    pump: Option<(ObjectId, JoinHandle<Result<(), StoreError>>)>,
    /// Or why there is no room for it: the contract has no error where values are made.
    open: Result<Opened, StoreError>,
}

impl OutgoingValue {
    pub(crate) fn new(open: Result<Opened, StoreError>) -> Self {
        Self {
            open,
            pipe: Arc::default(),
            body: false,
            pump: None,
        }
    }

    /// The stream for its bytes, once.
    pub(crate) fn body(&mut self) -> Option<BodyStream> {
        let first = self.open.is_ok() && !std::mem::replace(&mut self.body, true);
        first.then(|| BodyStream(Arc::clone(&self.pipe)))
    }

    /// Whether it may be said now where it goes.
    pub(crate) fn check_homeless(&self) -> Result<(), StoreError> {
        match &self.pump {
            None => self.open.as_ref().map(|_| ()).map_err(StoreError::clone),
            Some((id, _)) => Err(StoreError::Other(format!(
                "the value is being written as object `{}` in container `{}`; a value is written once",
                id.object, id.container
            ))),
        }
    }

    /// Says where it goes. From now on the store is given what the guest writes.
    pub(crate) fn goes_to(&mut self, id: ObjectId, writer: Box<dyn Write>, deadline: Instant) {
        self.pipe.change(|state| state.homeless = false);
        let pump = pump(Arc::clone(&self.pipe), writer, deadline);
        self.pump = Some((id, tokio::spawn(pump.in_current_span())));
    }

    /// The object is whole. Returns when the store has it.
    pub(crate) async fn finish(mut self) -> Result<(), StoreError> {
        let Some((_, pump)) = self.pump.take() else {
            return Err(StoreError::Other(
                "the value was given to no container; hint: call `write-data` before `finish`".to_owned(),
            ));
        };
        self.pipe.change(|state| state.end = End::Whole);
        // It ends by the deadline.
        pump.await
            .unwrap_or_else(|error| Err(StoreError::Other(format!("write the object: {error}"))))
    }
}

impl Drop for OutgoingValue {
    fn drop(&mut self) {
        if let Some((id, _)) = &self.pump {
            tracing::warn!(
                target: "wasmcloud::component",
                "object `{}` in container `{}` was not written: the value was dropped without `finish`",
                id.object,
                id.container,
            );
        }
        self.pipe.change(|state| {
            if state.end == End::Open {
                state.end = End::Abandoned;
            }
        });
    }
}

/// Between a guest and a store.
#[derive(Default)]
struct Pipe {
    state: Mutex<State>,
    /// Something was written, or it ended.
    filled: Notify,
    /// Something was taken, or it failed.
    emptied: Notify,
}

struct State {
    pieces: VecDeque<Bytes>,
    /// What they cost.
    held: usize,
    /// Nobody said yet where they go.
    homeless: bool,
    end: End,
    failed: Option<StoreError>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            pieces: VecDeque::new(),
            held: 0,
            homeless: true,
            end: End::Open,
            failed: None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Whole,
    Abandoned,
}

impl Pipe {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.filled.notify_one();
        self.emptied.notify_one();
    }

    /// How many bytes can be written now.
    fn room(&self) -> Result<usize, StoreError> {
        let state = self.state.lock();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        let most = if state.homeless { MAX_HOMELESS } else { WINDOW };
        let room = most.saturating_sub(state.held + PIECE).min(CHUNK);
        if room == 0 && state.homeless {
            return Err(StoreError::TooLarge {
                what: "what was written to the value",
                size: state.held as u64,
                unit: "bytes",
                limit: MAX_HOMELESS as u64,
                hint: " as long as nobody knows where it goes; hint: call `write-data` before writing",
            });
        }
        Ok(room)
    }

    /// What was written, in pieces that are worth a trip; nothing at the end.
    async fn next(&self) -> Result<Option<Bytes>, Abandoned> {
        loop {
            // What is there and whether there will be more is one look: both may change in between.
            if let Some(next) = self.state.lock().next() {
                self.emptied.notify_one();
                return next;
            }
            self.filled.notified().await;
        }
    }
}

impl State {
    /// Nothing as long as there may be more.
    fn next(&mut self) -> Option<Result<Option<Bytes>, Abandoned>> {
        match self.end {
            End::Abandoned => Some(Err(Abandoned)),
            End::Open => self.take().map(|bytes| Ok(Some(bytes))),
            End::Whole => Some(Ok(self.take())),
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        let first = self.pieces.pop_front()?;
        self.held -= first.len() + PIECE;
        let mut joined = BytesMut::new();
        while let Some(next) = self.pieces.front()
            && first.len().max(joined.len()) + next.len() <= CHUNK
        {
            if joined.is_empty() {
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(next);
            self.held -= next.len() + PIECE;
            self.pieces.pop_front();
        }
        Some(if joined.is_empty() { first } else { joined.freeze() })
    }
}

/// The guest dropped the value.
struct Abandoned;

async fn pump(pipe: Arc<Pipe>, mut writer: Box<dyn Write>, deadline: Instant) -> Result<(), StoreError> {
    let outcome = loop {
        let next = async { Ok(pipe.next().await) };
        match within(deadline, "the next bytes of the component for an object", next).await {
            Ok(Ok(Some(bytes))) => {
                let written = within(
                    deadline,
                    "the store to write a part of an object",
                    writer.write(bytes),
                )
                .await;
                if let Err(error) = written {
                    break Err(error);
                }
            }
            Ok(Ok(None)) => return within(deadline, "the store to have an object", writer.finish()).await,
            Ok(Err(Abandoned)) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    if let Err(error) = &outcome {
        pipe.change(|state| {
            state.failed = Some(error.clone());
            state.pieces.clear();
            state.held = 0;
        });
    }
    writer.abort().await;
    outcome
}

/// The stream that a guest writes an object to.
pub(crate) struct BodyStream(Arc<Pipe>);

fn failed(error: StoreError) -> StreamError {
    StreamError::LastOperationFailed(error.into())
}

#[async_trait]
impl Pollable for BodyStream {
    async fn ready(&mut self) {
        while let Ok(0) = self.0.room() {
            self.0.emptied.notified().await;
        }
    }
}

#[async_trait]
impl OutputStream for BodyStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let room = self.0.room().map_err(failed)?;
        if bytes.len() > room {
            return Err(StreamError::trap("more was written than `check-write` allows"));
        }
        if !bytes.is_empty() {
            self.0.change(|state| {
                state.held += bytes.len() + PIECE;
                state.pieces.push_back(bytes);
            });
        }
        Ok(())
    }

    /// That everything is where it should be is the word of `finish`.
    fn flush(&mut self) -> StreamResult<()> {
        self.0.room().map(|_| ()).map_err(failed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.0.room().map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    /// A store that takes a piece when the test does, and tells how it ended.
    struct Slow(mpsc::Sender<Bytes>, mpsc::UnboundedSender<&'static str>);

    #[async_trait]
    impl Write for Slow {
        async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
            let taken = self.0.send(bytes).await;
            taken.map_err(|_| StoreError::Other("the disk is full".to_owned()))
        }

        async fn finish(self: Box<Self>) -> Result<(), StoreError> {
            self.1.send("finished").ok();
            Ok(())
        }

        async fn abort(self: Box<Self>) {
            self.1.send("aborted").ok();
        }
    }

    struct Rig {
        value: OutgoingValue,
        body: BodyStream,
        taken: mpsc::Receiver<Bytes>,
        ended: mpsc::UnboundedReceiver<&'static str>,
    }

    fn rig() -> Rig {
        let permit = Arc::new(tokio::sync::Semaphore::new(1)).try_acquire_owned();
        let mut value = OutgoingValue::new(Ok(Opened::new(permit.unwrap())));
        let (body, (pieces, taken)) = (value.body().unwrap(), mpsc::channel(1));
        let (end, ended) = mpsc::unbounded_channel();
        let id = ObjectId {
            container: "c".to_owned(),
            object: "o".to_owned(),
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        value.goes_to(id, Box::new(Slow(pieces, end)), deadline);
        Rig {
            value,
            body,
            taken,
            ended,
        }
    }

    #[tokio::test]
    async fn a_slow_store_holds_the_guest_up() {
        let mut rig = rig();
        // One piece waits in the channel, one is in the hand of the task, and the window fills up.
        let (mut written, mut still) = (0, 0);
        while still < 100 {
            match rig.body.check_write().unwrap() {
                0 => {
                    // The task has its turn.
                    tokio::task::yield_now().await;
                    still += 1;
                }
                room => {
                    rig.body.write(vec![7; room].into()).unwrap();
                    (written, still) = (written + room, 0);
                }
            }
        }
        assert!(written <= WINDOW + 3 * CHUNK, "{written}");
        assert_eq!(rig.body.check_write().unwrap(), 0);
        let counting = tokio::spawn(async move {
            let mut sum = 0;
            while let Some(bytes) = rig.taken.recv().await {
                assert!(bytes.len() <= CHUNK);
                sum += bytes.len();
            }
            sum
        });
        rig.body.ready().await;
        drop(rig.body);
        rig.value.finish().await.unwrap();
        assert_eq!(counting.await.unwrap(), written);
        assert_eq!(rig.ended.recv().await, Some("finished"));
    }

    #[tokio::test]
    async fn small_pieces_travel_together() {
        let mut rig = rig();
        for _ in 0..1000 {
            rig.body.ready().await;
            rig.body.write(Bytes::from_static(b"0123456789")).unwrap();
        }
        let mut pieces = Vec::new();
        while pieces.iter().sum::<usize>() < 10_000 {
            pieces.push(rig.taken.recv().await.unwrap().len());
        }
        assert!(pieces.len() <= 10, "{pieces:?}");
    }

    #[tokio::test]
    async fn what_is_dropped_or_fails_is_not_finished() {
        let mut dropped = rig();
        dropped.body.write(Bytes::from_static(b"x")).unwrap();
        drop(dropped.value);
        assert_eq!(dropped.ended.recv().await, Some("aborted"));

        let mut full = rig();
        drop(full.taken);
        full.body.write(Bytes::from_static(b"x")).unwrap();
        assert_eq!(full.ended.recv().await, Some("aborted"));
        let error = full.body.check_write().unwrap_err().to_string();
        assert!(error.contains("the disk is full"), "{error}");
        let error = full.value.finish().await.unwrap_err().to_string();
        assert_eq!(error, "the disk is full");
    }
}
