//! Bytes to operations.
//!
//! A pure function over a buffer: it takes whole operations off the front and leaves the rest. Nothing is copied for a
//! message: [`Publish`] is a view into the buffer it arrived in. White space, letter case and what is an error are as
//! in nats-server 2.12.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// Takes operations off a buffer.
#[derive(Debug)]
pub struct Parser {
    max_control_line: usize,
    max_payload: usize,
    /// How much of the buffer is known to hold no line feed.
    scanned: usize,
    /// A message whose first line has arrived, and what lies before its end in the buffer.
    partial: Option<(Publish, usize)>,
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub enum Op {
    /// `CONNECT` with its JSON, not parsed yet.
    Connect(Bytes),
    /// `PING`.
    Ping,
    /// `PONG`.
    Pong,
    /// `INFO`, which servers send and clients need not; it has no effect.
    Info,
    /// `SUB subject [queue] sid`.
    Sub {
        /// What to receive, not validated.
        subject: Bytes,
        /// The group of which one member receives each message.
        queue: Option<Bytes>,
        /// What the client calls the subscription.
        sid: Bytes,
    },
    /// `UNSUB sid [max]`.
    Unsub {
        /// Which one.
        sid: Bytes,
        /// After how many messages in all; 0 is now.
        max: u64,
    },
    /// `PUB subject [reply] size` or `HPUB subject [reply] headers size`.
    Pub(Publish),
}

/// A message: one piece of the read buffer, and where in it the parts are.
///
/// Who keeps one keeps the whole read buffer alive.
#[derive(Clone, Debug, Default)]
pub struct Publish {
    frame: Bytes,
    subject: Range<usize>,
    reply: Range<usize>,
    payload: Range<usize>,
    headers: usize,
}

/// What ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A line that begins with no known operation, or a message that does not end where it said.
    #[error("unknown protocol operation")]
    UnknownOperation,
    /// An operation with arguments that make no sense.
    #[error("malformed arguments of {0}")]
    Malformed(&'static str),
    /// A line longer than the server reads.
    #[error("the control line is longer than the limit")]
    ControlLineTooLong,
    /// A message larger than the server takes.
    #[error("the payload is larger than the limit")]
    PayloadTooLarge,
}

impl ProtocolError {
    /// The text of the `-ERR` that says so.
    pub fn text(self) -> &'static str {
        match self {
            Self::UnknownOperation => "Unknown Protocol Operation",
            // nats-server closes without a word here; its protocol documentation has this text for it.
            Self::Malformed(_) => "Parser Error",
            Self::ControlLineTooLong => "maximum control line exceeded",
            Self::PayloadTooLarge => "Maximum Payload Violation",
        }
    }
}

impl Publish {
    /// Where to.
    pub fn subject(&self) -> &[u8] {
        self.part(&self.subject)
    }

    /// Where answers go; empty if none are asked for.
    pub fn reply(&self) -> &[u8] {
        self.part(&self.reply)
    }

    /// Length of the headers at the start of the payload; 0 without headers.
    pub fn header_len(&self) -> usize {
        self.headers
    }

    /// Headers and body.
    pub fn payload(&self) -> &[u8] {
        self.part(&self.payload)
    }

    /// The same without a copy. It keeps the read buffer alive.
    pub fn shared_payload(&self) -> Bytes {
        self.frame.slice(self.payload.clone())
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the parser made the ranges for this frame"
    )]
    fn part(&self, range: &Range<usize>) -> &[u8] {
        &self.frame[range.clone()]
    }
}

impl Parser {
    /// A parser at the start of a connection. Limits in bytes: of a line without its end, and of headers and body
    /// together.
    pub fn new(max_control_line: usize, max_payload: usize) -> Self {
        Self {
            max_control_line,
            max_payload,
            scanned: 0,
            partial: None,
        }
    }

    /// How many bytes the buffer should hold before it makes sense to ask again, as far as that is known.
    pub fn wants(&self) -> usize {
        self.partial.as_ref().map_or(0, |(_, end)| *end)
    }

    /// Takes the next operation off the front of the buffer. `None` needs more bytes; after an error the connection
    /// is of no use any more.
    pub fn feed(&mut self, buffer: &mut BytesMut) -> Result<Option<Op>, ProtocolError> {
        if self.partial.is_some() {
            return self.finish(buffer);
        }
        let rest = buffer.get(self.scanned..).unwrap_or_default();
        let Some(found) = memchr::memchr(b'\n', rest) else {
            // One more for the carriage return that may come before the line feed.
            if buffer.len() > self.max_control_line + 1 {
                return Err(ProtocolError::ControlLineTooLong);
            }
            self.scanned = buffer.len();
            return Ok(None);
        };
        let end = self.scanned + found;
        self.scanned = 0;
        let line = buffer.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > self.max_control_line {
            return Err(ProtocolError::ControlLineTooLong);
        }
        match self.line(line, end + 1)? {
            Line::Op(op) => {
                bytes::Buf::advance(buffer, end + 1);
                Ok(Some(op))
            }
            Line::Message(publish, message_end) => {
                self.partial = Some((publish, message_end));
                self.finish(buffer)
            }
        }
    }

    /// Completes the message that begins at the front of the buffer.
    fn finish(&mut self, buffer: &mut BytesMut) -> Result<Option<Op>, ProtocolError> {
        let Some((publish, end)) = self.partial.take() else {
            return Ok(None);
        };
        let payload_end = publish.payload.end;
        // What follows the payload is checked as soon as it is there.
        let follows = buffer.get(payload_end..end.min(buffer.len())).unwrap_or_default();
        if !b"\r\n".starts_with(follows) {
            return Err(ProtocolError::UnknownOperation);
        }
        if buffer.len() < end {
            self.partial = Some((publish, end));
            return Ok(None);
        }
        let frame = buffer.split_to(end).freeze();
        Ok(Some(Op::Pub(Publish { frame, ..publish })))
    }

    /// `next` is where the next line, or the payload, begins.
    fn line(&self, line: &[u8], next: usize) -> Result<Line, ProtocolError> {
        let name_end = line.iter().position(|byte| is_blank(*byte)).unwrap_or(line.len());
        let (name, rest) = line.split_at_checked(name_end).unwrap_or((line, &[]));
        let mut upper = [0; 7];
        let Some(upper) = upper.get_mut(..name.len()) else {
            return Err(ProtocolError::UnknownOperation);
        };
        upper.copy_from_slice(name);
        upper.make_ascii_uppercase();
        let op = match &*upper {
            b"PUB" => return self.message(line, name_end, next, false),
            b"HPUB" => return self.message(line, name_end, next, true),
            b"PING" => Op::Ping,
            b"PONG" => Op::Pong,
            b"INFO" => Op::Info,
            b"CONNECT" => Op::Connect(Bytes::copy_from_slice(rest.trim_ascii())),
            b"SUB" => subscribe(rest)?,
            b"UNSUB" => unsubscribe(rest)?,
            _ => return Err(ProtocolError::UnknownOperation),
        };
        Ok(Line::Op(op))
    }

    fn message(
        &self,
        line: &[u8],
        start: usize,
        next: usize,
        with_headers: bool,
    ) -> Result<Line, ProtocolError> {
        let malformed = ProtocolError::Malformed(if with_headers { "HPUB" } else { "PUB" });
        let args = Args::<4>::split(line, start).ok_or(malformed)?;
        let (subject, reply, headers, size) = match (args.as_slice(), with_headers) {
            ([subject, size], false) => (subject, None, None, size),
            ([subject, reply, size], false) => (subject, Some(reply), None, size),
            ([subject, headers, size], true) => (subject, None, Some(headers), size),
            ([subject, reply, headers, size], true) => (subject, Some(reply), Some(headers), size),
            _ => return Err(malformed),
        };
        let number = |range: &Range<usize>| line.get(range.clone()).and_then(number).ok_or(malformed);
        let size = number(size)?;
        let headers = headers.map_or(Ok(0), number)?;
        if headers > size {
            return Err(malformed);
        }
        if size > self.max_payload as u64 {
            return Err(ProtocolError::PayloadTooLarge);
        }
        // Both are at most the limit now, which is a `usize`.
        let size = usize::try_from(size).map_err(|_| malformed)?;
        let publish = Publish {
            frame: Bytes::new(),
            subject: subject.clone(),
            reply: reply.cloned().unwrap_or_default(),
            payload: next..next + size,
            headers: usize::try_from(headers).map_err(|_| malformed)?,
        };
        Ok(Line::Message(publish, next + size + 2))
    }
}

/// What a line is.
enum Line {
    Op(Op),
    /// The first line of a message, and where the message ends.
    Message(Publish, usize),
}

/// The arguments of a line, as places in it.
struct Args<const MAX: usize> {
    places: [Range<usize>; MAX],
    count: usize,
}

impl<const MAX: usize> Args<MAX> {
    /// `None` if there are too many.
    fn split(line: &[u8], start: usize) -> Option<Self> {
        let mut args = Self {
            places: std::array::from_fn(|_| 0..0),
            count: 0,
        };
        let mut at = start;
        loop {
            let rest = line.get(at..)?;
            let Some(skip) = rest.iter().position(|byte| !is_blank(*byte)) else {
                return Some(args);
            };
            let begin = at + skip;
            let word = line.get(begin..)?;
            let len = word.iter().position(|byte| is_blank(*byte)).unwrap_or(word.len());
            *args.places.get_mut(args.count)? = begin..begin + len;
            args.count += 1;
            at = begin + len;
        }
    }

    fn as_slice(&self) -> &[Range<usize>] {
        self.places.get(..self.count).unwrap_or_default()
    }
}

// What follows is copied out of the read buffer: it stays for the life of a subscription.

fn subscribe(rest: &[u8]) -> Result<Op, ProtocolError> {
    let malformed = ProtocolError::Malformed("SUB");
    let args = Args::<3>::split(rest, 0).ok_or(malformed)?;
    let copy = |range: &Range<usize>| Bytes::copy_from_slice(rest.get(range.clone()).unwrap_or_default());
    match args.as_slice() {
        [subject, sid] => Ok(Op::Sub {
            subject: copy(subject),
            queue: None,
            sid: copy(sid),
        }),
        [subject, queue, sid] => Ok(Op::Sub {
            subject: copy(subject),
            queue: Some(copy(queue)),
            sid: copy(sid),
        }),
        _ => Err(malformed),
    }
}

fn unsubscribe(rest: &[u8]) -> Result<Op, ProtocolError> {
    let malformed = ProtocolError::Malformed("UNSUB");
    let args = Args::<2>::split(rest, 0).ok_or(malformed)?;
    let get = |range: &Range<usize>| rest.get(range.clone()).unwrap_or_default();
    let (sid, max) = match args.as_slice() {
        [sid] => (sid, 0),
        // Like nats-server: a number that is none means now.
        [sid, max] => (sid, number(get(max)).unwrap_or(0)),
        _ => return Err(malformed),
    };
    Ok(Op::Unsub {
        sid: Bytes::copy_from_slice(get(sid)),
        max,
    })
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Digits only, and few enough that nothing overflows.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests;
