//! Looks after a connection: tells when it is lost, and after a reconnect says "connected" only when the server has
//! confirmed all subscriptions.
//!
//! The client's events may get lost when there are many of them (each message lost to a full subscription is one), so
//! they only wake this task; what is, it reads from the client's state and its count of connections.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::{Client, Request, RequestError, RequestErrorKind};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use super::ConnectionState;
use super::establish::Signals;

/// How often the client is looked at if nothing wakes us.
const LOOK: Duration = Duration::from_millis(250);

/// Longest wait for the barrier after a reconnect, after which it is tried again.
const BARRIER: Duration = Duration::from_secs(5);

/// How often at most lost messages are told of.
const TELL: Duration = Duration::from_secs(5);

pub(super) struct Watched {
    pub(super) client: Client,
    pub(super) address: String,
    pub(super) signals: Signals,
    pub(super) closed: watch::Receiver<bool>,
}

/// Waits until the server has done what was asked before: a request to a subject of which nobody knows comes back as
/// "no responders", by the way that everything takes. (`flush` of the client only writes to the socket.)
pub(super) async fn barrier(client: &Client) -> Result<(), RequestError> {
    let nobody = client.new_inbox();
    match client
        .send_request(nobody, Request::new().payload(Bytes::new()).timeout(None))
        .await
    {
        // An answer from anybody has taken the same way.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn spawn(watched: Watched) -> (watch::Receiver<ConnectionState>, AbortHandle) {
    // The first connection has no subscriptions to be confirmed.
    let (sender, receiver) = watch::channel(ConnectionState::Connected { epoch: 1 });
    let verified = connects(&watched.client);
    let task = tokio::spawn(run(watched, sender, verified));
    (receiver, task.abort_handle())
}

fn connects(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Relaxed)
}

async fn run(mut watched: Watched, state: watch::Sender<ConnectionState>, mut verified: u64) {
    let mut epoch = 1;
    let mut told = (0, Instant::now());
    loop {
        tokio::select! {
            () = watched.signals.wake.notified() => {}
            () = sleep(LOOK) => {}
            closed = watched.closed.wait_for(|closed| *closed) => {
                debug!(server = %watched.address, last = closed.is_err(), "connection to NATS closed");
                state.send_replace(ConnectionState::Closed);
                return;
            }
        }
        tell_of_losses(&watched, &mut told);
        let seen = connects(&watched.client);
        let up = watched.client.connection_state() == async_nats::connection::State::Connected;
        if up && seen == verified {
            continue;
        }
        lost(&watched, &state);
        if !up {
            continue;
        }
        match timeout(BARRIER, barrier(&watched.client)).await {
            // Only if it is still the same connection: the barrier may have gone through the next one.
            Ok(Ok(())) if connects(&watched.client) == seen => {
                verified = seen;
                epoch += 1;
                info!(server = %watched.address, epoch, "connected to NATS again, subscriptions confirmed");
                state.send_replace(ConnectionState::Connected { epoch });
            }
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                debug!(server = %watched.address, %error, "the barrier after the reconnect failed")
            }
            Err(_) => {
                warn!(server = %watched.address, "NATS has not confirmed the subscriptions, waiting on")
            }
        }
    }
}

fn lost(watched: &Watched, state: &watch::Sender<ConnectionState>) {
    state.send_if_modified(|state| {
        if matches!(state, ConnectionState::Reconnecting { .. }) {
            return false;
        }
        warn!(server = %watched.address, "lost the connection to NATS, reconnecting");
        *state = ConnectionState::Reconnecting {
            since: Instant::now(),
        };
        true
    });
}

fn tell_of_losses(watched: &Watched, told: &mut (u64, Instant)) {
    let dropped = watched.signals.dropped.load(Ordering::Relaxed);
    if dropped == told.0 || (told.0 != 0 && told.1.elapsed() < TELL) {
        return;
    }
    let lost = dropped - told.0;
    warn!(server = %watched.address, lost, "messages lost: a subscription was full because its reader is too slow");
    *told = (dropped, Instant::now());
}
