//! The component whose resource holds a resource of another.

use exports::test::resources::relayed::{Guest, GuestRelay};
use test::resources::counters::Counter;

wit_bindgen::generate!({ path: "../wit", world: "relay", generate_all });

struct Holds(Counter);

impl GuestRelay for Holds {
    fn new(start: u32) -> Self {
        Self(Counter::new(start))
    }

    fn increment(&self, by: u32) -> u32 {
        self.0.increment(by)
    }
}

struct Component;

impl Guest for Component {
    type Relay = Holds;

    fn take(c: Counter) -> u32 {
        c.increment(0)
    }
}

export!(Component);
