//! Changes between a store and those who are told of them. A store says what it did, in the order in which it did it,
//! and waits for nobody: a change that does not fit into a queue is lost to that link, and counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use wasmcloud_core::LinkKey;

use super::watched::Watched;
use crate::store::BucketName;

/// Most changes that wait for one component.
const QUEUE: usize = 1024;
/// Most memory of changes that wait for one component, 16 MiB in KiB: two values of the largest size.
const QUEUE_KIB: usize = 16 << 10;

/// Who wants to hear of the changes of a store. As many as the provider has links.
#[derive(Default)]
pub(crate) struct Changes(RwLock<HashMap<LinkKey, Watcher>>);

struct Watcher {
    watched: Watched,
    queue: mpsc::Sender<Change>,
    room: Arc<Semaphore>,
    lost: Arc<AtomicU64>,
}

/// A key was set to a value, or removed.
pub(crate) struct Change {
    pub(crate) key: String,
    pub(crate) value: Option<Bytes>,
    /// Its share of the memory that may wait.
    _room: OwnedSemaphorePermit,
}

/// The changes that one link hears of.
pub(crate) struct Feed {
    changes: mpsc::Receiver<Change>,
    lost: Arc<AtomicU64>,
}

impl Changes {
    /// Begins to tell a link, in place of what it heard before.
    pub(crate) fn watch(&self, key: LinkKey, watched: Watched) -> Feed {
        let (queue, changes) = mpsc::channel(QUEUE);
        let lost = Arc::<AtomicU64>::default();
        let watcher = Watcher {
            watched,
            queue,
            room: Arc::new(Semaphore::new(QUEUE_KIB)),
            lost: Arc::clone(&lost),
        };
        self.0.write().insert(key, watcher);
        Feed { changes, lost }
    }

    /// Ends the feed of a link.
    pub(crate) fn unwatch(&self, key: &LinkKey) {
        self.0.write().remove(key);
    }

    /// Whether anybody hears anything, for stores to which it is work to know what they did.
    pub(crate) fn is_watched(&self) -> bool {
        !self.0.read().is_empty()
    }

    /// A key was set.
    pub(crate) fn set(&self, bucket: &BucketName, key: &str, value: &[u8]) {
        self.tell(bucket, key, Some(value));
    }

    /// A key that was there was removed.
    pub(crate) fn removed(&self, bucket: &BucketName, key: &str) {
        self.tell(bucket, key, None);
    }

    fn tell(&self, bucket: &BucketName, key: &str, value: Option<&[u8]>) {
        let watchers = self.0.read();
        for watcher in watchers.values() {
            if watcher.watched.wants(bucket, key, value.is_some()) && !watcher.put(key, value) {
                watcher.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Watcher {
    /// Whether the change found room.
    fn put(&self, key: &str, value: Option<&[u8]>) -> bool {
        let kib = (key.len() + value.map_or(0, <[u8]>::len)) / 1024 + 1;
        let room = u32::try_from(kib)
            .ok()
            .and_then(|kib| Arc::clone(&self.room).try_acquire_many_owned(kib).ok());
        let (Some(room), Ok(place)) = (room, self.queue.try_reserve()) else {
            return false;
        };
        place.send(Change {
            key: key.to_owned(),
            // A copy: what a value shares its memory with may be a whole batch.
            value: value.map(Bytes::copy_from_slice),
            _room: room,
        });
        true
    }
}

impl Feed {
    /// The next change; nothing when the link is gone, also if there are some left.
    pub(crate) async fn next(&mut self) -> Option<Change> {
        let change = self.changes.recv().await?;
        (!self.changes.is_closed()).then_some(change)
    }

    /// How many changes found no room since this was asked last.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str) -> LinkKey {
        LinkKey {
            source: "kv".parse().unwrap(),
            name: name.parse().unwrap(),
            namespace: "wasi".to_owned(),
            package: "keyvalue".to_owned(),
        }
    }

    fn bucket() -> BucketName {
        BucketName::new("b").unwrap()
    }

    fn watch(changes: &Changes, name: &str) -> Feed {
        changes.watch(link(name), Watched::parse("SET@*,DEL@*", bucket()).unwrap())
    }

    #[tokio::test]
    async fn all_links_hear_changes_in_their_order() {
        let changes = Changes::default();
        assert!(!changes.is_watched());
        let mut feeds = [watch(&changes, "one"), watch(&changes, "two")];
        changes.set(&bucket(), "k", b"1");
        changes.removed(&bucket(), "k");
        changes.set(&BucketName::new("other").unwrap(), "k", b"2");
        changes.set(&bucket(), "k", b"");
        for feed in &mut feeds {
            for expected in [Some(&b"1"[..]), None, Some(b"")] {
                let change = feed.next().await.unwrap();
                assert_eq!((change.key.as_str(), change.value.as_deref()), ("k", expected));
            }
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_lost_and_counted() {
        let changes = Changes::default();
        let mut many = watch(&changes, "many");
        for _ in 0..QUEUE + 3 {
            changes.removed(&bucket(), "k");
        }
        assert_eq!((many.lost(), many.lost()), (3, 0));
        // Room comes back with each change that is taken.
        drop(many.next().await.unwrap());
        changes.removed(&bucket(), "k");
        assert_eq!(many.lost(), 0);
        changes.unwatch(&link("many"));

        let mut large = watch(&changes, "large");
        let value = vec![0; 8 << 20];
        for lost in [0, 1, 1] {
            changes.set(&bucket(), "k", &value);
            assert_eq!(large.lost(), lost);
        }
        drop(large.next().await.unwrap());
        changes.set(&bucket(), "k", &value);
        assert_eq!(large.lost(), 0);
    }

    #[tokio::test]
    async fn nothing_is_heard_after_the_end() {
        let changes = Changes::default();
        let mut feed = watch(&changes, "one");
        changes.set(&bucket(), "k", b"1");
        changes.unwatch(&link("one"));
        changes.set(&bucket(), "k", b"2");
        assert!(feed.next().await.is_none());
        assert_eq!(feed.lost(), 0);
    }
}
