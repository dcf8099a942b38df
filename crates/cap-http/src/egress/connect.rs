//! From a name to a connection: look up, ask the policy about every address, connect to one that it allows, TLS.
//!
//! This is the one place where a connection for a guest is opened, and the address that was checked is the one that
//! is connected to, so a name that changes its mind between two lookups gains nothing.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::connections::{Connections, Stream};
use super::policy::{Destination, Host, Policy};
use super::trust::Roots;

/// Of the addresses of one name, those beyond are not tried.
const MAX_ADDRESSES: usize = 16;
/// When an address has not answered for this long the next one is tried beside it (RFC 8305 §5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// Lookups of one link at once. Each takes a thread of the runtime until the resolver of the system answers, and
/// cannot be given up before.
const MAX_LOOKUPS: usize = 16;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("the URI names no host that can be connected to")]
    NoDestination,
    #[error("too many connections of this link are open")]
    Limit,
    #[error("look up the name")]
    Lookup(#[source] io::Error),
    #[error("the name has no address")]
    NoAddress,
    #[error("not allowed to connect to {0}")]
    Prohibited(IpAddr),
    #[error("connect")]
    Tcp(#[source] io::Error),
    #[error("TLS handshake")]
    Tls(#[source] io::Error),
    #[error("not connected in time")]
    Timeout,
    #[error("set up TLS: {0}")]
    Setup(String),
}

/// Opens the connections of one link.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Inner>);

struct Inner {
    policy: Policy,
    roots: Arc<Roots>,
    tls: OnceCell<Arc<ClientConfig>>,
    connections: Arc<Connections>,
    lookups: Arc<Semaphore>,
    timeout: Duration,
}

impl Connector {
    pub(crate) fn new(
        policy: Policy,
        roots: Arc<Roots>,
        connections: Arc<Connections>,
        timeout: Duration,
    ) -> Self {
        Self(Arc::new(Inner {
            policy,
            roots,
            tls: OnceCell::new(),
            connections,
            lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)),
            timeout,
        }))
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.0.policy
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            // Bounded here and not only where a request waits: the pool may finish a connection that nobody waits
            // for any more.
            match timeout(inner.timeout, inner.connect(&uri)).await {
                Ok(connected) => connected.map(TokioIo::new),
                Err(_) => Err(ConnectError::Timeout),
            }
        })
    }
}

impl Inner {
    async fn connect(&self, uri: &Uri) -> Result<Stream, ConnectError> {
        let to = Destination::of(uri).ok_or(ConnectError::NoDestination)?;
        let slot = self.connections.slot().await.ok_or(ConnectError::Limit)?;
        let found = self.lookup(&to).await?;
        let first = *found.first().ok_or(ConnectError::NoAddress)?;
        let allowed: Vec<SocketAddr> = found
            .into_iter()
            .filter(|ip| self.policy.reaches(&to, *ip))
            .map(|ip| SocketAddr::new(ip, to.port))
            .collect();
        if allowed.is_empty() {
            return Err(ConnectError::Prohibited(first));
        }
        let tcp = first_of(allowed).await.map_err(ConnectError::Tcp)?;
        // Requests are written whole; waiting to fill a packet only delays them.
        let _ = tcp.set_nodelay(true);
        let tracked = self.connections.track(tcp, slot);
        if !to.secure {
            return Ok(Stream::Plain(tracked));
        }
        let config = self
            .tls
            .get_or_try_init(|| self.roots.client())
            .await
            .map_err(ConnectError::Setup)?;
        let name = match &to.host {
            Host::Ip(ip) => ServerName::from(*ip),
            Host::Name(name) => {
                ServerName::try_from(name.to_string()).map_err(|_| ConnectError::NoDestination)?
            }
        };
        let tls = TlsConnector::from(Arc::clone(config))
            .connect(name, tracked)
            .await
            .map_err(ConnectError::Tls)?;
        Ok(Stream::Tls(Box::new(tls)))
    }

    async fn lookup(&self, to: &Destination) -> Result<Vec<IpAddr>, ConnectError> {
        let name = match &to.host {
            Host::Ip(ip) => return Ok(vec![*ip]),
            Host::Name(name) => name.clone(),
        };
        let turn = Arc::clone(&self.lookups)
            .acquire_owned()
            .await
            .map_err(|closed| ConnectError::Setup(closed.to_string()))?;
        let port = to.port;
        let found = tokio::task::spawn_blocking(move || {
            // Given back when the resolver has answered, also if nobody waits any more.
            let _turn = turn;
            let addresses = (&*name, port).to_socket_addrs()?;
            io::Result::Ok(
                addresses
                    .map(|address| address.ip().to_canonical())
                    .take(MAX_ADDRESSES)
                    .collect(),
            )
        });
        found
            .await
            .map_err(|error| ConnectError::Setup(error.to_string()))?
            .map_err(ConnectError::Lookup)
    }
}

/// Connects to the first of these addresses that answers. One that is slow does not hold up the next.
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut trying = FuturesUnordered::new();
    let mut failed = None;
    loop {
        match waiting.next() {
            Some(address) => trying.push(TcpStream::connect(address)),
            None if trying.is_empty() => return Err(failed.unwrap_or_else(|| io::ErrorKind::NotFound.into())),
            None => {}
        }
        let answered = if waiting.len() == 0 {
            trying.next().await
        } else {
            timeout(NEXT_ADDRESS, trying.next()).await.unwrap_or_default()
        };
        match answered {
            Some(Ok(tcp)) => return Ok(tcp),
            // The first failure is the one of the preferred address.
            Some(Err(error)) => drop(failed.get_or_insert(error)),
            None => {}
        }
    }
}
