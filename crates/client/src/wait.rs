//! Having something done and knowing that it was.
//!
//! A host accepts a request at once and tells with an event what came of it. So events are subscribed to before the
//! request is sent, and while we wait the host is asked each second what runs on it: a host that is gone ends the
//! wait then, a host that is silent is named when the time is up, and what events did not say because they were
//! missed can be seen in the inventory.

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use wasmcloud_core::HostId;
use wasmcloud_wire::control::{HostInventory, Request};
use wasmcloud_wire::message;

use crate::asked::{asked, printable};
use crate::client::Client;
use crate::error::{ClientError, WaitError};
use crate::events::{Events, Told};
use crate::wait::goal::{Goal, Seen};

mod goal;

/// How often the host is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How many looks in a row may find nobody after the connection was lost: hosts need some seconds to come back to a
/// server that was restarted.
const COMING_BACK: u32 = 6;

/// Something was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What the host said when it accepted the request; often nothing, sometimes a remark that matters.
    pub message: String,
    /// How long it took.
    pub took: Duration,
}

/// Why looking for the goal ended without it; what the wait's own error is made of.
enum Ended {
    Failed(String),
    Stopped,
    Died,
    Late,
    Closed,
}

impl Client {
    /// Has something done and waits until it was, at most `within` altogether. Requests that a host has fulfilled when
    /// it answers (labels, links, configs) end with the answer. `progress` is told in words what is known so far.
    ///
    /// Dropping this stops waiting; what was sent will be done all the same.
    pub async fn carry_out(
        &self,
        request: &Request,
        within: Duration,
        progress: Option<&watch::Sender<String>>,
    ) -> Result<Done, WaitError> {
        let began = Instant::now();
        let done = |message| Done {
            message,
            took: began.elapsed(),
        };
        let Some((host, goal)) = Goal::of(request) else {
            return Ok(done(self.send(request).await?));
        };
        let events = self.events().await?;
        let message = self.send(request).await?;
        if let Request::UpdateComponent(_, update) = request
            && message == message::component_already_updated(&update.component_id, &update.new_component_ref)
        {
            return Ok(done(message));
        }
        let mut wait = Wait {
            client: self,
            host: &host,
            goal,
            events,
            missed: false,
            nobody: 0,
            last: "it has accepted the request".to_owned(),
            progress,
        };
        wait.tell();
        let ended = match wait.run(began + within).await {
            Ok(()) => return Ok(done(message)),
            Err(ended) => ended,
        };
        let (asked, last) = (asked(request), wait.last);
        Err(match ended {
            Ended::Failed(error) => WaitError::Failed { asked, host, error },
            Ended::Stopped => WaitError::HostStopped { asked, host },
            Ended::Died => WaitError::HostDied { asked, host, last },
            Ended::Closed => WaitError::Closed { asked, host },
            Ended::Late => WaitError::Deadline {
                asked,
                host,
                waited: began.elapsed(),
                last,
            },
        })
    }

    /// What runs on a host, each second, for as long as somebody asks.
    fn looks(&self, host: &HostId) -> impl Stream<Item = Result<HostInventory, ClientError>> {
        futures::stream::unfold((), move |()| async move {
            sleep(LOOK).await;
            Some((self.inventory(host).await, ()))
        })
    }
}

struct Wait<'a> {
    client: &'a Client,
    host: &'a HostId,
    goal: Goal,
    events: Events,
    /// The event that we wait for may have been missed.
    missed: bool,
    /// Looks in a row that found no host.
    nobody: u32,
    /// The last thing that is known.
    last: String,
    progress: Option<&'a watch::Sender<String>>,
}

impl Wait<'_> {
    async fn run(&mut self, deadline: Instant) -> Result<(), Ended> {
        let client = self.client;
        let looks = client.looks(self.host);
        tokio::pin!(looks);
        loop {
            // Said here as well: as long as there is always something to hear, the timer below is never asked.
            if Instant::now() >= deadline {
                return Err(Ended::Late);
            }
            let next = async {
                tokio::select! {
                    told = self.events.next() => Next::Told(told),
                    look = looks.next() => Next::Look(look),
                }
            };
            let seen = match timeout_at(deadline, next).await {
                Err(_) => return Err(Ended::Late),
                Ok(Next::Told(None)) => return Err(Ended::Closed),
                Ok(Next::Told(Some(told))) => self.heard(told),
                Ok(Next::Look(None)) => None,
                Ok(Next::Look(Some(look))) => self.looked(look),
            };
            match seen {
                Some(Seen::Done) => return Ok(()),
                Some(Seen::Failed(error)) => return Err(Ended::Failed(error)),
                Some(Seen::HostStopped) => return Err(Ended::Stopped),
                Some(Seen::HostDied) => return Err(Ended::Died),
                Some(Seen::Other(words)) => {
                    self.last = words;
                    self.tell();
                }
                None => {}
            }
        }
    }

    fn heard(&mut self, told: Told) -> Option<Seen> {
        match told {
            Told::Event(event) => self.goal.heard(self.host, &event),
            Told::Other { .. } => None,
            Told::Gap => {
                self.missed = true;
                Some(Seen::Other(
                    "the connection to the lattice was lost for a while".to_owned(),
                ))
            }
        }
    }

    fn looked(&mut self, look: Result<HostInventory, ClientError>) -> Option<Seen> {
        match look {
            Ok(inventory) => {
                self.nobody = 0;
                Some(self.goal.looked(&inventory, self.missed))
            }
            Err(ClientError::HostGone { .. }) if self.goal == Goal::HostGone => Some(Seen::Done),
            Err(ClientError::HostGone { .. }) => {
                self.nobody += 1;
                (!self.missed || self.nobody >= COMING_BACK).then_some(Seen::HostDied)
            }
            Err(ClientError::Silent { .. }) => Some(Seen::Other(
                "it no longer answers: it hangs, or the network does".to_owned(),
            )),
            Err(error) => Some(Seen::Other(printable(&message::chain(&error)).into_owned())),
        }
    }

    fn tell(&self) {
        if let Some(progress) = self.progress {
            progress.send_if_modified(|told| {
                let new = *told != self.last;
                told.clone_from(&self.last);
                new
            });
        }
    }
}

enum Next {
    Told(Option<Told>),
    Look(Option<Result<HostInventory, ClientError>>),
}
