//! Bodies and trailers as streams on the paths of a call, and back.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use futures::stream;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use tokio::task::JoinHandle;
use wasmcloud_lattice::rpc::{Accepted, Receiver, RpcError, Sender};
use wasmcloud_wire::rpc::http::{HandleResult, RESPONSE_BODY, RESPONSE_TRAILERS, Trailers};
use wasmcloud_wire::rpc::stream::{ByteStream, END, Piece, put_chunk};
use wasmcloud_wire::rpc::{Payload as _, RpcErrorBody, RpcErrorCode};
use wasmcloud_wire::value::DecodeError;
use wasmtime_wasi_http::Error as WasiError;

use super::head::{self, InvalidHead};

/// Longest trailers that a peer may send, in bytes: as much as a guest can build (`hooks::MAX_FIELDS`).
const MAX_TRAILERS: usize = 128 << 10;

/// Why a body from elsewhere breaks off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenOff {
    #[error(transparent)]
    Call(#[from] RpcError),
    #[error("read the body")]
    Form(#[from] DecodeError),
    #[error(transparent)]
    Trailers(#[from] InvalidHead),
    #[error("the stream ended before the body did")]
    Early,
}

/// Something that is sent beside everything else. Ends when it is dropped.
pub(super) struct Pump(JoinHandle<Result<(), RpcError>>);

impl Pump {
    pub(super) fn start(send: impl Future<Output = Result<(), RpcError>> + Send + 'static) -> Self {
        Self(tokio::spawn(send))
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers a call with a response: head, body and trailers.
pub(super) async fn answer<B>(accepted: &Accepted, response: http::Response<B>) -> Result<(), RpcError>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let head: HandleResult = Ok(head::response(&response));
    accepted.finish(head.to_bytes().into()).await?;
    let (data, trailers) = (
        accepted.sender(&RESPONSE_BODY.to_string()),
        accepted.sender(&RESPONSE_TRAILERS.to_string()),
    );
    send(response.into_body(), data, trailers).await
}

/// Sends a body and its trailers. A body that breaks off is ended with the reason, so that nobody takes the part for
/// the whole.
pub(super) async fn send<B>(body: B, mut data: Sender, trailers: Sender) -> Result<(), RpcError>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let mut body = std::pin::pin!(body);
    let mut last: Trailers = None;
    if !body.is_end_stream() {
        while let Some(frame) = body.frame().await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    let why = RpcErrorBody::new(RpcErrorCode::Internal, error.to_string());
                    let (one, other) = tokio::join!(data.fail(&why), trailers.fail(&why));
                    return one.and(other);
                }
            };
            match frame.into_data() {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => {
                    let mut chunk = Vec::with_capacity(bytes.len() + 5);
                    put_chunk(&bytes, &mut chunk);
                    data.send(chunk.into()).await?;
                }
                Err(frame) => {
                    last = frame.into_trailers().ok().map(|trailers| head::fields(&trailers));
                }
            }
        }
    }
    data.send_whole(Bytes::from_static(&[END])).await?;
    trailers.send_whole(last.to_bytes().into()).await
}

/// A body that comes from elsewhere.
pub(crate) struct LatticeBody(Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, BrokenOff>> + Send>>);

struct Reading {
    data: Receiver,
    trailers: Option<Receiver>,
    form: ByteStream,
    ready: VecDeque<Bytes>,
    /// Held as long as there is something to read: dropping it ends the call.
    _hold: Box<dyn Send>,
}

impl LatticeBody {
    /// The body on these paths. `hold` is dropped with it.
    pub(super) fn new(data: Receiver, trailers: Receiver, hold: impl Send + 'static) -> Self {
        let reading = Reading {
            data,
            trailers: Some(trailers),
            form: ByteStream::default(),
            ready: VecDeque::new(),
            _hold: Box::new(hold),
        };
        Self(Box::pin(stream::try_unfold(reading, |mut reading| async move {
            let frame = reading.next().await?;
            Ok(frame.map(|frame| (frame, reading)))
        })))
    }
}

impl LatticeBody {
    /// The body as wasmtime wants to see it break off.
    pub(super) fn into_wasi(self) -> impl Body<Data = Bytes, Error = WasiError> + Send + Unpin + 'static {
        self.map_err(|error: BrokenOff| WasiError::InternalError(Some(error.to_string())))
    }
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Frame<Bytes>>, BrokenOff> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Ok(Some(Frame::data(bytes)));
            }
            if self.form.is_ended() {
                return self.last().await;
            }
            let Some(message) = self.data.next().await? else {
                return Err(BrokenOff::Early);
            };
            let mut rest: &[u8] = &message;
            while let Some(piece) = self.form.next(&mut rest)? {
                match piece {
                    Piece::Data(data) => self.ready.push_back(message.slice_ref(data)),
                    Piece::End => break,
                }
            }
        }
    }

    /// The trailers, once.
    async fn last(&mut self) -> Result<Option<Frame<Bytes>>, BrokenOff> {
        let Some(trailers) = self.trailers.take() else {
            return Ok(None);
        };
        let bytes = trailers.whole(MAX_TRAILERS).await?;
        // A peer that closes the path has none.
        if bytes.is_empty() {
            return Ok(None);
        }
        match Trailers::from_bytes(&bytes)? {
            Some(fields) => Ok(Some(Frame::trailers(head::headers(fields)?))),
            None => Ok(None),
        }
    }
}

impl Body for LatticeBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        self.0.as_mut().poll_next(cx)
    }
}
