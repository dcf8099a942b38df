//! "Ready" means that a connection through the public path succeeds.

use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use wasmcloud_host::Host;

use crate::exit::{Failure, NOT_STARTED};

/// Longest wait for a connection to a listener in this very process.
const LIMIT: Duration = Duration::from_secs(5);

/// Connects to every address that a provider listens on. No request is sent: it would be a call of the application
/// that its owner did not make. That the components behind the routes start was shown when they were instantiated.
pub(crate) async fn ready(host: &Host) -> Result<(), Failure> {
    for address in host.listening().await {
        let mut address = address;
        if address.ip().is_unspecified() {
            address.set_ip(match address.is_ipv4() {
                true => std::net::Ipv4Addr::LOCALHOST.into(),
                false => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let connected = timeout(LIMIT, TcpStream::connect(address)).await;
        connected
            .with_context(|| format!("no connection in {LIMIT:?}"))
            .and_then(|connected| connected.map_err(Into::into))
            .with_context(|| format!("connect to {address} to see whether it answers"))
            .map_err(|error| Failure::new(NOT_STARTED, "not-answering", error))?;
    }
    Ok(())
}
