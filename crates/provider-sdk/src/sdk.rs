//! The handle with which a provider asks who it is, looks at its links, and calls components.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wasmcloud_core::{ComponentId, HostId, InvalidName, LatticeName};
use wasmcloud_lattice::rpc::Rpc;
use wasmcloud_lattice::{Connection, ConnectionState};

use crate::component::Component;
use crate::link::Link;
use crate::links::LinkTable;

/// What a provider process is part of. Clones share it.
#[derive(Clone)]
pub struct Sdk(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) provider: ComponentId,
    pub(crate) host: HostId,
    pub(crate) lattice: LatticeName,
    pub(crate) instance: String,
    pub(crate) rpc: Rpc,
    pub(crate) links: LinkTable,
    /// How long a component may take to answer.
    pub(crate) timeout: Duration,
    /// The provider itself wants to end.
    pub(crate) stop: CancellationToken,
}

impl Sdk {
    /// The id of the provider, which links name.
    pub fn provider_id(&self) -> &ComponentId {
        &self.0.provider
    }

    /// The host that started this process.
    pub fn host_id(&self) -> &HostId {
        &self.0.host
    }

    /// The lattice.
    pub fn lattice(&self) -> &LatticeName {
        &self.0.lattice
    }

    /// Different for each start of the provider.
    pub fn instance_id(&self) -> &str {
        &self.0.instance
    }

    /// The links that the provider is part of now.
    pub fn links(&self) -> Vec<Arc<Link>> {
        self.0.links.all()
    }

    /// A component, to call it: usually [`Link::component`] of a link of which the provider is the source.
    pub fn component(&self, id: &ComponentId) -> Component {
        Component::new(self.clone(), id.clone())
    }

    /// The same by an id that was not checked yet.
    pub fn component_by_name(&self, id: &str) -> Result<Component, InvalidName> {
        Ok(self.component(&id.parse()?))
    }

    /// Whether there is a NATS server now. While there is none, it is tried again for ever.
    pub fn is_connected(&self) -> bool {
        let state = self.connection().state();
        let now = *state.borrow();
        matches!(now, ConnectionState::Connected { .. })
    }

    /// Ends the process as if the host had asked for it. The host starts it again after a while.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    pub(crate) fn connection(&self) -> &Connection {
        self.0.rpc.connection()
    }
}

impl std::fmt::Debug for Sdk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sdk")
            .field("provider", &self.0.provider)
            .field("host", &self.0.host)
            .field("lattice", &self.0.lattice)
            .finish_non_exhaustive()
    }
}
