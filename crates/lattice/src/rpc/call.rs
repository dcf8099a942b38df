//! The caller's side of a call.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use wasmcloud_wire::rpc::{RpcErrorBody, RpcErrorCode, Terms, directly};

use super::error::RpcError;
use super::mailbox::{Alive, Answer, End, Over, Peer, Role, Waited};
use super::stream::{Receiver, Sender};
use super::{Registered, Rpc, names};
use crate::connection::header_bytes;

/// The link that is meant where no name is said (wire reference §1).
pub(super) const DEFAULT_LINK: &str = "default";

/// A call to be made.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The subject of the function (wire reference §4.1).
    pub subject: String,
    /// The inbox of the client that is to take it, of those that serve the subject ([`Call::server`]); nothing where
    /// it is for the group.
    pub server: Option<Box<str>>,
    /// What the callee should know: who calls, over which link, trace context.
    pub headers: HeaderMap,
    /// What a callee of ours should know besides. How long we wait, and how much of a stream we take, is added. Who calls
    /// and over which link, if it is said here, is said in headers to all but those.
    pub terms: Terms,
    /// Whether the callee understands a request without headers: then it has none, if there are no others.
    pub bare: bool,
    /// The encoded parameters, streams left out.
    pub params: Bytes,
    /// When the call must have ended; the callee is told.
    pub deadline: Instant,
    /// How long a callee may take to accept it, where that is not [`RpcOptions::accept_timeout`].
    ///
    /// [`RpcOptions::accept_timeout`]: super::RpcOptions::accept_timeout
    pub accept_timeout: Option<Duration>,
}

/// A call that was accepted. Dropping it before it has ended tells the callee to stop.
pub struct Call(Arc<Active>);

/// What both the call and its streams hold on to.
pub(crate) struct Active {
    pub(crate) registered: Registered,
    pub(crate) subject: String,
    pub(crate) peer: Peer,
    pub(crate) began: Instant,
    /// What stands before the path in the subjects that we send to.
    pub(crate) sends: &'static str,
    /// Whether the caller still has to be told that its call was accepted.
    pub(crate) unannounced: AtomicBool,
}

impl Rpc {
    /// Makes a call, and waits until a callee has accepted it.
    ///
    /// Fails at once if nobody serves the subject or the callee refuses; [`RpcError::nothing_begun`] says whether it
    /// can be tried elsewhere.
    pub async fn call(&self, outgoing: Outgoing) -> Result<Call, RpcError> {
        let Outgoing {
            subject,
            server,
            mut headers,
            mut terms,
            bare,
            params,
            deadline,
            accept_timeout,
        } = outgoing;
        let to = match &server {
            Some(server) => Cow::Owned(directly(server, &subject)),
            None => Cow::Borrowed(&*subject),
        };
        let began = Instant::now();
        // What is told below is what is left now, and not when the call began to wait.
        let (unaccepted, now) = match self.0.unaccepted.try_acquire() {
            Ok(unaccepted) => (unaccepted, began),
            Err(_) => match Box::pin(timeout_at(deadline, self.0.unaccepted.acquire())).await {
                Ok(Ok(unaccepted)) => (unaccepted, Instant::now()),
                _ => {
                    return Err(RpcError::TimedOut {
                        subject,
                        host: None,
                        waited: began.elapsed(),
                    });
                }
            },
        };
        let left = deadline.saturating_duration_since(now);
        let registered = self.register(Role::Caller, now, deadline)?;
        let options = registered.options();
        terms.window = u32::try_from(options.window).ok();
        terms.deadline = Some(left);
        let mut rest = Bytes::new();
        let connection = registered.connection();
        let bare = bare && headers.is_empty() && params.len() <= connection.max_payload();
        match bare.then(|| terms.behind()).flatten() {
            Some(behind) => {
                let reply = [registered.inbox(), &behind].concat();
                connection.publish_for(&to, &reply, None, params).await?;
            }
            None => {
                say(&mut headers, terms);
                let room = |headers: &HeaderMap| {
                    let taken = header_bytes(headers) + registered.inbox().len();
                    connection.max_payload().saturating_sub(taken)
                };
                let mut params = params;
                if params.len() > room(&headers) {
                    headers.insert(names::MORE, "1");
                    rest = params.split_off(room(&headers).min(params.len()));
                }
                connection
                    .publish_for(&to, registered.inbox(), Some(headers), params)
                    .await?;
            }
        }
        let until = deadline.min(now + accept_timeout.unwrap_or(options.accept_timeout));
        let answer = registered.mailbox.wait(until, |state| state.answer.take()).await;
        drop(unaccepted);
        let peer = match answer {
            Ok(Answer::Accepted(peer)) => peer,
            Ok(Answer::Refused(body)) => {
                return Err(match body.code.is_refusal() {
                    true => RpcError::Refused(body),
                    false => RpcError::Failed(body),
                });
            }
            Ok(Answer::Malformed(what)) => {
                return Err(RpcError::Malformed { subject, what });
            }
            Err(Waited::Over(Over::NoResponders)) => return Err(RpcError::NoResponders { subject }),
            Err(Waited::Over(_)) => return Err(closed(subject)),
            Err(Waited::Until) => {
                return Err(RpcError::NotAccepted {
                    subject,
                    waited: now.elapsed(),
                });
            }
        };
        let call = Call(Arc::new(Active {
            registered,
            subject,
            peer,
            began,
            sends: "params",
            unannounced: AtomicBool::new(false),
        }));
        // A callee that has ended the call already does not read on.
        if !rest.is_empty() && !call.0.registered.mailbox.finished() {
            Box::pin(call.sender("").send_whole(rest)).await?;
        } else if !call.0.peer.ours {
            // v1 ends the parameters in any case.
            Box::pin(call.sender("").close()).await?;
        }
        Ok(call)
    }
}

/// Says in headers what a request is to say.
fn say(headers: &mut HeaderMap, mut terms: Terms) {
    if let Some(source) = terms.source.take() {
        headers.insert(names::SOURCE_ID, &*source);
        let link = terms.link.take();
        headers.insert(names::LINK_NAME, link.as_deref().unwrap_or(DEFAULT_LINK));
    }
    headers.insert(names::TERMS, terms.to_text());
}

fn closed(subject: String) -> RpcError {
    RpcError::from(crate::connection::CallError::Closed { subject })
}

impl Call {
    /// Who accepted it, if it says so.
    pub fn host(&self) -> Option<&str> {
        self.0.peer.host.as_deref()
    }

    /// Whether the callee speaks more than v1.
    pub fn is_ours(&self) -> bool {
        self.0.peer.ours
    }

    /// Whether the callee answered with nothing but the results.
    pub(super) fn is_bare(&self) -> bool {
        self.0.peer.over
    }

    /// The inbox of the client that accepted it, where further calls can be sent to it directly. Those of v1 take calls
    /// only as one of their group.
    pub fn server(&self) -> Option<&str> {
        let peer = &self.0.peer;
        match peer.over {
            true => Some(&peer.inbox),
            false => {
                let (client, _call) = peer.inbox.rsplit_once('.')?;
                peer.ours.then_some(client)
            }
        }
    }

    /// Waits for the results, streams left out. Of a v1 callee they may be shorter than their type says: it closes when
    /// a call traps.
    pub async fn results(&self) -> Result<Bytes, RpcError> {
        let limit = self.0.registered.options().max_message;
        self.receiver("").whole(limit).await
    }

    /// The same for a function that returns something. That there is nothing then is all that a v1 callee can say of a
    /// call that failed: [`RpcError::Closed`].
    pub async fn some_results(&self) -> Result<Bytes, RpcError> {
        let results = self.results().await?;
        match results.is_empty() && !self.is_ours() {
            true => Err(RpcError::Closed {
                subject: self.0.subject.clone(),
            }),
            false => Ok(results),
        }
    }

    /// What the callee sends on a path of the results, such as `0.1`.
    pub fn receiver(&self, path: &str) -> Receiver {
        Receiver::new(Arc::clone(&self.0), path)
    }

    /// Sends to the callee on a path of the parameters, such as `0.1`.
    pub fn sender(&self, path: &str) -> Sender {
        Sender::new(Arc::clone(&self.0), path)
    }
}

impl Active {
    /// Tells the caller that its call was accepted, unless it knows.
    pub(crate) async fn announce(&self) -> Result<(), RpcError> {
        match self.is_announced() {
            true => Ok(()),
            false => self.introduce(self.acceptance(), Bytes::new()).await,
        }
    }

    pub(crate) fn is_announced(&self) -> bool {
        !self.unannounced.load(Ordering::Acquire)
    }

    /// What an acceptance says.
    pub(crate) fn acceptance(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(names::TERMS, self.registered.shared().acceptance.clone());
        headers
    }

    /// Sends the first message that the caller gets.
    pub(crate) async fn introduce(&self, headers: HeaderMap, payload: Bytes) -> Result<(), RpcError> {
        let registered = &self.registered;
        registered
            .connection()
            .publish_for(&self.peer.inbox, registered.inbox(), Some(headers), payload)
            .await?;
        // Only when it was sent: whoever waits here may be dropped, and twice does no harm.
        self.unannounced.store(false, Ordering::Release);
        Ok(())
    }

    /// Sends results that are all there is of the call, which the caller has not heard of yet.
    pub(crate) async fn conclude(&self, results: Bytes) -> Result<(), RpcError> {
        let subject = [&*self.peer.inbox, &self.registered.shared().returned].concat();
        self.registered
            .connection()
            .publish(&subject, None, results)
            .await?;
        self.unannounced.store(false, Ordering::Release);
        Ok(())
    }

    /// The next bytes on a path, or how it ended.
    pub(crate) async fn next(&self, path: &str) -> Result<Result<Bytes, End>, RpcError> {
        self.announce().await?;
        let mailbox = &self.registered.mailbox;
        if let Some(found) = mailbox.peek(|state| mailbox.take(state, path)) {
            return Ok(found);
        }
        let alive = self.alive();
        let waited = mailbox.wait_for_peer(&alive, |state| mailbox.take(state, path));
        waited.await.map_err(|waited| self.error(waited))
    }

    pub(crate) fn alive(&self) -> Alive<'_> {
        Alive {
            connection: self.registered.connection(),
            peer: &self.peer,
            inbox: self.registered.inbox(),
            silence: self.registered.options().silence,
        }
    }

    /// Tells the peer how much of a path was read in all.
    pub(crate) async fn credit(&self, path: &str, read: u64) -> Result<(), RpcError> {
        let subject = on_path(&format!("{}.credit", self.peer.inbox), path);
        let connection = self.registered.connection();
        connection
            .publish(&subject, None, read.to_string().into())
            .await?;
        Ok(())
    }

    /// Whether an end is one that was meant.
    pub(crate) fn ended(&self, end: End) -> Result<(), RpcError> {
        let subject = || self.subject.clone();
        match end {
            End::Complete => Ok(()),
            End::Closed if self.peer.ours => Err(RpcError::Closed { subject: subject() }),
            End::Closed => Ok(()),
            End::Failed(body) => Err(RpcError::Failed(body)),
            End::Overflow => Err(self.overflow(self.registered.options().max_unpaced)),
        }
    }

    pub(crate) fn overflow(&self, limit: usize) -> RpcError {
        RpcError::Overflow {
            subject: self.subject.clone(),
            limit,
        }
    }

    pub(crate) fn error(&self, waited: Waited) -> RpcError {
        let subject = self.subject.clone();
        let host = self.peer.host.as_deref().map(str::to_owned);
        match waited {
            Waited::Until => RpcError::TimedOut {
                subject,
                host,
                waited: self.began.elapsed(),
            },
            Waited::Over(Over::PeerGone | Over::NoResponders) => RpcError::Gone { subject, host },
            Waited::Over(Over::Forgotten) => RpcError::Lost { subject, host },
            Waited::Over(Over::Cancelled) => RpcError::Cancelled { subject },
            Waited::Over(Over::Closed) => closed(subject),
        }
    }
}

/// A subject for a path below another; the root has the subject itself.
pub(crate) fn on_path(subject: &str, path: &str) -> String {
    match path.is_empty() {
        true => subject.to_owned(),
        false => format!("{subject}.{path}"),
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let teller = &self.registered.shared().teller;
        if *self.unannounced.get_mut() {
            // It has begun perhaps, and its caller must not take it elsewhere.
            let why = RpcErrorBody::new(RpcErrorCode::Internal, "the callee gave it up");
            let mut headers = HeaderMap::new();
            headers.insert(names::ERROR, why.to_header());
            teller.tell(self.peer.inbox.clone(), Some(headers));
        }
        // Who is not ours does not listen, and a callee has nothing to cancel. One whose time is over ends it by itself,
        // and counts it as what it is: a call that took too long, and not one that nobody wanted any more.
        let mailbox = &self.registered.mailbox;
        let ends = self.sends == "params" && self.peer.ours && !mailbox.finished();
        if ends && Instant::now() < mailbox.deadline {
            teller.tell(format!("{}.cancel", self.peer.inbox), None);
        }
    }
}
