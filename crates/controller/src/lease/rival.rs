//! v1's controller, wadm: where it is at work, ours stays back (ADR 3). Two would undo what the other does.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use wasmcloud_core::LatticeName;
use wasmcloud_lattice::{CallError, Connection, Subscription};
use wasmcloud_wire::app::{CONTROLLER_HEADER, ManifestApi, ModelOperation};

/// How long somebody may take to answer.
const ANSWER: Duration = Duration::from_millis(500);

/// Whether somebody who is not one of us answers the manifest API. Replies of ours say who leads in a header. Somebody
/// who listens and says nothing does not count: it may be a leader of ours that is frozen, whose place is to be taken.
pub async fn answers(connection: &Connection, lattice: &LatticeName) -> Result<bool, CallError> {
    let subject = ManifestApi::new(lattice).subject(&ModelOperation::List);
    let deadline = Instant::now() + ANSWER;
    let asked = connection.request(&subject, None, Bytes::new(), deadline);
    match asked.await {
        Ok(reply) => {
            let headers = reply.headers.as_ref();
            Ok(headers.is_none_or(|headers| headers.get(CONTROLLER_HEADER).is_none()))
        }
        Err(CallError::NoResponders { .. } | CallError::TimedOut { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The commands that v1's controller, and nobody else, sends to itself. Counts after a barrier.
pub async fn commands(connection: &Connection, lattice: &LatticeName) -> Result<Subscription, CallError> {
    let subject = ManifestApi::new(lattice).rival_commands();
    connection.subscribe(&subject).await
}
