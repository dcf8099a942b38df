//! How objects and listings travel beside a call (wire reference §4.3): as streams on its paths, read and written a
//! message at a time.

use bytes::Bytes;
use wasmcloud_lattice::rpc::{Receiver, RpcError, Sender};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::rpc::Payload as _;
use wasmcloud_wire::rpc::stream::{ByteStream, END, ItemStream, Piece, put_chunk};
use wasmcloud_wire::value::DecodeError;

use crate::store::{CHUNK, StoreError};

/// Longest name of an object that is taken from a peer, in bytes.
const MAX_NAME: usize = 64 << 10;

/// Longest outcome of a stream that is taken from a peer, in bytes: nothing, or an error in words.
pub(crate) const MAX_OUTCOME: usize = 64 << 10;

/// Why a stream did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenOff {
    #[error(transparent)]
    Call(#[from] RpcError),
    #[error("the stream is malformed")]
    Form(#[from] DecodeError),
    #[error("the stream broke off before its end")]
    Early,
}

impl From<BrokenOff> for StoreError {
    fn from(error: BrokenOff) -> Self {
        Self::Other(chain(&error))
    }
}

/// A `stream<u8>` that comes in.
pub(crate) struct Chunks {
    receiver: Receiver,
    form: ByteStream,
    message: Bytes,
}

impl Chunks {
    pub(crate) fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            form: ByteStream::default(),
            message: Bytes::new(),
        }
    }

    /// The next bytes, never none; nothing when the stream has ended.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BrokenOff> {
        loop {
            let mut rest: &[u8] = &self.message;
            let piece = self.form.next(&mut rest)?;
            let behind = self.message.slice_ref(rest);
            match piece {
                Some(Piece::Data(data)) => {
                    let data = self.message.slice_ref(data);
                    self.message = behind;
                    return Ok(Some(data));
                }
                Some(Piece::End) => {
                    self.message = Bytes::new();
                    return Ok(None);
                }
                None if self.form.is_ended() => return Ok(None),
                None => self.message = self.receiver.next().await?.ok_or(BrokenOff::Early)?,
            }
        }
    }
}

/// A `stream<string>` that comes in.
pub(crate) struct Strings {
    receiver: Receiver,
    form: ItemStream,
}

impl Strings {
    pub(crate) fn new(receiver: Receiver) -> Self {
        Self {
            receiver,
            form: ItemStream::new(MAX_NAME),
        }
    }

    /// The next items, never none; nothing when the stream has ended.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<String>>, BrokenOff> {
        while !self.form.is_ended() {
            let message = self.receiver.next().await?.ok_or(BrokenOff::Early)?;
            let items = self.form.push::<String>(&message)?;
            if !items.is_empty() {
                return Ok(Some(items));
            }
        }
        Ok(None)
    }
}

/// Sends bytes of a `stream<u8>`, when the other side has room for them.
pub(crate) async fn send_bytes(sender: &mut Sender, bytes: &[u8]) -> Result<(), RpcError> {
    for bytes in bytes.chunks(CHUNK) {
        let mut chunk = Vec::with_capacity(bytes.len() + 5);
        put_chunk(bytes, &mut chunk);
        sender.send(chunk.into()).await?;
    }
    Ok(())
}

/// Sends items of a `stream<string>`.
pub(crate) async fn send_strings(sender: &mut Sender, items: &Vec<String>) -> Result<(), RpcError> {
    match items.is_empty() {
        true => Ok(()),
        false => sender.send(items.to_bytes().into()).await,
    }
}

/// Ends a stream: everything was sent.
pub(crate) async fn finish(sender: Sender) -> Result<(), RpcError> {
    sender.send_whole(Bytes::from_static(&[END])).await
}
