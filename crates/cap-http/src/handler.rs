//! One request, one call: from a parsed request to the head of the guest's answer.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::time::error::Elapsed;
use tokio::time::timeout_at;
use tracing::Instrument as _;
use wasmcloud_capability::{Caller, Invocation, InvocationId};
use wasmcloud_core::Route as Way;
use wasmcloud_engine::{CallError, Live, Prepared, Slot};
use wasmcloud_lattice::rpc::RpcError;
use wasmcloud_wire::value::DecodeError;
use wasmtime_wasi_http::p2::bindings::http::types as p2;
use wasmtime_wasi_http::p3;

use crate::body::{BrokenBody, Guest, GuestBody, ResponseBody};
use crate::capability::view;
use crate::counted::Counted;
use crate::exports::{HttpExports, load_p2, load_p3};
use crate::lattice;
use crate::routes::Route;

/// Why a request has no answer from the guest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("component `{0}` does not export `wasi:http/incoming-handler` or `wasi:http/handler`")]
    NoHandler(String),
    #[error("the component returned without a response")]
    NoResponse,
    #[error("the component answered with the error {0}")]
    ErrorCode(String),
    #[error(transparent)]
    Body(#[from] BrokenBody),
    #[error("pass the request to the component")]
    Setup(#[source] wasmtime::Error),
    #[error(transparent)]
    Lattice(#[from] RpcError),
    #[error("the bytes of the head are not what they should be")]
    Form(#[source] DecodeError),
    #[error("{0}")]
    Head(String),
}

/// What the guest has answered, put here by the host function that it calls.
#[derive(Clone, Default)]
struct Answer(Arc<Answered>);

#[derive(Default)]
struct Answered {
    response: Mutex<Option<Result<Response<GuestBody>, String>>>,
    /// It is an answer, and not one that says that the component failed.
    well: AtomicBool,
}

impl Answer {
    fn put(&self, response: Result<Response<GuestBody>, String>) {
        let well = response
            .as_ref()
            .is_ok_and(|response| !response.status().is_server_error());
        self.0.well.store(well, Ordering::Relaxed);
        *self.0.response.lock() = Some(response);
    }

    fn take(&self) -> Option<Result<Response<GuestBody>, String>> {
        self.0.response.lock().take()
    }

    /// Says how a call went, in which the guest had this answer.
    fn settle(
        &self,
        live: &mut Live,
        outcome: Result<wasmtime::Result<()>, Elapsed>,
    ) -> Result<(), CallError> {
        if !self.0.well.load(Ordering::Relaxed) {
            live.answered_badly();
        }
        live.settle(outcome)
    }
}

/// Calls the component. The answer's body drives the rest of the call. If all its slots are in use and the route allows
/// it, another host answers that has one.
pub(crate) async fn handle(
    prepared: &Arc<Prepared>,
    route: &Route,
    secure: bool,
    mut request: Request<Incoming>,
) -> (InvocationId, Result<Response<ResponseBody>, Unanswered>) {
    let own = prepared.limits().deadline;
    let limit = route.settings.timeout.map_or(own, |limit| limit.min(own));
    let invocation = Invocation::new(Caller::Provider(route.owner.source.clone()), limit);
    let id = invocation.id;
    let answered = async {
        admit(prepared, invocation.deadline).await?;
        let slot = prepared.slot();
        if slot.is_none()
            && route.way == Way::Auto
            && let Some(elsewhere) = &route.elsewhere
        {
            // In a box, so that those who find a slot do not carry the room for it.
            let passed_on = lattice::request_now(elsewhere, route, &invocation, secure, request);
            let outcome = Box::pin(passed_on).await;
            if !matches!(outcome, Ok(ControlFlow::Continue(_))) {
                prepared.stats().overflowed();
            }
            request = match outcome? {
                ControlFlow::Break(response) => return Ok(response),
                ControlFlow::Continue(request) => request,
            };
        }
        let begun = begin(prepared, slot, invocation).await?;
        begun.answer(secure, request).await
    };
    (id, answered.await)
}

/// A live instance for a request.
pub(crate) struct Begun {
    live: Live,
    span: tracing::Span,
    counted: bool,
}

/// Whether a component answers requests.
pub fn answers_http(prepared: &Prepared) -> bool {
    interface(prepared).is_some()
}

/// The interface by which a component answers requests, if it does.
fn interface(prepared: &Prepared) -> Option<&'static str> {
    Some(match prepared.exports::<HttpExports>()? {
        HttpExports::P2(_) => "wasi:http/incoming-handler",
        HttpExports::P3(_) => "wasi:http/handler",
    })
}

/// Whether the component may be called with requests. That it does not answer any is found out later.
pub(crate) async fn admit(prepared: &Prepared, deadline: Instant) -> Result<(), CallError> {
    match interface(prepared) {
        Some(interface) => prepared.admit(interface, "handle", deadline).await,
        None => Ok(()),
    }
}

/// Gets a live instance for a request, in this slot or when its turn has come.
pub(crate) async fn begin(
    prepared: &Arc<Prepared>,
    slot: Option<Slot>,
    invocation: Invocation,
) -> Result<Begun, Unanswered> {
    let Some(interface) = interface(prepared) else {
        return Err(Unanswered::NoHandler(prepared.context().id().to_string()));
    };
    let span = prepared.span(&invocation, interface, "handle");
    let live = prepared
        .begin_in(slot, invocation)
        .instrument(span.clone())
        .await?;
    Ok(Begun {
        live,
        span,
        counted: true,
    })
}

impl Begun {
    /// Counters do not show this call.
    pub(crate) fn uncounted(&mut self) {
        self.live.uncounted();
        self.counted = false;
    }

    /// The span of the call.
    pub(crate) fn span(&self) -> &tracing::Span {
        &self.span
    }

    /// Has the instance answer. The answer's body drives the rest of the call.
    pub(crate) async fn answer<B>(
        self,
        secure: bool,
        request: Request<B>,
    ) -> Result<Response<ResponseBody>, Unanswered>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<wasmtime_wasi_http::Error>,
    {
        let Begun { live, span, counted } = self;
        let deadline = live.deadline();
        let prepared = Arc::clone(live.prepared());
        let component = prepared.context();
        let Some(exports) = prepared.exports::<HttpExports>() else {
            return Err(Unanswered::NoHandler(component.id().to_string()));
        };
        let request = request.map(|body| Counted::new(body, component, |traffic| &traffic.served.received));
        let answer = Answer::default();
        let guest = match exports {
            HttpExports::P2(indices) => begin_p2(live, indices, secure, request, answer.clone()),
            HttpExports::P3(indices) => begin_p3(live, indices, secure, request, answer.clone()),
        }
        .map_err(Unanswered::Setup)?;
        let mut guest: Guest = match span.is_disabled() {
            true => guest,
            // Whoever polls it from now on, what happens in it belongs to this call.
            false => Box::pin(guest.instrument(span)),
        };

        poll_fn(|cx| {
            let done = match guest.as_mut().poll(cx) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Ready(Ok(())) => true,
                Poll::Pending => false,
            };
            let answered = answer.take();
            let response = match answered {
                Some(Ok(response)) => response,
                Some(Err(code)) => return Poll::Ready(Err(Unanswered::ErrorCode(code))),
                None if done => return Poll::Ready(Err(Unanswered::NoResponse)),
                None => return Poll::Pending,
            };
            let (head, body) = response.into_parts();
            let body = if done {
                ResponseBody::finished(body, cx)?
            } else {
                // The guest was only polled to this point: `guest` is replaced by nothing that anyone polls again.
                let guest = std::mem::replace(&mut guest, Box::pin(async { Ok(()) }));
                ResponseBody::driven(body, guest, deadline)
            };
            let body = match counted {
                true => {
                    component.traffic().answered(head.status.as_u16());
                    body.counted(component)
                }
                false => body,
            };
            Poll::Ready(Ok(Response::from_parts(head, body)))
        })
        .await
    }
}

fn begin_p2<B>(
    mut live: Live,
    indices: &wasmtime_wasi_http::p2::bindings::ProxyIndices,
    secure: bool,
    request: Request<Counted<B>>,
    answer: Answer,
) -> wasmtime::Result<Guest>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<wasmtime_wasi_http::Error>,
{
    let (store, instance) = live.parts();
    let proxy = load_p2(store, instance, indices)?;
    let mut http = view(store.data_mut());
    let scheme = if secure {
        p2::Scheme::Https
    } else {
        p2::Scheme::Http
    };
    let request = http.new_incoming_request(scheme, request)?;
    let told = answer.clone();
    let out = http.new_response_outparam_from_callback(move |response| {
        told.put(response.map_err(|code| format!("{code:?}")));
    })?;
    Ok(Box::pin(async move {
        let deadline = live.deadline();
        let (store, _) = live.parts();
        let call = proxy
            .wasi_http_incoming_handler()
            .call_handle(store, request, out);
        let outcome = timeout_at(deadline, call).await;
        answer.settle(&mut live, outcome)
    }))
}

fn begin_p3<B>(
    mut live: Live,
    indices: &p3::bindings::ServiceIndices,
    secure: bool,
    request: Request<Counted<B>>,
    answer: Answer,
) -> wasmtime::Result<Guest>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<wasmtime_wasi_http::Error>,
{
    let (store, instance) = live.parts();
    let service = load_p3(store, instance, indices)?;
    let (mut head, body) = request.into_parts();
    let mut uri = head.uri.into_parts();
    uri.scheme = Some(if secure {
        http::uri::Scheme::HTTPS
    } else {
        http::uri::Scheme::HTTP
    });
    head.uri = http::Uri::from_parts(uri)?;
    let request = Request::from_parts(head, body);
    let (request, sent) = p3::Request::from_http(view(store.data_mut()).hooks, request);
    Ok(Box::pin(async move {
        let deadline = live.deadline();
        let (store, _) = live.parts();
        let call = store.run_concurrent(async |accessor| {
            let request = accessor.with(|mut store| view(store.get()).table.push(request))?;
            let response = match service.wasi_http_handler().call_handle(accessor, request).await? {
                Ok(response) => response,
                Err(code) => {
                    answer.put(Err(format!("{code:?}")));
                    return Ok(());
                }
            };
            let (ended, end) = tokio::sync::oneshot::channel();
            let response = accessor.with(|mut store| {
                let response = view(store.get()).table.delete(response)?;
                response.into_http_with_getter(&mut store, sent, view)
            })?;
            answer.put(Ok(response.map(|body| watched(body, ended))));
            // The guest's tasks write the body and are driven from here, so this stays until the body has ended or
            // its reader is gone.
            let _ = end.await;
            wasmtime::error::Ok(())
        });
        let outcome = timeout_at(deadline, call).await;
        answer.settle(&mut live, outcome.map(|result| result.and_then(|inner| inner)))
    }))
}

/// Tells `ended` when the body has been read or dropped.
fn watched(body: GuestBody, ended: tokio::sync::oneshot::Sender<()>) -> GuestBody {
    use http_body::Frame;
    use http_body_util::BodyExt;
    use std::pin::Pin;
    use std::task::Context;

    struct Watched {
        body: GuestBody,
        ended: Option<tokio::sync::oneshot::Sender<()>>,
    }
    impl Body for Watched {
        type Data = Bytes;
        type Error = wasmtime_wasi_http::Error;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let frame = Pin::new(&mut self.body).poll_frame(cx);
            if matches!(frame, Poll::Ready(None))
                && let Some(ended) = self.ended.take()
            {
                let _ = ended.send(());
            }
            frame
        }
    }
    Watched {
        body,
        ended: Some(ended),
    }
    .boxed_unsync()
}
