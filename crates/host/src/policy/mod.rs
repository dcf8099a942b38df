//! The policy service: may this start, may this be called? (wire reference §2.7)
//!
//! No topic, no questions. With one, no answer means no. An answer holds until the service changes it on the topic for
//! changes, or until too many newer ones push it out.
//!
//! | file | is for |
//! |---|---|
//! | `known` | answers, and questions under way |
//! | `gate` | the question before each call of a component |

mod gate;
mod known;

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

pub(crate) use self::gate::Gate;
use self::known::{Known, Look};
use crate::identity::Identity;

/// How long it holds that nothing came of a question whether something may be called. Calls come by the thousand, and
/// callers that are told to come back have to hear of it.
const UNANSWERED: Duration = Duration::from_secs(1);

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

/// Why something may not start or not be called.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PolicyError {
    /// The service says no.
    #[error("{0}")]
    Denied(String),
    /// The service does not answer, which means no.
    #[error("the policy service does not answer, which means no")]
    Silent(#[source] Arc<CallError>),
    /// The service answers something that is none, which means no.
    #[error("the policy service does not answer a decision, which means no")]
    Answer(#[source] Arc<DecodeError>),
    /// The service has enough to do.
    #[error("the policy service is not asked now: {0}")]
    Busy(&'static str),
}

/// Asks the policy service.
pub(crate) struct Policy {
    connection: Connection,
    options: PolicyOptions,
    lattice: LatticeName,
    identity: Arc<Identity>,
    known: Arc<Mutex<Known>>,
}

impl Policy {
    /// Begins to listen to changes, if there is a topic for them.
    pub(crate) async fn start(
        connection: Connection,
        options: PolicyOptions,
        lattice: LatticeName,
        identity: Arc<Identity>,
    ) -> Result<Arc<Self>, CallError> {
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
        Ok(Arc::new(Self {
            connection,
            options,
            lattice,
            identity,
            known,
        }))
    }

    /// Whether this may be done. The action is that of `key`, and made only where the service has to be asked.
    /// `denial` makes the text of a refusal from the request's id and the service's reason.
    pub(crate) async fn check(
        self: &Arc<Self>,
        key: String,
        action: impl FnOnce() -> PolicyAction,
        denial: impl Fn(&str, Option<&str>) -> String,
    ) -> Result<(), PolicyError> {
        let looked = self.known.lock().look(&key)?;
        let denied = |reply: &PolicyReply| {
            let text = denial(&reply.request_id, reply.message.as_deref());
            Err(PolicyError::Denied(text))
        };
        let mut outcome = match looked {
            Look::Permitted => return Ok(()),
            Look::Denied(reply) => return denied(&reply),
            Look::Wait(outcome) => outcome,
            Look::Ask(request_id, outcome) => {
                // On its own, because others may wait for it when whoever asked first has gone away.
                tokio::spawn(Arc::clone(self).ask(key, request_id, action()));
                outcome
            }
        };
        let told = outcome.wait_for(Option::is_some).await;
        // It is told before it is forgotten.
        let told = told.map_err(|_| PolicyError::Busy("this question of it was given up"))?;
        match &*told {
            Some(Ok(reply)) if !reply.permitted => denied(reply),
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(_)) => Ok(()),
            // Not what was waited for.
            None => Err(PolicyError::Busy("this question of it was given up")),
        }
    }

    /// Asks, and tells all who wait.
    async fn ask(self: Arc<Self>, key: String, request_id: String, action: PolicyAction) {
        let is_call = matches!(action, PolicyAction::PerformInvocation(_));
        let outcome = self.request(request_id, action).await;
        let is_answer = outcome.is_ok();
        self.known.lock().told(&key, outcome);
        if is_answer {
            return;
        }
        if is_call {
            tokio::time::sleep(UNANSWERED).await;
        }
        self.known.lock().close(&key);
    }

    async fn request(&self, request_id: String, action: PolicyAction) -> Result<PolicyReply, PolicyError> {
        let request = PolicyRequest {
            request_id,
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
        let answer = answer.map_err(|error| PolicyError::Silent(Arc::new(error)))?;
        let reply = PolicyReply::decode(&answer.payload);
        let reply = reply.map_err(|error| PolicyError::Answer(Arc::new(error)))?;
        // Changes name the request, so it is the name under which the answer is kept, as in v1.
        Ok(PolicyReply {
            request_id: request.request_id,
            ..reply
        })
    }
}
