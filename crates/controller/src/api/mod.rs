//! The manifest API (wire reference §8.3), as the controller that leads answers it, and what it tells without being
//! asked.
//!
//! | file | is for |
//! |---|---|
//! | `answer` | one answer for each thing that can be asked |
//! | `refusal` | how a no is said |
//! | `status`, `why` | how applications fare, from the last plan, in the words of the API |
//! | `told` | what the leader hands over after each plan |
//! | `tell` | status and events for everybody who listens |
//!
//! What is asked is decided by the [`Store`]; carrying it out is the business of who plans. Requests run beside each
//! other, at most [`MAX_AT_ONCE`] of them.

mod answer;
mod refusal;
mod status;
mod tell;
mod told;
mod why;

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};
use wasmcloud_core::{HostId, LatticeName};
use wasmcloud_lattice::{CallError, Connection, HeaderMap, Message, Subscription};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{CONTROLLER_HEADER, ErrorReply, ManifestApi};
use wasmcloud_wire::message::chain;

use crate::store::{Snapshot, Store};

pub use told::Told;

/// An answer as it travels.
type Reply = Vec<u8>;

/// Requests that are answered at the same time. More are refused.
pub const MAX_AT_ONCE: usize = 256;

/// Answers for the applications of a lattice until it is dropped.
#[derive(Debug)]
pub struct Api {
    tasks: [AbortHandle; 2],
}

impl Drop for Api {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// What an API answers from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The applications as they are kept.
    pub store: Store,
    /// All applications, followed.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// What the leader says of them; nothing before its first plan.
    pub told: watch::Receiver<Option<Arc<Told>>>,
}

/// What every answer needs.
struct Desk {
    connection: Connection,
    api: ManifestApi,
    host: HostId,
    sources: Sources,
    events: tell::Events,
}

impl Api {
    /// Begins to answer. When this returns, the server has confirmed that questions are heard. `host` is who leads.
    pub async fn serve(
        connection: Connection,
        lattice: &LatticeName,
        host: HostId,
        sources: Sources,
    ) -> Result<Self, CallError> {
        let api = ManifestApi::new(lattice);
        let wanted = api.subscription();
        let subscription = match &wanted.queue_group {
            Some(group) => connection.queue_subscribe(&wanted.subject, group).await?,
            None => connection.subscribe(&wanted.subject).await?,
        };
        connection.barrier(connection.default_deadline()).await?;
        let desk = Arc::new(Desk {
            events: tell::Events::new(connection.clone(), lattice),
            connection,
            api,
            host,
            sources,
        });
        let answers = tokio::spawn(answer_all(Arc::clone(&desk), subscription));
        let tells = tokio::spawn(tell::statuses(desk));
        Ok(Self {
            tasks: [answers.abort_handle(), tells.abort_handle()],
        })
    }
}

/// Answers what comes. With the task end the answers that are under way.
async fn answer_all(desk: Arc<Desk>, mut questions: Subscription) {
    let slots = Arc::new(Semaphore::new(MAX_AT_ONCE));
    let mut answers = JoinSet::new();
    while let Some(message) = questions.next().await {
        while answers.try_join_next().is_some() {}
        let desk = Arc::clone(&desk);
        match Arc::clone(&slots).try_acquire_owned() {
            Ok(slot) => {
                answers.spawn(async move {
                    let reply = answer::answer(&desk, &message).await;
                    desk.reply(&message, reply).await;
                    drop(slot);
                });
            }
            Err(_) => {
                let text = format!("the controller answers {MAX_AT_ONCE} requests already; hint: ask again");
                desk.reply(&message, ErrorReply::new(text).encode()).await;
            }
        }
    }
}

impl Desk {
    async fn reply(&self, message: &Message, reply: Vec<u8>) {
        let Some(to) = &message.reply else { return };
        let sent = self.send(to, reply).await;
        let sent = match sent {
            Err(error @ CallError::TooLarge { .. }) => {
                let text = format!("the answer does not fit into one message: {error}");
                self.send(to, ErrorReply::new(text).encode()).await
            }
            sent => sent,
        };
        if let Err(error) = sent {
            tracing::info!(subject = %message.subject, error = chain(&error), "an answer was not sent");
        }
    }

    async fn send(&self, to: &str, reply: Vec<u8>) -> Result<(), CallError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTROLLER_HEADER, self.host.as_str());
        self.connection
            .publish(to, Some(headers), Bytes::from(reply))
            .await
    }
}
