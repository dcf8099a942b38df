//! One question to all hosts, and as many answers as there are.
//!
//! Nobody knows how many hosts there are, so nobody knows when the last has answered. v1 waits the whole timeout each
//! time, two seconds for a list that is complete after two milliseconds. Here a round ends when it has been quiet
//! after the last answer for as long as that answer took, and at least for [`QUIET`]: a lattice on one machine is
//! listed in 150 ms, and one whose hosts are 400 ms away gives its stragglers 400 ms more. If no host listens, the
//! server says so at once. Where a wrong "not there" would cost more than time, ask the host itself, or listen longer
//! ([`Client::with_quiet`]).

use std::time::Duration;

use futures::StreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use wasmcloud_core::HostId;
use wasmcloud_lattice::{CallError, StatusCode};
use wasmcloud_wire::control::{
    ComponentAuction, ComponentAuctionAck, Host, HostInventory, Nothing, ProviderAuction, ProviderAuctionAck,
    Registries, Request,
};

use crate::asked::asked;
use crate::client::Client;
use crate::error::ClientError;

/// Shortest silence after an answer that ends a round.
pub const QUIET: Duration = Duration::from_millis(150);

/// Most answers of one round; further ones are left out and told of.
pub const MAX_ANSWERS: usize = 10_000;

/// Inventories that are asked for at the same time.
const PARALLEL: usize = 64;

/// What came of a question to many.
#[derive(Debug)]
pub struct Gathered<T> {
    /// The answers, in an order that does not change from one time to the next.
    pub answers: Vec<T>,
    /// What went wrong with others: they said no, or something that makes no sense, or nothing at all.
    pub problems: Vec<ClientError>,
    /// Nobody listens: there is no host in this lattice.
    pub nobody: bool,
    /// There were more than [`MAX_ANSWERS`] answers.
    pub more: bool,
}

impl<T> Gathered<T> {
    fn none() -> Self {
        Self {
            answers: Vec::new(),
            problems: Vec::new(),
            nobody: false,
            more: false,
        }
    }
}

impl Client {
    /// Who is there, by name.
    pub async fn hosts(&self) -> Result<Gathered<Host>, ClientError> {
        let mut hosts: Gathered<Host> = self
            .gather(&Request::PingHosts, MAX_ANSWERS, self.timeout)
            .await?;
        let key = |host: &Host| (host.friendly_name.clone(), host.id.clone());
        hosts.answers.sort_by_cached_key(key);
        Ok(hosts)
    }

    /// What runs on each host, by the host's name. A host that answered that it is there and then not what runs on
    /// it is among the problems.
    pub async fn inventories(&self) -> Result<Gathered<HostInventory>, ClientError> {
        let hosts = self.hosts().await?;
        let mut all = Gathered {
            answers: Vec::with_capacity(hosts.answers.len()),
            problems: hosts.problems,
            nobody: hosts.nobody,
            more: hosts.more,
        };
        let ids = hosts
            .answers
            .iter()
            .filter_map(|host| host.id.parse::<HostId>().ok());
        let asked = ids.map(|id| async move { self.inventory(&id).await });
        let mut answers = futures::stream::iter(asked).buffered(PARALLEL);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(inventory) => all.answers.push(inventory),
                Err(problem) => all.problems.push(problem),
            }
        }
        Ok(all)
    }

    /// Which hosts could run a component. Ends early with `enough` answers. Hosts that could not are silent, so "none"
    /// takes `within`.
    pub async fn auction_component(
        &self,
        auction: ComponentAuction,
        enough: usize,
        within: Duration,
    ) -> Result<Gathered<ComponentAuctionAck>, ClientError> {
        let request = Request::AuctionComponent(auction);
        let mut acks: Gathered<ComponentAuctionAck> = self.gather(&request, enough, within).await?;
        acks.answers.sort_by_cached_key(|ack| ack.host_id.clone());
        Ok(acks)
    }

    /// Which hosts could run a provider, as [`Client::auction_component`].
    pub async fn auction_provider(
        &self,
        auction: ProviderAuction,
        enough: usize,
        within: Duration,
    ) -> Result<Gathered<ProviderAuctionAck>, ClientError> {
        let request = Request::AuctionProvider(auction);
        let mut acks: Gathered<ProviderAuctionAck> = self.gather(&request, enough, within).await?;
        acks.answers.sort_by_cached_key(|ack| ack.host_id.clone());
        Ok(acks)
    }

    /// Hands credentials of registries to all hosts. Returns how many said that they took them.
    pub async fn put_registries(&self, registries: Registries) -> Result<Gathered<()>, ClientError> {
        let request = Request::PutRegistries(registries);
        let said = self
            .gather_replies::<Nothing>(&request, MAX_ANSWERS, self.timeout)
            .await?;
        Ok(Gathered {
            answers: said.answers.iter().map(|_| ()).collect(),
            problems: said.problems,
            nobody: said.nobody,
            more: said.more,
        })
    }

    /// The same where each answer has to hold a value.
    async fn gather<T>(
        &self,
        request: &Request,
        enough: usize,
        within: Duration,
    ) -> Result<Gathered<T>, ClientError>
    where
        T: Serialize + DeserializeOwned,
    {
        let replies = self.gather_replies(request, enough, within).await?;
        let mut all = Gathered {
            answers: Vec::with_capacity(replies.answers.len()),
            problems: replies.problems,
            nobody: replies.nobody,
            more: replies.more,
        };
        for reply in replies.answers {
            match reply {
                Some(value) => all.answers.push(value),
                None => all.problems.push(ClientError::Empty {
                    asked: asked(request),
                    who: self.who(request),
                }),
            }
        }
        Ok(all)
    }

    async fn gather_replies<T>(
        &self,
        request: &Request,
        enough: usize,
        within: Duration,
    ) -> Result<Gathered<Option<T>>, ClientError>
    where
        T: Serialize + DeserializeOwned,
    {
        let failed = |source: CallError| ClientError::Connection {
            asked: asked(request),
            source,
        };
        let began = Instant::now();
        let deadline = began + within;
        let inbox = self.connection.new_inbox();
        let mut replies = self.connection.subscribe(&inbox).await.map_err(failed)?;
        let subject = self.interface.subject(&request.operation());
        // On one connection the server reads the subscription before the question, so no answer is missed.
        let sent = self.connection.client();
        let sent = sent.publish_with_reply(subject.clone(), inbox, request.encode().into());
        sent.await.map_err(|source| {
            failed(CallError::Refused {
                subject,
                source: source.into(),
            })
        })?;

        let mut all = Gathered::none();
        let mut last = None;
        loop {
            let until = last.map_or(deadline, |last: Instant| {
                deadline.min(last + self.quiet.max(last - began))
            });
            let message = match timeout_at(until, replies.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => {
                    return Err(failed(CallError::Closed {
                        subject: replies.subject().to_owned(),
                    }));
                }
                Err(_) => break,
            };
            if message.status == Some(StatusCode::NO_RESPONDERS) {
                all.nobody = true;
                break;
            }
            last = Some(Instant::now());
            if all.answers.len() + all.problems.len() >= MAX_ANSWERS {
                all.more = true;
                break;
            }
            match self.read(request, &message.payload) {
                Ok(reply) => all.answers.push(reply.response),
                Err(problem) => all.problems.push(problem),
            }
            if all.answers.len() >= enough {
                break;
            }
        }
        if last.is_none() && !all.nobody && !silence_is_an_answer(request) {
            all.problems.push(ClientError::Silent {
                asked: asked(request),
                who: self.who(request),
                waited: began.elapsed(),
            });
        }
        Ok(all)
    }
}

/// Who cannot run something does not answer an auction.
fn silence_is_an_answer(request: &Request) -> bool {
    matches!(
        request,
        Request::AuctionComponent(_) | Request::AuctionProvider(_)
    )
}
