//! What happens on the lattice, as it is told.

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::watch;
use wasmcloud_lattice::{ConnectionState, Subscription};
use wasmcloud_wire::event::{CloudEvent, EventError};
use wasmcloud_wire::subject::EventSubject;

use crate::client::Client;
use crate::error::ClientError;

/// What was heard.
#[derive(Debug)]
pub enum Told {
    /// Something happened.
    Event(Box<CloudEvent>),
    /// A message on a subject of events that is no event known here: a newer peer's, a controller's, or nonsense.
    Other {
        /// Where it was told.
        subject: String,
        /// The message, as it came.
        payload: Bytes,
        /// Why it is not an event.
        why: EventError,
    },
    /// Events may have been missed: the connection was lost and is there again, or they came faster than they were
    /// taken. Whoever counts on them asks the hosts.
    Gap,
}

/// Events of one lattice from the moment it was made. They wait for their reader up to the connection's subscription
/// capacity; what comes beyond that is a [`Told::Gap`].
#[derive(Debug)]
pub struct Events {
    subscription: Subscription,
    state: watch::Receiver<ConnectionState>,
    client: Client,
    epoch: u64,
    dropped: u64,
}

impl Client {
    /// Events from now on: the server has confirmed the subscription when this returns.
    pub async fn events(&self) -> Result<Events, ClientError> {
        let failed = |source| ClientError::Connection {
            asked: "listen to events".to_owned(),
            source,
        };
        let connection = &self.connection;
        let dropped = connection.dropped_messages();
        let subject = EventSubject::all(&self.lattice);
        let subscription = connection.subscribe(&subject).await.map_err(failed)?;
        connection
            .barrier(tokio::time::Instant::now() + self.timeout)
            .await
            .map_err(failed)?;
        let state = connection.state();
        let epoch = epoch(&state).unwrap_or_default();
        Ok(Events {
            subscription,
            state,
            client: self.clone(),
            epoch,
            dropped,
        })
    }
}

impl Events {
    /// The next thing that is heard; `None` when the connection was closed. May be dropped while it waits: nothing is
    /// lost then.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if self.missed() {
                return Some(Told::Gap);
            }
            tokio::select! {
                biased;
                message = self.subscription.next() => {
                    let message = message?;
                    return Some(match CloudEvent::decode(&message.payload) {
                        Ok(event) => Told::Event(Box::new(event)),
                        Err(why) => Told::Other {
                            subject: message.subject.to_string(),
                            payload: message.payload,
                            why,
                        },
                    });
                }
                // The end of the connection is seen by the subscription.
                Ok(()) = self.state.changed() => {}
            }
        }
    }

    /// Whether events may have been missed since the last time.
    fn missed(&mut self) -> bool {
        let dropped = self.client.connection.dropped_messages();
        let epoch = epoch(&self.state).unwrap_or(self.epoch);
        let missed = dropped != self.dropped || epoch != self.epoch;
        (self.dropped, self.epoch) = (dropped, epoch);
        missed
    }
}

fn epoch(state: &watch::Receiver<ConnectionState>) -> Option<u64> {
    match *state.borrow() {
        ConnectionState::Connected { epoch } => Some(epoch),
        _ => None,
    }
}
