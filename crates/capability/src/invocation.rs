//! One call: who made it, until when it may run, and how its log lines are found again.

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmcloud_core::{ComponentId, LinkName};

/// Identifies one invocation in logs and error pages. Unique in a process; two processes differ in the upper bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InvocationId(u64);

impl InvocationId {
    /// The next id. Costs one atomic add: every request has one, also those nobody will look at.
    pub fn next() -> Self {
        static EPOCH: OnceLock<u64> = OnceLock::new();
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let epoch = EPOCH.get_or_init(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            // 24 bits of start time and process id keep ids of successive runs apart in one log.
            (since.as_millis() as u64 ^ (u64::from(std::process::id()) << 12)) << 40
        });
        Self(epoch.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)))
    }
}

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The invocation that an instance is handling now, for things that outlive it in a reused instance.
#[derive(Clone)]
pub(crate) struct CurrentInvocation(Arc<AtomicU64>);

impl CurrentInvocation {
    pub(crate) fn new(id: InvocationId) -> Self {
        Self(Arc::new(AtomicU64::new(id.0)))
    }

    pub(crate) fn set(&self, id: InvocationId) {
        self.0.store(id.0, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> InvocationId {
        InvocationId(self.0.load(Ordering::Relaxed))
    }
}

/// Who made a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The host itself, for example to see whether a component starts.
    Host,
    /// A provider, for example an HTTP server, by its id.
    Provider(ComponentId),
    /// Another component.
    Component(ComponentId),
}

/// One call and what is known about it.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Finds the call in logs.
    pub id: InvocationId,
    /// Who made it.
    pub caller: Caller,
    /// When it must have ended. A call made on behalf of another inherits the earlier of both deadlines.
    pub deadline: Instant,
    /// The time it had from its beginning to the deadline, for messages.
    pub limit: Duration,
    /// How many invocations stand above this one; bounds recursion through links.
    pub depth: u16,
    overrides: Vec<(Arc<str>, LinkName)>,
}

impl Invocation {
    /// How deep components may call each other. Each level holds an instance, so this is a limit on memory; a chain
    /// of calls that is longer is a loop in all likelihood.
    pub const MAX_DEPTH: u16 = 32;

    /// A call from outside any component, with `time` to finish.
    pub fn new(caller: Caller, time: Duration) -> Self {
        let now = Instant::now();
        // A deadline that the clock cannot express is as good as none: an hour shy of forever.
        let deadline = now
            .checked_add(time)
            .unwrap_or(now + Duration::from_secs(365 * 24 * 3600));
        Self {
            id: InvocationId::next(),
            caller,
            deadline,
            limit: time,
            depth: 0,
            overrides: Vec::new(),
        }
    }

    /// A call that `caller` makes while it handles this one: it ends no later and is one level deeper.
    pub fn nested(&self, caller: ComponentId, time: Duration) -> Self {
        let mut nested = Self::new(Caller::Component(caller), time);
        if self.deadline < nested.deadline {
            nested.deadline = self.deadline;
            nested.limit = self.remaining();
        }
        nested.depth = self.depth.saturating_add(1);
        nested
    }

    /// The time that is left, zero after the deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The link name that the guest chose for an interface (`namespace:package/interface` without version) with
    /// `wasmcloud:bus/lattice.set-link-name`, or `default`. The choice holds for this invocation only (v1 wire
    /// reference §4.5).
    pub fn link_name(&self, interface: &str) -> &str {
        match self.overrides.iter().find(|(name, _)| &**name == interface) {
            Some((_, link)) => link.as_str(),
            None => "default",
        }
    }

    /// Chooses the link name for an interface; `default` forgets an earlier choice.
    pub fn set_link_name(&mut self, interface: &str, link: LinkName) {
        self.overrides.retain(|(name, _)| &**name != interface);
        if link.as_str() != "default" {
            self.overrides.push((interface.into(), link));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_call_ends_no_later_than_its_caller() {
        let outer = Invocation::new(Caller::Host, Duration::from_secs(1));
        let inner = outer.nested("a".parse().unwrap(), Duration::from_secs(60));
        assert_eq!(inner.deadline, outer.deadline);
        assert_eq!(inner.depth, 1);
        assert_ne!(inner.id, outer.id);
    }

    #[test]
    fn link_names_are_chosen_per_interface() {
        let mut call = Invocation::new(Caller::Host, Duration::from_secs(1));
        call.set_link_name("wasi:keyvalue/store", "cache".parse().unwrap());
        assert_eq!(call.link_name("wasi:keyvalue/store"), "cache");
        assert_eq!(call.link_name("wasi:keyvalue/batch"), "default");
        call.set_link_name("wasi:keyvalue/store", LinkName::default_name());
        assert_eq!(call.link_name("wasi:keyvalue/store"), "default");
    }
}
