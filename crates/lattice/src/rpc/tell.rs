//! Small things that peers are told and nobody waits for: that we are there, that a call is not wanted any more.
//!
//! One task sends them, in their order. While there is no server they pile up to a limit and are left out then: whoever
//! asks asks again, and whoever works for nothing is found out by its deadline.

use async_nats::HeaderMap;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::connection::Connection;

/// What may wait to be sent.
const QUEUE: usize = 1_024;

/// A subject, and what is said there.
pub(super) type Word = (String, Option<HeaderMap>);

/// Tells peers.
pub(super) struct Teller(mpsc::Sender<Word>);

impl Teller {
    /// Someone to tell, and what is to be sent for it with [`run`].
    pub(super) fn new() -> (Self, mpsc::Receiver<Word>) {
        let (sender, words) = mpsc::channel(QUEUE);
        (Self(sender), words)
    }

    /// Tells, or leaves it out if too much waits already.
    pub(super) fn tell(&self, subject: String, headers: Option<HeaderMap>) {
        if let Err(error) = self.0.try_send((subject, headers)) {
            let (subject, _) = error.into_inner();
            tracing::debug!(subject, "a peer of a call was not told: too many wait to be");
        }
    }
}

/// Sends what is to be told.
pub(super) async fn run(connection: Connection, mut words: mpsc::Receiver<Word>) {
    while let Some((subject, headers)) = words.recv().await {
        if let Err(error) = connection.publish(&subject, headers, Bytes::new()).await {
            tracing::debug!(subject, %error, "a peer of a call was not told");
        }
    }
}
