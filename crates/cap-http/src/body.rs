//! The body of a response while the guest may still be writing it.
//!
//! The guest runs in the task of its connection: whoever polls the body drives the guest. So a short response needs no
//! task of its own, a slow client slows its guest down, and a client that goes away takes its guest with it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;
use wasmcloud_capability::ComponentContext;
use wasmcloud_engine::CallError;
use wasmtime_wasi_http::Error as WasiError;

use crate::lattice::{BrokenOff, LatticeBody};

/// How long after the deadline a guest is looked at that nobody drives. One that is driven has ended by then.
const GRACE: Duration = Duration::from_millis(50);

/// A guest that is handling a request; ends when the guest's `handle` has returned and its result was settled.
pub(crate) type Guest = Pin<Box<dyn Future<Output = Result<(), CallError>> + Send>>;

/// A body as a guest hands it out.
pub(crate) type GuestBody = UnsyncBoxBody<Bytes, WasiError>;

/// Why a response ends in the middle. hyper then cuts the connection, so that nobody takes the part for the whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenBody {
    #[error("the component failed while it wrote the body")]
    Call(#[source] CallError),
    #[error("the component did not finish the body")]
    Guest(#[source] WasiError),
    #[error("the body comes from another host and broke off")]
    Lattice(#[source] Box<BrokenOff>),
}

/// The body of a response, and whose bytes they are.
pub(crate) struct ResponseBody {
    state: State,
    counted: Option<Arc<ComponentContext>>,
}

enum State {
    /// Everything is there.
    Full(Option<Bytes>),
    /// More may come.
    Streaming {
        next: Option<Frame<Bytes>>,
        body: GuestBody,
        guest: Option<Running>,
    },
    /// It comes from another host.
    Lattice(LatticeBody),
}

/// A guest that still writes, driven by whoever reads the body. A client that stops reading stops driving it too, and
/// no deadline would ever be noticed: so a task of its own looks once, when the deadline has passed.
struct Running {
    shared: Arc<Mutex<Driven>>,
    /// Ends the task when it is dropped.
    _watched: oneshot::Sender<()>,
}

struct Driven {
    guest: Option<Guest>,
    /// How it ended, if the task found that out.
    ended: Option<Result<(), CallError>>,
    /// Who drives it.
    reader: Option<Waker>,
}

impl Running {
    fn new(guest: Guest, deadline: Instant) -> Self {
        let driven = Driven {
            guest: Some(guest),
            ended: None,
            reader: None,
        };
        let shared = Arc::new(Mutex::new(driven));
        let (watched, gone) = oneshot::channel::<()>();
        let late = Arc::clone(&shared);
        tokio::spawn(async move {
            tokio::select! {
                _ = gone => return,
                () = tokio::time::sleep_until(deadline + GRACE) => {}
            }
            // Its own timer has fired, so this ends it.
            poll_fn(|cx| late.lock().poll_guest(cx)).await;
        });
        Self {
            shared,
            _watched: watched,
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        let mut driven = self.shared.lock();
        if driven
            .reader
            .as_ref()
            .is_none_or(|known| !known.will_wake(cx.waker()))
        {
            driven.reader = Some(cx.waker().clone());
        }
        match driven.poll_guest(cx) {
            Poll::Ready(()) => Poll::Ready(driven.ended.take().unwrap_or(Ok(()))),
            Poll::Pending => Poll::Pending,
        }
    }

    /// The guest alone, which nobody has to read any more.
    fn detach(self) -> Option<Guest> {
        self.shared.lock().guest.take()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The task may hold the other end for a moment longer; the guest goes with its reader.
        let guest = self.shared.lock().guest.take();
        drop(guest);
    }
}

impl Driven {
    fn poll_guest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(guest) = &mut self.guest else {
            return Poll::Ready(());
        };
        let Poll::Ready(ended) = guest.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        self.guest = None;
        self.ended = Some(ended);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(())
    }
}

impl ResponseBody {
    /// A body that is complete.
    pub(crate) fn full(bytes: Bytes) -> Self {
        Self::uncounted(State::Full(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }

    fn uncounted(state: State) -> Self {
        Self { state, counted: None }
    }

    /// The same, counted as sent by a component: at once if it is complete, else as it goes.
    pub(crate) fn counted(mut self, component: &Arc<ComponentContext>) -> Self {
        match &self.state {
            State::Full(Some(bytes)) => component.traffic().served.sent.add(bytes.len() as u64),
            State::Full(None) => {}
            State::Streaming { .. } | State::Lattice(_) => self.counted = Some(Arc::clone(component)),
        }
        self
    }

    /// The body of a guest that has returned: complete already, in the usual case of one write.
    pub(crate) fn finished(mut body: GuestBody, cx: &mut Context<'_>) -> Result<Self, BrokenBody> {
        let next = match Pin::new(&mut body).poll_frame(cx) {
            Poll::Ready(None) => return Ok(Self::full(Bytes::new())),
            Poll::Ready(Some(frame)) => frame.map_err(BrokenBody::Guest)?,
            Poll::Pending => return Ok(Self::streaming(None, body, None)),
        };
        match next.into_data() {
            Ok(data) => match Pin::new(&mut body).poll_frame(cx) {
                Poll::Ready(None) => Ok(Self::full(data)),
                // Two frames are waiting or the body is not ended: it streams, which keeps their order. The second
                // frame goes in front of the body by way of a chain.
                Poll::Ready(Some(second)) => {
                    let second = second.map_err(BrokenBody::Guest)?;
                    Ok(Self::streaming(
                        Some(Frame::data(data)),
                        chain(second, body),
                        None,
                    ))
                }
                Poll::Pending => Ok(Self::streaming(Some(Frame::data(data)), body, None)),
            },
            Err(trailers) => Ok(Self::streaming(Some(trailers), body, None)),
        }
    }

    /// A body that comes from another host.
    pub(crate) fn from_lattice(body: LatticeBody) -> Self {
        Self::uncounted(State::Lattice(body))
    }

    /// A body whose guest still runs, until its deadline.
    pub(crate) fn driven(body: GuestBody, guest: Guest, deadline: Instant) -> Self {
        Self::streaming(None, body, Some(Running::new(guest, deadline)))
    }

    fn streaming(next: Option<Frame<Bytes>>, body: GuestBody, guest: Option<Running>) -> Self {
        Self::uncounted(State::Streaming { next, body, guest })
    }
}

fn chain(frame: Frame<Bytes>, rest: GuestBody) -> GuestBody {
    use http_body_util::BodyExt;
    struct Chain(Option<Frame<Bytes>>, GuestBody);
    impl Body for Chain {
        type Data = Bytes;
        type Error = WasiError;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, WasiError>>> {
            match self.0.take() {
                Some(frame) => Poll::Ready(Some(Ok(frame))),
                None => Pin::new(&mut self.1).poll_frame(cx),
            }
        }
    }
    Chain(Some(frame), rest).boxed_unsync()
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BrokenBody;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        let polled = self.state.poll_frame(cx);
        if let (Poll::Ready(Some(Ok(frame))), Some(component)) = (&polled, &self.counted)
            && let Some(data) = frame.data_ref()
        {
            component.traffic().served.sent.add(data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            State::Streaming { .. } | State::Lattice(_) => SizeHint::default(),
        }
    }
}

impl State {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenBody>>> {
        let (next, body, guest) = match self {
            State::Full(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            State::Streaming { next, body, guest } => (next, body, guest),
            State::Lattice(body) => {
                let polled = Pin::new(body).poll_frame(cx);
                return polled.map_err(|error| BrokenBody::Lattice(Box::new(error)));
            }
        };
        if let Some(frame) = next.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(running) = guest {
            match running.poll(cx) {
                Poll::Ready(Ok(())) => *guest = None,
                // What the guest wrote before it failed is not worth sending: the client must see a broken response
                // either way.
                Poll::Ready(Err(error)) => {
                    *guest = None;
                    return Poll::Ready(Some(Err(BrokenBody::Call(error))));
                }
                Poll::Pending => {}
            }
        }
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(BrokenBody::Guest(error)))),
            Poll::Ready(None) => {
                if let Some(running) = guest.take() {
                    // The response is complete and the guest goes on, within its deadline and its slot. It may also
                    // have failed just now, after its last write: look once before letting it go.
                    match running.poll(cx) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(BrokenBody::Call(error)))),
                        Poll::Pending => drop(running.detach().map(tokio::spawn)),
                    }
                }
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
