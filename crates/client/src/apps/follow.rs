//! Looks at an application for as long as somebody asks, and says what has changed.
//!
//! The controller tells on a subject that a status has changed. That is taken as a mere wake-up, because such messages
//! get lost: it is asked then, and each second in any case.

use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::{Instant, sleep_until};
use wasmcloud_core::AppName;
use wasmcloud_lattice::Subscription;
use wasmcloud_wire::app::{AppStatus, ModelOperation, StatusReply};

use super::operation::asked;
use super::{Apps, AppsError};

/// How often is asked in any case.
const LOOK: Duration = Duration::from_secs(1);

/// Shortest time between two questions, however often it is told that something has changed. Where an answer takes
/// longer, as that about a large application does, the rest is [`REST_FOR_ANSWER`] times as long as that.
const REST: Duration = Duration::from_millis(10);
const REST_FOR_ANSWER: u32 = 5;

/// Longest time for one attempt of one question: another follows.
const ATTEMPT: Duration = Duration::from_secs(2);

/// What was found out about an application that is followed.
#[derive(Debug)]
pub enum Followed {
    /// How it fares now, which is not what was said before.
    Status(Box<AppStatus>),
    /// The controller has not come to what was deployed: this is how far it is.
    Behind {
        /// The generation that it knows.
        generation: u64,
    },
    /// It could not be asked. It is tried again.
    Lost(AppsError),
}

/// Follows the status of one application, see [`Apps::follow_status`].
#[derive(Debug)]
pub struct StatusFollower {
    apps: Apps,
    app: AppName,
    generation: u64,
    told: Subscription,
    /// What was said last.
    said: Option<Said>,
    next_look: Instant,
    /// Until when there is no look.
    rested: Instant,
}

#[derive(Debug, PartialEq)]
enum Said {
    Status(Box<AppStatus>),
    Behind(u64),
    Lost(String),
}

impl Apps {
    /// Follows the status of an application from this generation on: what is said about an earlier one is not the
    /// answer to what was asked for. 0 follows whatever there is, and is all that v1's wadm has.
    pub async fn follow_status(&self, app: &AppName, generation: u64) -> Result<StatusFollower, AppsError> {
        let failed = |source| AppsError::Connection {
            asked: asked(&ModelOperation::Status(app.clone())),
            source,
        };
        let connection = self.client.connection();
        let told = connection.subscribe(&self.api.status_subject(app)).await;
        let told = told.map_err(failed)?;
        connection
            .barrier(Instant::now() + self.client.timeout())
            .await
            .map_err(failed)?;
        Ok(StatusFollower {
            apps: self.clone(),
            app: app.clone(),
            generation,
            told,
            said: None,
            next_look: Instant::now(),
            rested: Instant::now(),
        })
    }
}

impl StatusFollower {
    /// The next thing that is not what was said before. May be dropped while it waits: nothing is lost then.
    pub async fn next(&mut self) -> Followed {
        loop {
            self.wait().await;
            let began = Instant::now();
            let found = self.look().await;
            self.rested = Instant::now() + REST.max(began.elapsed() * REST_FOR_ANSWER);
            self.next_look = Instant::now() + LOOK;
            let saying = match &found {
                Followed::Status(status) => Said::Status(status.clone()),
                Followed::Behind { generation } => Said::Behind(*generation),
                Followed::Lost(error) => Said::Lost(error.to_string()),
            };
            if self.said.as_ref() != Some(&saying) {
                self.said = Some(saying);
                return found;
            }
        }
    }

    /// Until it is time to ask: somebody told of a change, or a second has passed.
    async fn wait(&mut self) {
        tokio::select! {
            () = sleep_until(self.next_look) => {}
            told = self.told.next() => match told {
                // After a rest, so that what is told in quick succession is one question. The rest outlives this
                // future if it is dropped.
                Some(_) => {
                    self.next_look = self.next_look.min(self.rested);
                    sleep_until(self.next_look).await;
                }
                // The connection was closed; asking says so.
                None => sleep_until(self.next_look).await,
            },
        }
        // What was told until now is answered by the question that follows.
        while futures::FutureExt::now_or_never(self.told.next())
            .flatten()
            .is_some()
        {}
    }

    async fn look(&self) -> Followed {
        let operation = ModelOperation::Status(self.app.clone());
        let within = self.apps.client.timeout().min(ATTEMPT);
        let mut apps = self.apps.clone();
        apps.client.timeout = within;
        let reply: Result<StatusReply, AppsError> =
            apps.ask_once(&operation, None, bytes::Bytes::new()).await;
        match reply {
            Err(error) => Followed::Lost(error),
            Ok(StatusReply { status: None, .. }) => Followed::Lost(AppsError::Empty {
                asked: asked(&operation),
            }),
            Ok(StatusReply {
                status: Some(status), ..
            }) => match status.generation < self.generation {
                true => Followed::Behind {
                    generation: status.generation,
                },
                false => Followed::Status(Box::new(status)),
            },
        }
    }
}
