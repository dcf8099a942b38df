//! The subscription of a component or provider of this host: one for each, to all its functions, in the group of all
//! hosts that run it.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use wasmcloud_capability::RemoteProvider;
use wasmcloud_core::ComponentId;
use wasmcloud_engine::Target;
use wasmcloud_lattice::CallError;
use wasmcloud_lattice::rpc::{Incoming, RpcError, Server};

use super::Calls;
use super::provider::ProviderCallee;
use super::serve::ComponentCallee;

/// Who is called.
#[async_trait]
pub(super) trait Callee: Send + Sync + 'static {
    /// Its id.
    fn id(&self) -> &ComponentId;

    /// Answers one call. Whoever called learns of failures; the error is for those that nobody could be told of.
    async fn take(&self, incoming: Incoming) -> Result<(), RpcError>;
}

/// A subscription to calls. Dropping it ends it without ado.
pub(crate) struct Serving {
    leave: watch::Sender<Option<Instant>>,
    left: Mutex<Option<tokio::task::JoinHandle<()>>>,
    callee: Arc<dyn Callee>,
    /// The calls that were taken and have not ended.
    under_way: TaskTracker,
}

impl Serving {
    /// Takes calls for a component. When this returns, the server has confirmed the subscription.
    pub(crate) async fn component(calls: Arc<Calls>, target: Arc<Target>) -> Result<Self, CallError> {
        let callee = ComponentCallee::new(Arc::clone(&calls), target);
        Self::start(&calls, Arc::new(callee)).await
    }

    /// The same for a provider that is part of this host.
    pub(crate) async fn provider(
        calls: Arc<Calls>,
        id: ComponentId,
        provider: Arc<dyn RemoteProvider>,
    ) -> Result<Self, CallError> {
        let callee = ProviderCallee::new(id, provider, calls.host.clone());
        Self::start(&calls, Arc::new(callee)).await
    }

    async fn start(calls: &Calls, callee: Arc<dyn Callee>) -> Result<Self, CallError> {
        let prefix = calls.prefix(callee.id());
        let server = calls.rpc.serve(&prefix.wildcard(), &prefix.queue_group()).await?;
        calls.rpc.connection().barrier(calls.default_deadline()).await?;
        let (leave, left) = watch::channel(None);
        let under_way = TaskTracker::new();
        let task = tokio::spawn(run(server, left, Arc::clone(&callee), under_way.clone()));
        Ok(Self {
            leave,
            left: Mutex::new(Some(task)),
            callee,
            under_way,
        })
    }

    /// Leaves the group: others get the calls from now on. Those that came before are still taken.
    pub(crate) async fn stop(self, deadline: Instant) {
        self.leave.send_replace(Some(deadline));
        let task = self.left.lock().take();
        if let Some(task) = task {
            // It ends by the deadline; one that fell over has ended as well.
            task.await.ok();
        }
    }

    /// Leaves the group by the first deadline, and waits until the second for the calls that were taken.
    pub(crate) async fn drain(self, leave: Instant, drained: Instant) {
        let (callee, under_way) = (Arc::clone(&self.callee), self.under_way.clone());
        self.stop(leave).await;
        // Nothing is added to them any more.
        under_way.close();
        if timeout_at(drained, under_way.wait()).await.is_err() {
            let open = under_way.len();
            tracing::warn!(callee = %callee.id(), open, "calls from elsewhere still run after the time to drain");
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(task) = self.left.get_mut().take() {
            task.abort();
        }
    }
}

async fn run(
    mut server: Server,
    mut leave: watch::Receiver<Option<Instant>>,
    callee: Arc<dyn Callee>,
    under_way: TaskTracker,
) {
    let mut leaving = false;
    loop {
        let incoming = tokio::select! {
            incoming = server.next() => incoming,
            deadline = asked(&mut leave), if !leaving => {
                leaving = true;
                if let Err(error) = server.drain(deadline).await {
                    tracing::debug!(callee = %callee.id(), %error, "left without the server's word for it");
                }
                continue;
            }
        };
        let Some(incoming) = incoming else { return };
        let callee = Arc::clone(&callee);
        under_way.spawn(async move {
            if let Err(error) = callee.take(incoming).await {
                tracing::debug!(callee = %callee.id(), %error, "a call from elsewhere was not answered");
            }
        });
    }
}

/// Waits until the group is to be left.
async fn asked(leave: &mut watch::Receiver<Option<Instant>>) -> Instant {
    let asked = leave.wait_for(Option::is_some).await;
    // The sender lives as long as this task.
    asked
        .ok()
        .and_then(|deadline| *deadline)
        .unwrap_or_else(Instant::now)
}
