//! How far a pull or push is, for whoever watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// What a pull or push does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Stage {
    /// Others pull, and the limit of simultaneous pulls is reached.
    #[default]
    Queued,
    /// Asking the registry what the reference means.
    Resolving,
    /// Receiving content.
    Downloading,
    /// Sending content.
    Uploading,
    /// The registry failed or asked to wait; the next try comes after a pause.
    Waiting,
    /// It ended well.
    Done,
}

/// One state of a pull or push. A watcher sees the newest, not each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    /// What happens.
    pub stage: Stage,
    /// Bytes of content transferred. Goes back to 0 if a registry that cannot resume makes a pull start over.
    pub done: u64,
    /// Bytes of content in all, once known.
    pub total: Option<u64>,
}

/// The writing end. Cheap to clone; nobody need listen.
#[derive(Clone)]
pub(crate) struct Reporter {
    channel: watch::Sender<Progress>,
    /// Bytes moved in either direction; how a stalled upload is told from a slow one.
    moved: Arc<AtomicU64>,
}

impl Reporter {
    pub(crate) fn new(channel: watch::Sender<Progress>) -> Self {
        Self {
            channel,
            moved: Arc::default(),
        }
    }

    /// Says what happens now, and gives what happened before.
    pub(crate) fn stage(&self, stage: Stage) -> Stage {
        let mut before = stage;
        self.channel.send_if_modified(|now| {
            before = std::mem::replace(&mut now.stage, stage);
            before != stage
        });
        before
    }

    pub(crate) fn set(&self, stage: Stage, done: u64, total: u64) {
        self.moved.fetch_add(1, Ordering::Relaxed);
        self.channel.send_replace(Progress {
            stage,
            done,
            total: Some(total),
        });
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.moved.fetch_add(1, Ordering::Relaxed);
        self.channel.send_modify(|now| {
            // What is sent again after a login is not more content.
            now.done = now.done.saturating_add(bytes).min(now.total.unwrap_or(u64::MAX));
        });
    }

    /// A number that changes whenever bytes move.
    pub(crate) fn pulse(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }
}

/// Hands on what one channel says to another, until the first is closed or the future dropped.
pub(crate) async fn forward(mut from: watch::Receiver<Progress>, to: Option<&watch::Sender<Progress>>) {
    let Some(to) = to else {
        return std::future::pending().await;
    };
    loop {
        to.send_replace(*from.borrow_and_update());
        if from.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
