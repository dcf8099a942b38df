//! Our broker or a real nats-server, started alike.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod raw;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_nats::{ConnectOptions, Message, Subscriber};
use futures::StreamExt as _;
use tempfile::TempDir;
use wasmcloud_broker::{Access, Broker, BrokerConfig, Credentials};
use wasmcloud_test_nats::{NatsServer, Running};

/// Longest wait for anything that should happen. A test that passes never waits for it.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// What a test runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Broker,
    Nats(&'static str),
}

/// What differs from the defaults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) login: Option<Credentials>,
    pub(crate) max_pending: Option<usize>,
}

pub(crate) struct Server {
    pub(crate) target: Target,
    pub(crate) address: SocketAddr,
    settings: Settings,
    dir: TempDir,
    running: Started,
}

enum Started {
    Broker(Broker),
    Nats(Box<Running>),
    Nothing,
}

impl Server {
    pub(crate) async fn start(target: Target) -> Result<Self> {
        Self::start_with(target, Settings::default()).await
    }

    pub(crate) async fn start_with(target: Target, settings: Settings) -> Result<Self> {
        let mut server = Self {
            target,
            address: wasmcloud_test_nats::free_address()?,
            settings,
            dir: tempfile::tempdir()?,
            running: Started::Nothing,
        };
        server.running = server.launch().await?;
        if let Started::Nats(nats) = &server.running {
            server.address = nats.address();
        }
        Ok(server)
    }

    async fn launch(&self) -> Result<Started> {
        let Target::Nats(version) = self.target else {
            let mut config = BrokerConfig::new(self.dir.path());
            config.port = self.address.port();
            match &self.settings.login {
                None => config.access = Access::Anyone,
                Some(login) => {
                    let text = serde_json::to_vec(login)?;
                    std::fs::write(self.dir.path().join("credentials.json"), text)?;
                }
            }
            if let Some(max_pending) = self.settings.max_pending {
                config.limits.max_pending = max_pending;
            }
            return Ok(Started::Broker(Broker::start(config).await?));
        };
        let mut nats = NatsServer::version(version);
        if let Some(login) = &self.settings.login {
            let nkey = nkeys::KeyPair::from_seed(&login.nkey_seed)?.public_key();
            nats = nats.config(&format!(
                "authorization {{ users: [ {{ user: \"{}\", password: \"{}\" }}, {{ nkey: {nkey} }} ] }}",
                login.user, login.password
            ));
        }
        if let Some(max_pending) = self.settings.max_pending {
            nats = nats.config(&format!("max_pending: {max_pending}"));
        }
        let running = tokio::task::spawn_blocking(|| nats.start()).await??;
        Ok(Started::Nats(Box::new(running)))
    }

    /// Stops it, so that clients lose their connections.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.running, Started::Nothing) {
            Started::Broker(broker) => broker.stop().await,
            Started::Nats(mut nats) => {
                nats.kill()?;
                self.running = Started::Nats(nats);
            }
            Started::Nothing => {}
        }
        Ok(())
    }

    /// Starts it again, on the same port.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        match &mut self.running {
            Started::Nats(nats) => nats.restart()?,
            _ => self.running = self.launch().await?,
        }
        Ok(())
    }

    pub(crate) async fn client(&self) -> Result<async_nats::Client> {
        self.client_with(ConnectOptions::new()).await
    }

    pub(crate) async fn client_with(&self, options: ConnectOptions) -> Result<async_nats::Client> {
        let connect = options.connect(self.address.to_string());
        soon("a connection", connect).await?.context("connect")
    }
}

/// Waits with a deadline that names what was waited for.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(SOON, future)
        .await
        .with_context(|| format!("no {what} within {SOON:?}"))
}

/// Waits until the server has done what this client asked for before, and the client has got what was sent to it
/// before: a request to nobody comes back by the same way. (`flush` of async-nats only writes to the socket.)
pub(crate) async fn barrier(client: &async_nats::Client) -> Result<()> {
    let asked = client.request("nobody.listens.here", bytes::Bytes::new());
    let error = soon("barrier", asked).await?.err();
    let error = error.context("somebody answered the barrier")?;
    ensure!(
        error.kind() == async_nats::RequestErrorKind::NoResponders,
        "{error}"
    );
    Ok(())
}

pub(crate) async fn next(subscriber: &mut Subscriber) -> Result<Message> {
    soon("message", subscriber.next())
        .await?
        .context("the subscription ended")
}

/// The payload of the next message, as text.
pub(crate) async fn text(subscriber: &mut Subscriber) -> Result<String> {
    Ok(String::from_utf8(next(subscriber).await?.payload.to_vec())?)
}

/// Makes a module of tests for each server from functions that take a [`Target`].
#[macro_export]
macro_rules! for_all_servers {
    ($($test:ident),* $(,)?) => {
        $crate::for_all_servers!(@ broker, $crate::support::Target::Broker, $($test),*);
        $crate::for_all_servers!(@ nats_2_11, $crate::support::Target::Nats("2.11.11"), $($test),*);
        $crate::for_all_servers!(@ nats_2_12, $crate::support::Target::Nats("2.12.8"), $($test),*);
        $crate::for_all_servers!(@ nats_2_15, $crate::support::Target::Nats("2.15.1"), $($test),*);
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
