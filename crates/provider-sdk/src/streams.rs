//! What travels beside a call: streams of bytes, without the lengths that stand between their chunks on the wire, and
//! futures.

use bytes::Bytes;
use wasmcloud_lattice::rpc::{Receiver, RpcError, Sender};
use wasmcloud_wire::rpc::Payload;
use wasmcloud_wire::rpc::stream::{ByteStream, END, Piece, put_chunk};
use wasmcloud_wire::value::DecodeError;

use crate::failure::Failure;

/// Longest chunk that is written as one, in bytes; that of v1's blobs (wire reference §19).
const CHUNK: usize = 64 << 10;

/// Why a stream ended early.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The peer failed, is gone, or took too long.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// What came is no stream of bytes.
    #[error("read a stream of bytes")]
    Malformed(#[from] DecodeError),
    /// It ended in the middle.
    #[error("the stream of bytes ended in the middle")]
    CutOff,
}

/// The reading end of a `stream<u8>`.
pub struct ByteReader {
    receiver: Receiver,
    stream: ByteStream,
    message: Bytes,
}

impl ByteReader {
    /// Reads from a path of a call.
    pub fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            stream: ByteStream::default(),
            message: Bytes::new(),
        }
    }

    /// The next bytes, never none; `None` when the stream has ended. How long they are means nothing.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StreamError> {
        loop {
            let mut rest = &*self.message;
            match self.stream.next(&mut rest)? {
                Some(Piece::Data(data)) => {
                    let data = self.message.slice_ref(data);
                    self.message = self.message.slice_ref(rest);
                    return Ok(Some(data));
                }
                Some(Piece::End) => {
                    self.message = Bytes::new();
                    return Ok(None);
                }
                None if self.stream.is_ended() => return Ok(None),
                None => {
                    let message = self.receiver.next().await?;
                    self.message = message.ok_or(StreamError::CutOff)?;
                }
            }
        }
    }

    /// All of it, if that is at most so many bytes.
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            if all.len() + bytes.len() > limit {
                return Err(Failure::malformed(format!(
                    "the stream has more than {limit} bytes, which is the limit"
                )));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }
}

/// The writing end of a `stream<u8>`. Dropping it leaves the stream open until the call ends.
pub struct ByteWriter {
    sender: Sender,
}

impl ByteWriter {
    /// Writes on a path of a call.
    pub fn new(sender: Sender) -> Self {
        Self { sender }
    }

    /// Writes bytes, when the reader has room for them.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), RpcError> {
        for chunk in bytes.chunks(CHUNK) {
            let mut out = Vec::with_capacity(chunk.len() + 4);
            put_chunk(chunk, &mut out);
            self.sender.send(out.into()).await?;
        }
        Ok(())
    }

    /// Ends the stream: everything was written.
    pub async fn finish(self) -> Result<(), RpcError> {
        self.sender.send_whole(Bytes::from_static(&[END])).await
    }

    /// Ends the stream before everything was written.
    pub async fn fail(self, why: &Failure) -> Result<(), RpcError> {
        self.sender.fail(&why.0).await
    }
}

/// Sends what a future carries.
pub async fn send_value<T: Payload>(sender: Sender, value: &T) -> Result<(), RpcError> {
    sender.send_whole(value.to_bytes().into()).await
}

/// Waits for what a future carries, of at most so many bytes.
pub async fn receive_value<T: Payload>(receiver: Receiver, limit: usize) -> Result<T, Failure> {
    Ok(T::from_bytes(&receiver.whole(limit).await?)?)
}
