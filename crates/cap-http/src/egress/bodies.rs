//! The two bodies of an exchange, each with what the plain one does not know: whether its guest still lives, and how
//! long it may take.

use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::{Error, WasiBody};

use super::connections::InUse;
use super::exchange::{by, strip_hop_by_hop};
use super::failure;
use crate::counted::Counted;

/// A request body as a guest writes it.
///
/// wasmtime ends the body without an error when the store goes away, in the middle of an upload just as at its end.
/// A server must not take the part for the whole, so an end that comes after the guest's is a broken body.
pub(crate) struct RequestBody {
    body: Counted<WasiBody>,
    guest: Weak<()>,
}

impl RequestBody {
    pub(crate) fn new(body: Counted<WasiBody>, guest: Weak<()>) -> Self {
        Self { body, guest }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(None) if self.guest.strong_count() == 0 => {
                Poll::Ready(Some(Err(Error::ConnectionTerminated)))
            }
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response body on its way to a guest.
pub(crate) struct ResponseBody {
    body: Counted<Incoming>,
    /// Longest wait for the next part, however slowly the guest reads.
    between: Duration,
    deadline: Option<Instant>,
    /// Runs while someone waits.
    alarm: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    connection: Option<InUse>,
}

impl ResponseBody {
    pub(crate) fn new(
        body: Counted<Incoming>,
        between: Duration,
        deadline: Option<Instant>,
        connection: Option<InUse>,
    ) -> Self {
        let connection = connection.filter(|_| !body.is_end_stream());
        Self {
            body,
            between,
            deadline,
            alarm: None,
            waiting: false,
            connection,
        }
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        if !self.waiting {
            self.waiting = true;
            let at = by(now, self.between, self.deadline);
            match &mut self.alarm {
                Some(alarm) => alarm.as_mut().reset(at),
                None => self.alarm = Some(Box::pin(sleep_until(at))),
            }
        }
        match &mut self.alarm {
            // Timers have a grain of a millisecond; a time that is over already is over.
            Some(alarm) if alarm.deadline() <= now => Poll::Ready(()),
            Some(alarm) => alarm.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => {
                return match self.poll_alarm(cx) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(Error::ConnectionReadTimeout))),
                    Poll::Pending => Poll::Pending,
                };
            }
            Poll::Ready(frame) => frame,
        };
        self.waiting = false;
        Poll::Ready(match frame {
            Some(Ok(mut frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    strip_hop_by_hop(trailers);
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                self.connection = None;
                Some(Err(failure::broken(&error)))
            }
            None => {
                self.connection = None;
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
