//! What the tasks of a provider process share.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::failure::panic_text;
use crate::link::LinkKey;
use crate::provider::{BoxError, Health, Options, Provider};
use crate::sdk::Sdk;

/// How far a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Starting,
    Ready,
    Stopping,
}

pub(crate) struct State<P> {
    pub(crate) sdk: Sdk,
    pub(crate) options: Options,
    /// Once `init` has made it.
    pub(crate) provider: OnceLock<Arc<P>>,
    phase: AtomicU8,
    /// Links that were told and do not work, with the reason.
    pub(crate) failed_links: Mutex<BTreeMap<LinkKey, String>>,
    /// No more calls are to be taken.
    pub(crate) drain: CancellationToken,
    /// The tasks that take calls, and the calls.
    pub(crate) calls: TaskTracker,
}

impl<P: Provider> State<P> {
    pub(crate) fn new(sdk: Sdk, options: Options) -> Self {
        Self {
            sdk,
            options,
            provider: OnceLock::new(),
            phase: AtomicU8::new(Phase::Starting as u8),
            failed_links: Mutex::default(),
            drain: CancellationToken::new(),
            calls: TaskTracker::new(),
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        // Never back: who stops while starting does not become ready any more.
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
    }

    fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Acquire) == phase as u8
    }

    pub(crate) async fn health(&self) -> Health {
        let provider = match self.provider.get() {
            _ if self.is_in(Phase::Stopping) => return Health::ill("the provider is stopping"),
            Some(provider) if self.is_in(Phase::Ready) => provider,
            _ => return Health::ill("the provider is starting"),
        };
        let limit = self.options.health_time;
        let asked = limited(limit, async { Ok(provider.health().await) }).await;
        let mut health = asked.unwrap_or_else(|error| Health::ill(format!("ask for its health: {error}")));
        let failed = self.failed_links.lock();
        if let Some((key, why)) = failed.first_key_value() {
            let links = format!("{} links do not work, link {key}: {why}", failed.len());
            health.message = Some(match health.message {
                None => links,
                Some(message) => format!("{message}; {links}"),
            });
        }
        health
    }
}

/// Why something that a provider does was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undone {
    #[error("it took longer than {0:?}")]
    TooLong(Duration),
    #[error("it panicked: {0}")]
    Panicked(String),
    #[error(transparent)]
    Failed(BoxError),
}

/// Has the provider do something, within a time; a panic is an error.
pub(crate) async fn limited<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, Undone> {
    match timeout(limit, AssertUnwindSafe(work).catch_unwind()).await {
        Err(_) => Err(Undone::TooLong(limit)),
        Ok(Err(panic)) => Err(Undone::Panicked(panic_text(&*panic).to_owned())),
        Ok(Ok(outcome)) => outcome.map_err(Undone::Failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_a_provider_does_ends() {
        let limit = Duration::from_secs(1);
        assert_eq!(limited(limit, async { Ok(7) }).await.unwrap(), 7);
        let failed = limited::<()>(limit, async { Err("no".into()) }).await;
        assert_eq!(failed.unwrap_err().to_string(), "no");
        let hung = limited::<()>(limit, std::future::pending()).await;
        assert_eq!(hung.unwrap_err().to_string(), "it took longer than 1s");
        let panicked = limited::<()>(limit, async { panic!("a {}", "bug") }).await;
        assert_eq!(panicked.unwrap_err().to_string(), "it panicked: a bug");
    }
}
