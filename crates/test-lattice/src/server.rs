//! The server of a lattice: ours or a real one, started alike.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use parking_lot::Mutex;
use tempfile::TempDir;
use wasmcloud_broker::{Access, Broker, BrokerConfig};
use wasmcloud_core::LatticeName;
use wasmcloud_lattice::{Connection, NatsOptions};
use wasmcloud_test_nats::{NatsServer, Running};
use wasmcloud_wire::app::ManifestApi;

use crate::controller::{ControllerScript, ScriptedController};
use crate::host::ScriptedHost;
use crate::script::{Script, Shared};

/// Longest wait for anything that should happen. A test that passes never waits for it.
pub const SOON: Duration = Duration::from_secs(30);

/// A running server with the lattice `default` on it. Gone when it is dropped.
pub struct TestLattice {
    url: String,
    server: Server,
    shared: Arc<Mutex<Shared>>,
}

enum Server {
    Broker {
        running: Option<Broker>,
        _dir: Option<TempDir>,
    },
    Nats(Box<Running>),
}

impl TestLattice {
    /// An embedded lattice that lets everybody in.
    pub async fn embedded() -> Result<Self> {
        let dir = tempfile::tempdir().context("make a temporary directory")?;
        let mut lattice = Self::broker(dir.path(), Access::Anyone).await?;
        if let Server::Broker { _dir, .. } = &mut lattice.server {
            *_dir = Some(dir);
        }
        Ok(lattice)
    }

    /// An embedded lattice in a folder, with the login that it finds or makes there.
    pub async fn embedded_in(dir: &Path) -> Result<Self> {
        Self::broker(dir, Access::Credentials).await
    }

    async fn broker(dir: &Path, access: Access) -> Result<Self> {
        let mut config = BrokerConfig::new(dir);
        config.port = wasmcloud_test_nats::free_address()?.port();
        config.access = access;
        let broker = Broker::start(config)
            .await
            .context("start the embedded lattice")?;
        let url = match access {
            Access::Anyone => format!("nats://{}", broker.address()),
            Access::Credentials => {
                let login = broker.credentials();
                format!("nats://{}:{}@{}", login.user, login.password, broker.address())
            }
        };
        let server = Server::Broker {
            running: Some(broker),
            _dir: None,
        };
        Ok(Self::new(url, server))
    }

    /// A real nats-server of this version, without a login.
    pub async fn nats(version: &str) -> Result<Self> {
        Self::nats_with(NatsServer::version(version)).await
    }

    /// A real nats-server as it is described.
    pub async fn nats_with(server: NatsServer) -> Result<Self> {
        let running = tokio::task::spawn_blocking(|| server.start()).await??;
        Ok(Self::new(running.url(), Server::Nats(Box::new(running))))
    }

    fn new(url: String, server: Server) -> Self {
        Self {
            url,
            server,
            shared: Arc::default(),
        }
    }

    /// With a login, `user:password@`, for the hosts and connections that are made from here on.
    #[must_use]
    pub fn with_login(mut self, login: &str) -> Self {
        self.url = self.url.replacen("://", &format!("://{login}"), 1);
        self
    }

    /// The name of the lattice.
    pub fn name(&self) -> LatticeName {
        "default".parse().expect("it is a name")
    }

    /// Where it is, with the login if one is needed.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The real nats-server, if it is one.
    pub fn server(&mut self) -> Option<&mut Running> {
        match &mut self.server {
            Server::Nats(running) => Some(running),
            Server::Broker { .. } => None,
        }
    }

    /// Stops the embedded lattice, if it is one.
    pub async fn stop(&mut self) {
        if let Server::Broker { running, .. } = &mut self.server
            && let Some(broker) = running.take()
        {
            broker.stop().await;
        }
    }

    /// What the hosts of the lattice share: links, configs, claims.
    pub fn shared(&self) -> Arc<Mutex<Shared>> {
        Arc::clone(&self.shared)
    }

    /// A connection with patient options: the machine may be busy.
    pub async fn connect(&self) -> Result<Connection> {
        let mut options = NatsOptions::new(&self.url)?;
        options.request_timeout = SOON;
        options.connect_deadline = SOON;
        Ok(Connection::connect(&options).await?)
    }

    /// Starts a host. It listens when this returns.
    pub async fn host(&self, script: Script) -> Result<ScriptedHost> {
        ScriptedHost::start(self.connect().await?, self.name(), script, self.shared()).await
    }

    /// Starts a controller. It listens when this returns.
    pub async fn controller(&self, script: ControllerScript) -> Result<ScriptedController> {
        let api = ManifestApi::new(&self.name());
        ScriptedController::start(self.connect().await?, api, script).await
    }
}

/// Waits with a deadline that names what was waited for.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(SOON, future)
        .await
        .with_context(|| format!("no {what} within {SOON:?}"))
}
