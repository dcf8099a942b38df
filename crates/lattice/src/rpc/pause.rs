//! Whether this process stood still a moment ago: stopped by a signal, frozen with its machine, or starved.
//!
//! A caller whose call nobody accepts in time makes it elsewhere. So who goes on after standing still must not take up
//! the calls that waited meanwhile: it refuses them until everything that the server sent in that time has arrived.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::connection::Connection;

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Standing still for longer than this counts. Half of the time after which callers go elsewhere
/// ([`super::RpcOptions::accept_timeout`]).
pub(super) const STILL: Duration = Duration::from_millis(500);

/// How long after the server has sent everything the queues in this process are given to empty.
const SETTLE: Duration = Duration::from_millis(500);

/// Knows when this process was last seen to run.
pub(super) struct Pause {
    began: Instant,
    /// Milliseconds since `began`.
    seen: AtomicU64,
    stale: AtomicBool,
}

impl Default for Pause {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            seen: AtomicU64::new(0),
            stale: AtomicBool::new(false),
        }
    }
}

impl Pause {
    /// Whether calls that arrive now may have waited for too long.
    pub(super) fn stale(&self) -> bool {
        self.stale.load(Ordering::Acquire) || self.since_seen() > STILL
    }

    fn since_seen(&self) -> Duration {
        self.began
            .elapsed()
            .saturating_sub(Duration::from_millis(self.seen.load(Ordering::Acquire)))
    }

    fn look(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.seen.store(now, Ordering::Release);
    }
}

/// Looks at the clock again and again.
pub(super) async fn watch(pause: Arc<Pause>, connection: Connection) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let still = pause.since_seen();
        if still <= STILL {
            pause.look();
            continue;
        }
        pause.stale.store(true, Ordering::Release);
        pause.look();
        tracing::warn!(
            still = ?still,
            "this process stood still; calls that waited meanwhile are refused, their callers go elsewhere"
        );
        // What the server sent before it answers this has arrived when it does. While it does not, nothing arrives.
        while connection.barrier(connection.default_deadline()).await.is_err() {
            looks.tick().await;
            pause.look();
        }
        tokio::time::sleep(SETTLE).await;
        pause.look();
        pause.stale.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_not_seen_is_stale() {
        let pause = Pause {
            began: Instant::now()
                .checked_sub(STILL + LOOK)
                .expect("the clock has been running longer than this"),
            ..Pause::default()
        };
        assert!(pause.stale());
        pause.look();
        assert!(!pause.stale());
    }
}
