//! Who is interested in what: a tree of tokens, with the subscriptions at its leaves.
//!
//! A look-up visits only nodes that match, so its cost follows the number of tokens and matches and not the number of
//! subscriptions. How a message gets to a subscription is not known here.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;

use crate::connection::Connection;
use crate::protocol;

/// One subscription of one connection.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) connection: Arc<Connection>,
    pub(crate) subject: Bytes,
    pub(crate) queue: Option<Bytes>,
    /// What the client calls it.
    pub(crate) sid: Bytes,
    delivered: AtomicU64,
    /// After how many messages it ends; 0 is never.
    max: AtomicU64,
    /// Where it stands in its list; changed under the lock of the tree only.
    slot: AtomicUsize,
}

/// Whether a subscription takes one message more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    Yes,
    /// And it ends with this one.
    Last,
    No,
}

impl Subscription {
    pub(crate) fn new(
        connection: Arc<Connection>,
        subject: Bytes,
        queue: Option<Bytes>,
        sid: Bytes,
    ) -> Arc<Self> {
        Arc::new(Self {
            connection,
            subject,
            queue,
            sid,
            delivered: AtomicU64::new(0),
            max: AtomicU64::new(0),
            slot: AtomicUsize::new(0),
        })
    }

    /// Counts a message.
    pub(crate) fn take(&self) -> Take {
        let number = self.delivered.fetch_add(1, Ordering::Relaxed) + 1;
        match self.max.load(Ordering::Relaxed) {
            0 => Take::Yes,
            max if number < max => Take::Yes,
            max if number == max => Take::Last,
            _ => Take::No,
        }
    }

    /// Ends the subscription after `max` messages in all. False if it had as many already.
    pub(crate) fn limit(&self, max: u64) -> bool {
        self.max.store(max, Ordering::Relaxed);
        self.delivered.load(Ordering::Relaxed) < max
    }
}

/// The tree.
#[derive(Debug, Default)]
pub(crate) struct Sublist {
    root: Node,
    len: usize,
}

#[derive(Debug, Default)]
struct Node {
    literal: HashMap<Box<[u8]>, Node>,
    /// Any one token.
    any: Option<Box<Node>>,
    /// Those that end here.
    here: Leaf,
    /// Those that end in `>` here.
    below: Leaf,
}

/// The subscriptions to one subject.
#[derive(Debug, Default)]
pub(crate) struct Leaf {
    pub(crate) plain: Vec<Arc<Subscription>>,
    pub(crate) queues: Vec<(Bytes, Vec<Arc<Subscription>>)>,
}

impl Leaf {
    fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.queues.is_empty()
    }

    fn insert(&mut self, subscription: Arc<Subscription>) {
        let Some(queue) = &subscription.queue else {
            return add_to(&mut self.plain, subscription);
        };
        match self.queues.iter_mut().find(|(name, _)| name == queue) {
            Some((_, members)) => add_to(members, subscription),
            None => {
                let name = queue.clone();
                let mut members = Vec::new();
                add_to(&mut members, subscription);
                self.queues.push((name, members));
            }
        }
    }

    fn remove(&mut self, subscription: &Arc<Subscription>) -> bool {
        let Some(queue) = &subscription.queue else {
            return remove_from(&mut self.plain, subscription);
        };
        let Some(at) = self.queues.iter().position(|(name, _)| name == queue) else {
            return false;
        };
        let Some((_, members)) = self.queues.get_mut(at) else {
            return false;
        };
        let removed = remove_from(members, subscription);
        if members.is_empty() {
            self.queues.swap_remove(at);
        }
        removed
    }
}

fn add_to(list: &mut Vec<Arc<Subscription>>, subscription: Arc<Subscription>) {
    subscription.slot.store(list.len(), Ordering::Relaxed);
    list.push(subscription);
}

/// Takes no search: a client may have a hundred thousand subscriptions to one subject, and leave.
fn remove_from(list: &mut Vec<Arc<Subscription>>, subscription: &Arc<Subscription>) -> bool {
    let slot = subscription.slot.load(Ordering::Relaxed);
    if !list
        .get(slot)
        .is_some_and(|known| Arc::ptr_eq(known, subscription))
    {
        return false;
    }
    list.swap_remove(slot);
    if let Some(moved) = list.get(slot) {
        moved.slot.store(slot, Ordering::Relaxed);
    }
    true
}

impl Node {
    fn is_empty(&self) -> bool {
        self.literal.is_empty() && self.any.is_none() && self.here.is_empty() && self.below.is_empty()
    }

    /// The depth of this recursion, and of the others here, is that of the deepest subscription, which is bounded by
    /// [`protocol::MAX_TOKENS`].
    fn remove<'a>(
        &mut self,
        mut tokens: impl Iterator<Item = &'a [u8]> + Clone,
        subscription: &Arc<Subscription>,
    ) -> bool {
        match tokens.next() {
            None => self.here.remove(subscription),
            Some(b">") => self.below.remove(subscription),
            Some(b"*") => {
                let Some(any) = &mut self.any else { return false };
                let removed = any.remove(tokens, subscription);
                if any.is_empty() {
                    self.any = None;
                }
                removed
            }
            Some(token) => {
                let Some(next) = self.literal.get_mut(token) else {
                    return false;
                };
                let removed = next.remove(tokens, subscription);
                if next.is_empty() {
                    self.literal.remove(token);
                }
                removed
            }
        }
    }

    fn collect<'a, 's>(
        &'a self,
        mut tokens: impl Iterator<Item = &'s [u8]> + Clone,
        found: &mut Vec<&'a Leaf>,
    ) {
        let Some(token) = tokens.next() else {
            if !self.here.is_empty() {
                found.push(&self.here);
            }
            return;
        };
        // A dot too many is no token: nothing matches it.
        if token.is_empty() {
            return;
        }
        if !self.below.is_empty() && tokens.clone().all(|token| !token.is_empty()) {
            found.push(&self.below);
        }
        if let Some(any) = &self.any {
            any.collect(tokens.clone(), found);
        }
        if let Some(next) = self.literal.get(token) {
            next.collect(tokens, found);
        }
    }
}

impl Sublist {
    /// How many subscriptions there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a subscription to a subject that has been validated.
    pub(crate) fn insert(&mut self, subscription: Arc<Subscription>) {
        let subject = subscription.subject.clone();
        let mut node = &mut self.root;
        let mut open_end = false;
        for token in protocol::tokens(&subject) {
            match token {
                b">" => open_end = true,
                b"*" => node = node.any.get_or_insert_default(),
                // Two look-ups, because the entry API would have to own the key.
                literal => {
                    if !node.literal.contains_key(literal) {
                        node.literal.insert(literal.into(), Node::default());
                    }
                    let Some(next) = node.literal.get_mut(literal) else {
                        return;
                    };
                    node = next;
                }
            }
        }
        let leaf = if open_end { &mut node.below } else { &mut node.here };
        leaf.insert(subscription);
        self.len += 1;
    }

    /// Removes a subscription; false if it was gone already.
    pub(crate) fn remove(&mut self, subscription: &Arc<Subscription>) -> bool {
        let removed = self
            .root
            .remove(protocol::tokens(&subscription.subject), subscription);
        self.len -= usize::from(removed);
        removed
    }

    /// All subscriptions that a message for `subject` concerns, by the subjects they named.
    pub(crate) fn matches<'a>(&'a self, subject: &[u8], found: &mut Vec<&'a Leaf>) {
        self.root.collect(protocol::tokens(subject), found);
    }
}

#[cfg(test)]
mod tests;
