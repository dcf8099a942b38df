//! What is known of a component whether its code is in memory or not: one that sleeps keeps its slots, its counters and
//! its config.

use std::sync::Arc;

use wasmcloud_capability::ComponentContext;
use wasmcloud_core::Limits;

use crate::admit::Admit;
use crate::imports::Described;
use crate::permits::Permits;
use crate::stats::{Stats, Tally};

/// One revision of a component on a host, apart from its code.
pub struct Profile {
    pub(crate) context: Arc<ComponentContext>,
    pub(crate) limits: Limits,
    pub(crate) stats: Arc<Stats>,
    pub(crate) tally: Tally,
    pub(crate) permits: Permits,
    pub(crate) admit: Option<Arc<dyn Admit>>,
    pub(crate) digest: Arc<str>,
    pub(crate) described: Arc<Described>,
}

impl Profile {
    /// SHA-256 of the bytes that its code was made of, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What it imports and exports.
    pub fn described(&self) -> &Described {
        &self.described
    }

    /// What it may use. Of its concurrency this is what it began with, see [`Profile::concurrency`].
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What its instances share.
    pub fn context(&self) -> &Arc<ComponentContext> {
        &self.context
    }

    /// Calls that this revision ended, and those of them that failed: by a trap, a limit, their deadline, or with an
    /// answer that whoever called it takes for a failure ([`Live::answered_badly`](crate::Live::answered_badly)).
    pub fn ended(&self) -> (u64, u64) {
        self.tally.get()
    }

    /// How many calls may run at once.
    pub fn concurrency(&self) -> u32 {
        self.permits.concurrency()
    }

    /// Calls running and calls waiting, now.
    pub fn in_use(&self) -> (u32, u32) {
        self.permits.in_use()
    }
}
