//! Calls as they come in: taken or refused, handled within their deadline, answered in any case.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tracing::{debug, error, warn};
use wasmcloud_lattice::CallError;
use wasmcloud_lattice::rpc::{Incoming, Server};
use wasmcloud_wire::rpc::{Prefix, RpcErrorBody, RpcErrorCode};

use crate::context::CallContext;
use crate::failure::Failure;
use crate::functions::Function;
use crate::provider::Provider;
use crate::state::State;

/// Begins to take calls. They come only after the next barrier of the connection.
///
/// Each function has a subject of its own, so that a call of one that is not there fails at once, and callers with an
/// older version of an interface can try that (wire reference §4.6).
pub(crate) async fn begin<P: Provider>(
    state: &Arc<State<P>>,
    provider: &Arc<P>,
    functions: Vec<Function<P>>,
) -> Result<(), CallError> {
    let sdk = &state.sdk;
    let prefix = Prefix {
        lattice: sdk.lattice().clone(),
        component: sdk.provider_id().clone(),
    };
    let places = Arc::new(Semaphore::new(
        state.options.max_calls.clamp(1, Semaphore::MAX_PERMITS),
    ));
    let subscribed = functions.iter().map(|function| {
        let subject = prefix.exact(function.instance.as_ref(), &function.name);
        let group = prefix.queue_group();
        async move { sdk.0.rpc.serve(&subject, &group).await }
    });
    let servers: Result<Vec<Server>, CallError> = join_all(subscribed).await.into_iter().collect();
    for (server, function) in servers?.into_iter().zip(functions) {
        let taking = Taking {
            state: Arc::clone(state),
            provider: Arc::clone(provider),
            function: Arc::new(function),
            places: Arc::clone(&places),
        };
        state.calls.spawn(taking.run(server));
    }
    Ok(())
}

/// The task that takes the calls of one function.
struct Taking<P> {
    state: Arc<State<P>>,
    provider: Arc<P>,
    function: Arc<Function<P>>,
    places: Arc<Semaphore>,
}

impl<P: Provider> Taking<P> {
    async fn run(self, mut server: Server) {
        loop {
            tokio::select! {
                incoming = server.next() => match incoming {
                    Some(incoming) => self.take(incoming).await,
                    None => return,
                },
                () = self.state.drain.cancelled() => break,
            }
        }
        // What was sent to us before we left the group is ours to answer.
        let deadline = Instant::now() + self.state.options.drain_time / 2;
        if let Err(error) = server.drain(deadline).await {
            debug!(%error, function = self.function.name.as_str(), "calls may still be sent here");
        }
        while let Some(incoming) = server.next().await {
            self.take(incoming).await;
        }
    }

    async fn take(&self, incoming: Incoming) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let limit = self.state.options.max_calls;
            let why = format!(
                "provider `{}` handles {limit} calls at the same time, and that many are under way",
                self.state.sdk.provider_id()
            );
            return incoming.refuse(&RpcErrorBody::new(RpcErrorCode::Full, why)).await;
        };
        let name = (self.function.instance.clone(), self.function.name.clone());
        let longest = self.state.options.call_time;
        let context = match CallContext::read(&self.state.sdk, name, &incoming, longest) {
            Ok(context) => context,
            Err(failure) => return incoming.refuse(&failure.0).await,
        };
        let call = handle(
            Arc::clone(&self.provider),
            Arc::clone(&self.function),
            context,
            incoming,
            place,
        );
        self.state.calls.spawn(call);
    }
}

/// One call, from its acceptance to its end.
async fn handle<P: Provider>(
    provider: Arc<P>,
    function: Arc<Function<P>>,
    context: CallContext,
    incoming: Incoming,
    _place: OwnedSemaphorePermit,
) {
    let name = function.name.as_str();
    let (began, deadline) = (Instant::now(), context.deadline());
    let source = context.source().map(ToString::to_string);
    let accepted = match incoming.accept(deadline.saturating_duration_since(began)).await {
        Ok(accepted) => Arc::new(accepted),
        // Its caller finds out by itself.
        Err(error) => return warn!(%error, function = name, "a call was not accepted"),
    };
    // The handler is called inside: it may panic before it has returned a future.
    let run = async { (function.handler)(provider, context, Arc::clone(&accepted)).await };
    let run = AssertUnwindSafe(run).catch_unwind();
    let failure = tokio::select! {
        // This first: its caller is told that the call was accepted before a handler gets the chance to block.
        biased;
        () = accepted.abandoned() => return debug!(function = name, source, "the caller went away"),
        outcome = timeout_at(deadline, run) => match outcome {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(failure))) => {
                warn!(function = name, source, error = failure.message(), "a call failed");
                failure
            }
            Ok(Err(panic)) => {
                let failure = Failure::panicked(name, &*panic);
                error!(function = name, source, error = failure.message(), "a call ended in a panic");
                failure
            }
            Err(_) => {
                let waited = began.elapsed();
                warn!(function = name, source, ?waited, "a call reached its deadline and was dropped");
                Failure(RpcErrorBody::new(
                    RpcErrorCode::Deadline,
                    format!("the provider worked on {name} for {waited:.1?} and had not finished at the deadline"),
                ))
            }
        },
    };
    // Streams that were begun end too, those that have ended stay as they are.
    let streams = function.result_paths.iter().map(ToString::to_string);
    let mut told = accepted.fail(&failure.0).await;
    for path in streams {
        told = told.and(accepted.sender(&path).fail(&failure.0).await);
    }
    if let Err(error) = told {
        debug!(%error, function = name, "a caller was not told that its call failed");
    }
}
