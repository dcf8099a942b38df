//! Why a broker does not start.

use std::io;

use crate::directory::DirectoryError;
use crate::state::StateError;

/// Why a broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The folder of the lattice cannot be used.
    #[error("prepare the folder of the lattice")]
    Directory(#[source] DirectoryError),
    /// The state cannot be used.
    #[error("open the state of the lattice")]
    State(#[source] StateError),
    /// Somebody listens on the port.
    #[error(
        "port {port} on 127.0.0.1 is in use by {owner}; hint: stop that process, choose another port (0 takes a free \
         one), or, if it is a NATS server to be used, connect to it with `--nats-url nats://127.0.0.1:{port}`"
    )]
    PortInUse {
        /// The port.
        port: u16,
        /// Who, as far as that is known.
        owner: String,
    },
    /// The port cannot be opened for another reason.
    #[error("listen on 127.0.0.1:{port}")]
    Listen {
        /// The port.
        port: u16,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The operating system gave no random bytes for credentials.
    #[error("get random bytes")]
    Random(#[source] io::Error),
}
