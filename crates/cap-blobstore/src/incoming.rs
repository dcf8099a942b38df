//! Objects on their way to a guest: as a whole, within a limit, or as a stream that is read a few chunks ahead.

use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::task::AbortHandle;
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};

use crate::calls::{Calls, Opened, within};
use crate::store::{CHUNK, Read, StoreError};
use crate::store::{Names, ObjectId};

/// Largest object that a guest can have in one list of bytes, 64 MiB: it is in the host's memory and in the guest's.
pub(crate) const MAX_WHOLE: u64 = 64 << 20;

/// Chunks that are read before the guest asks for them.
const AHEAD: usize = 2;

/// Most names that a guest gets from one call: it asks again for more.
const MAX_NAMES: usize = 10_000;

/// Most bytes of names that a guest gets from one call, 4 MiB; the last name may go beyond.
const MAX_NAME_BYTES: usize = 4 << 20;

/// An object, or a part of one, that a guest asked for and did not read yet.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct IncomingValue {
    pub(crate) calls: Calls,
    pub(crate) id: ObjectId,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) reader: Box<dyn Read>,
    pub(crate) open: Opened,
}

impl IncomingValue {
    /// All of it.
    pub(crate) async fn whole(mut self) -> Result<Vec<u8>, StoreError> {
        let too_large = |size| StoreError::TooLarge {
            what: "the object",
            size,
            unit: "bytes",
            limit: MAX_WHOLE,
            hint: " for one list of bytes; hint: read it as a stream (`incoming-value-consume-async`)",
        };
        if let Some(size) = self.reader.size().filter(|size| *size > MAX_WHOLE) {
            return Err(too_large(size));
        }
        let mut all = Vec::new();
        while let Some(bytes) = within(self.calls.deadline, "an object", self.reader.next()).await? {
            let size = (all.len() + bytes.len()) as u64;
            if size > MAX_WHOLE {
                return Err(too_large(size));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    /// How many bytes it has. A provider elsewhere does not say so when it is read and is asked once more.
    pub(crate) fn size(&self) -> impl Future<Output = Result<u64, StoreError>> + Send + 'static {
        let (calls, id) = (self.calls.clone(), self.id.clone());
        let (known, start, end) = (self.reader.size(), self.start, self.end);
        async move {
            match known {
                Some(size) => Ok(size),
                None => {
                    let info = calls.wait("the size of an object", calls.store.object_info(&id));
                    Ok(info.await?.size.min(end).saturating_sub(start))
                }
            }
        }
    }

    /// A stream that is read from now on.
    pub(crate) fn into_stream(self) -> ReadAhead {
        let (sender, chunks) = mpsc::channel(AHEAD);
        let task = tokio::spawn(read(self.reader, self.calls.deadline, sender));
        ReadAhead {
            chunks,
            ready: None,
            task: task.abort_handle(),
            _open: self.open,
        }
    }
}

async fn read(mut reader: Box<dyn Read>, deadline: Instant, chunks: mpsc::Sender<Result<Bytes, StoreError>>) {
    loop {
        let next = within(deadline, "the next bytes of an object", reader.next()).await;
        let (next, last) = match next {
            Ok(Some(bytes)) => (Ok(bytes), false),
            Ok(None) => return,
            Err(error) => (Err(error), true),
        };
        // Who no longer listens has dropped the stream.
        if chunks.send(next).await.is_err() || last {
            return;
        }
    }
}

/// An object as a stream of `wasi:io`.
pub(crate) struct ReadAhead {
    chunks: mpsc::Receiver<Result<Bytes, StoreError>>,
    ready: Option<Result<Bytes, StoreError>>,
    task: AbortHandle,
    _open: Opened,
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl Pollable for ReadAhead {
    async fn ready(&mut self) {
        if self.ready.is_none() {
            self.ready = self.chunks.recv().await;
        }
    }
}

#[async_trait]
impl InputStream for ReadAhead {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let next = match self.ready.take() {
            Some(next) => next,
            None => match self.chunks.try_recv() {
                Ok(next) => next,
                Err(TryRecvError::Empty) => return Ok(Bytes::new()),
                Err(TryRecvError::Disconnected) => return Err(StreamError::Closed),
            },
        };
        match next {
            Ok(mut bytes) => {
                let now = bytes.split_to(bytes.len().min(size).min(CHUNK));
                if !bytes.is_empty() {
                    self.ready = Some(Ok(bytes));
                }
                Ok(now)
            }
            Err(error) => Err(StreamError::LastOperationFailed(error.into())),
        }
    }
}

/// A listing as a guest reads it.
#[expect(unreachable_pub, reason = "the bindings re-export it")]
pub struct Listing {
    names: Box<dyn Names>,
    ready: std::vec::IntoIter<String>,
    ended: bool,
    _open: Opened,
}

impl Listing {
    pub(crate) fn new(names: Box<dyn Names>, open: Opened) -> Self {
        Self {
            _open: open,
            names,
            ready: Vec::new().into_iter(),
            ended: false,
        }
    }

    /// The next name.
    async fn next(&mut self, deadline: Instant) -> Result<Option<String>, StoreError> {
        loop {
            if let Some(name) = self.ready.next() {
                return Ok(Some(name));
            }
            if self.ended {
                return Ok(None);
            }
            match within(deadline, "the next names of a listing", self.names.next()).await {
                Ok(Some(names)) => self.ready = names.into_iter(),
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
    }

    /// Up to `most` names, and whether that was the end.
    pub(crate) async fn read(
        &mut self,
        most: u64,
        deadline: Instant,
    ) -> Result<(Vec<String>, bool), StoreError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(MAX_NAMES);
        let (mut names, mut bytes) = (Vec::new(), 0);
        while names.len() < most && bytes < MAX_NAME_BYTES {
            match self.next(deadline).await? {
                Some(name) => {
                    bytes += name.len();
                    names.push(name);
                }
                None => return Ok((names, true)),
            }
        }
        Ok((names, false))
    }

    /// Passes over up to `most` names; how many there were, and whether that was the end.
    pub(crate) async fn skip(&mut self, most: u64, deadline: Instant) -> Result<(u64, bool), StoreError> {
        for skipped in 0..most {
            if self.next(deadline).await?.is_none() {
                return Ok((skipped, true));
            }
        }
        Ok((most, false))
    }
}
