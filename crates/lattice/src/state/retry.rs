//! How often a change by compare-and-set is tried again while others change the same entry.

use std::hash::BuildHasher as _;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longest pause before the next try; others need about as long for a few writes.
const LONGEST_PAUSE: u32 = 64;

/// The tries of one change. Whoever lost to somebody else ([`StateError::Conflict`](super::StateError::Conflict)) asks
/// [`again`](Retry::again), and reads anew.
#[derive(Debug)]
pub struct Retry {
    key: String,
    limit: Duration,
    deadline: Instant,
    tries: u32,
}

/// Others changed an entry each time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` was changed by others {tries} times within {limit:?}")]
pub struct Contended {
    /// Its key.
    pub key: String,
    /// How often it was tried.
    pub tries: u32,
    /// Within which time.
    pub limit: Duration,
}

impl Retry {
    /// Tries until `limit` has passed.
    pub fn new(key: impl Into<String>, limit: Duration) -> Self {
        Self {
            key: key.into(),
            limit,
            deadline: Instant::now() + limit,
            tries: 0,
        }
    }

    /// Waits a moment before the next try, and not all losers the same moment: as long as a few writes take. Or says
    /// that it is enough.
    pub async fn again(&mut self) -> Result<(), Contended> {
        self.tries += 1;
        if Instant::now() >= self.deadline {
            return Err(Contended {
                key: self.key.clone(),
                tries: self.tries,
                limit: self.limit,
            });
        }
        sleep(self.pause()).await;
        Ok(())
    }

    fn pause(&self) -> Duration {
        let most = u64::from((4 * self.tries).min(LONGEST_PAUSE));
        Duration::from_millis(jitter() % most)
    }
}

/// The keys of a hasher are random, which is chance enough for this.
fn jitter() -> u64 {
    std::hash::RandomState::new().hash_one(0)
}
