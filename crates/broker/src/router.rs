//! From a message to those who subscribe to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;

use crate::connection::Connection;
use crate::outbox::{Outbox, Payload, SHARE_FROM};
use crate::protocol::Publish;
use crate::random::Dice;
use crate::sublist::{Leaf, Sublist, Subscription, Take};

/// From this size on receivers share the read buffer that a payload arrived in. Smaller ones would keep a buffer of
/// 64 KiB alive, so they are copied once.
const VIEW_FROM: usize = 32 << 10;

/// The interest of all connections.
#[derive(Debug)]
pub(crate) struct Router {
    interest: RwLock<Sublist>,
    max_subscriptions: usize,
    batches: AtomicU64,
}

/// A message on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) subject: &'a [u8],
    /// Empty if no answer is asked for.
    pub(crate) reply: &'a [u8],
    pub(crate) header_len: usize,
    pub(crate) body: Body<'a>,
    /// Which connections may get it.
    pub(crate) to: Audience,
}

/// Which connections may get a message, by their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    All,
    AllBut(u64),
    Only(u64),
}

impl Audience {
    fn includes(self, id: u64) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(other) => id != other,
            Self::Only(one) => id == one,
        }
    }
}

/// Headers and body of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    /// In a read buffer.
    Arrived(&'a Publish),
    /// Made here.
    Ours(&'a Bytes),
}

impl<'a> Body<'a> {
    fn bytes(self) -> &'a [u8] {
        match self {
            Self::Arrived(publish) => publish.payload(),
            Self::Ours(bytes) => bytes,
        }
    }

    /// The cheapest way to give it to so many receivers: never more than one copy of anything large.
    fn for_receivers(self, count: usize) -> Payload<'a> {
        let bytes = self.bytes();
        match self {
            _ if bytes.len() < SHARE_FROM => Payload::Small(bytes),
            Self::Ours(bytes) => Payload::Shared(bytes.clone()),
            Self::Arrived(publish) if bytes.len() >= VIEW_FROM => Payload::Shared(publish.shared_payload()),
            Self::Arrived(_) if count <= 1 => Payload::Small(bytes),
            Self::Arrived(_) => Payload::Shared(Bytes::copy_from_slice(bytes)),
        }
    }
}

/// Connections that got something and were not flushed yet.
#[derive(Debug)]
pub(crate) struct Batch {
    number: u64,
    touched: Vec<Arc<Connection>>,
}

impl Batch {
    pub(crate) fn touch(&mut self, connection: &Arc<Connection>) {
        if connection.is_new_in(self.number) {
            self.touched.push(Arc::clone(connection));
        }
    }

    /// Sends what can be sent now. Afterwards the batch names those it sent to.
    pub(crate) fn flush(&self) {
        self.touched.iter().for_each(|connection| connection.flush());
    }

    pub(crate) fn touched(&self) -> &[Arc<Connection>] {
        &self.touched
    }
}

impl Router {
    pub(crate) fn new(max_subscriptions: usize) -> Self {
        Self {
            interest: RwLock::default(),
            max_subscriptions,
            batches: AtomicU64::new(1),
        }
    }

    pub(crate) fn batch(&self) -> Batch {
        Batch {
            number: self.next_batch(),
            touched: Vec::new(),
        }
    }

    /// Uses the batch again, for what comes next.
    pub(crate) fn renew(&self, batch: &mut Batch) {
        batch.touched.clear();
        batch.number = self.next_batch();
    }

    fn next_batch(&self) -> u64 {
        self.batches.fetch_add(1, Ordering::Relaxed)
    }

    /// Adds a subscription; false if there are too many.
    pub(crate) fn subscribe(&self, subscription: Arc<Subscription>) -> bool {
        let mut interest = self.interest.write();
        let room = interest.len() < self.max_subscriptions;
        if room {
            interest.insert(subscription);
        }
        room
    }

    pub(crate) fn unsubscribe<'a>(&self, subscriptions: impl IntoIterator<Item = &'a Arc<Subscription>>) {
        let mut interest = self.interest.write();
        for subscription in subscriptions {
            interest.remove(subscription);
        }
    }

    /// Puts the message in the outboxes of all who receive it, in this thread, so that the order of a publisher's
    /// messages is that of its calls. False if nobody receives it.
    pub(crate) fn publish(&self, message: &Message<'_>, dice: &mut Dice, batch: &mut Batch) -> bool {
        let mut ended = Vec::new();
        let mut delivered = false;
        {
            let interest = self.interest.read();
            let mut leaves = Vec::new();
            interest.matches(message.subject, &mut leaves);
            let receivers = leaves
                .iter()
                .map(|leaf| leaf.plain.len() + leaf.queues.len())
                .sum();
            if receivers == 0 {
                return false;
            }
            let mut delivery = Delivery {
                message,
                payload: message.body.for_receivers(receivers),
                batch,
                ended: &mut ended,
            };
            for subscription in leaves.iter().flat_map(|leaf| &leaf.plain) {
                delivered |= delivery.deliver(subscription);
            }
            delivered |= delivery.deliver_to_queues(&leaves, dice);
        }
        if !ended.is_empty() {
            self.unsubscribe(&ended);
            for subscription in ended {
                let connection = Arc::clone(&subscription.connection);
                connection.note_ended(subscription);
            }
        }
        delivered
    }
}

struct Delivery<'a, 'm> {
    message: &'a Message<'m>,
    payload: Payload<'m>,
    batch: &'a mut Batch,
    /// Subscriptions that had their last message.
    ended: &'a mut Vec<Arc<Subscription>>,
}

impl Delivery<'_, '_> {
    /// One member of each group. A group is known by its name, also across the subjects that its members named.
    fn deliver_to_queues(&mut self, leaves: &[&Leaf], dice: &mut Dice) -> bool {
        let mut delivered = false;
        for (at, leaf) in leaves.iter().enumerate() {
            for (name, members) in &leaf.queues {
                let named = |leaf: &&Leaf| leaf.queues.iter().any(|(other, _)| other == name);
                if leaves.iter().take(at).any(named) {
                    continue;
                }
                let more: Vec<_> = leaves
                    .iter()
                    .skip(at + 1)
                    .flat_map(|leaf| &leaf.queues)
                    .filter(|(other, _)| other == name)
                    .flat_map(|(_, members)| members)
                    .collect();
                let count = members.len() + more.len();
                let start = dice.below(count);
                // Usually the first one takes it; the others are for those that are just leaving.
                delivered |= (0..count)
                    .map(|step| (start + step) % count)
                    .filter_map(|at| members.get(at).or_else(|| more.get(at - members.len()).copied()))
                    .any(|member| self.deliver(member));
            }
        }
        delivered
    }

    fn deliver(&mut self, subscription: &Arc<Subscription>) -> bool {
        let connection = &subscription.connection;
        if !self.message.to.includes(connection.id) {
            return false;
        }
        match subscription.take() {
            Take::No => return false,
            Take::Last => self.ended.push(Arc::clone(subscription)),
            Take::Yes => {}
        }
        let done = connection.put(|outbox| self.write(outbox, subscription));
        if done {
            self.batch.touch(connection);
        }
        done
    }

    fn write(&self, outbox: &mut Outbox, subscription: &Subscription) {
        let message = self.message;
        let with_headers = message.header_len > 0 && subscription.connection.understands_headers();
        outbox.put(if with_headers { b"HMSG " } else { b"MSG " });
        outbox.put(message.subject);
        outbox.put(b" ");
        outbox.put(&subscription.sid);
        outbox.put(b" ");
        if !message.reply.is_empty() {
            outbox.put(message.reply);
            outbox.put(b" ");
        }
        let mut digits = Digits::default();
        if message.header_len > 0 && !with_headers {
            let body = message.body.bytes().get(message.header_len..).unwrap_or_default();
            outbox.put(digits.write(body.len()));
            outbox.put(b"\r\n");
            outbox.put(body);
        } else {
            if with_headers {
                outbox.put(digits.write(message.header_len));
                outbox.put(b" ");
            }
            outbox.put(digits.write(self.payload.len()));
            outbox.put(b"\r\n");
            outbox.put_payload(&self.payload);
        }
        outbox.put(b"\r\n");
    }
}

/// A number as text, without the machinery of formatting: there is one in each message.
#[derive(Default)]
pub(crate) struct Digits([u8; 20]);

impl Digits {
    pub(crate) fn write(&mut self, mut number: usize) -> &[u8] {
        let mut start = self.0.len();
        for digit in self.0.iter_mut().rev() {
            // The rest of a division by ten is a digit.
            *digit = b'0' + (number % 10) as u8;
            start -= 1;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.0.get(start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 9, 10, 1_048_576, usize::MAX] {
            assert_eq!(Digits::default().write(number), number.to_string().as_bytes());
        }
    }
}
