//! The fence: commands of a controller that does not lead any more are refused (ADR 3).
//!
//! A controller can be held up between its decision and the message, and its messages on their way, so that its own
//! look at the lease is not enough. The host knows the newest epoch from the lease, which it watches and has read
//! before it takes commands, and from the commands themselves, which may be faster than the watch.
//!
//! Who leads, and when, is not decided here.

use std::time::Duration;

use futures::StreamExt as _;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::time::{Instant, sleep};
use wasmcloud_lattice::{Bucket, Entry, Event as Change, HeaderMap, Lattice, Watch};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::control::{EPOCH, Epoch};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::rpc::header::InvalidHeader;
use wasmcloud_wire::state::{CONTROLLER_LEASE, LeaseRecord};

/// How long an epoch counts that no lease has confirmed, since the last command that named it. Longer than any message
/// is late and any watch behind, and not for ever: a number that nobody ever led with would lock everybody out.
const UNCONFIRMED: Duration = Duration::from_secs(60);

/// How often leases that cannot be read are tried again.
const RETRY: Duration = Duration::from_secs(30);

/// What a host knows of who leads.
#[derive(Default)]
pub(crate) struct Fence(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    /// The greatest epoch of the lease.
    lease: Option<Epoch>,
    /// The greatest epoch that a command named, and when one did last.
    named: Option<(Epoch, Instant)>,
}

/// Why a command is refused, whatever it is about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fenced {
    /// It does not say of which epoch it is.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    /// It is of a controller that another one has followed.
    #[error(
        "the command is of epoch {epoch}, this host knows of epoch {newest}: another controller leads by now; hint: a \
         controller that was held up sends such commands, what it wanted is for the other one to decide"
    )]
    Old {
        /// Its own.
        epoch: Epoch,
        /// The newest that is known.
        newest: Epoch,
    },
}

impl Fence {
    /// Reads the lease, and follows it in a task that [`follow`](Self::follow) is to be. A lease that cannot be read
    /// keeps no host from its work: then the commands themselves are all there is.
    pub(crate) async fn start(lattice: &Lattice) -> (Arc<Self>, impl Future<Output = ()> + use<>) {
        let fence = Arc::new(Self::default());
        let watch = match fence.open(lattice).await {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::warn!(
                    error,
                    "leases cannot be read; commands of an older controller are known by newer commands only"
                );
                None
            }
        };
        let follow = Arc::clone(&fence).follow(lattice.clone(), watch);
        (fence, follow)
    }

    /// Begins to watch, and takes in what is there.
    async fn open(&self, lattice: &Lattice) -> Result<Watch, String> {
        let bucket = Bucket::leases(&lattice.name).map_err(|error| chain(&error))?;
        let watch = async {
            let state = lattice.open_state(bucket).await?;
            state.watch(CONTROLLER_LEASE).await
        };
        let mut watch = watch.await.map_err(|error| chain(&error))?;
        // It has begun with a full look, which ends with `Ready`.
        while let Some(change) = watch.next().await {
            if change == Change::Ready {
                break;
            }
            self.note(change);
        }
        Ok(watch)
    }

    async fn follow(self: Arc<Self>, lattice: Lattice, mut watch: Option<Watch>) {
        loop {
            while let Some(change) = next(&mut watch).await {
                self.note(change);
            }
            sleep(RETRY).await;
            watch = match self.open(&lattice).await {
                Ok(watch) => {
                    tracing::info!("leases can be read now");
                    Some(watch)
                }
                Err(error) => {
                    tracing::debug!(error, "leases still cannot be read");
                    None
                }
            };
        }
    }

    fn note(&self, change: Change) {
        match change {
            Change::Put(entry) if entry.key == CONTROLLER_LEASE => self.put(&entry),
            // Who let go of the lease led up to then; the next one has a greater epoch.
            Change::Put(_) | Change::Delete { .. } | Change::Ready => {}
            Change::Reset => {
                tracing::warn!("the store of leases was lost or replaced; epochs begin anew");
                *self.0.lock() = Seen::default();
            }
        }
    }

    fn put(&self, entry: &Entry) {
        let record = match LeaseRecord::decode(&entry.value) {
            Ok(record) => record,
            Err(error) => {
                return tracing::warn!(
                    error = chain(&error),
                    "the lease of the controller cannot be read"
                );
            }
        };
        // It is the revision of a former write, so a greater one is a mistake that must not lock everybody out.
        let epoch = record.epoch(entry.revision);
        match epoch.filter(|epoch| epoch.get() <= entry.revision) {
            Some(epoch) => {
                let mut seen = self.0.lock();
                seen.lease = seen.lease.max(Some(epoch));
            }
            None => tracing::warn!(
                ?epoch,
                revision = entry.revision,
                "the epoch of the lease is in the future"
            ),
        }
    }

    /// Whether a command with these headers is to be carried out. Those of people and of v1's controller name no epoch.
    pub(crate) fn admit(&self, headers: Option<&HeaderMap>) -> Result<(), Fenced> {
        let Some(header) = headers.and_then(|headers| headers.get(EPOCH)) else {
            return Ok(());
        };
        let epoch: Epoch = header.as_str().parse()?;
        let now = Instant::now();
        let mut seen = self.0.lock();
        let named = seen.named.filter(|(_, at)| now - *at < UNCONFIRMED);
        let newest = named.map(|(epoch, _)| epoch).max(seen.lease);
        match newest {
            Some(newest) if epoch < newest => Err(Fenced::Old { epoch, newest }),
            _ => {
                seen.named = Some((epoch, now));
                Ok(())
            }
        }
    }
}

async fn next(watch: &mut Option<Watch>) -> Option<Change> {
    watch.as_mut()?.next().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(epoch: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(EPOCH, epoch);
        headers
    }

    fn lease(revision: u64, epoch: Option<u64>) -> Change {
        let record = LeaseRecord {
            holder: "N1".parse().unwrap(),
            name: "a".to_owned(),
            epoch,
            term: String::new(),
        };
        Change::Put(Entry {
            key: CONTROLLER_LEASE.to_owned(),
            value: record.encode().into(),
            revision,
        })
    }

    impl Fence {
        fn says(&self, epoch: &str) -> Result<(), u64> {
            match self.admit(Some(&command(epoch))) {
                Ok(()) => Ok(()),
                Err(Fenced::Old { newest, .. }) => Err(newest.get()),
                Err(Fenced::Header(error)) => panic!("{error}"),
            }
        }
    }

    #[tokio::test]
    async fn what_is_older_than_the_lease_or_a_command_is_refused() {
        let fence = Fence::default();
        assert_eq!(fence.admit(None), Ok(()));
        assert_eq!(fence.says("3"), Ok(()));
        fence.note(lease(5, None));
        assert_eq!(fence.says("3"), Err(5));
        fence.note(lease(9, Some(5)));
        assert_eq!(fence.says("5"), Ok(()));
        assert_eq!(fence.says("10"), Ok(()));
        assert_eq!(fence.says("5"), Err(10));
        assert_eq!(fence.admit(None), Ok(()));
        fence.note(Change::Delete {
            key: CONTROLLER_LEASE.to_owned(),
            revision: 11,
        });
        assert_eq!(fence.says("5"), Err(10));
        let garbage = fence.admit(Some(&command("ten"))).unwrap_err();
        assert_eq!(
            garbage.to_string(),
            "header wasmcloud-epoch is `ten`, a number from 1 on is expected"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_locked_out_for_ever() {
        let fence = Fence::default();
        fence.note(lease(4, None));
        assert_eq!(fence.says("18446744073709551615"), Ok(()));
        assert_eq!(fence.says("4"), Err(u64::MAX));
        tokio::time::advance(UNCONFIRMED).await;
        assert_eq!(fence.says("4"), Ok(()));
        // Nobody can have taken the lease in the future.
        fence.note(lease(6, Some(u64::MAX)));
        assert_eq!(fence.says("4"), Ok(()));
        // What the lease says counts as long as its store does.
        fence.note(lease(7, None));
        tokio::time::advance(UNCONFIRMED * 100).await;
        assert_eq!(fence.says("4"), Err(7));
        fence.note(Change::Reset);
        fence.note(lease(1, None));
        assert_eq!(fence.says("1"), Ok(()));
    }
}
