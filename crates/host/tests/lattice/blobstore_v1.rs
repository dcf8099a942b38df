//! Both sides of `wrpc:blobstore` as v1 speaks it, in plain messages (wire reference §4.2, §4.3): a provider that serves one
//! version of the interface from memory, and a caller.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wasmcloud_lattice::{Connection, HeaderMap, Message, Subscription};
use wasmcloud_wire::rpc::blobstore::{self as wire, ObjectId, Outcome};
use wasmcloud_wire::rpc::stream::{ByteStream, END, FutureOf, Piece, StreamOf, put_chunk};
use wasmcloud_wire::rpc::{Call, Payload};

use crate::support::soon;

/// Containers and their objects.
type Containers = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

/// A provider that knows one version.
pub(crate) struct V1Provider {
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    connection: Connection,
    old: bool,
    containers: Mutex<Containers>,
    /// Writes that broke off.
    broken_off: watch::Sender<u32>,
}

impl Drop for V1Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A call that came in.
struct Came {
    function: String,
    params: Bytes,
    /// What begins the subjects that the results go to.
    results: String,
    /// What comes on the path of the bytes of an object.
    data: Subscription,
}

impl V1Provider {
    pub(crate) async fn start(connection: Connection, version: &str) -> Result<Self> {
        // As v1: a subscription for each function of one version, and nobody answers for others.
        let subject = format!("default.blobs.wrpc.0.0.1.wrpc:blobstore/blobstore@{version}.*");
        let mut calls = connection.queue_subscribe(&subject, "default.blobs").await?;
        connection.barrier(connection.default_deadline()).await?;
        let state = Arc::new(State {
            connection,
            old: version == "0.1.0",
            containers: Mutex::default(),
            broken_off: watch::Sender::new(0),
        });
        let serving = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Some(call) = calls.next().await {
                let state = Arc::clone(&serving);
                tokio::spawn(async move {
                    if let Err(error) = state.answer(call).await {
                        tracing::warn!("the provider of v1: {error:#}");
                    }
                });
            }
        });
        Ok(Self { state, task })
    }

    /// Waits until a write broke off.
    pub(crate) async fn broken_off(&self) -> Result<()> {
        let mut broken_off = self.state.broken_off.subscribe();
        soon("end of a write", broken_off.wait_for(|count| *count > 0)).await??;
        Ok(())
    }

    pub(crate) fn object(&self, container: &str, object: &str) -> Option<Vec<u8>> {
        self.state.containers.lock().get(container)?.get(object).cloned()
    }
}

impl State {
    async fn answer(&self, call: Message) -> Result<()> {
        let reply = call.reply.context("a reply subject")?;
        let inbox = self.connection.new_inbox();
        let data = self.connection.subscribe(&format!("{inbox}.params.1")).await?;
        let client = self.connection.client();
        client
            .publish_with_reply(reply.clone(), inbox, Bytes::new())
            .await?;
        let function = call.subject.rsplit('.').next().unwrap_or_default().to_owned();
        let came = Came {
            function,
            params: call.payload,
            results: format!("{reply}.results"),
            data,
        };
        match &*came.function {
            wire::WriteContainerData::FUNCTION => self.write(came).await,
            wire::GetContainerData::FUNCTION => {
                let get = wire::GetContainerData::from_bytes(&came.params)?;
                let found = self.find(&get.id).map(|bytes| {
                    let end = usize::try_from(get.end).unwrap_or(usize::MAX).min(bytes.len());
                    bytes[..end][usize::try_from(get.start).unwrap_or(end).min(end)..].to_vec()
                });
                let found = match get.start > get.end {
                    true => Err("backwards".to_owned()),
                    false => found,
                };
                self.stream(&came, found, |bytes, out| {
                    bytes.chunks(65_536).for_each(|chunk| put_chunk(chunk, out))
                })
                .await
            }
            wire::ListContainerObjects::FUNCTION => {
                let list = wire::ListContainerObjects::from_bytes(&came.params)?;
                let names = self.with(&list.name, |objects| objects.keys().cloned().collect::<Vec<_>>());
                self.stream(&came, names, |names, out| {
                    if !names.is_empty() {
                        names.encode(out);
                    }
                })
                .await
            }
            _ => {
                let results = self.plain(&came)?;
                self.finish(&came.results, results).await
            }
        }
    }

    /// Publishes, and closes the path.
    async fn finish(&self, subject: &str, bytes: Vec<u8>) -> Result<()> {
        for piece in bytes.chunks(500_000) {
            self.connection
                .publish(subject, None, Bytes::copy_from_slice(piece))
                .await?;
        }
        self.connection.publish(subject, None, Bytes::new()).await?;
        Ok(())
    }

    /// Answers with a stream.
    async fn stream<T>(
        &self,
        came: &Came,
        found: Result<T, String>,
        encode: impl FnOnce(&T, &mut Vec<u8>),
    ) -> Result<()> {
        let found = match found {
            Ok(found) => found,
            Err(error) => return self.finish(&came.results, Outcome::Err(error).to_bytes()).await,
        };
        let mut stream = Vec::new();
        encode(&found, &mut stream);
        stream.push(END);
        if self.old {
            self.finish(&came.results, vec![0, 0]).await?;
            return self.finish(&format!("{}.0", came.results), stream).await;
        }
        self.finish(&came.results, vec![0, 0, 0]).await?;
        self.finish(&format!("{}.0.0", came.results), stream).await?;
        self.finish(&format!("{}.0.1", came.results), Outcome::Ok(()).to_bytes())
            .await
    }

    async fn write(&self, mut came: Came) -> Result<()> {
        let write = wire::WriteContainerData::from_bytes(&came.params)?;
        ensure!(write.data == StreamOf::Pending);
        let refused = write.id.object == "refused";
        if !self.old {
            let results = Ok::<_, String>(FutureOf::<Outcome>::Pending).to_bytes();
            self.finish(&came.results, results).await?;
        }
        let outcome = match refused {
            true => Outcome::Err("v1 does not like it".to_owned()),
            false => match collect(&mut came.data).await? {
                Some(bytes) => {
                    let mut containers = self.containers.lock();
                    let objects = containers.entry(write.id.container).or_default();
                    objects.insert(write.id.object, bytes);
                    Ok(())
                }
                None => {
                    self.broken_off.send_modify(|count| *count += 1);
                    return Ok(());
                }
            },
        };
        let path = if self.old { "" } else { ".0" };
        self.finish(&format!("{}{path}", came.results), outcome.to_bytes())
            .await
    }

    fn find(&self, id: &ObjectId) -> Result<Vec<u8>, String> {
        self.with(&id.container, |objects| objects.get(&id.object).cloned())?
            .ok_or_else(|| format!("no object {}", id.object))
    }

    fn with<T>(
        &self,
        container: &str,
        look: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T,
    ) -> Result<T, String> {
        let mut containers = self.containers.lock();
        let objects = containers.get_mut(container);
        objects
            .map(look)
            .ok_or_else(|| format!("no container {container}"))
    }

    /// The results of what has no streams.
    fn plain(&self, came: &Came) -> Result<Vec<u8>> {
        let params = &*came.params;
        Ok(match &*came.function {
            wire::ContainerExists::FUNCTION => {
                let name = wire::ContainerExists::from_bytes(params)?.name;
                Ok::<_, String>(self.containers.lock().contains_key(&name)).to_bytes()
            }
            wire::CreateContainer::FUNCTION => {
                let name = wire::CreateContainer::from_bytes(params)?.name;
                self.containers.lock().entry(name).or_default();
                Outcome::Ok(()).to_bytes()
            }
            wire::DeleteContainer::FUNCTION => {
                let name = wire::DeleteContainer::from_bytes(params)?.name;
                self.containers.lock().remove(&name);
                Outcome::Ok(()).to_bytes()
            }
            wire::ClearContainer::FUNCTION => {
                let name = wire::ClearContainer::from_bytes(params)?.name;
                self.with(&name, BTreeMap::clear).to_bytes()
            }
            wire::GetContainerInfo::FUNCTION => {
                Ok::<_, String>(wire::ContainerMetadata { created_at: 7 }).to_bytes()
            }
            wire::GetObjectInfo::FUNCTION => {
                let found = self.find(&wire::GetObjectInfo::from_bytes(params)?.id);
                let info = found.map(|bytes| wire::ObjectMetadata {
                    created_at: 7,
                    size: bytes.len() as u64,
                });
                info.to_bytes()
            }
            wire::HasObject::FUNCTION => {
                let id = wire::HasObject::from_bytes(params)?.id;
                self.with(&id.container, |objects| objects.contains_key(&id.object))
                    .to_bytes()
            }
            wire::DeleteObject::FUNCTION => {
                let id = wire::DeleteObject::from_bytes(params)?.id;
                self.with(&id.container, |objects| drop(objects.remove(&id.object)))
                    .to_bytes()
            }
            wire::DeleteObjects::FUNCTION => {
                let delete = wire::DeleteObjects::from_bytes(params)?;
                self.with(&delete.container, |objects| {
                    objects.retain(|name, _| !delete.objects.contains(name));
                })
                .to_bytes()
            }
            wire::CopyObject::FUNCTION => {
                let copy = wire::CopyObject::from_bytes(params)?;
                self.copy(&copy.src, copy.dest).to_bytes()
            }
            wire::MoveObject::FUNCTION => {
                let moved = wire::MoveObject::from_bytes(params)?;
                let copied = self.copy(&moved.src, moved.dest);
                copied
                    .and_then(|()| {
                        self.with(&moved.src.container, |objects| {
                            drop(objects.remove(&moved.src.object));
                        })
                    })
                    .to_bytes()
            }
            other => anyhow::bail!("no function {other}"),
        })
    }

    fn copy(&self, from: &ObjectId, to: ObjectId) -> Result<(), String> {
        let bytes = self.find(from)?;
        self.with(&to.container, |objects| drop(objects.insert(to.object, bytes)))
    }
}

/// The bytes of a stream; nothing if it broke off.
async fn collect(messages: &mut Subscription) -> Result<Option<Vec<u8>>> {
    let (mut form, mut all) = (ByteStream::default(), Vec::new());
    loop {
        let message = soon("bytes", messages.next()).await?.context("ended")?;
        if message.payload.is_empty() {
            return Ok(None);
        }
        let mut rest: &[u8] = &message.payload;
        while let Some(piece) = form.next(&mut rest)? {
            match piece {
                Piece::Data(data) => all.extend_from_slice(data),
                Piece::End => return Ok(Some(all)),
            }
        }
    }
}

/// A component of v1 that calls.
pub(crate) struct V1Caller {
    connection: Connection,
    source: String,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) results: Vec<u8>,
    paths: BTreeMap<String, Vec<u8>>,
}

impl Answer {
    /// What came on a path of the results.
    pub(crate) fn on(&self, path: &str) -> &[u8] {
        self.paths.get(path).map(Vec::as_slice).unwrap_or_default()
    }

    /// The bytes of a stream on a path.
    pub(crate) fn stream(&self, path: &str) -> Result<Vec<u8>> {
        let (mut form, mut all, mut rest) = (ByteStream::default(), Vec::new(), self.on(path));
        while let Some(piece) = form.next(&mut rest)? {
            match piece {
                Piece::Data(data) => all.extend_from_slice(data),
                Piece::End => break,
            }
        }
        ensure!(
            form.is_ended() && rest.is_empty(),
            "the stream on {path} has no end"
        );
        Ok(all)
    }
}

impl V1Caller {
    pub(crate) fn new(connection: Connection, source: &str) -> Self {
        Self {
            connection,
            source: source.to_owned(),
        }
    }

    /// Calls, sends the bytes of an object, and waits for the results and what comes on the paths.
    pub(crate) async fn call<C: Call>(&self, call: C, data: Option<&[u8]>, paths: &[&str]) -> Result<Answer> {
        let data = data.map(|data| {
            let mut out = Vec::new();
            data.chunks(65_536).for_each(|chunk| put_chunk(chunk, &mut out));
            out.push(END);
            out
        });
        self.raw(C::INSTANCE, C::FUNCTION, call.to_bytes().into(), data, paths)
            .await
    }

    /// The same with a stream that breaks off.
    pub(crate) async fn call_cut_off<C: Call>(&self, call: C, data: &[u8]) -> Result<Answer> {
        let mut out = Vec::new();
        put_chunk(data, &mut out);
        self.raw(C::INSTANCE, C::FUNCTION, call.to_bytes().into(), Some(out), &[])
            .await
    }

    pub(crate) async fn raw(
        &self,
        instance: &str,
        function: &str,
        params: Bytes,
        data: Option<Vec<u8>>,
        paths: &[&str],
    ) -> Result<Answer> {
        let v1 = &self.connection;
        let inbox = v1.new_inbox();
        let mut accepts = v1.subscribe(&inbox).await?;
        let mut results = v1.subscribe(&format!("{inbox}.results")).await?;
        let mut streams = Vec::new();
        for path in paths {
            streams.push((*path, v1.subscribe(&format!("{inbox}.results.{path}")).await?));
        }
        let mut headers = HeaderMap::new();
        headers.insert("source-id", self.source.as_str());
        headers.insert("link-name", "default");
        let subject = format!("default.blobs.wrpc.0.0.1.{instance}.{function}");
        v1.client()
            .publish_with_reply_and_headers(subject, inbox, headers, params)
            .await?;
        let accept = soon("accept", accepts.next()).await?.context("ended")?;
        let callee = accept.reply.context("a reply subject")?;
        v1.publish(&format!("{callee}.params"), None, Bytes::new())
            .await?;
        if let Some(data) = data {
            let subject = format!("{callee}.params.1");
            for piece in data.chunks(300_000) {
                v1.publish(&subject, None, Bytes::copy_from_slice(piece)).await?;
            }
            v1.publish(&subject, None, Bytes::new()).await?;
        }
        let results = until_closed(&mut results).await?;
        let mut found = BTreeMap::new();
        for (path, mut messages) in streams {
            found.insert(path.to_owned(), until_closed(&mut messages).await?);
        }
        Ok(Answer {
            results,
            paths: found,
        })
    }
}

/// All that comes until the path is closed.
async fn until_closed(messages: &mut Subscription) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let message = soon("results", messages.next()).await?.context("ended")?;
        if message.payload.is_empty() {
            return Ok(all);
        }
        all.extend_from_slice(&message.payload);
    }
}
