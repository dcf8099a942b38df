//! Follows a bucket: a look at all of it, then changes; a new look whenever changes may have been missed.
//!
//! What the look and the changes are made of is the business of a [`Source`]; what they mean is that of the view.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::Stream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::view::{Change, Snapshot, View};
use super::{Event, StateError};

/// Events that may wait for their reader. If he takes none, no more are fetched, and what he missed by then is found
/// by a new look.
pub const WATCH_QUEUE: usize = 1_024;

/// First and longest pause before a new look.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The events of a watch, in order. An entry that is written several times in a row may be yielded with its latest value
/// only, and one that is deleted and made again may be yielded as changed. Never ends by itself: while the state is not available there is silence, and
/// afterwards the difference. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    events: mpsc::Receiver<Event>,
    task: AbortHandle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stream for Watch {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.events.poll_recv(cx)
    }
}

/// Where looks and changes come from.
#[async_trait]
pub(super) trait Source: Send + Sync + 'static {
    type Feed: Feed;

    /// A look at the entries, and the changes from there on. Makes the bucket if it is gone.
    async fn open(&self) -> Result<(Snapshot, Self::Feed), StateError>;

    /// What is watched, for the log.
    fn name(&self) -> String;
}

/// Changes as they come.
#[async_trait]
pub(super) trait Feed: Send + 'static {
    /// The next one. `known` is the revision of the bucket that the watcher knows.
    async fn next(&mut self, known: u64) -> Heard;
}

/// What a feed has to say.
#[derive(Debug)]
pub(super) enum Heard {
    /// A change of what is watched.
    Change(Change),
    /// Changes up to here were of other keys.
    Passed(u64),
    /// Changes may have been missed, for this reason.
    Lost(&'static str),
}

/// Takes the first look and follows from there.
pub(super) async fn start<S: Source>(source: S) -> Result<Watch, StateError> {
    let (snapshot, feed) = source.open().await?;
    let (sender, events) = mpsc::channel(WATCH_QUEUE);
    let task = tokio::spawn(follow(source, snapshot, feed, sender));
    Ok(Watch {
        events,
        task: task.abort_handle(),
    })
}

async fn follow<S: Source>(source: S, snapshot: Snapshot, feed: S::Feed, events: mpsc::Sender<Event>) {
    let mut view = View::default();
    let (mut snapshot, mut feed) = (snapshot, feed);
    let mut pause = FIRST_PAUSE;
    loop {
        let looked = view.look(snapshot);
        if looked.first() == Some(&Event::Reset) {
            warn!(bucket = %source.name(), "the state was lost or rolled back; what is missing from it is not taken as deleted");
        }
        for event in looked {
            if events.send(event).await.is_err() {
                return;
            }
        }
        let reason = loop {
            let event = match feed.next(view.revision()).await {
                Heard::Change(change) => view.change(change),
                Heard::Passed(revision) => {
                    view.passed(revision);
                    None
                }
                Heard::Lost(reason) => break reason,
            };
            pause = FIRST_PAUSE;
            if let Some(event) = event
                && events.send(event).await.is_err()
            {
                return;
            }
        };
        debug!(bucket = %source.name(), reason, "looking at the whole bucket again");
        drop(feed);
        // A pause also before the first try: a reason that comes back at once must not make a busy loop.
        (snapshot, feed) = loop {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match source.open().await {
                Ok(opened) => break opened,
                Err(error) => {
                    info!(bucket = %source.name(), error = %chain(&error), "cannot look at the bucket, trying again");
                }
            }
        };
    }
}

fn chain(error: &StateError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
