//! Our broker or a real nats-server, hosts in this process, a client, and what it hears.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use wasmcloud_broker::{Access, Broker, BrokerConfig};
use wasmcloud_host::{ArtifactOptions, Host, HostOptions, IngressOptions, JoinOptions, LatticeHost};
use wasmcloud_lattice::{LatticeOptions, NatsOptions};
use wasmcloud_test_kit::control::{Control, Event, Events};
use wasmcloud_test_kit::guests::example;
use wasmcloud_test_kit::http::{Response, get};
use wasmcloud_test_nats::{NatsServer, Running};

pub(crate) use wasmcloud_test_kit::control::soon;
pub(crate) use wasmcloud_test_kit::ports::free_address;

/// The image of v1's HTTP server, which is built in.
pub(crate) const HTTP: &str = "ghcr.io/wasmcloud/http-server:0.27.0";
/// A key-value store, built in.
pub(crate) const MEMORY: &str = "wasmcloud+builtin://keyvalue-memory";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Broker,
    Nats,
}

/// A lattice with a client that has heard every event since it began.
pub(crate) struct Rig {
    nats: NatsOptions,
    dir: TempDir,
    _running: Started,
    pub(crate) client: Control,
    pub(crate) events: Events,
}

#[allow(dead_code, reason = "held until the test ends")]
enum Started {
    Broker(Broker),
    Nats(Box<Running>),
}

impl Rig {
    pub(crate) async fn start(target: Target) -> Result<Self> {
        match target {
            Target::Broker => {
                let dir = tempfile::tempdir()?;
                let mut config = BrokerConfig::new(dir.path().join("lattice"));
                (config.port, config.access) = (0, Access::Anyone);
                let broker = Broker::start(config).await?;
                let options = nats(broker.address());
                let client = Control::connect(options.clone(), "default").await?;
                Self::on_broker(broker, dir, client, options).await
            }
            Target::Nats => Self::on_nats(NatsServer::default().jetstream()).await,
        }
    }

    /// On a real server that needs no login.
    pub(crate) async fn on_nats(server: NatsServer) -> Result<Self> {
        let running = tokio::task::spawn_blocking(|| server.start()).await??;
        let options = nats(running.address());
        let client = Control::connect(options.clone(), "default").await?;
        let started = Started::Nats(Box::new(running));
        Self::around(started, tempfile::tempdir()?, client, options).await
    }

    /// On a broker that is there already, with a login of its own.
    pub(crate) async fn on_broker(
        broker: Broker,
        dir: TempDir,
        client: Control,
        nats: NatsOptions,
    ) -> Result<Self> {
        Self::around(Started::Broker(broker), dir, client, nats).await
    }

    async fn around(running: Started, dir: TempDir, client: Control, nats: NatsOptions) -> Result<Self> {
        let events = client.events().await?;
        Ok(Self {
            nats,
            dir,
            _running: running,
            client,
            events,
        })
    }

    /// A lattice with one host, which has said that it is there.
    pub(crate) async fn with_host(target: Target) -> Result<(Self, LatticeHost)> {
        let mut rig = Self::start(target).await?;
        let host = rig.host(|_, _| {}).await?;
        Ok((rig, host))
    }

    /// One more host, and its event.
    pub(crate) async fn host(
        &mut self,
        change: impl FnOnce(&mut HostOptions, &mut JoinOptions),
    ) -> Result<LatticeHost> {
        let host = self.join(change).await?;
        let started = self.events.wait("host_started", &json!({})).await?;
        ensure!(started.source == host.id().as_str(), "{started:?}");
        Ok(host)
    }

    pub(crate) async fn join(
        &self,
        change: impl FnOnce(&mut HostOptions, &mut JoinOptions),
    ) -> Result<LatticeHost> {
        let artifacts = ArtifactOptions {
            allow_file_load: true,
            ..ArtifactOptions::default()
        };
        let mut options = HostOptions {
            data_dir: self.dir.path().join("data"),
            engine: Default::default(),
            drain: std::time::Duration::from_secs(10),
            ingress: IngressOptions::default(),
            artifacts,
        };
        options.engine.cache_dir = Some(cache());
        let mut control = self.nats.clone();
        control.request_timeout = std::time::Duration::from_secs(10);
        let mut join = JoinOptions::new(LatticeOptions::new("default".parse()?, control));
        change(&mut options, &mut join);
        Ok(LatticeHost::join(Host::new(options)?, join).await?)
    }

    /// How to reach the lattice.
    pub(crate) fn options(&self) -> NatsOptions {
        self.nats.clone()
    }

    /// A path in the folder that goes when the lattice does.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file that goes when the lattice does, as an image reference.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> Result<String> {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes)?;
        Ok(reference(&path))
    }

    /// The smallest component: nothing in it, nothing to call.
    pub(crate) fn nothing(&self) -> Result<String> {
        self.file("nothing.wasm", &wat::parse_str("(component)")?)
    }

    /// Asks a host to run a component and waits until it does.
    pub(crate) async fn run(&mut self, host: &LatticeHost, id: &str, image: &str) -> Result<Event> {
        let body = scale(host, id, image, 1);
        self.client.ok(&on("component.scale", host), &body).await?;
        let fields = json!({ "component_id": id, "host_id": host.id().as_str() });
        self.events.wait("component_scaled", &fields).await
    }

    /// Asks a host to run a provider and waits until it does.
    pub(crate) async fn provide(&mut self, host: &LatticeHost, id: &str, image: &str) -> Result<Event> {
        let body = json!({ "provider_id": id, "provider_ref": image, "host_id": host.id().as_str() });
        self.client.ok(&on("provider.start", host), &body).await?;
        let fields = json!({ "provider_id": id, "host_id": host.id().as_str() });
        self.events.wait("provider_started", &fields).await
    }

    /// The inventory of a host.
    pub(crate) async fn inventory(&self, host: &LatticeHost) -> Result<Value> {
        Ok(self.client.ok(&on("host.get", host), &Value::Null).await?.1)
    }

    /// Starts the hello example behind an HTTP server, and answers where.
    pub(crate) async fn serve_hello(&mut self, host: &LatticeHost) -> Result<SocketAddr> {
        let address = free_address()?;
        self.run(host, "hello", &hello()?).await?;
        self.provide(host, "http", HTTP).await?;
        self.client
            .ok("config.put.web", &json!({ "address": address.to_string() }))
            .await?;
        self.client.ok("link.put", &web_link("hello")).await?;
        answers(host, address).await?;
        Ok(address)
    }
}

/// Waits until there is somebody at this address.
pub(crate) async fn answers(host: &LatticeHost, address: SocketAddr) -> Result<Response> {
    until(&format!("listener on {address}"), async || {
        Ok(host.host().listening().await.contains(&address))
    })
    .await?;
    page(address).await
}

/// Waits for a state that nothing tells about.
pub(crate) async fn until(what: &str, mut reached: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    soon(what, async {
        while !reached().await? {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        Ok(())
    })
    .await?
}

/// The page at this address.
pub(crate) async fn page(address: SocketAddr) -> Result<Response> {
    tokio::task::spawn_blocking(move || get(address, "/")).await?
}

fn nats(address: SocketAddr) -> NatsOptions {
    NatsOptions::new(&format!("nats://{address}")).unwrap()
}

/// Compiled code, shared by all tests and kept between runs.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("host-cache")
}

/// `file://…` of the example.
pub(crate) fn hello() -> Result<String> {
    Ok(reference(&example("http-hello-world", "http_hello_world")?))
}

pub(crate) fn reference(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// `component.scale.N…`, for example.
pub(crate) fn on(what: &str, host: &LatticeHost) -> String {
    format!("{what}.{}", host.id())
}

pub(crate) fn scale(host: &LatticeHost, id: &str, image: &str, count: u32) -> Value {
    json!({
        "component_ref": image, "component_id": id, "host_id": host.id().as_str(),
        "count": count, "config": [], "allow_update": false,
    })
}

/// From the provider `http`, with the config `web`, to a component.
pub(crate) fn web_link(target: &str) -> Value {
    json!({
        "source_id": "http", "target": target, "name": "default", "wit_namespace": "wasi",
        "wit_package": "http", "interfaces": ["incoming-handler"], "source_config": ["web"],
        "target_config": [],
    })
}

/// A link between two components.
pub(crate) fn link(source: &str, target: &str, interfaces: &[&str]) -> Value {
    json!({
        "source_id": source, "target": target, "name": "default", "wit_namespace": "acme",
        "wit_package": "store", "interfaces": interfaces, "source_config": [], "target_config": [],
    })
}

/// The text of an answer.
pub(crate) fn message(answer: &Value) -> Result<&str> {
    answer["message"].as_str().context("a message")
}

/// Makes a module of tests for each lattice from functions that take a [`Target`].
#[macro_export]
macro_rules! on_both_lattices {
    ($($test:ident),* $(,)?) => {
        $crate::on_both_lattices!(@ broker, $crate::support::Target::Broker, $($test),*);
        $crate::on_both_lattices!(@ nats_server, $crate::support::Target::Nats, $($test),*);
    };
    (@ $module:ident, $target:expr, $($test:ident),*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() -> anyhow::Result<()> {
                    super::$test($target).await
                }
            )*
        }
    };
}
