//! A bus that loses, repeats, delays and reorders what it carries.

use std::rc::Rc;

use wasmcloud_controller::{Action, ObservedHost, StepKey};
use wasmcloud_core::HostId;

use crate::rng::Rng;

#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// A controller wants something done, by a host or on the state that all hosts share.
    Command {
        from: usize,
        epoch: u64,
        action: Rc<Action>,
    },
    /// What became of it. An answer without an error says that it was accepted.
    Answer {
        to: usize,
        key: StepKey,
        error: Option<String>,
    },
    /// What runs on a host. The number grows with each.
    Heartbeat {
        to: usize,
        host: HostId,
        number: u64,
        inventory: Rc<ObservedHost>,
    },
}

pub(crate) struct Bus {
    /// By when they arrive. The second number keeps what arrives together apart.
    waiting: Vec<(u64, u64, Message)>,
    sent: u64,
    /// Whether it misbehaves.
    pub(crate) disturbed: bool,
}

impl Bus {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Vec::new(),
            sent: 0,
            disturbed: true,
        }
    }

    pub(crate) fn send(&mut self, message: Message, now: u64, rng: &mut Rng) {
        let copies = match () {
            () if self.disturbed && rng.chance(60) => 0,
            () if self.disturbed && rng.chance(40) => 2,
            () => 1,
        };
        for _ in 0..copies {
            // Now and then something stands in a queue for longer than a lease lasts.
            let most = if self.disturbed && rng.chance(20) {
                9_000
            } else {
                400
            };
            self.sent += 1;
            self.waiting
                .push((now + rng.between(10, most), self.sent, message.clone()));
        }
    }

    /// What has arrived by now, in the order of arrival.
    pub(crate) fn arrived(&mut self, now: u64) -> Vec<Message> {
        let mut arrived: Vec<_> = self.waiting.extract_if(.., |(at, ..)| *at <= now).collect();
        arrived.sort_by_key(|(at, number, _)| (*at, *number));
        arrived.into_iter().map(|(.., message)| message).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting
            .iter()
            .all(|(.., message)| matches!(message, Message::Heartbeat { .. }))
    }
}
