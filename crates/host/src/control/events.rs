//! What happened, told to the lattice as CloudEvents in the order in which it happened.
//!
//! Telling never holds up who tells: events wait in a bounded queue for one task that publishes them. Nobody confirms
//! an event, so one that finds no server for longer than a request may take is lost, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmcloud_core::{HostId, LatticeName};
use wasmcloud_lattice::Connection;
use wasmcloud_wire::event::{CloudEvent, Event};
use wasmcloud_wire::subject::EventSubject;

/// Events that may wait.
const QUEUE: usize = 4_096;

/// Longest wait for what is queued to be sent: a little more than one request may take.
const FLUSH: Duration = Duration::from_secs(3);

/// Tells events. Clones tell through the same queue.
#[derive(Clone)]
pub(crate) struct Events {
    host: HostId,
    queue: mpsc::Sender<Item>,
    lost: Arc<AtomicU64>,
}

enum Item {
    Event(Box<CloudEvent>),
    /// Answered when everything before it has been sent.
    Flush(oneshot::Sender<()>),
}

impl Events {
    /// Starts the task that publishes. It ends with the last clone.
    pub(crate) fn start(connection: Connection, lattice: LatticeName, host: HostId) -> Self {
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        tokio::spawn(async move {
            while let Some(item) = waiting.recv().await {
                match item {
                    Item::Event(event) => publish(&connection, &lattice, &event, &counted).await,
                    Item::Flush(done) => {
                        let deadline = connection.default_deadline();
                        connection.barrier(deadline).await.ok();
                        done.send(()).ok();
                    }
                }
            }
        });
        Self { host, queue, lost }
    }

    /// Tells that something happened now.
    pub(crate) fn tell(&self, event: Event) {
        let time = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let id = uuid::Uuid::now_v7().to_string();
        let event = CloudEvent::new(id, &self.host, time, event);
        if self.queue.try_send(Item::Event(Box::new(event))).is_err() {
            note_lost(&self.lost, "the queue is full");
        }
    }

    /// Waits until everything told so far has been sent, or cannot be.
    pub(crate) async fn flush(&self) {
        let (done, sent) = oneshot::channel();
        let flushed = async {
            if self.queue.send(Item::Flush(done)).await.is_ok() {
                sent.await.ok();
            }
        };
        if timeout(FLUSH, flushed).await.is_err() {
            note_lost(&self.lost, "they were not sent in time before the host left");
        }
    }
}

async fn publish(connection: &Connection, lattice: &LatticeName, event: &CloudEvent, lost: &AtomicU64) {
    let subject = EventSubject {
        lattice: lattice.clone(),
        kind: event.event.kind(),
    };
    let subject = subject.to_string();
    if let Err(error) = connection.publish(&subject, None, event.encode().into()).await {
        note_lost(lost, &wasmcloud_wire::message::chain(&error));
    }
}

/// Says so for the first, and then for each power of two, so that a long outage does not fill the log.
fn note_lost(lost: &AtomicU64, reason: &str) {
    let count = lost.fetch_add(1, Ordering::Relaxed) + 1;
    if count.is_power_of_two() {
        tracing::warn!(
            count,
            reason,
            "events were not sent; hosts tell everything again in their inventory"
        );
    }
}
