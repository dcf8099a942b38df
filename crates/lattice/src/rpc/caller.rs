//! Calls to whoever serves a target, made again elsewhere as long as nothing has begun.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use tokio::time::{Instant, sleep_until};
use wasmcloud_core::{ComponentId, LatticeName};
use wasmcloud_wire::rpc::{RpcErrorCode, Terms, exact};

use super::Rpc;
use super::call::{Call, DEFAULT_LINK, Outgoing};
use super::error::RpcError;
use super::known::Known;
use super::spare::{Found, Spare};

/// Pauses between attempts while nobody serves the target: it may be about to move from one host to another. A call
/// that finds nobody fails in less than 100 ms.
const NOBODY: [Duration; 3] = [
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(50),
];

/// Pauses between attempts while those who serve it are busy or leaving: 2 s in all. The server picks who gets a call
/// by chance, so where every other host is full, one of 100,000 calls finds only full ones.
const BUSY: [Duration; 15] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(200),
    Duration::from_millis(200),
    Duration::from_millis(300),
    Duration::from_millis(300),
    Duration::from_millis(400),
];

/// Longest wait for somebody to accept a call. It grows by half with each attempt.
const MOST_PATIENCE: Duration = Duration::from_secs(4);

/// Attempts to find somebody who has a slot free. The server picks who gets a call by chance: where there is one other,
/// of whom nothing is known yet, one of 256 calls is given to ourselves as often as this.
const LOOKS: usize = 8;

/// Others that may say that they have none, before it is taken for all of them.
const FULL: usize = 2;

/// Adds what every call says of its surroundings, such as its trace.
pub type Surroundings = Arc<dyn Fn(&mut HeaderMap) + Send + Sync>;

/// A function to be called.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Who calls.
    pub source: &'a ComponentId,
    /// The name of the link over which it calls.
    pub link_name: &'a str,
    /// Who is called.
    pub target: &'a ComponentId,
    /// The interface with its version, as it travels; empty for a function of the component itself.
    pub instance: &'a str,
    /// The function.
    pub function: &'a str,
    /// How many calls led to this one.
    pub depth: u16,
    /// When it must have ended.
    pub deadline: Instant,
    /// A fingerprint of the type that the caller takes the function for, where there is one.
    pub signature: Option<u64>,
    /// What else the callee should know.
    pub headers: HeaderMap,
    /// The encoded parameters, streams left out.
    pub params: Bytes,
}

/// Makes calls in one lattice. Clones share it.
#[derive(Clone)]
pub struct Caller(Arc<Inner>);

struct Inner {
    rpc: Rpc,
    lattice: LatticeName,
    surroundings: Surroundings,
    known: Known,
    spare: Spare,
}

impl Caller {
    /// Makes calls over a client's connection.
    pub fn new(rpc: Rpc, lattice: LatticeName, surroundings: Surroundings) -> Self {
        Self(Arc::new(Inner {
            rpc,
            lattice,
            surroundings,
            known: Known::default(),
            spare: Spare::default(),
        }))
    }

    /// The lattice.
    pub fn lattice(&self) -> &LatticeName {
        &self.0.lattice
    }

    /// Makes a call; when this returns, somebody has accepted it.
    ///
    /// As long as nothing has begun, it is tried again: for up to 75 ms while nobody serves the target, for up to 2 s
    /// while those who do are busy or leaving, and until the deadline where who got the call stands still, provided
    /// that all who serve the target promise not to take it up later. Then it goes straight to one that was heard
    /// lately, as do other calls for a while, and not to the group, in which the server goes on picking the dead.
    pub async fn call(&self, request: Request<'_>) -> Result<Call, RpcError> {
        self.call_one(&request, &[request.instance])
            .await
            .map(|(call, _)| call)
    }

    /// The same for an interface of which there are versions with the same parameters, the first choice first: the call
    /// is one of the first version that somebody serves, which is returned with it. The instance of the request does not
    /// matter. Which version a target answers is kept in mind.
    pub async fn call_any(
        &self,
        request: Request<'_>,
        versions: &[&'static str],
    ) -> Result<(Call, &'static str), RpcError> {
        let known = self.0.known.version(request.target);
        let mut order = versions.to_vec();
        order.sort_by_key(|version| Some(*version) != known);
        let (call, version) = self.call_one(&request, &order).await?;
        let other = (versions.first() != Some(&version)).then_some(version);
        self.0.known.answered(request.target, other);
        Ok((call, version))
    }

    async fn call_one<'v>(
        &self,
        request: &Request<'_>,
        versions: &[&'v str],
    ) -> Result<(Call, &'v str), RpcError> {
        let (target, known) = (request.target, &self.0.known);
        let mut patience = self.0.rpc.0.options.accept_timeout;
        let mut nobody = NOBODY.iter();
        let mut busy = BUSY.iter();
        let mut tried = false;
        let mut at = 0;
        loop {
            let version = *versions
                .get(at)
                .ok_or_else(|| RpcError::Name("a call of no version of an interface".to_owned()))?;
            let server = known.server(target, tried);
            let outgoing = self.outgoing(request, version, patience, server.as_deref(), false)?;
            let error = match self.0.rpc.call(outgoing).await {
                Ok(accepted) => {
                    known.accepted(target, &accepted);
                    return Ok((accepted, version));
                }
                Err(error) => error,
            };
            // Who serves the target may serve another version. When none is served it is time to wait.
            if not_served(&error, server.is_some()) {
                at += 1;
                if at < versions.len() {
                    continue;
                }
                at = 0;
            }
            let pause = match (&error, &server) {
                (RpcError::NoResponders { .. }, None) => nobody.next(),
                (RpcError::Refused(body), _) if body.code == RpcErrorCode::TooDeep => None,
                (RpcError::Refused(body), server) if server.is_none() || body.code == RpcErrorCode::Full => {
                    busy.next()
                }
                // Whoever it was may also be slow, with all of us knocking.
                (RpcError::NotAccepted { waited, .. }, None) if known.is_ours(target) => {
                    known.silent(target, since(*waited));
                    tried = true;
                    patience = (patience * 3 / 2).min(MOST_PATIENCE);
                    Some(&Duration::ZERO)
                }
                // There are others, and in the end the group.
                (
                    RpcError::NotAccepted { .. } | RpcError::NoResponders { .. } | RpcError::Refused(_),
                    Some(server),
                ) => {
                    known.gone(target, server);
                    Some(&Duration::ZERO)
                }
                _ => None,
            };
            let again = pause.map(|pause| Instant::now() + *pause);
            match again.filter(|again| *again < request.deadline) {
                Some(again) => {
                    tracing::debug!(%target, %error, "a call is made again");
                    sleep_until(again).await;
                }
                None => return Err(error),
            }
        }
    }

    /// Whether [`Caller::call_now`] may find somebody, as far as is known. Not so for a while after it found nobody: 10 ms
    /// where others were full, 1 s where there were none.
    pub fn may_have_room(&self, target: &ComponentId) -> bool {
        self.0.spare.may_look(target)
    }

    /// Makes a call if somebody else has a slot free for it, on behalf of one who serves the target too and can let it
    /// wait in line. If this returns nothing, nobody has taken the call, and nobody will.
    ///
    /// Whoever is full says so at once, there are few attempts and no pauses between them. Only one that stands still is
    /// waited for, [`RpcOptions::accept_timeout`](super::RpcOptions::accept_timeout); then nobody has taken the call if
    /// all who serve the target promise not to take it up later, as in [`Caller::call`], and else that is the error.
    pub async fn call_now(&self, request: Request<'_>) -> Result<Option<Call>, RpcError> {
        let (rpc, known, spare) = (&self.0.rpc, &self.0.known, &self.0.spare);
        let (target, us) = (request.target, rpc.inbox());
        // With nothing to be sent over, or many calls before this one, it would wait.
        if !rpc.connection().is_connected()
            || rpc.0.unaccepted.available_permits() == 0
            || !spare.look(target)
        {
            return Ok(None);
        }
        let (mut picked_us, mut full) = (false, 0);
        for _ in 0..LOOKS {
            let silent = known.is_silent(target);
            // The server may pick ourselves, again and again.
            let server = match picked_us || silent {
                true => known.another(target, us),
                false => None,
            };
            if full == FULL || silent && server.is_none() {
                break;
            }
            let error = match self.attempt_now(&request, server.as_deref()).await {
                Ok(call) => return Ok(Some(call)),
                Err(error) => error,
            };
            tracing::debug!(%target, %error, "nobody took a call in this attempt");
            match (&error, &server) {
                (RpcError::Refused(body), _) if body.host.as_ref() == Some(&rpc.0.options.host) => {
                    picked_us = true;
                }
                // What the other is or may be does not matter: here the call is as it should be.
                (RpcError::Refused(body) | RpcError::Failed(body), server) if says_no(&body.code) => {
                    known.refused(target);
                    spare.others(target);
                    full += 1;
                    if let (RpcErrorCode::NotRunning | RpcErrorCode::Draining, Some(server)) =
                        (&body.code, server)
                    {
                        known.gone(target, server);
                    }
                }
                (RpcError::NoResponders { .. }, Some(server)) => known.gone(target, server),
                (RpcError::NotAccepted { waited, .. }, server) if Instant::now() < request.deadline => {
                    match server {
                        Some(server) => known.gone(target, server),
                        None if known.is_ours(target) => known.silent(target, since(*waited)),
                        None => {
                            spare.none(target, Found::Unsafe);
                            return Err(error);
                        }
                    }
                    break;
                }
                (RpcError::NoResponders { .. } | RpcError::TooManyCalls { .. } | RpcError::Name(_), _) => {
                    break;
                }
                _ => return Err(error),
            }
        }
        let found = match full {
            0 => Found::Nobody,
            _ => Found::Full,
        };
        spare.none(target, found);
        Ok(None)
    }

    async fn attempt_now(&self, request: &Request<'_>, server: Option<&str>) -> Result<Call, RpcError> {
        let (rpc, known, spare) = (&self.0.rpc, &self.0.known, &self.0.spare);
        let patience = rpc.0.options.accept_timeout;
        let outgoing = self.outgoing(request, request.instance, patience, server, true)?;
        let call = rpc.call(outgoing).await?;
        known.accepted(request.target, &call);
        spare.one(request.target);
        if call.server() != Some(rpc.inbox()) {
            spare.others(request.target);
        }
        Ok(call)
    }

    fn outgoing(
        &self,
        request: &Request<'_>,
        instance: &str,
        patience: Duration,
        server: Option<&str>,
        now: bool,
    ) -> Result<Outgoing, RpcError> {
        let subject = exact(&self.0.lattice, request.target, instance, request.function);
        let mut headers = request.headers.clone();
        (self.0.surroundings)(&mut headers);
        Ok(Outgoing {
            subject: subject.map_err(|error| RpcError::Name(error.to_string()))?,
            server: server.map(Box::from),
            headers,
            terms: Terms {
                depth: request.depth.into(),
                signature: request.signature,
                now,
                source: Some(request.source.as_str().into()),
                link: (request.link_name != DEFAULT_LINK).then(|| request.link_name.into()),
                ..Terms::default()
            },
            bare: self.0.known.takes_bare(request.target),
            params: request.params.clone(),
            deadline: request.deadline,
            accept_timeout: Some(patience),
        })
    }

    /// Whether all that ever answered a call for this target, and at least one did, speak more than v1.
    pub fn is_ours(&self, target: &ComponentId) -> bool {
        self.0.known.is_ours(target)
    }
}

/// When a wait that ends now began.
fn since(waited: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(waited).unwrap_or(now)
}

/// Whether a callee says with this, instead of accepting a call, that it does not take it.
fn says_no(code: &RpcErrorCode) -> bool {
    code.is_refusal() || matches!(code, RpcErrorCode::Mismatch | RpcErrorCode::Denied)
}

/// Whether nobody serves this version of an interface: peers of v1 subscribe to each function, ours to all and say no.
fn not_served(error: &RpcError, directly: bool) -> bool {
    match error {
        RpcError::NoResponders { .. } => !directly,
        RpcError::Failed(body) => body.code == RpcErrorCode::Mismatch,
        _ => false,
    }
}
