//! The socket of a listening address: how it begins and ends, and what is said to those for whom there is no room.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use tokio::net::TcpListener;
use wasmcloud_capability::ProviderError;

/// Connections that the kernel makes before they are accepted.
const BACKLOG: i32 = 1024;

/// Listens on an address. Answers it with its port, which differs where port 0 was asked for.
pub(crate) fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ProviderError> {
    let bound = listen(address).and_then(|socket| {
        let address = socket.local_addr()?;
        Ok((socket, address))
    });
    bound.map_err(|error| bind_error(address, error))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    // Sockets of the last run in TIME_WAIT must not keep this one from starting.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Why it is not possible, with the name of who is in the way.
fn bind_error(address: SocketAddr, error: io::Error) -> ProviderError {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let owner = crate::ingress::port_owner(address.port()).map_or_else(
                || "another process".to_owned(),
                |owner| format!("process {owner}"),
            );
            ProviderError::Conflict {
                what: format!(
                    "address {address} is in use by {owner}; hint: stop it or choose another `address`"
                ),
                owner: None,
            }
        }
        _ => ProviderError::Failed {
            what: format!("listen on {address}"),
            source: error.into(),
        },
    }
}

/// The connections that the kernel has made and nobody has accepted yet. Closes the socket.
pub(crate) fn waiting(socket: TcpListener) -> Vec<(std::net::TcpStream, SocketAddr)> {
    // Without asking the reactor, which may not have heard of the last ones.
    let Ok(socket) = socket.into_std() else {
        return Vec::new();
    };
    let accepted = (0..BACKLOG).map_while(|_| socket.accept().ok());
    accepted
        .filter(|(stream, _)| stream.set_nonblocking(true).is_ok())
        .collect()
}

/// Says that the host is full, on one try and without waiting for anything.
pub(crate) fn refuse(mut stream: &std::net::TcpStream, peer: SocketAddr) {
    tracing::warn!(%peer, "connection refused, too many connections");
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let _ = stream.write(answer);
}
