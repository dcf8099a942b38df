//! One call of a trigger's function, over the lattice to whoever runs the component: also where that is this host.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;
use wasmcloud_core::{ComponentId, InvalidName, LatticeName};
use wasmcloud_lattice::rpc::{Caller, Request, Rpc, RpcError, RpcOptions};
use wasmcloud_lattice::{CallError, Connection, HeaderMap};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::rpc::{RpcErrorCode, header};

use super::trigger::Trigger;

/// Who calls, as callees and the policy service see it. No component of an application has such an id: theirs have a
/// `-` in them, or are written by somebody.
const SOURCE: &str = "cron";

/// The link that calls go over, of which there is none.
const LINK_NAME: &str = "default";

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fired {
    /// It returned.
    Ok,
    /// It failed or was refused, or ended at its deadline; why.
    Failed(String),
    /// Nobody runs the component, so nothing has begun; how that showed.
    NotRunning(String),
}

/// Somebody who can call the function of a trigger.
#[async_trait]
pub trait Fire: Send + Sync + fmt::Debug {
    /// Calls it, once. Ends within the deadline of the trigger.
    async fn fire(&self, trigger: &Trigger) -> Fired;
}

/// Calls over a lattice.
pub struct LatticeFire {
    caller: Caller,
    source: ComponentId,
}

/// Why calls cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FireError {
    /// The subscription for answers was not made.
    #[error("get ready for calls by the clock")]
    Call(#[from] CallError),
    /// Our own name cannot be one.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

impl fmt::Debug for LatticeFire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatticeFire").finish_non_exhaustive()
    }
}

impl LatticeFire {
    /// Gets ready to call on a connection; `host` is told to callees.
    pub async fn start(connection: Connection, lattice: LatticeName, host: &str) -> Result<Self, FireError> {
        let source = SOURCE.parse()?;
        let rpc = Rpc::start(connection, RpcOptions::new(host)).await?;
        Ok(Self {
            caller: Caller::new(rpc, lattice, Arc::new(|_| {})),
            source,
        })
    }

    async fn call(&self, trigger: &Trigger) -> Result<(), RpcError> {
        let function = &trigger.cron.function;
        let mut headers = HeaderMap::new();
        headers.insert(header::TARGET_ID, trigger.component.as_str());
        let request = Request {
            source: &self.source,
            link_name: LINK_NAME,
            target: &trigger.component,
            instance: &function.interface.to_string(),
            function: &function.name,
            depth: 0,
            deadline: Instant::now() + trigger.cron.deadline,
            signature: None,
            headers,
            params: Bytes::new(),
        };
        // What it returns is not looked at: without its type nobody knows whether it says that something failed.
        self.caller.call(request).await?.results().await.map(drop)
    }
}

#[async_trait]
impl Fire for LatticeFire {
    async fn fire(&self, trigger: &Trigger) -> Fired {
        match self.call(trigger).await {
            Ok(()) => Fired::Ok,
            Err(error) if runs_nowhere(&error) => Fired::NotRunning(chain(&error)),
            Err(error) => Fired::Failed(chain(&error)),
        }
    }
}

/// Whether the component does not run, as far as can be known, and nothing has begun. That everybody who runs it is full
/// is a refusal.
fn runs_nowhere(error: &RpcError) -> bool {
    match error {
        RpcError::NoResponders { .. } => true,
        RpcError::Refused(body) => matches!(body.code, RpcErrorCode::NotRunning | RpcErrorCode::Draining),
        RpcError::Connection(_) => error.nothing_begun(),
        _ => false,
    }
}
