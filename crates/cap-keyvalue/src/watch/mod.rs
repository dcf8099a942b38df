//! `wasi:keyvalue/watcher`: components that are told when a key is set or removed.
//!
//! In the order of a change:
//!
//! | file | is for |
//! |---|---|
//! | `watched` | which changes a link wants to hear of, from its config |
//! | `feed` | what stores say, and a bounded queue for each link |
//! | `teller` | takes the changes of one link to its component, one after another |
//! | `exports` | a change as a call of a component of this host, whoever says so |
//! | `incoming` | a change that somebody elsewhere says, in the words of v1 |
//!
//! Each change is told at most once: what does not fit into the queue, what a component does not take, and what waits
//! when the link or the provider goes is not told again. Writers never wait for those who are told.

mod exports;
mod feed;
mod incoming;
mod teller;
mod watched;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wasmcloud_capability::{BoundLink, ProviderError};
use wasmcloud_core::{ComponentId, LinkKey};
use wasmcloud_engine::Target;
use wasmcloud_lattice::rpc::Caller;

pub(crate) use self::exports::ToldBucket;
use self::exports::WatchExports;
pub use self::exports::WatchResolver;
pub(crate) use self::feed::Changes;
pub use self::incoming::RemoteChange;
use self::teller::Teller;
pub(crate) use self::watched::{KEYS, WATCH, Watched};

/// How long a provider that stops waits for components to take what they are being told. Less than a host takes to
/// drain where nobody said otherwise (10 s).
const STOP_WAIT: Duration = Duration::from_secs(5);

/// The components that a provider tells of changes.
#[derive(Default)]
pub(crate) struct Watching {
    tellers: Mutex<HashMap<LinkKey, JoinHandle<()>>>,
    elsewhere: OnceLock<Caller>,
}

impl Watching {
    /// From now on components that do not run here are told over the lattice.
    pub(crate) fn connect(&self, caller: Caller) {
        let _ = self.elsewhere.set(caller);
    }

    /// Tells a component of changes, in place of whatever was told over this link. `here` is where it would be on this
    /// host.
    pub(crate) fn begin(
        &self,
        changes: &Changes,
        provider: &ComponentId,
        link: &BoundLink,
        watched: Watched,
        here: Option<Arc<Target>>,
    ) {
        let link = &link.link;
        let to = match link.source == *provider {
            true => &link.target,
            false => &link.source,
        };
        let teller = Teller {
            provider: provider.clone(),
            name: link.name.clone(),
            route: link.route,
            bucket: watched.bucket.clone(),
            to: to.clone(),
            here,
            elsewhere: self.elsewhere.get().cloned(),
        };
        let feed = changes.watch(link.key(), watched);
        let telling = tokio::spawn(teller.run(feed));
        // One that was there ends by itself, its feed has ended.
        self.tellers.lock().insert(link.key(), telling);
    }

    /// Tells nothing over this link any more. What is being told ends by itself.
    pub(crate) fn end(&self, changes: &Changes, key: &LinkKey) {
        changes.unwatch(key);
        self.tellers.lock().remove(key);
    }

    /// Tells nothing any more, and waits for what is being told.
    pub(crate) async fn stop(&self, changes: &Changes) {
        let tellers = std::mem::take(&mut *self.tellers.lock());
        tellers.keys().for_each(|key| changes.unwatch(key));
        let ended = tellers.into_values().map(|mut teller| async move {
            if timeout(STOP_WAIT, &mut teller).await.is_err() {
                teller.abort();
            }
        });
        futures::future::join_all(ended).await;
    }
}

/// Whether a component that runs can be told; one that does not is judged when there is something to tell.
pub(crate) fn check_component(target: &Target) -> Result<(), ProviderError> {
    let Ok(component) = target.get() else {
        return Ok(());
    };
    match component.exports::<WatchExports>() {
        Some(_) => Ok(()),
        None => Err(ProviderError::Unsupported(format!(
            "component `{}` cannot be told of changes: it does not export `wasi:keyvalue/watcher`",
            target.id()
        ))),
    }
}

#[cfg(test)]
mod tests;
