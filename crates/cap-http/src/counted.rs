//! A body whose bytes are counted as they pass.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wasmcloud_capability::{ComponentContext, Counter, Traffic};

/// Which of a component's counters a body adds to.
pub(crate) type Of = fn(&Traffic) -> &Counter;

/// A body and the counter of its bytes.
pub(crate) struct Counted<B> {
    body: B,
    of: Of,
    // Nothing for bodies that have no bytes, which are most of those that come in.
    component: Option<Arc<ComponentContext>>,
}

impl<B: Body<Data = Bytes>> Counted<B> {
    pub(crate) fn new(body: B, component: &Arc<ComponentContext>, of: Of) -> Self {
        let component = (!body.is_end_stream()).then(|| Arc::clone(component));
        Self { body, of, component }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Poll::Ready(Some(Ok(frame))), Some(component)) = (&polled, &self.component)
            && let Some(data) = frame.data_ref()
        {
            (self.of)(component.traffic()).add(data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
