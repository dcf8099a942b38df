//! Moments as tokens have them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::time::rfc3339;

/// Seconds since 1970. Shown as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// Later by so many days of 24 hours.
    #[must_use]
    pub fn plus_days(self, days: u64) -> Self {
        Self(self.0.saturating_add(days.saturating_mul(86_400)))
    }
}

impl From<SystemTime> for UnixTime {
    /// Moments before 1970 become 1970.
    fn from(at: SystemTime) -> Self {
        Self(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNIX_EPOCH.checked_add(Duration::from_secs(self.0)) {
            Some(at) => f.write_str(&rfc3339(at)),
            None => write!(f, "{} s after 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_can_be_shown() {
        assert_eq!(UnixTime(951_782_400).to_string(), "2000-02-29T00:00:00Z");
        for at in [0, 1 << 40, (1 << 63) - 1, 1 << 63, u64::MAX] {
            assert!(!UnixTime(at).to_string().is_empty());
        }
        assert_eq!(UnixTime(u64::MAX).plus_days(u64::MAX), UnixTime(u64::MAX));
    }
}
