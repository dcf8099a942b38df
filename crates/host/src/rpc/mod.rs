//! Calls between this host and others (design D4): what components here call elsewhere, and what others call here.
//!
//! | file | is for |
//! |---|---|
//! | `outgoing` | a call to whoever runs the target, made again elsewhere as long as nothing has begun |
//! | `serving` | the subscription of a component or provider of this host |
//! | `serve` | the calls of others to a component of this host |
//! | `provider` | the calls of others to a provider that is part of this host |
//! | `failure` | errors of the engine in the words of the wire, and the other way round |
//!
//! How calls travel is for `lattice`, how they are encoded for `wire` and `engine`, and who is called for `router`.

mod failure;
mod outgoing;
mod provider;
mod serve;
mod serving;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use wasmcloud_capability::Handle;
use wasmcloud_core::{ComponentId, HostId, LatticeName};
use wasmcloud_engine::RemoteCall;
use wasmcloud_lattice::rpc::{Caller, Rpc, RpcOptions};
use wasmcloud_lattice::{CallError, HeaderMap};
use wasmcloud_telemetry::{TRACEPARENT, TRACESTATE, current_headers};
use wasmcloud_wire::rpc::Prefix;

use self::outgoing::Outgoing;

pub(crate) use self::serving::Serving;

/// Longest time that a call from elsewhere waits for a free instance here. Half of the time after which its caller goes
/// elsewhere ([`RpcOptions::accept_timeout`]).
const QUEUE_WAIT: Duration = Duration::from_millis(400);

/// Longest time that a call from elsewhere waits for the word of a policy before it waits for an instance.
const POLICY_WAIT: Duration = Duration::from_millis(200);

/// Longest wait for the server's word that calls go elsewhere from now on.
pub(crate) const LEAVE: Duration = Duration::from_secs(1);

/// The calls of a host that is part of a lattice.
pub(crate) struct Calls {
    rpc: Rpc,
    caller: Caller,
    /// The caller as link tables have it.
    handle: Handle,
    outgoing: Arc<dyn RemoteCall>,
    host: HostId,
}

/// The calls of a host, once it is part of a lattice.
pub(crate) type CallsCell = Arc<OnceLock<Arc<Calls>>>;

impl Calls {
    /// Begins to hear what belongs to calls.
    pub(crate) async fn start(
        connection: wasmcloud_lattice::Connection,
        lattice: LatticeName,
        host: HostId,
    ) -> Result<Arc<Self>, CallError> {
        let rpc = Rpc::start(connection, RpcOptions::new(host.as_str())).await?;
        let caller = Caller::new(rpc.clone(), lattice, Arc::new(trace));
        Ok(Arc::new(Self {
            handle: Arc::new(caller.clone()),
            outgoing: Arc::new(Outgoing(caller.clone())),
            rpc,
            caller,
            host,
        }))
    }

    /// Makes calls to elsewhere.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Takes dynamic calls to where their target runs.
    pub(crate) fn outgoing(&self) -> Arc<dyn RemoteCall> {
        Arc::clone(&self.outgoing)
    }

    /// What makes calls to elsewhere, for link tables: a [`Caller`].
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    fn prefix(&self, component: &ComponentId) -> Prefix {
        Prefix {
            lattice: self.caller.lattice().clone(),
            component: component.clone(),
        }
    }

    fn default_deadline(&self) -> Instant {
        self.rpc.connection().default_deadline()
    }
}

/// The trace that the current span belongs to.
fn trace(headers: &mut HeaderMap) {
    if let Some(trace) = current_headers() {
        headers.insert(TRACEPARENT, trace.traceparent);
        if let Some(state) = trace.tracestate {
            headers.insert(TRACESTATE, state);
        }
    }
}
