//! A subscription: a stream of messages that can be ended without losing those that have been sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_nats::{Message, Subscriber};
use futures::Stream;
use tokio::time::Instant;

use super::{CallError, Connection};

/// Messages for a subject, in the order of each sender. Ends when the connection is closed. Dropping it unsubscribes
/// and throws away what has not been read.
#[derive(Debug)]
pub struct Subscription {
    subject: String,
    subscriber: Subscriber,
    connection: Connection,
}

impl Subscription {
    pub(super) fn new(subject: &str, subscriber: Subscriber, connection: Connection) -> Self {
        Self {
            subject: subject.to_owned(),
            subscriber,
            connection,
        }
    }

    /// The subject, as it was subscribed to.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Stops new messages and keeps those that were sent before this call: from here on the stream yields them and
    /// then ends. If the server does not confirm before the deadline, it yields what has arrived so far, and the
    /// error says so.
    ///
    /// Messages that are sent while this runs may be lost, in a moment of about one round trip: the client forgets a
    /// subscription when it unsubscribes, and the server only when it reads that. Whoever must not lose one of those
    /// asks to be left out first, and drains then.
    pub async fn drain(&mut self, deadline: Instant) -> Result<(), CallError> {
        let confirmed = self.connection.barrier(deadline).await;
        let ended = self.subscriber.unsubscribe().await;
        confirmed?;
        ended.map_err(|source| CallError::refused(&self.subject, source))
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        Pin::new(&mut self.subscriber).poll_next(cx)
    }
}
