//! The policy service: may this start? (wire reference §2.7)
//!
//! No topic, no questions. With one, no answer means no. An answer holds until the service changes it on the topic for
//! changes, or until too many newer ones push it out.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::time::Instant;
use wasmcloud_core::LatticeName;
use wasmcloud_lattice::{CallError, Connection};
use wasmcloud_wire::policy::{PolicyAction, PolicyHost, PolicyReply, PolicyRequest, VERSION};
use wasmcloud_wire::subject::Topic;
use wasmcloud_wire::{DecodeError, Message as _};

use crate::identity::Identity;

/// Answers that are remembered.
const REMEMBERED: usize = 10_000;

/// Where the policy service is.
#[derive(Clone, Debug)]
pub struct PolicyOptions {
    /// The topic on which it is asked.
    pub topic: Topic,
    /// The topic on which it tells that it has changed its mind.
    pub changes: Option<Topic>,
    /// How long an answer may take. 1 s in v1.
    pub timeout: Duration,
}

/// Why something may not start.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The service says no.
    #[error("{0}")]
    Denied(String),
    /// The service does not answer, which means no.
    #[error("the policy service does not answer, so nothing may start")]
    Silent(#[source] CallError),
    /// The service answers something that is none, which means no.
    #[error("the policy service does not answer a decision, so nothing may start")]
    Answer(#[source] DecodeError),
}

/// Asks the policy service.
pub(crate) struct Policy {
    connection: Connection,
    options: PolicyOptions,
    lattice: LatticeName,
    identity: Arc<Identity>,
    known: Arc<Mutex<Known>>,
}

/// Answers by what was asked, oldest first in `order`.
#[derive(Default)]
struct Known {
    replies: HashMap<String, PolicyReply>,
    order: VecDeque<String>,
}

impl Known {
    fn put(&mut self, key: String, reply: PolicyReply) {
        if self.replies.insert(key.clone(), reply).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.replies.remove(&oldest);
            }
        }
    }

    fn change(&mut self, reply: &PolicyReply) {
        for known in self.replies.values_mut() {
            if known.request_id == reply.request_id {
                known.clone_from(reply);
            }
        }
    }
}

impl Policy {
    /// Begins to listen to changes, if there is a topic for them.
    pub(crate) async fn start(
        connection: Connection,
        options: PolicyOptions,
        lattice: LatticeName,
        identity: Arc<Identity>,
    ) -> Result<Self, CallError> {
        let known = Arc::new(Mutex::new(Known::default()));
        if let Some(topic) = &options.changes {
            let mut changes = connection.subscribe(topic.as_str()).await?;
            let known = Arc::clone(&known);
            tokio::spawn(async move {
                while let Some(message) = changes.next().await {
                    match PolicyReply::decode(&message.payload) {
                        Ok(reply) => known.lock().change(&reply),
                        Err(error) => {
                            let error = wasmcloud_wire::message::chain(&error);
                            tracing::warn!(error, "a change of policy cannot be read");
                        }
                    }
                }
            });
        }
        Ok(Self {
            connection,
            options,
            lattice,
            identity,
            known,
        })
    }

    /// Whether this may be done. `denial` makes the text of a refusal from the request's id and the service's reason.
    pub(crate) async fn check(
        &self,
        action: PolicyAction,
        denial: impl Fn(&str, Option<&str>) -> String,
    ) -> Result<(), PolicyError> {
        let key = action.cache_key();
        let known = self.known.lock().replies.get(&key).cloned();
        let reply = match known {
            Some(reply) => reply,
            None => {
                let reply = self.ask(action).await?;
                self.known.lock().put(key, reply.clone());
                reply
            }
        };
        match reply.permitted {
            true => Ok(()),
            false => Err(PolicyError::Denied(denial(
                &reply.request_id,
                reply.message.as_deref(),
            ))),
        }
    }

    async fn ask(&self, action: PolicyAction) -> Result<PolicyReply, PolicyError> {
        let request = PolicyRequest {
            request_id: uuid::Uuid::new_v4().to_string(),
            action,
            version: VERSION.to_owned(),
            host: PolicyHost {
                public_key: self.identity.id.to_string(),
                lattice: self.lattice.to_string(),
                labels: self.identity.labels(),
            },
        };
        let deadline = Instant::now() + self.options.timeout;
        let topic = self.options.topic.as_str();
        let answer = self
            .connection
            .request(topic, None, request.encode().into(), deadline)
            .await;
        PolicyReply::decode(&answer.map_err(PolicyError::Silent)?.payload).map_err(PolicyError::Answer)
    }
}
