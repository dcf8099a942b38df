//! The pair of connections that a host has.

use wasmcloud_core::LatticeName;

use super::{ConnectError, Connection};
use crate::options::LatticeOptions;
use crate::state::{Bucket, State, StateError, open_state};

/// A lattice that we are connected to: once for control, events and state, and once for calls. Two connections also
/// where both lead to the same server, as in v1, so that large calls do not hold control messages up.
#[derive(Clone, Debug)]
pub struct Lattice {
    /// Its name.
    pub name: LatticeName,
    /// For control, events and state.
    pub control: Connection,
    /// For calls.
    pub rpc: Connection,
    /// What subjects of the control interface begin with.
    pub control_prefix: String,
    /// The JetStream domain of the state.
    pub jetstream_domain: Option<String>,
}

impl Lattice {
    /// Makes both connections.
    pub async fn connect(options: &LatticeOptions) -> Result<Self, ConnectError> {
        options.check()?;
        let rpc = options.rpc.as_ref().unwrap_or(&options.control);
        let (control, rpc) =
            tokio::try_join!(Connection::connect(&options.control), Connection::connect(rpc))?;
        Ok(Self {
            name: options.lattice.clone(),
            control,
            rpc,
            control_prefix: options.control_prefix.clone(),
            jetstream_domain: options.jetstream_domain.clone(),
        })
    }

    /// Opens a bucket of the state, on whatever the control connection leads to.
    pub async fn open_state(&self, bucket: Bucket) -> Result<Box<dyn State>, StateError> {
        open_state(&self.control, bucket, self.jetstream_domain.as_deref()).await
    }
}
