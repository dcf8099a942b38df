//! A provider on another host, called over the lattice (wire reference §4.6). It may be one of v1 or of another author,
//! so what it answers is checked like everything from outside.
//!
//! There are two versions of the interface. Which one a target answers is found out by the first call to it and kept in
//! mind by the [`Caller`]. A peer of v1 does not know how much of a stream may be under way: an object that it sends
//! faster than the guest reads it ends when [`RpcOptions::max_unpaced`] bytes wait here.
//!
//! [`RpcOptions::max_unpaced`]: wasmcloud_lattice::rpc::RpcOptions::max_unpaced

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use wasmcloud_lattice::rpc::{self, ProviderLink, RpcError, Sender};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::rpc::blobstore::{
    self as wire, BLOBSTORE, BLOBSTORE_V01, OUTCOME, Outcome, RESULT, STREAM,
};
use wasmcloud_wire::rpc::stream::{FutureOf, StreamOf};
use wasmcloud_wire::rpc::{Call, IndexPath, Payload, RpcErrorBody, RpcErrorCode};

use crate::store::{
    ContainerInfo, Names, ObjectId, ObjectInfo, Read, Store, StoreError, Write, check_batch, check_range,
};
use crate::travel::{self, BrokenOff, Chunks, MAX_OUTCOME, Strings};

/// The versions of the interface, the first choice first.
const VERSIONS: &[&str] = &[BLOBSTORE, BLOBSTORE_V01];

/// What went wrong on the way to a provider, or there.
struct Failure<'a> {
    link: &'a ProviderLink,
    function: &'a str,
}

impl Failure<'_> {
    fn elsewhere(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Elsewhere {
            target: self.link.target().to_string(),
            reason: reason.into(),
        }
    }

    fn failed(&self, error: &RpcError) -> StoreError {
        match ProviderLink::reason(error) {
            Some(reason) => self.elsewhere(reason),
            None => StoreError::Deadline(format!(
                "`{}` of blobstore provider `{}`; if it changes something, that may still happen",
                self.function,
                self.link.target()
            )),
        }
    }

    fn broken_off(&self, error: BrokenOff) -> StoreError {
        match error {
            BrokenOff::Call(error) => self.failed(&error),
            other => self.elsewhere(format!("`{}`: {}", self.function, chain(&other))),
        }
    }

    fn nonsense(&self, error: &dyn std::fmt::Display) -> StoreError {
        self.elsewhere(format!(
            "it answers `{}` with something else than results of `wrpc:blobstore`: {error}; hint: its version may not \
             fit",
            self.function
        ))
    }
}

/// The store behind a link to a provider elsewhere, for one invocation.
pub struct LatticeStore {
    link: Arc<ProviderLink>,
    deadline: Instant,
    depth: u16,
}

/// A call that was accepted.
struct Begun {
    link: Arc<ProviderLink>,
    function: &'static str,
    call: rpc::Call,
    /// Whether it is one of 0.1.0.
    old: bool,
}

impl LatticeStore {
    /// For calls that must have ended by `deadline`. `depth`: how many calls led to them.
    pub fn new(link: Arc<ProviderLink>, deadline: Instant, depth: u16) -> Self {
        Self {
            link,
            deadline,
            depth,
        }
    }

    async fn begin<C: Call>(&self, call: C) -> Result<Begun, StoreError> {
        let link = &self.link;
        let called = link.call_any(&call, VERSIONS, self.deadline, self.depth).await;
        let function = C::FUNCTION;
        let (call, version) = called.map_err(|error| Failure { link, function }.failed(&error))?;
        Ok(Begun {
            link: Arc::clone(link),
            function,
            call,
            old: version == BLOBSTORE_V01,
        })
    }

    /// A call without streams: it is the same in both versions.
    async fn call<T, C>(&self, call: C) -> Result<T, StoreError>
    where
        Result<T, String>: Payload,
        C: Call<Result = Result<T, String>>,
    {
        self.begin(call).await?.results().await
    }
}

impl Begun {
    fn failure(&self) -> Failure<'_> {
        Failure {
            link: &self.link,
            function: self.function,
        }
    }

    /// The next of a stream; at its end the future beside it says whether that is all.
    async fn next<T>(
        &self,
        next: Option<T>,
        outcome: &mut Option<FutureOf<Outcome>>,
    ) -> Result<Option<T>, StoreError> {
        if next.is_none()
            && let Some(outcome) = outcome.take()
        {
            self.outcome(&outcome, OUTCOME).await.map_err(StoreError::Other)?;
        }
        Ok(next)
    }

    /// The results, streams left out. An error is as the provider says it: components may know its words.
    async fn results<T>(&self) -> Result<T, StoreError>
    where
        Result<T, String>: Payload,
    {
        let results = self.call.some_results().await;
        let results = results.map_err(|error| self.failure().failed(&error))?;
        Result::<T, String>::from_bytes(&results)
            .map_err(|error| self.failure().nonsense(&error))?
            .map_err(StoreError::Other)
    }

    /// What the future beside a stream says, of which the results know whether it comes later.
    async fn outcome(&self, outcome: &FutureOf<Outcome>, path: IndexPath) -> Outcome {
        let told = match outcome {
            FutureOf::Ready(outcome) => return outcome.clone(),
            FutureOf::Pending => self.call.receiver(&path.to_string()).whole(MAX_OUTCOME).await,
        };
        let told = told.map_err(|error| self.failure().failed(&error).to_string())?;
        Outcome::from_bytes(&told).map_err(|error| self.failure().nonsense(&error).to_string())?
    }

    /// The results of a call that answers with a stream: the stream, where it comes, and how it ends, where that is said.
    async fn streamed<T>(&self) -> Result<(StreamOf<T>, IndexPath, Option<FutureOf<Outcome>>), StoreError>
    where
        StreamOf<T>: Payload,
    {
        if self.old {
            return Ok((self.results().await?, RESULT, None));
        }
        let (stream, outcome) = self.results::<(StreamOf<T>, FutureOf<Outcome>)>().await?;
        Ok((stream, STREAM, Some(outcome)))
    }
}

/// An object as it arrives.
struct LatticeRead {
    begun: Begun,
    /// All of it, where it was in the results already.
    whole: Option<Bytes>,
    /// Where it comes otherwise.
    chunks: Option<Chunks>,
    outcome: Option<FutureOf<Outcome>>,
}

#[async_trait]
impl Read for LatticeRead {
    /// The provider does not say so.
    fn size(&self) -> Option<u64> {
        None
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let next = match &mut self.chunks {
            None => self.whole.take(),
            Some(chunks) => {
                let next = chunks.next().await;
                next.map_err(|error| self.begun.failure().broken_off(error))?
            }
        };
        self.begun.next(next, &mut self.outcome).await
    }
}

/// A listing as it arrives.
struct LatticeNames {
    begun: Begun,
    /// All names, where they were in the results already.
    whole: Option<Vec<String>>,
    /// Where they come otherwise.
    names: Option<Strings>,
    outcome: Option<FutureOf<Outcome>>,
}

#[async_trait]
impl Names for LatticeNames {
    async fn next(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        let next = match &mut self.names {
            None => self.whole.take(),
            Some(names) => {
                let next = names.next().await;
                next.map_err(|error| self.begun.failure().broken_off(error))?
            }
        };
        self.begun.next(next, &mut self.outcome).await
    }
}

/// What the provider says in the end of an object that is written to it.
type Written = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// An object as it is sent.
struct LatticeWrite {
    begun: Arc<Begun>,
    sender: Sender,
    written: Written,
}

async fn written(begun: Arc<Begun>) -> Result<(), StoreError> {
    if begun.old {
        return begun.results().await;
    }
    let outcome = begun.results::<FutureOf<Outcome>>().await?;
    begun.outcome(&outcome, RESULT).await.map_err(StoreError::Other)
}

#[async_trait]
impl Write for LatticeWrite {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        // A provider that gives up says so, and does not read on.
        let failure = self.begun.failure();
        tokio::select! {
            biased;
            early = &mut self.written => Err(early.err().unwrap_or_else(|| {
                failure.elsewhere("it says that it wrote an object before it had all of it")
            })),
            sent = travel::send_bytes(&mut self.sender, &bytes) => {
                sent.map_err(|error| failure.failed(&error))
            }
        }
    }

    async fn finish(self: Box<Self>) -> Result<(), StoreError> {
        travel::finish(self.sender)
            .await
            .map_err(|error| self.begun.failure().failed(&error))?;
        self.written.await
    }

    async fn abort(self: Box<Self>) {
        // A provider of v1 sees a stream that breaks off.
        let why = RpcErrorBody::new(RpcErrorCode::Internal, "the component did not finish the object");
        self.sender.fail(&why).await.ok();
    }
}

fn wire_id(id: &ObjectId) -> wire::ObjectId {
    wire::ObjectId {
        container: id.container.clone(),
        object: id.object.clone(),
    }
}

#[async_trait]
impl Store for LatticeStore {
    async fn create_container(&self, container: &str) -> Result<(), StoreError> {
        let name = container.to_owned();
        self.call(wire::CreateContainer { name }).await
    }

    async fn container_exists(&self, container: &str) -> Result<bool, StoreError> {
        let name = container.to_owned();
        self.call(wire::ContainerExists { name }).await
    }

    async fn delete_container(&self, container: &str) -> Result<(), StoreError> {
        let name = container.to_owned();
        self.call(wire::DeleteContainer { name }).await
    }

    async fn clear_container(&self, container: &str) -> Result<(), StoreError> {
        let name = container.to_owned();
        self.call(wire::ClearContainer { name }).await
    }

    async fn container_info(&self, container: &str) -> Result<ContainerInfo, StoreError> {
        let name = container.to_owned();
        let info = self.call(wire::GetContainerInfo { name }).await?;
        Ok(ContainerInfo {
            created_at: info.created_at,
        })
    }

    async fn list_objects(
        &self,
        container: &str,
        limit: Option<u64>,
        offset: u64,
    ) -> Result<Box<dyn Names>, StoreError> {
        let list = wire::ListContainerObjects {
            name: container.to_owned(),
            limit,
            offset: (offset > 0).then_some(offset),
        };
        let begun = self.begin(list).await?;
        let (stream, path, outcome) = begun.streamed::<String>().await?;
        let (whole, names) = match stream {
            StreamOf::Pending => (None, Some(Strings::new(begun.call.receiver(&path.to_string())))),
            StreamOf::Complete(names) => (Some(names), None),
        };
        Ok(Box::new(LatticeNames {
            begun,
            whole,
            names,
            outcome,
        }))
    }

    async fn has_object(&self, id: &ObjectId) -> Result<bool, StoreError> {
        self.call(wire::HasObject { id: wire_id(id) }).await
    }

    async fn object_info(&self, id: &ObjectId) -> Result<ObjectInfo, StoreError> {
        let info = self.call(wire::GetObjectInfo { id: wire_id(id) }).await?;
        Ok(ObjectInfo {
            created_at: info.created_at,
            size: info.size,
        })
    }

    async fn delete_object(&self, id: &ObjectId) -> Result<(), StoreError> {
        self.call(wire::DeleteObject { id: wire_id(id) }).await
    }

    async fn delete_objects(&self, container: &str, objects: Vec<String>) -> Result<(), StoreError> {
        check_batch(objects.len())?;
        let container = container.to_owned();
        self.call(wire::DeleteObjects { container, objects }).await
    }

    async fn copy_object(&self, from: &ObjectId, to: &ObjectId) -> Result<(), StoreError> {
        let (src, dest) = (wire_id(from), wire_id(to));
        self.call(wire::CopyObject { src, dest }).await
    }

    async fn move_object(&self, from: &ObjectId, to: &ObjectId) -> Result<(), StoreError> {
        let (src, dest) = (wire_id(from), wire_id(to));
        self.call(wire::MoveObject { src, dest }).await
    }

    async fn read(&self, id: &ObjectId, start: u64, end: u64) -> Result<Box<dyn Read>, StoreError> {
        check_range(start, end)?;
        let id = wire_id(id);
        let begun = self.begin(wire::GetContainerData { id, start, end }).await?;
        let (stream, path, outcome) = begun.streamed::<u8>().await?;
        let (whole, chunks) = match stream {
            StreamOf::Pending => (None, Some(Chunks::new(begun.call.receiver(&path.to_string())))),
            StreamOf::Complete(bytes) => (Some(bytes.into()), None),
        };
        Ok(Box::new(LatticeRead {
            begun,
            whole,
            chunks,
            outcome,
        }))
    }

    async fn write(&self, id: &ObjectId) -> Result<Box<dyn Write>, StoreError> {
        let write = wire::WriteContainerData {
            id: wire_id(id),
            data: StreamOf::Pending,
        };
        let begun = Arc::new(self.begin(write).await?);
        let sender = begun.call.sender(&wire::WRITTEN.to_string());
        let written = Box::pin(written(Arc::clone(&begun)));
        Ok(Box::new(LatticeWrite {
            begun,
            sender,
            written,
        }))
    }
}
