//! The body of a request, which tells how much of it has left.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::progress::Reporter;

/// How much of a body is handed to the connection at a time: the grain of progress.
const CHUNK: usize = 64 << 10;

/// The body of a request, which counts what leaves.
pub(crate) struct Upload {
    rest: Bytes,
    reporter: Reporter,
    /// Whether it is the content whose progress is told; anything else only shows that something moves.
    counts: bool,
}

impl Upload {
    pub(crate) fn new(rest: Bytes, reporter: Reporter, counts: bool) -> Self {
        Self {
            rest,
            reporter,
            counts,
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let size = self.rest.len().min(CHUNK);
        let chunk = self.rest.split_to(size);
        self.reporter.add(if self.counts { size as u64 } else { 0 });
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
