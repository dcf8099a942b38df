//! Our broker or a real nats-server with JetStream, started alike.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use tempfile::TempDir;
use tokio::time::Instant;
use wasmcloud_broker::{Access, Broker, BrokerConfig};
use wasmcloud_lattice::{
    Bucket, Connection, ConnectionState, Event, NatsOptions, State, Subscription, Watch, open_state,
};
use wasmcloud_test_nats::{NatsServer, Running};

/// Longest wait for anything that should happen. A test that passes never waits for it.
pub(crate) const SOON: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Broker,
    Nats(&'static str),
}

pub(crate) struct Server {
    address: SocketAddr,
    dir: TempDir,
    running: Started,
}

enum Started {
    Broker(Option<Broker>),
    Nats(Box<Running>),
}

impl Server {
    pub(crate) async fn start(target: Target) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        match target {
            Target::Broker => {
                let address = wasmcloud_test_nats::free_address()?;
                let broker = broker(&dir, address).await?;
                Ok(Self {
                    address,
                    dir,
                    running: Started::Broker(Some(broker)),
                })
            }
            Target::Nats(version) => {
                let nats = NatsServer::version(version).jetstream();
                let running = tokio::task::spawn_blocking(|| nats.start()).await??;
                Ok(Self {
                    address: running.address(),
                    dir,
                    running: Started::Nats(Box::new(running)),
                })
            }
        }
    }

    pub(crate) async fn kill(&mut self) -> Result<()> {
        match &mut self.running {
            Started::Broker(broker) => {
                if let Some(broker) = broker.take() {
                    broker.stop().await;
                }
            }
            Started::Nats(nats) => nats.kill()?,
        }
        Ok(())
    }

    /// Starts it again with what it had stored.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.kill().await?;
        match &mut self.running {
            Started::Broker(running) => *running = Some(broker(&self.dir, self.address).await?),
            Started::Nats(nats) => nats.restart()?,
        }
        Ok(())
    }

    /// Starts it again with nothing stored.
    pub(crate) async fn restart_wiped(&mut self) -> Result<()> {
        self.kill().await?;
        match &mut self.running {
            Started::Broker(running) => {
                self.dir = tempfile::tempdir()?;
                *running = Some(broker(&self.dir, self.address).await?);
            }
            Started::Nats(nats) => nats.restart_wiped()?,
        }
        Ok(())
    }

    pub(crate) fn options(&self) -> NatsOptions {
        options(&format!("nats://{}", self.address))
    }

    pub(crate) async fn connect(&self) -> Result<Connection> {
        Ok(Connection::connect(&self.options()).await?)
    }

    pub(crate) async fn state(&self) -> Result<(Connection, Box<dyn State>)> {
        let connection = self.connect().await?;
        let state = open_state(&connection, Bucket::new("test")?.with_ttl(), None).await?;
        Ok((connection, state))
    }
}

async fn broker(dir: &TempDir, address: SocketAddr) -> Result<Broker> {
    let mut config = BrokerConfig::new(dir.path());
    config.port = address.port();
    config.access = Access::Anyone;
    Ok(Broker::start(config).await?)
}

/// Patient options: the machine may be busy.
pub(crate) fn options(url: &str) -> NatsOptions {
    let mut options = NatsOptions::new(url).expect("a test's address is one");
    options.request_timeout = Duration::from_secs(10);
    options
}

pub(crate) fn deadline() -> Instant {
    Instant::now() + SOON
}

/// Waits with a deadline that names what was waited for.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(SOON, future)
        .await
        .with_context(|| format!("no {what} within {SOON:?}"))
}

pub(crate) async fn text(subscription: &mut Subscription) -> Result<String> {
    let message = soon("message", subscription.next())
        .await?
        .context("the subscription ended")?;
    Ok(String::from_utf8(message.payload.to_vec())?)
}

pub(crate) async fn event(watch: &mut Watch) -> Result<Event> {
    soon("event", watch.next()).await?.context("the watch ended")
}

/// The next event, as `key=value`, `-key`, `ready` or `reset`.
pub(crate) async fn shown(watch: &mut Watch) -> Result<String> {
    Ok(match event(watch).await? {
        Event::Put(entry) => format!("{}={}", entry.key, String::from_utf8_lossy(&entry.value)),
        Event::Delete { key, .. } => format!("-{key}"),
        Event::Ready => "ready".to_owned(),
        Event::Reset => "reset".to_owned(),
    })
}

/// The next events are these, in this order.
pub(crate) async fn expect(watch: &mut Watch, expected: &[&str]) -> Result<()> {
    for one in expected {
        let event = shown(watch).await?;
        ensure!(
            event == *one,
            "{event} came where {one} was expected, of {expected:?}"
        );
    }
    Ok(())
}

/// Waits until the connection has lost its server.
pub(crate) async fn lost(connection: &Connection) -> Result<()> {
    let mut state = connection.state();
    let lost = state.wait_for(|state| matches!(state, ConnectionState::Reconnecting { .. }));
    soon("loss of the connection", lost).await??;
    Ok(())
}

/// Waits until the connection has a server, and its subscriptions are confirmed.
pub(crate) async fn connected(connection: &Connection) -> Result<u64> {
    let mut state = connection.state();
    let up = state.wait_for(|state| matches!(state, ConnectionState::Connected { .. }));
    match *soon("connection", up).await?? {
        ConnectionState::Connected { epoch } => Ok(epoch),
        _ => anyhow::bail!("it was waited for"),
    }
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
