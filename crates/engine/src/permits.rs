//! How many calls of one component run at once, and how many may wait.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use wasmcloud_core::ComponentId;

use crate::error::Refused;

/// The slots of one component on one host.
#[derive(Clone)]
pub struct Permits(Arc<Slots>);

/// A slot, taken for one call. Dropping it gives it back.
pub struct Slot(Arc<Slots>);

struct Slots {
    component: ComponentId,
    /// Those that are free. Of those that are taken nobody knows but who has them.
    free: Semaphore,
    concurrency: AtomicU32,
    /// Slots that are taken and will not be free again, because there are to be fewer.
    excess: AtomicU32,
    /// Held by whoever changes how many there are.
    resizing: Mutex<()>,
    queue: u32,
    waiting: AtomicU32,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot of {}", self.0.component)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let one_less = |excess: u32| excess.checked_sub(1);
        // Mostly there is none, and nothing to be written.
        let excess = &self.0.excess;
        let goes = excess.load(Ordering::Acquire) > 0
            && excess
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less)
                .is_ok();
        if !goes {
            self.0.free.add_permits(1);
        }
    }
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
        Self(Arc::new(Slots {
            component,
            free: Semaphore::new(concurrency as usize),
            concurrency: AtomicU32::new(concurrency),
            excess: AtomicU32::new(0),
            resizing: Mutex::default(),
            queue,
            waiting: AtomicU32::new(0),
        }))
    }

    /// A slot, if one is free now.
    pub fn free(&self) -> Option<Slot> {
        self.0.free.try_acquire().ok()?.forget();
        Some(Slot(Arc::clone(&self.0)))
    }

    /// How many calls may run at once.
    pub fn concurrency(&self) -> u32 {
        self.0.concurrency.load(Ordering::Relaxed)
    }

    /// Changes how many calls may run at once. Calls that run go on; if they are more than that, as many are waited for
    /// before others begin.
    pub fn resize(&self, concurrency: u32) {
        let this = &*self.0;
        let _resizing = this.resizing.lock();
        let before = this.concurrency.swap(concurrency, Ordering::Relaxed);
        match concurrency.checked_sub(before) {
            Some(more) => {
                // Those that were to go may stay.
                let stay = |excess: u32| Some(excess.saturating_sub(more));
                let excess = this
                    .excess
                    .fetch_update(Ordering::AcqRel, Ordering::Acquire, stay);
                let excess = excess.unwrap_or_default();
                this.free.add_permits(more.saturating_sub(excess) as usize);
            }
            None => {
                let fewer = before - concurrency;
                let gone = this.free.forget_permits(fewer as usize);
                let taken = fewer.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX));
                this.excess.fetch_add(taken, Ordering::AcqRel);
            }
        }
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
        match timeout_at(deadline.into(), this.free.acquire()).await {
            Ok(Ok(permit)) => {
                permit.forget();
                Ok(Slot(Arc::clone(&self.0)))
            }
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
            running: self.concurrency(),
            waiting,
        }
    }

    /// Waits until no call runs or waits, at most `limit`. Says whether that came about.
    pub async fn drained(&self, limit: std::time::Duration) -> bool {
        // All slots at once are free only when nobody has one; waiting callers were in line before.
        tokio::time::timeout(limit, self.0.free.acquire_many(self.concurrency()))
            .await
            .is_ok()
    }

    /// Calls running and calls waiting, now.
    pub fn in_use(&self) -> (u32, u32) {
        let free = u32::try_from(self.0.free.available_permits()).unwrap_or(u32::MAX);
        let excess = self.0.excess.load(Ordering::Relaxed);
        (
            self.concurrency().saturating_add(excess).saturating_sub(free),
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

    #[test]
    fn slots_come_and_go_while_calls_run() {
        let permits = Permits::new("a".parse().unwrap(), 1, 0);
        let mut running = vec![permits.free().unwrap()];
        assert!(permits.free().is_none());
        permits.resize(3);
        running.extend([permits.free().unwrap(), permits.free().unwrap()]);
        assert!(permits.free().is_none());
        // More run than may: as many end before another begins.
        permits.resize(1);
        assert_eq!((permits.concurrency(), permits.in_use().0), (1, 3));
        for left in [2, 1] {
            running.pop();
            assert!(permits.free().is_none());
            assert_eq!(permits.in_use().0, left);
        }
        // Some that were to go stay.
        permits.resize(3);
        running.extend([permits.free().unwrap(), permits.free().unwrap()]);
        permits.resize(0);
        permits.resize(2);
        assert!(permits.free().is_none());
        running.pop();
        assert!(permits.free().is_none());
        running.pop();
        running.push(permits.free().unwrap());
        permits.resize(5);
        permits.resize(2);
        running.clear();
        assert_eq!(permits.in_use(), (0, 0));
        assert!(permits.free().is_some());
        let all: Vec<_> = std::iter::from_fn(|| permits.free()).collect();
        assert_eq!(all.len(), 2);
    }

    #[tokio::test]
    async fn one_that_waits_gets_a_slot_that_is_new() {
        let permits = Permits::new("a".parse().unwrap(), 0, 1);
        let waits = tokio::spawn({
            let permits = permits.clone();
            async move { permits.acquire(in_a_minute()).await }
        });
        while permits.in_use() != (0, 1) {
            tokio::task::yield_now().await;
        }
        permits.resize(1);
        drop(waits.await.unwrap().unwrap());
        assert!(permits.drained(Duration::from_secs(60)).await);
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
