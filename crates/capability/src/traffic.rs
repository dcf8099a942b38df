//! What goes over the network for one component, counted by the capabilities that move it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that capabilities add to and whoever exports metrics reads. They survive updates of the component.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Requests to the component.
    pub served: Flow,
    /// Requests of the component.
    pub requested: Flow,
    answers: [AtomicU64; 5],
}

/// Bytes of bodies in both directions.
#[derive(Debug, Default)]
pub struct Flow {
    /// What came in from the network.
    pub received: Counter,
    /// What went out to it.
    pub sent: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// What it is now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Traffic {
    /// Notes an answer of the component by its HTTP status; what is no status from 100 to 599 is not counted.
    pub fn answered(&self, status: u16) {
        let class = usize::from(status / 100).checked_sub(1);
        if let Some(count) = class.and_then(|class| self.answers.get(class)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Answers by the first digit of their status, 1 to 5.
    pub fn answers(&self) -> [u64; 5] {
        std::array::from_fn(|class| {
            self.answers
                .get(class)
                .map_or(0, |count| count.load(Ordering::Relaxed))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_class() {
        let traffic = Traffic::default();
        for status in [0, 99, 200, 204, 404, 599, 600, u16::MAX] {
            traffic.answered(status);
        }
        assert_eq!(traffic.answers(), [0, 2, 0, 1, 1]);
    }
}
