//! What a built-in provider answers callers on other hosts (wire reference §4.6), ours and those of v1, in both versions of
//! `wrpc:blobstore`. Every failure is the contract's own error, a text.
//!
//! The versions differ where there are streams: 0.2.0 begins to answer at once and says in the end how it went; 0.1.0 has
//! no words for the end, so an object that cannot be read to its end breaks off, and the answer to a write comes when
//! the object is there.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;
use wasmcloud_capability::{Params, ProviderCall, RemoteProvider};
use wasmcloud_core::{ComponentId, LinkName};
use wasmcloud_lattice::rpc::{Accepted, RpcError, Sender};
use wasmcloud_wire::rpc::blobstore::{
    self as wire, BLOBSTORE, BLOBSTORE_V01, ClearContainer, ContainerExists, CopyObject, CreateContainer,
    DeleteContainer, DeleteObject, DeleteObjects, GetContainerData, GetContainerInfo, GetObjectInfo,
    HasObject, ListContainerObjects, MoveObject, OUTCOME, Outcome, RESULT, STREAM, WRITTEN,
    WriteContainerData,
};
use wasmcloud_wire::rpc::stream::{FutureOf, StreamOf};
use wasmcloud_wire::rpc::{Call, IndexPath, Payload, RpcErrorBody, RpcErrorCode};
use wasmcloud_wire::value::DecodeError;

use crate::calls::{Calls, within};
use crate::store::{Names, ObjectId, Read, Store, StoreError, Write, check_batch, check_range};
use crate::travel::{self, Chunks};

/// The links to a provider, for calls that come from elsewhere: those from here find theirs in the link table of the
/// component. As many as the host has links.
#[derive(Default)]
pub(crate) struct Linked {
    links: RwLock<BTreeMap<(ComponentId, LinkName), Arc<dyn Store>>>,
}

impl Linked {
    /// A link was made, or turned.
    pub(crate) fn put(&self, source: ComponentId, name: LinkName, store: Arc<dyn Store>) {
        self.links.write().insert((source, name), store);
    }

    /// A link is gone.
    pub(crate) fn remove(&self, source: &ComponentId, name: &LinkName) {
        self.links.write().remove(&(source.clone(), name.clone()));
    }

    /// All links are gone.
    pub(crate) fn clear(&self) {
        self.links.write().clear();
    }
}

/// The side of a provider that takes calls from elsewhere.
pub(crate) struct Remote {
    /// The provider.
    pub(crate) id: ComponentId,
    pub(crate) linked: Arc<Linked>,
}

/// How the parameters of a function are looked at.
type Look = fn(&[u8]) -> Params;

fn look<C: Call>(params: &[u8]) -> Params {
    match C::from_bytes(params) {
        Err(DecodeError::Incomplete { .. }) => Params::Incomplete,
        _ => Params::Whole,
    }
}

#[async_trait]
impl RemoteProvider for Remote {
    fn params(&self, instance: &str, function: &str, params: &[u8]) -> Params {
        if !matches!(instance, BLOBSTORE | BLOBSTORE_V01) {
            return Params::Unknown;
        }
        let look: Look = match function {
            ClearContainer::FUNCTION => look::<ClearContainer>,
            ContainerExists::FUNCTION => look::<ContainerExists>,
            CreateContainer::FUNCTION => look::<CreateContainer>,
            DeleteContainer::FUNCTION => look::<DeleteContainer>,
            GetContainerInfo::FUNCTION => look::<GetContainerInfo>,
            ListContainerObjects::FUNCTION => look::<ListContainerObjects>,
            CopyObject::FUNCTION => look::<CopyObject>,
            DeleteObject::FUNCTION => look::<DeleteObject>,
            DeleteObjects::FUNCTION => look::<DeleteObjects>,
            GetContainerData::FUNCTION => look::<GetContainerData>,
            GetObjectInfo::FUNCTION => look::<GetObjectInfo>,
            HasObject::FUNCTION => look::<HasObject>,
            MoveObject::FUNCTION => look::<MoveObject>,
            WriteContainerData::FUNCTION => look::<WriteContainerData>,
            _ => return Params::Unknown,
        };
        look(params)
    }

    async fn answer(&self, call: ProviderCall<'_>) -> Bytes {
        match call.function {
            ClearContainer::FUNCTION => {
                self.typed(&call, async |store, clear: ClearContainer| {
                    store.clear_container(&clear.name).await
                })
                .await
            }
            ContainerExists::FUNCTION => {
                self.typed(&call, async |store, exists: ContainerExists| {
                    store.container_exists(&exists.name).await
                })
                .await
            }
            CreateContainer::FUNCTION => {
                self.typed(&call, async |store, create: CreateContainer| {
                    store.create_container(&create.name).await
                })
                .await
            }
            DeleteContainer::FUNCTION => {
                self.typed(&call, async |store, delete: DeleteContainer| {
                    store.delete_container(&delete.name).await
                })
                .await
            }
            GetContainerInfo::FUNCTION => self.typed(&call, container_info).await,
            CopyObject::FUNCTION => {
                self.typed(&call, async |store, copy: CopyObject| {
                    store.copy_object(&object(copy.src), &object(copy.dest)).await
                })
                .await
            }
            DeleteObject::FUNCTION => {
                self.typed(&call, async |store, delete: DeleteObject| {
                    store.delete_object(&object(delete.id)).await
                })
                .await
            }
            DeleteObjects::FUNCTION => self.typed(&call, delete_objects).await,
            GetObjectInfo::FUNCTION => self.typed(&call, object_info).await,
            HasObject::FUNCTION => {
                self.typed(&call, async |store, has: HasObject| {
                    store.has_object(&object(has.id)).await
                })
                .await
            }
            MoveObject::FUNCTION => {
                self.typed(&call, async |store, moved: MoveObject| {
                    store.move_object(&object(moved.src), &object(moved.dest)).await
                })
                .await
            }
            // Not reached after a look at the parameters.
            function => failed(&StoreError::Other(format!(
                "`{}` has no function `{function}`",
                self.id
            ))),
        }
    }

    fn has_streams(&self, _instance: &str, function: &str) -> bool {
        matches!(
            function,
            ListContainerObjects::FUNCTION | GetContainerData::FUNCTION | WriteContainerData::FUNCTION
        )
    }

    async fn stream(&self, call: ProviderCall<'_>, transport: &(dyn Any + Send + Sync)) {
        let Some(accepted) = transport.downcast_ref::<Accepted>() else {
            tracing::error!(provider = %self.id, "the host moves streams in a way that this provider does not know");
            return;
        };
        let old = call.instance == BLOBSTORE_V01;
        let answered = match call.function {
            ListContainerObjects::FUNCTION => self.list(&call, accepted, old).await,
            GetContainerData::FUNCTION => self.read(&call, accepted, old).await,
            _ => self.write(&call, accepted, old).await,
        };
        if let Err(error) = answered {
            tracing::debug!(provider = %self.id, function = call.function, %error, "a caller was not answered");
        }
    }
}

async fn container_info(
    store: Arc<dyn Store>,
    get: GetContainerInfo,
) -> Result<wire::ContainerMetadata, StoreError> {
    let info = store.container_info(&get.name).await?;
    Ok(wire::ContainerMetadata {
        created_at: info.created_at,
    })
}

async fn object_info(store: Arc<dyn Store>, get: GetObjectInfo) -> Result<wire::ObjectMetadata, StoreError> {
    let info = store.object_info(&object(get.id)).await?;
    Ok(wire::ObjectMetadata {
        created_at: info.created_at,
        size: info.size,
    })
}

async fn delete_objects(store: Arc<dyn Store>, delete: DeleteObjects) -> Result<(), StoreError> {
    check_batch(delete.objects.len())?;
    store.delete_objects(&delete.container, delete.objects).await
}

impl Remote {
    /// The store behind the link that a call came over, and what is asked of it. Who may not call learns nothing about
    /// what it sent.
    fn asked<C: Call>(&self, call: &ProviderCall<'_>) -> Result<(Calls, C), StoreError> {
        let linked = call.source.and_then(|source| {
            let links = self.linked.links.read();
            links.get(&(source.clone(), call.link_name.clone())).cloned()
        });
        let store = linked.ok_or_else(|| StoreError::NotLinked {
            component: call.source.map(ToString::to_string).unwrap_or_default(),
            link: call.link_name.to_string(),
            provider: self.id.to_string(),
        })?;
        let params = C::from_bytes(&call.params).map_err(|error| StoreError::Malformed {
            function: C::FUNCTION,
            reason: error.to_string(),
        })?;
        let deadline = call.deadline;
        Ok((Calls { store, deadline }, params))
    }

    async fn typed<C, T, F>(&self, call: &ProviderCall<'_>, run: impl FnOnce(Arc<dyn Store>, C) -> F) -> Bytes
    where
        C: Call<Result = Result<T, String>>,
        Result<T, String>: Payload,
        F: Future<Output = Result<T, StoreError>>,
    {
        let outcome = match self.asked::<C>(call) {
            Ok((calls, params)) => within(calls.deadline, C::FUNCTION, run(calls.store, params)).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(result) => Ok::<T, String>(result).to_bytes().into(),
            Err(error) => failed(&error),
        }
    }

    async fn list(&self, call: &ProviderCall<'_>, accepted: &Accepted, old: bool) -> Result<(), RpcError> {
        let opened = async {
            let (calls, list) = self.asked::<ListContainerObjects>(call)?;
            let names = calls
                .store
                .list_objects(&list.name, list.limit, list.offset.unwrap_or(0));
            calls.wait(ListContainerObjects::FUNCTION, names).await
        };
        let mut names: Box<dyn Names> = match opened.await {
            Ok(names) => names,
            Err(error) => return accepted.finish(failed(&error)).await,
        };
        let mut sending = Sending::start::<String>(accepted, old).await?;
        let outcome = loop {
            match within(call.deadline, "the next names of a listing", names.next()).await {
                Ok(Some(names)) => travel::send_strings(&mut sending.stream, &names).await?,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.to_string()),
            }
        };
        sending.end(outcome).await
    }

    async fn read(&self, call: &ProviderCall<'_>, accepted: &Accepted, old: bool) -> Result<(), RpcError> {
        let opened = async {
            let (calls, get) = self.asked::<GetContainerData>(call)?;
            check_range(get.start, get.end)?;
            let id = object(get.id);
            let read = calls.store.read(&id, get.start, get.end);
            calls.wait(GetContainerData::FUNCTION, read).await
        };
        let mut reader: Box<dyn Read> = match opened.await {
            Ok(reader) => reader,
            Err(error) => return accepted.finish(failed(&error)).await,
        };
        let mut sending = Sending::start::<u8>(accepted, old).await?;
        let outcome = loop {
            match within(call.deadline, "the next bytes of an object", reader.next()).await {
                Ok(Some(bytes)) => travel::send_bytes(&mut sending.stream, &bytes).await?,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.to_string()),
            }
        };
        sending.end(outcome).await
    }

    async fn write(&self, call: &ProviderCall<'_>, accepted: &Accepted, old: bool) -> Result<(), RpcError> {
        let opened = async {
            let (calls, write) = self.asked::<WriteContainerData>(call)?;
            let id = object(write.id);
            let writer = calls
                .wait(WriteContainerData::FUNCTION, calls.store.write(&id))
                .await?;
            Ok((writer, write.data))
        };
        let (writer, data) = match opened.await {
            Ok(opened) => opened,
            Err(error) => return accepted.finish(failed(&error)).await,
        };
        if old {
            let written = receive(accepted, writer, data, call).await;
            return match written {
                Ok(()) => accepted.finish(Outcome::Ok(()).to_bytes().into()).await,
                Err(error) => accepted.finish(failed(&error)).await,
            };
        }
        let results: <WriteContainerData as Call>::Result = Ok(FutureOf::Pending);
        accepted.finish(results.to_bytes().into()).await?;
        let written = receive(accepted, writer, data, call).await;
        let outcome: Outcome = written.map_err(|error| error.to_string());
        let sender = accepted.sender(&RESULT.to_string());
        sender.send_whole(outcome.to_bytes().into()).await
    }
}

/// Has an object written that a caller sends. Nothing is written if the stream breaks off.
async fn receive(
    accepted: &Accepted,
    mut writer: Box<dyn Write>,
    data: StreamOf<u8>,
    call: &ProviderCall<'_>,
) -> Result<(), StoreError> {
    let mut whole = match data {
        StreamOf::Complete(bytes) => Some(Bytes::from(bytes)),
        StreamOf::Pending => None,
    };
    let mut chunks = match &whole {
        Some(_) => None,
        None => Some(Chunks::new(accepted.receiver(&WRITTEN.to_string()))),
    };
    let written = async {
        loop {
            let next = match &mut chunks {
                // It ends by the deadline, which the transport knows.
                Some(chunks) => chunks.next().await?,
                None => whole.take(),
            };
            match next {
                Some(bytes) => writer.write(bytes).await?,
                None => return Ok(()),
            }
        }
    };
    match within(call.deadline, "the bytes of an object", written).await {
        Ok(()) => within(call.deadline, "the store to have an object", writer.finish()).await,
        Err(error) => {
            writer.abort().await;
            Err(error)
        }
    }
}

/// A stream that is sent beside the results, and the future that says how it ended, where there is one.
struct Sending {
    stream: Sender,
    outcome: Option<Sender>,
}

impl Sending {
    /// Sends the results, which say that a stream comes.
    async fn start<T>(accepted: &Accepted, old: bool) -> Result<Self, RpcError>
    where
        StreamOf<T>: Payload,
    {
        let sender = |path: IndexPath| accepted.sender(&path.to_string());
        if old {
            let results: Result<StreamOf<T>, String> = Ok(StreamOf::Pending);
            accepted.finish(results.to_bytes().into()).await?;
            return Ok(Self {
                stream: sender(RESULT),
                outcome: None,
            });
        }
        let results: Result<(StreamOf<T>, FutureOf<Outcome>), String> =
            Ok((StreamOf::Pending, FutureOf::Pending));
        accepted.finish(results.to_bytes().into()).await?;
        Ok(Self {
            stream: sender(STREAM),
            outcome: Some(sender(OUTCOME)),
        })
    }

    /// Ends the stream. Where there are no words for a failure, it breaks off.
    async fn end(self, outcome: Outcome) -> Result<(), RpcError> {
        match (self.outcome, outcome) {
            (None, Err(error)) => {
                let why = RpcErrorBody::new(RpcErrorCode::Internal, error);
                self.stream.fail(&why).await
            }
            (None, Ok(())) => travel::finish(self.stream).await,
            (Some(sender), outcome) => {
                travel::finish(self.stream).await?;
                sender.send_whole(outcome.to_bytes().into()).await
            }
        }
    }
}

fn object(id: wire::ObjectId) -> ObjectId {
    ObjectId {
        container: id.container,
        object: id.object,
    }
}

/// The results of a call that failed: the same bytes for every function.
fn failed(error: &StoreError) -> Bytes {
    Err::<(), String>(error.to_string()).to_bytes().into()
}
