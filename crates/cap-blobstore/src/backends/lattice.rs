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
use wasmcloud_core::{ComponentId, LinkName};
use wasmcloud_lattice::HeaderMap;
use wasmcloud_lattice::rpc::{self, Caller, Request, RpcError, Sender};
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

/// A link from a component here to a provider elsewhere.
pub struct LatticeLink {
    caller: Caller,
    source: ComponentId,
    name: LinkName,
    target: ComponentId,
}

impl LatticeLink {
    /// The link `name` from `source` to `target`, whose calls `caller` makes.
    pub fn new(caller: Caller, source: ComponentId, name: LinkName, target: ComponentId) -> Arc<Self> {
        Arc::new(Self {
            caller,
            source,
            name,
            target,
        })
    }

    /// The store behind it, for calls that must have ended by `deadline`. `depth`: how many calls led to them.
    pub fn store(self: &Arc<Self>, deadline: Instant, depth: u16) -> LatticeStore {
        LatticeStore {
            link: Arc::clone(self),
            deadline,
            depth,
        }
    }

    fn elsewhere(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Elsewhere {
            target: self.target.to_string(),
            reason: reason.into(),
        }
    }

    fn failed(&self, function: &str, error: &RpcError) -> StoreError {
        let reason = match error {
            RpcError::NoResponders { .. } => {
                "no host of the lattice runs it; hint: start it there, `wash get inventory` shows what runs where"
                    .to_owned()
            }
            RpcError::Refused(body) | RpcError::Failed(body) => match &body.host {
                Some(host) => format!("{} (on host {host})", body.message),
                None => body.message.clone(),
            },
            RpcError::Closed { .. } => "it ended the call without results; hint: its log says why".to_owned(),
            RpcError::TimedOut { .. } => {
                return StoreError::Deadline(format!(
                    "`{function}` of blobstore provider `{}`; if it changes something, that may still happen",
                    self.target
                ));
            }
            other => chain(other),
        };
        self.elsewhere(reason)
    }

    fn broken_off(&self, function: &str, error: BrokenOff) -> StoreError {
        match error {
            BrokenOff::Call(error) => self.failed(function, &error),
            other => self.elsewhere(format!("`{function}`: {}", chain(&other))),
        }
    }

    fn nonsense(&self, function: &str, error: &dyn std::fmt::Display) -> StoreError {
        self.elsewhere(format!(
            "it answers `{function}` with something else than results of `wrpc:blobstore`: {error}; hint: its version \
             may not fit"
        ))
    }
}

/// The store behind a [`LatticeLink`], for one invocation.
pub struct LatticeStore {
    link: Arc<LatticeLink>,
    deadline: Instant,
    depth: u16,
}

/// A call that was accepted.
struct Begun {
    link: Arc<LatticeLink>,
    function: &'static str,
    call: rpc::Call,
    /// Whether it is one of 0.1.0.
    old: bool,
}

impl LatticeStore {
    async fn begin<C: Call>(&self, call: C) -> Result<Begun, StoreError> {
        let link = &self.link;
        let request = Request {
            source: &link.source,
            link_name: link.name.as_str(),
            target: &link.target,
            instance: BLOBSTORE,
            function: C::FUNCTION,
            depth: self.depth,
            deadline: self.deadline.into(),
            headers: HeaderMap::new(),
            params: call.to_bytes().into(),
        };
        let called = link.caller.call_any(request, VERSIONS).await;
        let (call, version) = called.map_err(|error| link.failed(C::FUNCTION, &error))?;
        Ok(Begun {
            link: Arc::clone(link),
            function: C::FUNCTION,
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
    /// The results, streams left out. An error is as the provider says it: components may know its words.
    async fn results<T>(&self) -> Result<T, StoreError>
    where
        Result<T, String>: Payload,
    {
        let results = self.call.some_results().await;
        let results = results.map_err(|error| self.link.failed(self.function, &error))?;
        Result::<T, String>::from_bytes(&results)
            .map_err(|error| self.link.nonsense(self.function, &error))?
            .map_err(StoreError::Other)
    }

    /// What the future beside a stream says, of which the results know whether it comes later.
    async fn outcome(&self, outcome: &FutureOf<Outcome>, path: IndexPath) -> Outcome {
        let told = match outcome {
            FutureOf::Ready(outcome) => return outcome.clone(),
            FutureOf::Pending => self.call.receiver(&path.to_string()).whole(MAX_OUTCOME).await,
        };
        let told = told.map_err(|error| self.link.failed(self.function, &error).to_string())?;
        Outcome::from_bytes(&told).map_err(|error| self.link.nonsense(self.function, &error).to_string())?
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
                next.map_err(|error| self.begun.link.broken_off(self.begun.function, error))?
            }
        };
        if next.is_none()
            && let Some(outcome) = self.outcome.take()
        {
            self.begun
                .outcome(&outcome, OUTCOME)
                .await
                .map_err(StoreError::Other)?;
        }
        Ok(next)
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
                next.map_err(|error| self.begun.link.broken_off(self.begun.function, error))?
            }
        };
        if next.is_none()
            && let Some(outcome) = self.outcome.take()
        {
            self.begun
                .outcome(&outcome, OUTCOME)
                .await
                .map_err(StoreError::Other)?;
        }
        Ok(next)
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
        let link = Arc::clone(&self.begun.link);
        tokio::select! {
            biased;
            early = &mut self.written => Err(early.err().unwrap_or_else(|| {
                link.elsewhere("it says that it wrote an object before it had all of it")
            })),
            sent = travel::send_bytes(&mut self.sender, &bytes) => {
                sent.map_err(|error| link.failed(self.begun.function, &error))
            }
        }
    }

    async fn finish(self: Box<Self>) -> Result<(), StoreError> {
        travel::finish(self.sender)
            .await
            .map_err(|error| self.begun.link.failed(self.begun.function, &error))?;
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
