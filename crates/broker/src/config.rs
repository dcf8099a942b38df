//! What can be set, and the defaults.

use std::path::PathBuf;
use std::time::Duration;

use crate::broker::DEFAULT_PORT;

/// How a broker is started.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// The folder of this lattice: credentials, endpoint, state. Made with mode 0700 if it is not there. One broker
    /// at a time uses it.
    pub dir: PathBuf,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Who may connect.
    pub access: Access,
    /// Limits of connections.
    pub limits: Limits,
    /// Limits of the state.
    pub state: StateLimits,
}

/// Who may connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Who has the credentials in the folder of the lattice.
    #[default]
    Credentials,
    /// Any process of this machine, of whatever user. It may do everything a lattice can do: for tests, and for old
    /// tools that cannot log in.
    Anyone,
}

/// Limits of connections. The defaults are those of nats-server where it has one.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; further ones are refused. Default 4,096.
    pub max_connections: usize,
    /// Subscriptions of one connection. Default 100,000.
    pub max_subscriptions: usize,
    /// Subscriptions of all connections together. Default 250,000, which is about 100 MB.
    pub max_total_subscriptions: usize,
    /// Headers and body of a message, in bytes. Default 1 MiB.
    pub max_payload: usize,
    /// A line of the protocol, in bytes. Default 4,096.
    pub max_control_line: usize,
    /// What may wait to be sent to one connection, in bytes. Who reads so slowly that more would wait is
    /// disconnected. Default 64 MiB.
    pub max_pending: usize,
    /// How long a connection may take nothing of what waits. Default 10 s.
    pub write_deadline: Duration,
    /// From the connection to the login. Default 5 s: more than nats-server's 2 s, for laptops under load.
    pub auth_timeout: Duration,
    /// How often a silent client is asked whether it is there. Default 2 min.
    pub ping_interval: Duration,
    /// How many of those questions may be open before the connection counts as dead. Default 2.
    pub max_pings_out: u32,
    /// How long [`stop`](crate::Broker::stop) gives connections to take what was queued. Default 2 s.
    pub stop_grace: Duration,
}

/// Limits of the state.
#[derive(Clone, Debug)]
pub struct StateLimits {
    /// All keys and values together, in bytes, with 64 bytes for each entry. Default 256 MiB.
    pub max_bytes: u64,
    /// Buckets. Default 1,024.
    pub max_buckets: u64,
    /// Requests that wait to be written; further ones are refused. Default 4,096.
    pub max_queued: usize,
    /// Bytes of requests that wait to be written. Default 32 MiB.
    pub max_queued_bytes: usize,
}

impl BrokerConfig {
    /// The defaults for a lattice in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            port: DEFAULT_PORT,
            access: Access::default(),
            limits: Limits::default(),
            state: StateLimits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 4_096,
            max_subscriptions: 100_000,
            max_total_subscriptions: 250_000,
            max_payload: 1 << 20,
            max_control_line: 4_096,
            max_pending: 64 << 20,
            write_deadline: Duration::from_secs(10),
            auth_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(120),
            max_pings_out: 2,
            stop_grace: Duration::from_secs(2),
        }
    }
}

impl Default for StateLimits {
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            max_buckets: 1_024,
            max_queued: 4_096,
            max_queued_bytes: 32 << 20,
        }
    }
}
