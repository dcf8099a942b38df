//! The only look at the clock that the store takes.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// When something was done.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// Milliseconds since 1970.
    pub(crate) millis: u64,
    /// The same as RFC 3339.
    pub(crate) text: String,
}

impl Stamp {
    pub(crate) fn now() -> Self {
        let now = SystemTime::now();
        // A clock before 1970 counts as none: generations then grow one by one.
        let millis = now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        Self {
            millis: u64::try_from(millis).unwrap_or_default(),
            text: OffsetDateTime::from(now).format(&Rfc3339).unwrap_or_default(),
        }
    }

    /// The generation after `former` (ADR 3).
    pub(crate) fn generation(&self, former: u64) -> u64 {
        former.saturating_add(1).max(self.millis)
    }
}
