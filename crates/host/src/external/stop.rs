//! The end of a provider's process on request: asked, told, made.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, timeout, timeout_at};
use wasmcloud_core::ComponentId;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::provider::Shutdown;
use wasmcloud_wire::subject::ProviderOperation;

use super::Context;
use super::process::Process;

/// How long the kernel may take for the end of a process that it was told to kill. One in the middle of a call to a
/// broken disk takes longer, and nobody can do anything about it.
const KILLED: Duration = Duration::from_secs(5);

/// Stops a process within the drain time.
///
/// It is asked first (`default.shutdown`, wire reference §2.5). If it says within the shutdown delay that it stops, it
/// has half of the drain time to do so; then, or at once if it says nothing, its group gets SIGTERM, and SIGKILL at
/// the end of the drain time. Whatever it has started and is in its group goes with it in any case.
pub(super) async fn stop(context: &Context, id: &ComponentId, process: &mut Process, drain: Duration) {
    let began = Instant::now();
    let deadline = began + drain;
    let subject = context.subject(id.clone().into(), ProviderOperation::Shutdown);
    let shutdown = Shutdown {
        host_id: context.host_id.to_string(),
    };
    let answer_by = deadline.min(began + context.options.shutdown_delay);
    let asked = context
        .rpc
        .request(&subject, None, shutdown.encode().into(), answer_by);
    // The processes of other hosts hear this too and do not answer, so any answer is that of ours.
    let answer = tokio::select! {
        answer = asked => answer,
        _ = process.ended() => return,
    };
    match answer {
        Ok(_) => {
            if timeout_at(began + drain / 2, process.ended()).await.is_ok() {
                return;
            }
            tracing::warn!(provider = %id, "the provider said that it stops, and still runs; it gets a SIGTERM");
        }
        Err(error) => {
            tracing::info!(provider = %id, reason = chain(&error), "the provider does not stop when asked; it gets a SIGTERM");
        }
    }
    process.signal(Signal::TERM);
    if timeout_at(deadline, process.ended()).await.is_ok() {
        return;
    }
    tracing::warn!(provider = %id, after = ?drain, "the provider still runs and is killed");
    process.signal(Signal::KILL);
    if timeout(KILLED, process.ended()).await.is_err() {
        tracing::error!(provider = %id, "the process of the provider does not end, though it was killed");
    }
}
