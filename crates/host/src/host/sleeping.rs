//! Components that nobody calls: their code leaves the memory after the time their limits say, and is back before the
//! next call begins. Slots, counters, config, links and the subscription for the calls of others stay.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, MissedTickBehavior, interval};
use wasmcloud_core::ComponentId;
use wasmcloud_engine::{Compiled, Prepared, Wake};

use super::{Host, Inner};
use crate::components::{Component, Running, Unlinked};
use crate::error::HostError;

/// How often it is looked which components are called. So long after their time components may stay awake.
const LOOK: Duration = Duration::from_secs(1);

/// Wakes one component.
struct Waker {
    host: Weak<Inner>,
    component: Weak<Component>,
}

#[async_trait]
impl Wake for Waker {
    async fn wake(&self) -> Result<(), String> {
        let (Some(host), Some(component)) = (self.host.upgrade(), self.component.upgrade()) else {
            return Err("its host has ended".to_owned());
        };
        // A task of its own: who asked for it may go away, and those who ask next need it as well.
        let woken = tokio::spawn(async move { Host(host).wake(&component).await });
        match woken.await {
            Ok(woken) => woken.map_err(|error| wasmcloud_wire::message::chain(&error)),
            Err(panic) => Err(panic.to_string()),
        }
    }
}

/// What was seen of a component that may sleep.
struct Seen {
    /// What changes with each call.
    calls: [u64; 4],
    since: Instant,
}

impl Host {
    /// Sees to it that components go to sleep, from the first one on that may.
    pub(super) fn watch_sleepers(&self) {
        self.0.sleepers.call_once(|| {
            // Ends with the host.
            tokio::spawn(look_after(Arc::downgrade(&self.0)));
        });
    }

    /// Looks at all components. What kept instances and code leave behind takes a while to go.
    fn put_to_sleep(&self, seen: &mut HashMap<ComponentId, Seen>) {
        let components: Vec<Arc<Component>> = self.0.tables.lock().components.values().cloned().collect();
        let mut awake = HashMap::with_capacity(seen.len());
        for component in components {
            let runs = component.runs();
            let Some(current) = runs.current.filter(|_| runs.candidate.is_none()) else {
                continue;
            };
            let Some(idle) = current.spec.limits.idle.filter(|_| current.code().is_some()) else {
                continue;
            };
            let (running, waiting) = current.profile.in_use();
            let stats = component.stats.snapshot();
            let calls = [stats.invocations, stats.refused, stats.queued, stats.instantiated];
            let id = current.spec.id.clone();
            let since = match seen.get(&id) {
                Some(before) if before.calls == calls && (running, waiting) == (0, 0) => before.since,
                _ => Instant::now(),
            };
            if since.elapsed() < idle {
                awake.insert(id, Seen { calls, since });
                continue;
            }
            // Whoever changes it right now has a reason to want it awake.
            let Ok(_changing) = component.changing.try_lock() else {
                continue;
            };
            let still = component.runs();
            if still.candidate.is_none() && still.current.is_some_and(|now| Arc::ptr_eq(&now, &current)) {
                let waker = Waker {
                    host: Arc::downgrade(&self.0),
                    component: Arc::downgrade(&component),
                };
                component.sleep(&current, Box::new(waker));
                tracing::debug!(component = %id, ?idle, "sleeps, because nobody called it");
            }
        }
        *seen = awake;
    }

    async fn wake(&self, component: &Component) -> Result<(), HostError> {
        let _changing = component.changing.lock().await;
        match component.current() {
            Some(current) if current.code().is_none() => self.wake_current(component, &current).await,
            // It was woken, replaced or stopped meanwhile.
            _ => Ok(()),
        }
    }

    /// Brings the code of the current revision back. Under `changing`.
    pub(super) async fn wake_current(
        &self,
        component: &Component,
        current: &Running,
    ) -> Result<(), HostError> {
        self.refuse_if_stopping()?;
        let begun = Instant::now();
        let id = &current.spec.id;
        let compiled = match self.cached(current).await? {
            Some(compiled) => compiled,
            None => {
                let fetched = self.fetch_component(id, &current.spec.image).await?;
                self.unless_stopping(self.compile(id, fetched.artifact)).await?
            }
        };
        // A link that went while it slept is no more to it than one that goes while it is awake.
        let profile = Arc::clone(&current.profile);
        let linker = self.linker(profile.context(), &compiled, Unlinked::Allow)?;
        let code = Prepared::wake(profile, compiled, &linker, &self.0.resolvers);
        let code = code.map_err(|source| HostError::Start {
            component: id.clone(),
            source,
        })?;
        component.awake(current, code);
        component.stats.woken();
        tracing::debug!(component = %id, took = ?begun.elapsed(), "is awake again");
        Ok(())
    }

    async fn cached(&self, current: &Running) -> Result<Option<Compiled>, HostError> {
        let (engine, digest) = (self.0.engine.clone(), current.profile.digest().to_owned());
        let cached = tokio::task::spawn_blocking(move || engine.cached(&digest)).await;
        match cached {
            Ok(cached) => Ok(cached?),
            // The runtime is being shut down.
            Err(_) => Err(HostError::Stopping),
        }
    }
}

async fn look_after(host: Weak<Inner>) {
    let mut seen = HashMap::new();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let Some(host) = host.upgrade().map(Host) else {
            return;
        };
        if host.refuse_if_stopping().is_err() {
            return;
        }
        let looked = tokio::task::spawn_blocking(move || {
            host.put_to_sleep(&mut seen);
            seen
        });
        match looked.await {
            Ok(looked) => seen = looked,
            Err(error) => {
                tracing::error!(%error, "components are not put to sleep any more");
                return;
            }
        }
    }
}
