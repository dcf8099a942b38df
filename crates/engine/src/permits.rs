//! How many calls of one component run at once, and how many may wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;
use wasmcloud_core::ComponentId;

use crate::error::Refused;

/// The slots of one component on one host.
#[derive(Clone)]
pub struct Permits(Arc<Slots>);

/// A slot, taken for one call. Dropping it gives it back.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

struct Slots {
    component: ComponentId,
    slots: Arc<Semaphore>,
    concurrency: u32,
    queue: u32,
    waiting: AtomicU32,
}

/// Leaves the queue however the wait ends: a caller that goes away is dropped in the middle of it.
pub(crate) struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    /// One more that waits, or how many do, if that is `most` already.
    pub(crate) fn enter(waiting: &'a AtomicU32, most: u32) -> Result<Self, u32> {
        let entered = Self(waiting);
        match waiting.fetch_add(1, Ordering::Relaxed) {
            before if before >= most => Err(before),
            _ => Ok(entered),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Permits {
    /// `concurrency` calls at once and `queue` waiting.
    pub fn new(component: ComponentId, concurrency: u32, queue: u32) -> Self {
        let slots = Arc::new(Semaphore::new(concurrency as usize));
        Self(Arc::new(Slots {
            component,
            slots,
            concurrency,
            queue,
            waiting: AtomicU32::new(0),
        }))
    }

    /// A slot, if one is free now.
    pub fn free(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.0.slots).try_acquire_owned().ok()?;
        Some(Slot { _permit: permit })
    }

    /// A slot, at once if one is free, else after waiting in line until `deadline`.
    pub async fn acquire(&self, deadline: Instant) -> Result<Slot, Refused> {
        let this = &*self.0;
        if let Some(slot) = self.free() {
            return Ok(slot);
        }
        let _waiting =
            Waiting::enter(&this.waiting, this.queue).map_err(|_waiting| self.refusal(this.queue))?;
        let begun = Instant::now();
        match timeout_at(deadline.into(), Arc::clone(&this.slots).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Slot { _permit: permit }),
            // The semaphore is never closed; an elapsed wait is the only other way out.
            Ok(Err(_)) | Err(_) => Err(Refused::QueueTimeout {
                component: this.component.clone(),
                waited: begun.elapsed(),
            }),
        }
    }

    /// What is said to a call that finds no slot and does not wait for one.
    pub fn full(&self) -> Refused {
        self.refusal(self.0.waiting.load(Ordering::Relaxed))
    }

    fn refusal(&self, waiting: u32) -> Refused {
        Refused::Full {
            component: self.0.component.clone(),
            running: self.0.concurrency,
            waiting,
        }
    }

    /// Waits until no call runs or waits, at most `limit`. Says whether that came about.
    pub async fn drained(&self, limit: std::time::Duration) -> bool {
        // All slots at once are free only when nobody has one; waiting callers were in line before.
        tokio::time::timeout(limit, self.0.slots.acquire_many(self.0.concurrency))
            .await
            .is_ok()
    }

    /// Calls running and calls waiting, now.
    pub fn in_use(&self) -> (u32, u32) {
        let free = u32::try_from(self.0.slots.available_permits()).unwrap_or(u32::MAX);
        (
            self.0.concurrency.saturating_sub(free),
            self.0.waiting.load(Ordering::Relaxed),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn in_a_minute() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn refuses_at_once_when_slots_and_queue_are_full() {
        let permits = Permits::new("a".parse().unwrap(), 1, 1);
        let running = permits.acquire(in_a_minute()).await.unwrap();
        let queued = tokio::spawn({
            let permits = permits.clone();
            async move { permits.acquire(in_a_minute()).await }
        });
        while permits.in_use() != (1, 1) {
            tokio::task::yield_now().await;
        }
        let refused = permits.acquire(in_a_minute()).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "component `a` is busy: 1 calls run and 1 wait"
        );
        drop(running);
        drop(queued.await.unwrap().unwrap());
        assert_eq!(permits.in_use(), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_at_the_deadline_and_leaks_nothing() {
        let permits = Permits::new("a".parse().unwrap(), 1, 10);
        let running = permits.acquire(in_a_minute()).await.unwrap();
        for _ in 0..100 {
            let deadline = Instant::now() + Duration::from_millis(1);
            assert!(matches!(
                permits.acquire(deadline).await,
                Err(Refused::QueueTimeout { .. })
            ));
        }
        assert_eq!(permits.in_use(), (1, 0));
        drop(running);
        assert!(permits.acquire(in_a_minute()).await.is_ok());
    }
}
