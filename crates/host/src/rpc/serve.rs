//! The calls of others to a component of this host.
//!
//! A call is accepted when there is an instance that will run it, and refused otherwise, so that its caller can go
//! elsewhere.
//!
//! What few calls do is in boxes of its own, so that the others do not carry the room for it: each call is a task, and
//! what it may ever have to keep is moved when it begins.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::future::poll_immediate;
use parking_lot::Mutex;
use tokio::time::timeout;
use tracing::Instrument as _;
use wasmcloud_cap_http::{INCOMING_HANDLER, RemoteRequest, answers_http};
use wasmcloud_cap_keyvalue::RemoteChange;
use wasmcloud_capability::{Caller, Invocation};
use wasmcloud_core::ComponentId;
use wasmcloud_engine::{CallError, Called, EncodedCall, Exported, Prepared, Refused, Slot, Target};
use wasmcloud_lattice::rpc::{Accepted, Incoming, RpcError};
use wasmcloud_telemetry::{TRACEPARENT, TRACESTATE, set_parent};
use wasmcloud_wire::rpc::{InvocationSubject, RpcErrorBody, RpcErrorCode};

use super::serving::Callee;
use super::{Calls, POLICY_WAIT, QUEUE_WAIT, failure};

/// Subjects of one component that are kept in mind. Those of functions that it does not have are not, so few components
/// get there.
const MAX_CALLED: usize = 4_096;

/// A component as others call it.
pub(super) struct ComponentCallee {
    calls: Arc<Calls>,
    target: Arc<Target>,
    /// Names of functions that it has, by the subjects that were read for them.
    called: Mutex<HashMap<Box<str>, Arc<Called>>>,
}

#[async_trait]
impl Callee for ComponentCallee {
    fn id(&self) -> &ComponentId {
        self.target.id()
    }

    async fn take(&self, incoming: Incoming) -> Result<(), RpcError> {
        let (begun, deadline) = match self.begin(&incoming).await {
            Ok(begun) => begun,
            Err(error) => {
                let told = self.told(&error);
                Box::pin(incoming.refuse(&told)).await;
                return Ok(());
            }
        };
        let time = deadline.saturating_duration_since(incoming.came().into_std());
        let accepted = incoming.accept(time).await?;
        let work = pin!(self.run(begun, &accepted));
        accepted.during(work).await.unwrap_or(Ok(()))
    }
}

impl ComponentCallee {
    pub(super) fn new(calls: Arc<Calls>, target: Arc<Target>) -> Self {
        Self {
            calls,
            target,
            called: Mutex::default(),
        }
    }

    async fn run(&self, begun: Begun, accepted: &Accepted) -> Result<(), RpcError> {
        let call = match begun {
            Begun::Http(request) => return Box::pin(request.answer(accepted)).await,
            Begun::Whole(call) => call,
        };
        let whole = accepted.is_whole() || call.is_whole(accepted.first());
        let params = match whole {
            true => accepted.first().clone(),
            false => match Box::pin(accepted.params()).await {
                Ok(params) => params,
                Err(error) => {
                    let code = match error {
                        RpcError::TimedOut { .. } => RpcErrorCode::Deadline,
                        _ => RpcErrorCode::Malformed,
                    };
                    let told = RpcErrorBody::new(code, error.to_string());
                    return Box::pin(accepted.fail(&told)).await;
                }
            },
        };
        match call.run(&params).await {
            Ok(results) => accepted.conclude(results.into()).await,
            Err(error) => {
                let told = self.told(&error);
                Box::pin(accepted.fail(&told)).await
            }
        }
    }

    /// Everything that can be refused. Says also until when the call may take.
    async fn begin(&self, incoming: &Incoming) -> Result<(Begun, Instant), CallError> {
        let id = self.target.id();
        let mismatch = |reason: String| CallError::Mismatch {
            component: id.clone(),
            reason,
        };
        let subject = incoming.subject();
        let known = self.called.lock().get(subject).cloned();
        let is_known = known.is_some();
        let called = match known {
            Some(known) => known,
            None => {
                let read: InvocationSubject =
                    subject.parse().map_err(|error| mismatch(format!("{error}")))?;
                let instance = read.instance.as_ref().map(|instance| instance.as_str());
                Arc::new(Called::new(instance, read.function.as_str()))
            }
        };
        let until = incoming.deadline().map(|deadline| deadline.into_std());
        let has = |prepared: &Prepared| Self::has(prepared, &called);
        let prepared = self.target.choose_awake(until, has).await?;
        if !is_known && Self::has(&prepared, &called) {
            self.keep(subject, &called);
        }
        let (instance, function) = (called.interface(), called.function());
        let invocation = invocation(incoming, &prepared);
        let deadline = invocation.deadline;
        let decided_by = decided_by(incoming, deadline);
        if is_request(&called) {
            let begin = Box::pin(self.begin_request(incoming, &prepared, invocation, decided_by));
            return Ok((Begun::Http(begin.await?), deadline));
        }
        if let Some(is_set) = RemoteChange::find(&prepared, instance, function) {
            let begin = Box::pin(self.begin_change(incoming, &prepared, is_set, invocation, decided_by));
            return Ok((Begun::Whole(Whole::Change(begin.await?)), deadline));
        }
        let exported = Exported::find(&prepared, &called)?;
        self.check(incoming, &exported, function)?;
        exported.admit(decided_by).await?;
        let span = prepared.span(&invocation, instance.unwrap_or_default(), function);
        follow(incoming, &span);
        let slot = slot(incoming, &prepared)?;
        let begin = pin!(exported.clone().begin(slot, invocation).instrument(span.clone()));
        let call = Box::new(self.in_time(begin).await?);
        Ok((Begun::Whole(Whole::Typed { call, exported, span }), deadline))
    }

    async fn begin_request(
        &self,
        incoming: &Incoming,
        prepared: &Arc<Prepared>,
        invocation: Invocation,
        decided_by: Instant,
    ) -> Result<Box<RemoteRequest>, CallError> {
        RemoteRequest::admit(prepared, decided_by).await?;
        let slot = slot(incoming, prepared)?;
        let begin = pin!(RemoteRequest::begin(prepared, slot, invocation));
        let request = self.in_time(begin).await?;
        follow(incoming, &request.span());
        Ok(Box::new(request))
    }

    async fn begin_change(
        &self,
        incoming: &Incoming,
        prepared: &Arc<Prepared>,
        is_set: bool,
        invocation: Invocation,
        decided_by: Instant,
    ) -> Result<Box<RemoteChange>, CallError> {
        RemoteChange::admit(prepared, is_set, decided_by).await?;
        let begin = pin!(RemoteChange::begin(prepared, is_set, invocation));
        let change = self.in_time(begin).await?;
        follow(incoming, change.span());
        Ok(Box::new(change))
    }

    /// Whether the component has what is called.
    fn has(prepared: &Prepared, called: &Called) -> bool {
        (is_request(called) && answers_http(prepared))
            || RemoteChange::find(prepared, called.interface(), called.function()).is_some()
            || called.is_served_by(prepared)
    }

    /// Keeps a subject in mind.
    fn keep(&self, subject: &str, called: &Arc<Called>) {
        let mut names = self.called.lock();
        if names.len() < MAX_CALLED {
            names.insert(subject.into(), Arc::clone(called));
        }
    }

    /// Waits for an instance no longer than its caller waits for an answer.
    async fn in_time<T>(
        &self,
        mut begin: Pin<&mut impl Future<Output = Result<T, CallError>>>,
    ) -> Result<T, CallError> {
        // Mostly there is one, and no clock to be looked at.
        if let Some(begun) = poll_immediate(&mut begin).await {
            return begun;
        }
        let late = || Refused::QueueTimeout {
            component: self.target.id().clone(),
            waited: QUEUE_WAIT,
        };
        timeout(QUEUE_WAIT, begin)
            .await
            .unwrap_or_else(|_| Err(late().into()))
    }

    /// Both sides must mean the same type. Callers of v1 do not say what they mean.
    fn check(&self, incoming: &Incoming, exported: &Exported, function: &str) -> Result<(), CallError> {
        let have = exported.signature();
        let said = incoming.terms().signature;
        if said.is_none_or(|said| said == have.fingerprint()) {
            return Ok(());
        }
        Err(CallError::Mismatch {
            component: self.target.id().clone(),
            reason: format!("exports `{function}` as `{have}`"),
        })
    }

    fn told(&self, error: &CallError) -> RpcErrorBody {
        failure::told(error, self.target.id(), self.calls.host.as_str())
    }
}

/// A call that will be taken.
enum Begun {
    /// Of the HTTP handler, whose parameters are read as they come.
    Http(Box<RemoteRequest>),
    /// One that begins when its parameters are whole.
    Whole(Whole),
}

/// A call whose parameters and results are bytes.
enum Whole {
    /// Of a function by its type.
    Typed {
        call: Box<EncodedCall>,
        exported: Exported,
        span: tracing::Span,
    },
    /// A change of a key that the component is told of.
    Change(Box<RemoteChange>),
}

impl Whole {
    /// Whether these bytes are all of the parameters. For callers that do not say so.
    fn is_whole(&self, params: &[u8]) -> bool {
        match self {
            Self::Typed { exported, .. } => exported.is_whole(params),
            Self::Change(change) => change.is_whole(params),
        }
    }

    async fn run(self, params: &[u8]) -> Result<Vec<u8>, CallError> {
        match self {
            Self::Typed { call, span, .. } => call.run(params).instrument(span).await,
            Self::Change(change) => Box::pin(change.run(params)).await.map(|()| Vec::new()),
        }
    }
}

/// Whether a call is an HTTP request.
fn is_request(called: &Called) -> bool {
    (called.interface(), called.function()) == (Some(INCOMING_HANDLER), "handle")
}

/// The trace of a call goes on from that of its caller.
fn follow(incoming: &Incoming, span: &tracing::Span) {
    set_parent(span, incoming.header(TRACEPARENT), incoming.header(TRACESTATE));
}

/// How long a call waits for the word of a policy. Callers of v1 do not come back, so they wait as long as it takes; of
/// the others, whoever is told to come back gets the answer that has come meanwhile.
fn decided_by(incoming: &Incoming, deadline: Instant) -> Instant {
    match incoming.deadline() {
        Some(_) => deadline.min(incoming.came().into_std() + POLICY_WAIT),
        None => deadline,
    }
}

/// A slot if one is free; where none is, the call may wait for one, unless its caller has another line to wait in.
fn slot(incoming: &Incoming, prepared: &Prepared) -> Result<Option<Slot>, Refused> {
    let slot = prepared.slot();
    if slot.is_none() && incoming.terms().now {
        return Err(prepared.full());
    }
    Ok(slot)
}

fn invocation(incoming: &Incoming, prepared: &Prepared) -> Invocation {
    let own = prepared.limits().deadline;
    let time = incoming.time_left().map_or(own, |left| left.min(own));
    let source: Option<ComponentId> = incoming.source().and_then(|id| id.parse().ok());
    let mut invocation = Invocation::new(source.map_or(Caller::Host, Caller::Component), time);
    invocation.depth = u16::try_from(incoming.terms().depth).unwrap_or(u16::MAX);
    invocation
}
