//! What waits to be sent to one connection.
//!
//! Small things are put together in one buffer; large payloads stay where they are and are shared by all who receive
//! them. Sending takes what is there out, as one piece after another.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};

/// From this size on a payload is shared and not copied into the buffer. Below, a copy costs less than the sharing.
pub(crate) const SHARE_FROM: usize = 512;

/// How much the buffer grows at a time.
const BLOCK: usize = 16 << 10;

/// Pieces in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Bytes>,
    /// The last piece, still growing.
    tail: BytesMut,
    /// Bytes of all of it, and of what is being sent.
    pending: usize,
}

/// A payload on its way to any number of receivers.
#[derive(Debug)]
pub(crate) enum Payload<'a> {
    /// To be copied.
    Small(&'a [u8]),
    /// To be shared.
    Shared(Bytes),
}

impl Payload<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Small(bytes) => bytes.len(),
            Self::Shared(bytes) => bytes.len(),
        }
    }
}

impl Outbox {
    /// Bytes that were put in and are not sent.
    pub(crate) fn pending(&self) -> usize {
        self.pending
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        if self.tail.capacity() - self.tail.len() < bytes.len() {
            self.tail.reserve(bytes.len().max(BLOCK));
        }
        self.tail.extend_from_slice(bytes);
        self.pending += bytes.len();
    }

    pub(crate) fn put_payload(&mut self, payload: &Payload<'_>) {
        match payload {
            Payload::Small(bytes) => self.put(bytes),
            Payload::Shared(bytes) => {
                self.seal();
                self.pending += bytes.len();
                self.pieces.push_back(bytes.clone());
            }
        }
    }

    /// Takes everything out. It counts as pending until [`Outbox::sent`].
    pub(crate) fn take(&mut self) -> VecDeque<Bytes> {
        self.seal();
        std::mem::take(&mut self.pieces)
    }

    /// Puts back what could not be sent, in front of what came since.
    pub(crate) fn put_back(&mut self, mut unsent: VecDeque<Bytes>) {
        unsent.append(&mut self.pieces);
        self.pieces = unsent;
    }

    /// Says how much of what was taken out has been sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.pending = self.pending.saturating_sub(bytes);
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.pieces.is_empty() || !self.tail.is_empty()
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
    }
}

/// Takes `count` bytes off the front.
pub(crate) fn advance(pieces: &mut VecDeque<Bytes>, mut count: usize) {
    while let Some(front) = pieces.front_mut() {
        if front.len() > count {
            front.advance(count);
            return;
        }
        count -= front.len();
        pieces.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_sent_comes_before_what_came_since() {
        let mut outbox = Outbox::default();
        outbox.put(b"one ");
        outbox.put_payload(&Payload::Shared(Bytes::from_static(b"two ")));
        outbox.put(b"three ");
        assert_eq!(outbox.pending(), 14);
        let mut taken = outbox.take();
        outbox.put(b"four");
        advance(&mut taken, 5);
        outbox.sent(5);
        outbox.put_back(taken);
        let left: Vec<u8> = outbox.take().into_iter().flatten().collect();
        assert_eq!(left, b"wo three four");
        assert_eq!(outbox.pending(), 13);
        outbox.sent(13);
        assert_eq!((outbox.pending(), outbox.has_work()), (0, false));
    }

    #[test]
    fn advancing_goes_over_the_ends_of_pieces() {
        let pieces = || VecDeque::from([Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"cd")]);
        for count in 0..=4 {
            let mut pieces = pieces();
            advance(&mut pieces, count);
            let left: Vec<u8> = pieces.into_iter().flatten().collect();
            assert_eq!(left, b"abcd".split_at(count).1);
        }
    }
}
