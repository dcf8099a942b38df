//! A call to whoever runs the target, made again elsewhere as long as nothing has begun.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};
use wasmcloud_core::ComponentId;
use wasmcloud_engine::{CallError, EncodedRequest, RemoteCall};
use wasmcloud_lattice::HeaderMap;
use wasmcloud_lattice::rpc::{self, Call, RpcError};
use wasmcloud_telemetry::{TRACEPARENT, TRACESTATE, current_headers};
use wasmcloud_wire::rpc::{FunctionName, InstanceName, RpcErrorCode, header};

use super::{Calls, TYPE, failure};

/// Pauses between attempts while nobody serves the target: it may be about to move from one host to another. A call
/// that finds nobody fails in less than 100 ms.
const NOBODY: [Duration; 3] = [
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(50),
];

/// Pauses between attempts while those who serve it are busy or leaving.
const BUSY: [Duration; 8] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
];

/// Targets of which it is kept in mind who serves them.
const MAX_TARGETS: usize = 10_000;

/// Makes the calls of this host's components to elsewhere.
pub(crate) struct Outgoing {
    calls: Arc<Calls>,
    /// Whether all that ever accepted a call for a target speak more than v1.
    ours: Mutex<HashMap<ComponentId, bool>>,
}

impl Outgoing {
    pub(crate) fn new(calls: Arc<Calls>) -> Arc<Self> {
        Arc::new(Self {
            calls,
            ours: Mutex::default(),
        })
    }

    /// Makes a call; when this returns, somebody has accepted it.
    pub(crate) async fn call(&self, target: &ComponentId, call: rpc::Outgoing) -> Result<Call, RpcError> {
        let mut nobody = NOBODY.iter();
        let mut busy = BUSY.iter();
        loop {
            let error = match self.calls.rpc.call(call.clone()).await {
                Ok(accepted) => {
                    self.learn(target, accepted.is_ours());
                    return Ok(accepted);
                }
                Err(error) => error,
            };
            let pause = match &error {
                RpcError::NoResponders { .. } => nobody.next(),
                RpcError::Refused(body) if body.code != RpcErrorCode::TooDeep => busy.next(),
                // Only peers of ours promise that they do not take up later what nobody waits for.
                RpcError::NotAccepted { .. } if self.is_ours(target) => Some(&Duration::ZERO),
                _ => None,
            };
            let again = pause.map(|pause| Instant::now() + *pause);
            match again.filter(|again| *again < call.deadline) {
                Some(again) => {
                    tracing::debug!(%target, %error, "a call is made again");
                    sleep_until(again).await;
                }
                None => return Err(error),
            }
        }
    }

    fn is_ours(&self, target: &ComponentId) -> bool {
        self.ours.lock().get(target).copied().unwrap_or(false)
    }

    fn learn(&self, target: &ComponentId, is_ours: bool) {
        let mut ours = self.ours.lock();
        if let Some(known) = ours.get_mut(target) {
            *known &= is_ours;
        } else if ours.len() < MAX_TARGETS {
            ours.insert(target.clone(), is_ours);
        }
    }
}

#[async_trait]
impl RemoteCall for Outgoing {
    async fn call(&self, request: EncodedRequest<'_>) -> Result<Bytes, CallError> {
        let target = &request.link.target;
        let mismatch = |reason: String| CallError::Mismatch {
            component: request.caller.clone(),
            reason,
        };
        let instance: InstanceName = request
            .interface
            .parse()
            .map_err(|error| mismatch(format!("{error}")))?;
        let function: FunctionName = request
            .function
            .parse()
            .map_err(|error| mismatch(format!("{error}")))?;
        let mut headers = headers(
            request.caller,
            request.link.name.as_str(),
            request.invocation.depth,
        );
        headers.insert(TYPE, format!("{:016x}", request.signature.fingerprint()));
        let call = rpc::Outgoing {
            subject: self.calls.prefix(target).exact(Some(&instance), &function),
            headers,
            params: request.params,
            deadline: request.invocation.deadline.into(),
        };
        let failed = |error: RpcError| match &error {
            RpcError::Failed(body) if body.code == RpcErrorCode::Mismatch => mismatch(format!(
                "it imports `{function}` of `{instance}` as `{}`, and {}",
                request.signature, body.message
            )),
            _ => failure::learned(&error, target),
        };
        let call = self.call(target, call).await.map_err(&failed)?;
        let results = call.results().await.map_err(&failed)?;
        if results.is_empty() && !call.is_ours() && !request.signature.results.is_empty() {
            // All that a v1 callee can say of a call that trapped.
            let subject = format!("{instance}.{function}");
            return Err(failed(RpcError::Closed { subject }));
        }
        Ok(results)
    }
}

/// What a callee is told besides the parameters (wire reference §4.4).
pub(super) fn headers(caller: &ComponentId, link: &str, depth: u16) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::SOURCE_ID, caller.as_str());
    headers.insert(header::LINK_NAME, link);
    headers.insert(header::DEPTH, depth.to_string());
    if let Some(trace) = current_headers() {
        headers.insert(TRACEPARENT, trace.traceparent);
        if let Some(state) = trace.tracestate {
            headers.insert(TRACESTATE, state);
        }
    }
    headers
}
