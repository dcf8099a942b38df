//! Streams and futures (wire reference §4.3). Inside a value each is one byte, `0x00`, and what it carries comes on its
//! own subject; or all of it stands in the value, which v1 reads but never writes. Neither do we, unless asked to.
//!
//! On its subject a `stream<u8>` is a row of `list<u8>`, its chunks, and an empty list ends it; so `0x00` ends it. Where
//! the chunks begin and end has nothing to do with messages: one message may hold several, and v1 cuts a long one into
//! several messages. A `future<T>` is a `T`.

use crate::value::{DecodeError, Decoder, Malformed, invalid, put};

use super::payload::Payload;

/// The byte that ends a stream on its subject.
pub const END: u8 = 0;

/// Appends a chunk of a `stream<u8>`. An empty one is left out, for it would end the stream.
pub fn put_chunk(bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() {
        put::bytes(bytes, out);
    }
}

/// A stream inside a value.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum StreamOf<T> {
    /// It comes on its own subject.
    #[default]
    Pending,
    /// This is all of it. An empty one cannot be told from one that is pending and is read as such.
    Complete(Vec<T>),
}

impl<T> Payload for StreamOf<T>
where
    Vec<T>: Payload,
{
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Pending => out.push(0),
            Self::Complete(items) => items.encode(out),
        }
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let items = Vec::<T>::decode(from)?;
        Ok(if items.is_empty() {
            Self::Pending
        } else {
            Self::Complete(items)
        })
    }
}

/// A future inside a value.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum FutureOf<T> {
    /// It comes on its own subject.
    #[default]
    Pending,
    /// It is here.
    Ready(T),
}

impl<T: Payload> Payload for FutureOf<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Pending => out.push(0),
            Self::Ready(value) => {
                out.push(1);
                value.encode(out);
            }
        }
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(match from.option(T::decode)? {
            None => Self::Pending,
            Some(value) => Self::Ready(value),
        })
    }
}

/// A piece of a `stream<u8>` as it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes of it, never none; where chunks begin and end means nothing.
    Data(&'a [u8]),
    /// There are no more.
    End,
}

/// Takes a `stream<u8>` apart as its messages arrive. Keeps nothing but where it is, so a chunk of any length costs
/// nothing.
///
/// ```
/// use wasmcloud_wire::rpc::stream::{ByteStream, Piece};
///
/// let mut stream = ByteStream::default();
/// let mut message: &[u8] = &[3, b'a', b'b', b'c', 0];
/// assert_eq!(stream.next(&mut message), Ok(Some(Piece::Data(b"abc"))));
/// assert_eq!(stream.next(&mut message), Ok(Some(Piece::End)));
/// assert_eq!(stream.next(&mut message), Ok(None));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ByteStream {
    /// The first bytes of a length that continues in the next message; at most four, for a fifth is the last.
    length: Vec<u8>,
    /// How many bytes of the chunk are to come.
    left: usize,
    ended: bool,
}

impl ByteStream {
    /// Whether the end was read.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// The next piece of a message, which is moved on behind it. Nothing when all of the message was read.
    pub fn next<'a>(&mut self, message: &mut &'a [u8]) -> Result<Option<Piece<'a>>, DecodeError> {
        if message.is_empty() {
            return Ok(None);
        }
        if self.ended {
            return Err(behind_the_end());
        }
        while self.left == 0 {
            let Some((byte, rest)) = message.split_first() else {
                return Ok(None);
            };
            *message = rest;
            self.length.push(*byte);
            match Decoder::new(&self.length).list_len() {
                Err(DecodeError::Incomplete { .. }) => {}
                Err(error) => return Err(error),
                Ok(0) => {
                    self.ended = true;
                    return Ok(Some(Piece::End));
                }
                Ok(len) => {
                    self.left = len;
                    self.length.clear();
                }
            }
        }
        let (data, rest) = message.split_at(self.left.min(message.len()));
        *message = rest;
        self.left -= data.len();
        Ok((!data.is_empty()).then_some(Piece::Data(data)))
    }
}

/// Takes a stream of other items apart as its messages arrive. Keeps what it has of an item that is not all there.
#[derive(Clone, Debug)]
pub struct ItemStream {
    kept: Vec<u8>,
    /// With fewer bytes kept than this, trying is of no use.
    wanted: usize,
    /// How many items of the chunk are to come.
    left: usize,
    ended: bool,
    limit: usize,
}

impl ItemStream {
    /// `limit` is how many bytes one item may have.
    pub fn new(limit: usize) -> Self {
        Self {
            kept: Vec::new(),
            wanted: 1,
            left: 0,
            ended: false,
            limit,
        }
    }

    /// Whether the end was read.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// The items that a message makes whole. After an error the stream is of no use.
    pub fn push<T: Payload>(&mut self, message: &[u8]) -> Result<Vec<T>, DecodeError> {
        self.kept.extend_from_slice(message);
        let mut items = Vec::new();
        if self.kept.len() < self.wanted {
            return Ok(items);
        }
        let mut decoder = Decoder::new(&self.kept);
        let missing = loop {
            if self.ended {
                break 1;
            }
            let before = decoder.clone();
            let read = if self.left == 0 {
                decoder.list_len().map(|len| {
                    self.left = len;
                    self.ended = len == 0;
                })
            } else {
                T::decode(&mut decoder).map(|item| {
                    self.left -= 1;
                    items.push(item);
                })
            };
            match read {
                Ok(()) if decoder.remaining() == before.remaining() => {
                    return Err(invalid(Malformed::Other(
                        "items of a stream need bytes of their own",
                    )));
                }
                Ok(()) => {}
                Err(DecodeError::Incomplete { needed }) => {
                    decoder = before;
                    break needed;
                }
                Err(error) => return Err(error),
            }
        };
        let rest = decoder.remaining();
        if self.ended && rest > 0 {
            return Err(behind_the_end());
        }
        self.wanted = rest.saturating_add(missing);
        if self.wanted > self.limit.max(1) {
            return Err(DecodeError::TooLarge {
                at: String::new(),
                limit: self.limit,
                unit: "bytes for one item of a stream",
            });
        }
        self.kept.drain(..self.kept.len() - rest);
        Ok(items)
    }
}

fn behind_the_end() -> DecodeError {
    invalid(Malformed::Other("there is more behind the end of the stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a stream that arrives in messages of `size` bytes, and whether it ended.
    fn arrive(wire: &[u8], size: usize) -> Result<(Vec<u8>, bool), DecodeError> {
        let mut stream = ByteStream::default();
        let mut data = Vec::new();
        for mut message in wire.chunks(size) {
            while let Some(piece) = stream.next(&mut message)? {
                match piece {
                    Piece::Data(bytes) => data.extend_from_slice(bytes),
                    Piece::End => assert!(stream.is_ended()),
                }
            }
            assert!(message.is_empty());
        }
        Ok((data, stream.is_ended()))
    }

    #[test]
    fn bytes_arrive_in_messages_of_any_size() {
        let long = vec![7; 300];
        let mut wire = Vec::new();
        put_chunk(b"abc", &mut wire);
        put_chunk(b"", &mut wire);
        put_chunk(&long, &mut wire);
        let open = wire.clone();
        wire.push(END);
        let whole = [b"abc".as_slice(), &long].concat();
        for size in [1, 2, 3, 4, 5, 100, 1000] {
            assert_eq!(arrive(&wire, size), Ok((whole.clone(), true)));
            assert_eq!(arrive(&open, size), Ok((whole.clone(), false)));
            let more = [wire.as_slice(), &[1]].concat();
            assert!(arrive(&more, size).is_err(), "{size}");
            assert!(arrive(&[0xff; 6], size).is_err(), "{size}");
        }
    }

    #[test]
    fn items_arrive_in_messages_of_any_size() {
        let mut wire = Vec::new();
        vec!["a".to_owned(), String::new()].encode(&mut wire);
        vec!["é".repeat(50)].encode(&mut wire);
        wire.push(END);
        for size in [1, 2, 3, 7, 1000] {
            let mut stream = ItemStream::new(101);
            let mut items: Vec<String> = Vec::new();
            for message in wire.chunks(size) {
                items.extend(stream.push::<String>(message).unwrap());
            }
            assert!(stream.is_ended());
            assert_eq!(items, ["a".to_owned(), String::new(), "é".repeat(50)]);
            assert!(stream.push::<String>(&[1]).is_err());
        }
        let mut stream = ItemStream::new(10);
        let error = stream.push::<String>(&[1, 100, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        assert!(
            matches!(error, Err(DecodeError::TooLarge { limit: 10, .. })),
            "{error:?}"
        );
        assert!(ItemStream::new(10).push::<()>(&[5]).is_err());
    }

    #[test]
    fn inside_a_value_they_are_pending_or_whole() {
        assert_eq!(StreamOf::<u8>::Pending.to_bytes(), [0]);
        assert_eq!(
            StreamOf::from_bytes(&[2, 8, 9]),
            Ok(StreamOf::Complete(vec![8_u8, 9]))
        );
        assert_eq!(StreamOf::<String>::from_bytes(&[0]), Ok(StreamOf::Pending));
        assert_eq!(FutureOf::<bool>::Pending.to_bytes(), [0]);
        assert_eq!(FutureOf::from_bytes(&[1, 1]), Ok(FutureOf::Ready(true)));
    }
}
