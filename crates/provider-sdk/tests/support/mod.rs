//! A provider in the test's own process, and the host and the component that it has to do with.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nkeys::XKey;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wasmcloud_lattice::rpc::{Outgoing, Rpc, RpcError, RpcOptions};
use wasmcloud_lattice::{Connection, HeaderMap};
use wasmcloud_provider_sdk::rpc::blobstore::{
    Data, GetContainerData, OUTCOME, Outcome, RESULT, STREAM, WRITTEN, WriteContainerData,
};
use wasmcloud_provider_sdk::rpc::keyvalue::{Error, Get};
use wasmcloud_provider_sdk::rpc::messaging::{BrokerMessage, HandleMessage};
use wasmcloud_provider_sdk::rpc::stream::{FutureOf, StreamOf};
use wasmcloud_provider_sdk::rpc::{Call, Payload as _, RpcErrorCode, header};
use wasmcloud_provider_sdk::{
    BoxError, CallContext, Config, Failure, Functions, Health, HostData, Link, Options, Provider, Sdk,
    SessionError, Start, Streams, async_trait, run_with, send_value,
};
use wasmcloud_test_lattice::{SOON, TestLattice, soon};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::provider::{HealthReply, InterfaceLinkDefinition, Shutdown};
use wasmcloud_wire::rpc::Terms;

pub(crate) const HOST: &str = "NTESTHOST";
pub(crate) const COMPONENT: &str = "cart";

/// Calls that the provider of the tests handles at the same time.
pub(crate) const MAX_CALLS: usize = 3;

/// What a test and its provider say to each other.
#[derive(Clone)]
pub(crate) struct Hooks {
    told: mpsc::UnboundedSender<String>,
    /// `init` waits for a permit.
    pub(crate) init: Arc<Semaphore>,
    /// Calls of `wait` wait for this.
    pub(crate) release: Arc<Notify>,
    /// What the provider was given.
    sdk: Arc<OnceLock<Sdk>>,
}

/// Hooks by the id of the provider, for providers are made by the SDK.
static HOOKS: Mutex<Option<HashMap<String, Hooks>>> = Mutex::new(None);

pub(crate) struct Probe {
    hooks: Hooks,
}

impl Probe {
    fn tell(&self, what: String) {
        // A test that has ended does not listen.
        let _ = self.hooks.told.send(what);
    }
}

#[async_trait]
impl Provider for Probe {
    async fn init(start: Start) -> Result<Self, BoxError> {
        let id = start.sdk.provider_id().to_string();
        let hooks = HOOKS.lock().as_ref().and_then(|hooks| hooks.get(&id).cloned());
        let hooks = hooks.ok_or("the test has no hooks")?;
        let probe = Self { hooks };
        let _ = probe.hooks.sdk.set(start.sdk.clone());
        probe.tell("init".to_owned());
        probe.hooks.init.acquire().await?.forget();
        match start.config.get("init").map(String::as_str) {
            Some("fail") => Err("it was told to fail".into()),
            Some("panic") => panic!("it was told to panic"),
            _ => Ok(probe),
        }
    }

    fn functions(functions: Functions<Self>) -> Functions<Self> {
        functions
            .try_on(Self::get)
            .on_streams(Self::write)
            .on_streams(Self::read)
            .on_bytes("test:own/raw@0.1.0", "reverse", Self::reverse)
    }

    async fn link_put(&self, link: &Link) -> Result<(), BoxError> {
        let config = |key: &str| link.config.get(key).cloned().unwrap_or_default();
        let secret = link.secret("password").unwrap_or("-");
        self.tell(format!("put {} {} {secret}", link.name, config("url")));
        match config("url").as_str() {
            "bad" => Err("no such url".into()),
            "panic" => panic!("a bug"),
            _ => Ok(()),
        }
    }

    async fn link_deleted(&self, link: &Link) {
        self.tell(format!("del {}", link.name));
    }

    async fn config_updated(&self, config: &Config) -> Result<(), BoxError> {
        self.tell(format!("config {config:?}"));
        Ok(())
    }

    async fn health(&self) -> Health {
        Health::well()
    }

    async fn shutdown(&self) {
        self.tell("shutdown".to_owned());
    }

    fn options() -> Options {
        Options {
            max_calls: MAX_CALLS,
            start_time: SOON,
            ..Options::default()
        }
    }
}

impl Probe {
    async fn get(
        self: Arc<Self>,
        context: CallContext,
        call: Get,
    ) -> Result<Result<Option<Vec<u8>>, Error>, Failure> {
        match call.key.as_str() {
            "echo" => Ok(Ok(Some(call.bucket.into_bytes()))),
            "fail" => Err(Failure::internal("it was told to fail")),
            "panic" => panic!("a bug in {}", call.key),
            "hang" => std::future::pending().await,
            "wait" => {
                self.tell("waiting".to_owned());
                self.hooks.release.notified().await;
                Ok(Ok(None))
            }
            "link" => {
                let link = context.link()?;
                Ok(Ok(link.config.get("url").map(|url| url.clone().into_bytes())))
            }
            "relay" => {
                let component = context.sdk().component_by_name(&call.bucket)?;
                let msg = BrokerMessage {
                    subject: "s".to_owned(),
                    body: b"body".to_vec(),
                    reply_to: None,
                };
                let answer = component
                    .on_behalf_of(&context)
                    .call(&HandleMessage { msg })
                    .await?;
                Ok(answer.map(|()| None).map_err(Error::Other))
            }
            _ => Ok(Err(Error::NoSuchStore)),
        }
    }

    async fn write(
        self: Arc<Self>,
        _context: CallContext,
        call: WriteContainerData,
        streams: Streams<WriteContainerData>,
    ) -> Result<(), Failure> {
        if call.id.object == "no-answer" {
            return Ok(());
        }
        let mut bytes = streams.read(WRITTEN);
        streams.answer(&Ok(FutureOf::Pending)).await?;
        let mut sum = 0_u64;
        while let Some(piece) = bytes.next().await? {
            sum += piece.len() as u64;
        }
        self.tell(format!("wrote {sum}"));
        let outcome: Outcome = Ok(());
        Ok(send_value(streams.sender(RESULT), &outcome).await?)
    }

    async fn read(
        self: Arc<Self>,
        _context: CallContext,
        call: GetContainerData,
        streams: Streams<GetContainerData>,
    ) -> Result<(), Failure> {
        let data: Data = (StreamOf::Pending, FutureOf::Pending);
        streams.answer(&Ok(data)).await?;
        let mut writer = streams.write(STREAM);
        for n in call.start..call.end {
            writer.write(&vec![n as u8; 100_000]).await?;
        }
        writer.finish().await?;
        let outcome: Outcome = Ok(());
        Ok(send_value(streams.sender(OUTCOME), &outcome).await?)
    }

    async fn reverse(
        self: Arc<Self>,
        _context: CallContext,
        params: wasmcloud_provider_sdk::Bytes,
    ) -> Result<Vec<u8>, Failure> {
        Ok(params.iter().rev().copied().collect())
    }
}

/// A running provider, and its other side.
pub(crate) struct Bench {
    pub(crate) id: String,
    pub(crate) connection: Connection,
    pub(crate) rpc: Rpc,
    pub(crate) hooks: Hooks,
    hears: mpsc::UnboundedReceiver<String>,
    host_key: XKey,
    pub(crate) provider_key: XKey,
    stop: Arc<Notify>,
    pub(crate) session: JoinHandle<Result<(), SessionError>>,
}

impl Bench {
    /// Starts the provider and waits until it is ready.
    pub(crate) async fn ready(lattice: &TestLattice, id: &str) -> Result<Self> {
        let mut bench = Self::start(lattice, id, |_| {}).await?;
        bench.hooks.init.add_permits(1);
        bench.told("init").await?;
        bench.healthy().await?;
        Ok(bench)
    }

    /// Starts the provider; its `init` waits for a permit.
    pub(crate) async fn start(
        lattice: &TestLattice,
        id: &str,
        change: impl FnOnce(&mut HostData),
    ) -> Result<Self> {
        let connection = lattice.connect().await?;
        let mut options = RpcOptions::new("NCALLER");
        options.accept_timeout = SOON;
        let rpc = Rpc::start(connection.clone(), options).await?;
        let (told, hears) = mpsc::unbounded_channel();
        let hooks = Hooks {
            told,
            init: Arc::new(Semaphore::new(0)),
            release: Arc::default(),
            sdk: Arc::default(),
        };
        HOOKS
            .lock()
            .get_or_insert_default()
            .insert(id.to_owned(), hooks.clone());
        let (host_key, provider_key) = (XKey::new(), XKey::new());
        let mut data = HostData {
            host_id: HOST.to_owned(),
            lattice_rpc_prefix: "default".to_owned(),
            lattice_rpc_url: lattice.url().to_owned(),
            provider_key: id.to_owned(),
            host_xkey_public_key: host_key.public_key(),
            provider_xkey_private_key: provider_key.seed()?.into(),
            ..HostData::default()
        };
        change(&mut data);
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let session =
            tokio::spawn(
                async move { run_with::<Probe>(data, async move { stopped.notified().await }).await },
            );
        Ok(Self {
            id: id.to_owned(),
            connection,
            rpc,
            hooks,
            hears,
            host_key,
            provider_key,
            stop,
            session,
        })
    }

    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }

    /// Waits for the end of the provider.
    pub(crate) async fn ended(&mut self) -> Result<Result<(), SessionError>> {
        Ok(soon("end of the provider", &mut self.session).await??)
    }

    /// The next thing that the provider did.
    pub(crate) async fn told(&mut self, what: &str) -> Result<()> {
        let told = soon(what, self.hears.recv())
            .await?
            .context("the provider ended")?;
        ensure!(told == what, "{told:?} came where {what:?} was expected");
        Ok(())
    }

    /// What the provider did next, whatever it is.
    pub(crate) async fn next(&mut self) -> String {
        self.hears.recv().await.unwrap_or_default()
    }

    /// Waits until calls are answered over a link; the provider tells of it a moment earlier, while it is made.
    pub(crate) async fn linked(&self, name: &str) -> Result<()> {
        until(&format!("link {name}"), || {
            self.hooks
                .sdk
                .get()
                .is_some_and(|sdk| sdk.links().iter().any(|link| link.name.to_string() == name))
        })
        .await
    }

    pub(crate) fn told_nothing(&mut self) -> Result<()> {
        let told = self.hears.try_recv();
        ensure!(told.is_err(), "{told:?}");
        Ok(())
    }

    pub(crate) async fn health(&self) -> Result<HealthReply> {
        let subject = self.subject("health");
        let deadline = Instant::now() + SOON;
        loop {
            let asked = self.connection.request(&subject, None, "".into(), deadline).await;
            match asked {
                Ok(reply) => return Ok(HealthReply::decode(&reply.payload)?),
                Err(error) if Instant::now() < deadline => {
                    ensure!(!self.session.is_finished(), "the provider ended: {error}");
                    tokio::task::yield_now().await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(crate) async fn healthy(&self) -> Result<HealthReply> {
        let deadline = Instant::now() + SOON;
        loop {
            let health = self.health().await?;
            if health.healthy {
                return Ok(health);
            }
            ensure!(Instant::now() < deadline, "{health:?}");
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn subject(&self, what: &str) -> String {
        format!("wasmbus.rpc.default.{}.{what}", self.id)
    }

    pub(crate) async fn publish(&self, subject: &str, payload: Vec<u8>) -> Result<()> {
        self.connection.publish(subject, None, payload.into()).await?;
        self.connection.barrier(Instant::now() + SOON).await?;
        Ok(())
    }

    pub(crate) fn link(&self, name: &str, url: &str) -> InterfaceLinkDefinition {
        InterfaceLinkDefinition {
            source_id: COMPONENT.to_owned(),
            target: self.id.clone(),
            name: name.to_owned(),
            wit_namespace: "wasi".to_owned(),
            wit_package: "keyvalue".to_owned(),
            target_config: Config::from([("url".to_owned(), url.to_owned())]),
            ..InterfaceLinkDefinition::default()
        }
    }

    /// The link with a secret for the provider.
    pub(crate) fn sealed(
        &self,
        mut link: InterfaceLinkDefinition,
        password: &str,
    ) -> Result<InterfaceLinkDefinition> {
        let secrets = serde_json::json!({ "password": { "kind": "String", "value": password } });
        let sealed = self
            .host_key
            .seal(secrets.to_string().as_bytes(), &self.provider_key)?;
        link.target_secrets = Some(sealed);
        Ok(link)
    }

    pub(crate) fn shutdown(&self) -> Vec<u8> {
        let host_id = HOST.to_owned();
        Shutdown { host_id }.encode()
    }

    /// A call of the component to the provider.
    pub(crate) fn outgoing(&self, instance: &str, function: &str, params: Vec<u8>) -> Outgoing {
        let mut headers = HeaderMap::new();
        headers.insert(header::SOURCE_ID, COMPONENT);
        Outgoing {
            subject: format!("default.{}.wrpc.0.0.1.{instance}.{function}", self.id),
            server: None,
            headers,
            terms: Terms::default(),
            bare: false,
            params: params.into(),
            deadline: Instant::now() + SOON,
            accept_timeout: None,
        }
    }

    pub(crate) fn get(&self, bucket: &str, key: &str) -> Outgoing {
        let call = Get {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        };
        self.outgoing(Get::INSTANCE, Get::FUNCTION, call.to_bytes())
    }

    /// Makes a call and reads what comes back.
    pub(crate) async fn call(&self, outgoing: Outgoing) -> Result<<Get as Call>::Result, RpcError> {
        let results = self.begin(outgoing).await?.results().await?;
        Ok(<Get as Call>::Result::from_bytes(&results).unwrap())
    }

    /// Begins a call. A machine that stood still for a moment refuses some; those are made again.
    pub(crate) async fn begin(&self, outgoing: Outgoing) -> Result<wasmcloud_lattice::rpc::Call, RpcError> {
        loop {
            match self.rpc.call(outgoing.clone()).await {
                Err(RpcError::Refused(body))
                    if body.code == RpcErrorCode::Draining && Instant::now() < outgoing.deadline => {}
                outcome => return outcome,
            }
        }
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, so: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + SOON;
    while !so() {
        ensure!(Instant::now() < deadline, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Makes a module of tests for the embedded lattice and one for a real nats-server.
macro_rules! for_both {
    ($($test:ident),* $(,)?) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() -> anyhow::Result<()> {
                    super::$test(wasmcloud_test_lattice::TestLattice::embedded().await?).await
                }
            )*
        }
        mod nats {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() -> anyhow::Result<()> {
                    super::$test(wasmcloud_test_lattice::TestLattice::nats("2.12.8").await?).await
                }
            )*
        }
    };
}
pub(crate) use for_both;
