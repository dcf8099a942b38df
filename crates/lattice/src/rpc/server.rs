//! The callee's side: a subscription of calls, each of which is refused or accepted.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::poll_immediate;
use tokio::time::Instant;
use wasmcloud_wire::rpc::header::InvalidHeader;
use wasmcloud_wire::rpc::{RpcErrorBody, RpcErrorCode, Terms};

use super::call::Active;
use super::door::Door;
use super::error::RpcError;
use super::mailbox::{Over, Peer, Role, Waited};
use super::stream::{Receiver, Sender, piece, put_end};
use super::{Rpc, names};
use crate::connection::{CallError, Subscription};

/// Calls for one component or provider, as a member of the group of all that serve it.
pub struct Server {
    rpc: Rpc,
    subscription: Subscription,
    door: Door,
}

impl Rpc {
    /// Serves a subject, which may be a wildcard, as a member of a group. The server knows of it only after the next
    /// barrier of the connection.
    ///
    /// The group is what the subject begins with (wire reference §4.1). Calls that are for this client and for no other
    /// of the group are handed out as well, by the last server that this client has for the group.
    pub async fn serve(&self, subject: &str, group: &str) -> Result<Server, CallError> {
        let subscription = self.connection().queue_subscribe(subject, group).await?;
        Ok(Server {
            rpc: self.clone(),
            door: Door::open(self, group),
            subscription,
        })
    }
}

impl Server {
    /// The next call; `None` when the subscription was drained or the connection closed.
    ///
    /// A call that may have waited for too long, because this process stood still, is refused here: its caller has
    /// gone elsewhere.
    pub async fn next(&mut self) -> Option<Incoming> {
        loop {
            let incoming = tokio::select! {
                message = self.subscription.next() => match message {
                    Some(message) => Incoming::new(&self.rpc, message.subject.to_string(), message),
                    None => self.door.last().map(|call| Incoming::new(&self.rpc, call.subject, call.message))?,
                },
                Some(call) = self.door.next() => Incoming::new(&self.rpc, call.subject, call.message),
            };
            let Some((incoming, malformed)) = incoming else {
                continue;
            };
            if let Some(what) = malformed {
                let why = RpcErrorBody::new(RpcErrorCode::Malformed, what.to_string());
                incoming.refuse(&why).await;
                continue;
            }
            if !self.rpc.0.pause.stale() || !incoming.caller.ours {
                return Some(incoming);
            }
            let why = "the host stood still and does not take up what waited meanwhile";
            incoming
                .refuse(&RpcErrorBody::new(RpcErrorCode::Draining, why))
                .await;
        }
    }

    /// Leaves the group. What was sent here before is still handed out by [`Server::next`], which then ends.
    pub async fn drain(&mut self, deadline: Instant) -> Result<(), CallError> {
        self.subscription.drain(deadline).await
    }
}

/// A call that has come in and was not accepted yet. Dropping it leaves its caller to find out.
pub struct Incoming {
    rpc: Rpc,
    subject: String,
    caller: Peer,
    terms: Terms,
    headers: HeaderMap,
    params: Bytes,
    came: Instant,
}

impl Incoming {
    /// A call of a function, which may have come on another subject, and what is wrong with it.
    fn new(rpc: &Rpc, subject: String, message: Message) -> Option<(Self, Option<InvalidHeader>)> {
        let Some(reply) = &message.reply else {
            // Nobody could be told what became of it.
            tracing::debug!(%subject, "a call without a subject to reply to was ignored");
            return None;
        };
        let (caller, terms) = Peer::introduced(reply, message.headers.as_ref());
        let (terms, malformed) = match terms {
            Ok(terms) => (terms, None),
            Err(what) => (Terms::default(), Some(what)),
        };
        let incoming = Self {
            rpc: rpc.clone(),
            caller,
            terms,
            subject,
            headers: message.headers.unwrap_or_default(),
            params: message.payload,
            came: Instant::now(),
        };
        Some((incoming, malformed))
    }

    /// What is called.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What the caller says besides the parameters.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.as_str())
    }

    /// Who calls, if it says so.
    pub fn source(&self) -> Option<&str> {
        let said = self.terms.source.as_deref();
        said.or_else(|| names::text(Some(&self.headers), names::SOURCE_ID))
    }

    /// The name of the link over which it calls, if it says so.
    pub fn link_name(&self) -> Option<&str> {
        let said = self.terms.link.as_deref();
        said.or_else(|| names::text(Some(&self.headers), names::LINK_NAME))
    }

    /// What a caller of ours says besides.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// When it came.
    pub fn came(&self) -> Instant {
        self.came
    }

    /// Until when the caller waits, if it says so.
    pub fn deadline(&self) -> Option<Instant> {
        // 49 days at most.
        Some(self.came + self.terms.deadline?)
    }

    /// How long the caller waits from now on, if it says so.
    pub fn time_left(&self) -> Option<Duration> {
        Some(self.terms.deadline?.saturating_sub(self.came.elapsed()))
    }

    /// Says no. Nothing has begun, and the caller may go elsewhere. A caller of v1 just sees its call fail.
    pub async fn refuse(self, why: &RpcErrorBody) {
        let connection = self.rpc.connection();
        let sent = match self.caller.ours {
            true => {
                let mut headers = HeaderMap::new();
                headers.insert(names::ERROR, why.to_header());
                connection
                    .publish(&self.caller.inbox, Some(headers), Bytes::new())
                    .await
            }
            false => {
                // An accepted call that ends without results is the only way in which v1 knows how to fail.
                let nobody = connection.new_inbox();
                let results = format!("{}.results", self.caller.inbox);
                let accepted = connection.publish_for(&self.caller.inbox, &nobody, None, Bytes::new());
                match accepted.await {
                    Ok(()) => connection.publish(&results, None, Bytes::new()).await,
                    error => error,
                }
            }
        };
        if let Err(error) = sent {
            tracing::debug!(subject = self.subject, %error, "a call was refused and its caller not told");
        }
    }

    /// Takes the call. If as many calls are under way as may be, it is refused as full.
    ///
    /// The caller learns of it as soon as anything about the call has to wait, and does not go elsewhere from then on;
    /// of results that are there at once it learns together with them. For that, what is done about the call is done
    /// within [`Accepted::during`].
    ///
    /// What is waited for on behalf of the call is waited for no longer than `longest` after it came, and no longer than
    /// the caller waits, if it says how long that is; those of v1 do not.
    pub async fn accept(self, longest: Duration) -> Result<Accepted, RpcError> {
        let time = self.terms.deadline.map_or(longest, |told| told.min(longest));
        let more = names::text(Some(&self.headers), names::MORE).is_some() || !self.caller.ours;
        let registered = match self.rpc.register(Role::Callee, self.came, self.came + time) {
            Ok(registered) => registered,
            Err(full) => {
                // Not told, the caller would wait for an answer and then not know whether anything has begun.
                let why = RpcErrorBody::new(RpcErrorCode::Full, full.to_string());
                Box::pin(self.refuse(&why)).await;
                return Err(full);
            }
        };
        let ours = self.caller.ours;
        if !ours {
            registered
                .connection()
                .publish_for(&self.caller.inbox, registered.inbox(), None, Bytes::new())
                .await?;
        }
        Ok(Accepted {
            active: Arc::new(Active {
                registered,
                subject: self.subject,
                peer: self.caller,
                began: self.came,
                sends: "results",
                unannounced: AtomicBool::new(ours),
            }),
            first: self.params,
            more,
        })
    }
}

/// A call that was accepted.
pub struct Accepted {
    active: Arc<Active>,
    first: Bytes,
    more: bool,
}

impl Accepted {
    /// The parameters as far as they came with the call. All of them, streams left out, if [`Accepted::is_whole`].
    pub fn first(&self) -> &Bytes {
        &self.first
    }

    /// Whether the caller said that no more parameters follow. Callers of v1 say nothing; whoever knows the types
    /// sees whether everything is there.
    pub fn is_whole(&self) -> bool {
        !self.more
    }

    /// Waits for all parameters, streams left out.
    pub async fn params(&self) -> Result<Bytes, RpcError> {
        if !self.more {
            return Ok(self.first.clone());
        }
        let limit = self.active.registered.options().max_message;
        let rest = self.receiver("").whole(limit).await?;
        if rest.is_empty() {
            return Ok(self.first.clone());
        }
        let mut all = Vec::with_capacity(self.first.len() + rest.len());
        all.extend_from_slice(&self.first);
        all.extend_from_slice(&rest);
        Ok(all.into())
    }

    /// What the caller sends on a path of the parameters.
    pub fn receiver(&self, path: &str) -> Receiver {
        Receiver::new(Arc::clone(&self.active), path)
    }

    /// Sends to the caller on a path of the results.
    pub fn sender(&self, path: &str) -> Sender {
        Sender::new(Arc::clone(&self.active), path)
    }

    /// Does the work of the call, until it has ended or the caller has lost interest or is gone, which is `None`. The
    /// caller learns that the call was accepted as soon as the work waits for anything.
    pub async fn during<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        // If it need not wait, the results are the acceptance.
        if let Some(done) = poll_immediate(&mut work).await {
            return Some(done);
        }
        let abandoned = Box::pin(self.abandoned());
        tokio::select! {
            // This first: work that wants others to have their turn is not asked again at once.
            biased;
            () = abandoned => None,
            done = work => Some(done),
        }
    }

    /// Answers with the results, streams left out; those may go on.
    pub async fn finish(&self, results: Bytes) -> Result<(), RpcError> {
        match results.len() <= piece(&self.active) && self.end_at_once(&results, None).await? {
            true => Ok(()),
            false => self.sender("").send_whole(results).await,
        }
    }

    /// The same for a function without streams: nothing is sent in either direction after the results.
    pub async fn conclude(&self, results: Bytes) -> Result<(), RpcError> {
        match results.len() <= piece(&self.active) && !self.active.is_announced() {
            true => self.active.conclude(results).await,
            false => Box::pin(self.finish(results)).await,
        }
    }

    /// Answers that there will be no results, and why. A caller of v1 just sees its call fail.
    pub async fn fail(&self, error: &RpcErrorBody) -> Result<(), RpcError> {
        match self.end_at_once(&Bytes::new(), Some(error)).await? {
            true => Ok(()),
            false => self.sender("").fail(error).await,
        }
    }

    /// Sends the acceptance and the results as one message, if the caller does not know of the acceptance yet.
    async fn end_at_once(&self, results: &Bytes, error: Option<&RpcErrorBody>) -> Result<bool, RpcError> {
        if self.active.is_announced() {
            return Ok(false);
        }
        let mut headers = self.active.acceptance();
        put_end(&mut headers, error);
        self.active.introduce(headers, results.clone()).await?;
        Ok(true)
    }

    /// Waits until the caller has lost interest or is gone; forever, if it has not. A caller that is silent is asked
    /// whether it is there.
    pub async fn abandoned(&self) {
        if let Err(error) = self.active.announce().await {
            let subject = &self.active.subject;
            tracing::debug!(subject, %error, "a call was accepted and its caller not told");
        }
        let alive = self.active.alive();
        let mailbox = &self.active.registered.mailbox;
        loop {
            let waited = mailbox.wait_for_peer(&alive, |_| None::<()>).await;
            match waited {
                Err(Waited::Over(
                    Over::Cancelled | Over::PeerGone | Over::Forgotten | Over::NoResponders | Over::Closed,
                )) => return,
                // The deadline is somebody else's to keep.
                _ => std::future::pending().await,
            }
        }
    }
}
