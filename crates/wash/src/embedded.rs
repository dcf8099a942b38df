//! The embedded lattice of this machine as everybody but its carrier sees it: its folder, where it listens, and how to
//! log in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use wasmcloud_broker::{Credentials, Endpoint};
use wasmcloud_lattice::{Auth, NatsOptions};

/// The folder of an embedded lattice, whether or not somebody runs it.
pub(crate) struct Embedded {
    folder: PathBuf,
}

impl Embedded {
    /// The one whose data are below this directory.
    pub(crate) fn below(data_dir: &Path) -> Self {
        Self {
            folder: data_dir.join("lattice"),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where it listens, if somebody runs it.
    pub(crate) fn endpoint(&self) -> Result<Option<Endpoint>> {
        Ok(Endpoint::load(&self.folder)?)
    }

    /// How to reach it at this endpoint, login included.
    pub(crate) fn options(&self, endpoint: &Endpoint) -> Result<NatsOptions> {
        let mut options = NatsOptions::new(&format!("nats://{}", endpoint.address))?;
        options.auth = self.login()?;
        Ok(options)
    }

    /// Its login, if that is where these options lead, however it was named.
    pub(crate) fn login_for(&self, options: &NatsOptions) -> Result<Option<Auth>> {
        let [server] = options.servers.as_slice() else {
            return Ok(None);
        };
        let Some(address) = on_this_machine(&server.to_string()) else {
            return Ok(None);
        };
        match self.endpoint()? {
            Some(endpoint) if endpoint.address == address => self.login().map(Some),
            _ => Ok(None),
        }
    }

    fn login(&self) -> Result<Auth> {
        let found = Credentials::load(&self.folder)?.ok_or_else(|| {
            anyhow!(
                "the embedded lattice in {} has no credentials; hint: restart it",
                self.folder.display()
            )
        })?;
        // With the key and not the password: a host hands its login to providers, and what they are told has room for
        // a key only (wire reference §2.5).
        Ok(Auth::nkey(found.nkey_seed)?)
    }
}

/// The address that a URL without login names on this machine.
pub(crate) fn on_this_machine(server: &str) -> Option<SocketAddr> {
    let (_, address) = server.split_once("://")?;
    let address: SocketAddr = address.replacen("localhost", "127.0.0.1", 1).parse().ok()?;
    address.ip().is_loopback().then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine() {
        for here in ["nats://127.0.0.1:4222", "tls://localhost:1", "nats://[::1]:4222"] {
            assert!(on_this_machine(here).is_some(), "{here}");
        }
        for elsewhere in [
            "nats://10.0.0.1:4222",
            "nats://example.com:4222",
            "nats://localhost.example:1",
        ] {
            assert!(on_this_machine(elsewhere).is_none(), "{elsewhere}");
        }
    }
}
