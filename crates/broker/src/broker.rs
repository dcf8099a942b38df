//! The server: starting, accepting connections, saying who we are, letting in, stopping.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Access, BrokerConfig, Limits};
use crate::connection::Connection;
use crate::directory::{Credentials, Directory, Endpoint};
use crate::error::BrokerError;
use crate::protocol::Connect;
use crate::router::Router;
use crate::state::State;
use crate::{owner, random, session};

/// Where NATS clients look.
pub const DEFAULT_PORT: u16 = 4222;

/// The version in `INFO`. Clients read from it what a server can do: ours speaks to clients as nats-server 2.12 does.
/// The suffix keeps it from being taken for one.
pub const PROTOCOL_VERSION: &str = "2.12.0-wasmcloud";

/// The `server_name` in `INFO`, by which a client knows that state is served as `wasmcloud_wire::state_api` has it and
/// not by JetStream.
pub const SERVER_NAME: &str = "wasmcloud-broker";

/// The pause after the operating system refused a connection, for want of files for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running broker. Dropping it stops it without waiting for anything; [`Broker::stop`] is the orderly way.
pub struct Broker {
    server: Arc<Server>,
    address: SocketAddr,
    directory: Directory,
    credentials: Credentials,
    accepting: CancellationToken,
    serving: CancellationToken,
    tasks: TaskTracker,
}

/// What all connections share.
pub(crate) struct Server {
    id: String,
    address: SocketAddr,
    /// `None` lets everybody in.
    login: Option<Login>,
    /// The ids of those that are open.
    open: Mutex<HashSet<u64>>,
    connection_ids: AtomicU64,
    pub(crate) limits: Limits,
    pub(crate) router: Arc<Router>,
    pub(crate) state: State,
}

/// What a client may log in with.
struct Login {
    user: String,
    password: String,
    /// The public half of the seed in the credentials.
    nkey: KeyPair,
}

impl Broker {
    /// Takes the folder, the port and the state, serves, and says in the folder where.
    pub async fn start(config: BrokerConfig) -> Result<Self, BrokerError> {
        let directory = Directory::hold(&config.dir)
            .await
            .map_err(BrokerError::Directory)?;
        let credentials = directory.credentials().map_err(BrokerError::Directory)?;
        let login = match config.access {
            Access::Anyone => None,
            Access::Credentials => Some(Login {
                user: credentials.user.clone(),
                password: credentials.password.clone(),
                nkey: KeyPair::from_seed(&credentials.nkey_seed)
                    .map_err(|error| BrokerError::Random(io::Error::other(error)))?,
            }),
        };
        // Before the state: whoever finds the port taken may try another one at once.
        let (listener, address) = listen(config.port).await?;
        let router = Arc::new(Router::new(config.limits.max_total_subscriptions));
        let state = State::open(
            directory.file("state.redb"),
            config.state.clone(),
            Arc::clone(&router),
        )
        .await
        .map_err(BrokerError::State)?;
        let server = Arc::new(Server {
            id: KeyPair::new_server().public_key(),
            address,
            login,
            open: Mutex::default(),
            connection_ids: AtomicU64::new(1),
            limits: config.limits,
            router,
            state,
        });
        let broker = Self {
            address,
            directory,
            credentials,
            accepting: CancellationToken::new(),
            serving: CancellationToken::new(),
            tasks: TaskTracker::new(),
            server,
        };
        broker.tasks.spawn(accept(
            listener,
            Arc::clone(&broker.server),
            broker.tasks.clone(),
            broker.accepting.clone(),
            broker.serving.clone(),
        ));
        let endpoint = Endpoint {
            address,
            pid: std::process::id(),
            server_id: broker.server.id.clone(),
        };
        broker
            .directory
            .write_endpoint(&endpoint)
            .map_err(BrokerError::Directory)?;
        tracing::info!(%address, "the embedded lattice listens");
        Ok(broker)
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many clients are connected now.
    pub fn connections(&self) -> usize {
        self.server.open.lock().len()
    }

    /// Tells who is connected, for as long as somebody wants to know.
    pub fn clients(&self) -> Clients {
        Clients(Arc::clone(&self.server))
    }

    /// What they log in with.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Stops in order: no new connections, what was asked of the state is done and answered, what waits is sent,
    /// connections are closed. Bounded by [`Limits::stop_grace`] and the state's last write.
    pub async fn stop(self) {
        self.accepting.cancel();
        self.directory.remove_endpoint();
        self.server.state.close().await;
        self.serving.cancel();
        self.tasks.close();
        // Each connection keeps to the grace by itself; this is for one that is held up in between.
        let limit = self.server.limits.stop_grace + Duration::from_secs(1);
        if tokio::time::timeout(limit, self.tasks.wait()).await.is_err() {
            tracing::warn!(open = self.tasks.len(), "gave up waiting for connections");
        }
    }
}

/// Who is connected to a broker. A broker is no part of a cluster, so nobody else hears what is sent through it.
#[derive(Clone)]
pub struct Clients(Arc<Server>);

impl Clients {
    /// Whether nobody is connected at this moment but these, by the ids that `INFO` has told them (`client_id`). Who
    /// has not logged in yet counts.
    pub fn are_only(&self, ids: &[u64]) -> bool {
        self.0.open.lock().iter().all(|open| ids.contains(open))
    }
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.accepting.cancel();
        self.serving.cancel();
        self.server.state.abandon();
        self.directory.remove_endpoint();
    }
}

async fn listen(port: u16) -> Result<(TcpListener, SocketAddr), BrokerError> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let bound = bound.and_then(|listener| listener.local_addr().map(|address| (listener, address)));
    bound.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BrokerError::PortInUse {
            port,
            owner: match owner::of_port(port) {
                Some(process) => format!("process {process}"),
                None => "a process of another user".to_owned(),
            },
        },
        _ => BrokerError::Listen { port, source },
    })
}

async fn accept(
    listener: TcpListener,
    server: Arc<Server>,
    tasks: TaskTracker,
    accepting: CancellationToken,
    serving: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = accepting.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => admit(&server, stream, &tasks, &serving),
            Err(error) => {
                tracing::warn!(%error, "accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn admit(server: &Arc<Server>, stream: TcpStream, tasks: &TaskTracker, serving: &CancellationToken) {
    let id = server.connection_ids.fetch_add(1, Ordering::Relaxed);
    let open = {
        let mut open = server.open.lock();
        open.insert(id);
        open.len()
    };
    let seat = Seat(Arc::clone(server), id);
    if open > server.limits.max_connections {
        // Into the empty buffer of a new socket it always fits.
        stream.try_write(b"-ERR 'maximum connections exceeded'\r\n").ok();
        return;
    }
    // Every message is flushed when it should be; the kernel must not wait for more.
    stream.set_nodelay(true).ok();
    let nonce = match random::bytes::<12>() {
        Ok(bytes) => URL_SAFE_NO_PAD.encode(bytes),
        Err(error) => return tracing::error!(%error, "cannot greet a client without random bytes"),
    };
    let connection = Arc::new(Connection::new(id, stream, server.limits.max_pending));
    let (server, serving) = (Arc::clone(server), serving.clone());
    tasks.spawn(async move {
        let _seat = seat;
        session::run(server, connection, nonce, serving).await;
    });
}

/// A place among the connections, given back when it is dropped.
struct Seat(Arc<Server>, u64);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.lock().remove(&self.1);
    }
}

impl Server {
    /// The first line a client gets.
    pub(crate) fn info(&self, connection: &Connection, nonce: &str) -> String {
        let info = serde_json::json!({
            "server_id": self.id,
            "server_name": SERVER_NAME,
            "version": PROTOCOL_VERSION,
            "proto": 1,
            "go": "",
            "host": self.address.ip(),
            "port": self.address.port(),
            "headers": true,
            "auth_required": self.needs_login(),
            "jetstream": false,
            "max_payload": self.limits.max_payload,
            "client_id": connection.id,
            "client_ip": self.address.ip(),
            "nonce": nonce,
        });
        format!("INFO {info} \r\n")
    }

    pub(crate) fn needs_login(&self) -> bool {
        self.login.is_some()
    }

    /// Whether these options log in.
    pub(crate) fn admits(&self, options: &Connect, nonce: &str) -> bool {
        let Some(login) = &self.login else { return true };
        let signature = options.sig.as_deref().unwrap_or_default();
        match (&options.nkey, &options.user, &options.jwt) {
            (Some(nkey), ..) => nkey == login.nkey.public_key().as_str() && login.verifies(signature, nonce),
            (None, Some(user), _) => login.knows(user, options.pass.as_deref().unwrap_or_default()),
            // Providers are told a JWT and a seed and nothing else (wire reference §2.5). There is one user, so
            // whoever signs with that user's key is that user, whatever the JWT says.
            (None, None, Some(_)) => login.verifies(signature, nonce),
            (None, None, None) => false,
        }
    }
}

impl Login {
    fn verifies(&self, signature: &str, nonce: &str) -> bool {
        let decoded = URL_SAFE_NO_PAD
            .decode(signature)
            .or_else(|_| STANDARD.decode(signature));
        decoded.is_ok_and(|signature| self.nkey.verify(nonce.as_bytes(), &signature).is_ok())
    }

    /// The name is no secret; the comparison of the password takes the same time wherever it differs.
    fn knows(&self, user: &str, password: &str) -> bool {
        let (ours, theirs) = (self.password.as_bytes(), password.as_bytes());
        let difference = ours
            .iter()
            .zip(theirs)
            .fold(0, |sum, (ours, theirs)| sum | (ours ^ theirs));
        user == self.user && ours.len() == theirs.len() && difference == 0
    }
}
