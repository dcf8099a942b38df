//! The threads that serve connections, one for each core.
//!
//! Each has an async runtime of its own, and a connection stays on one of them from its first byte to its last: a
//! request is read, its guest called and its answer written without waking another thread or moving to another core's
//! cache. What a guest computes holds up the connections of its own thread for one epoch at most, then they have a turn.
//!
//! Everything that is not a connection runs on the runtime of the process.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// The threads. They end when this is dropped, with what still runs on them.
pub(crate) struct Workers {
    first: Worker,
    others: Vec<Worker>,
}

struct Worker {
    runtime: Handle,
    open: Arc<AtomicUsize>,
    _running: oneshot::Sender<()>,
}

/// A runtime that may be dropped anywhere, also on a thread of another one, as it is if its thread does not start.
/// Blocking work that its connections have begun may go on; nothing waits for it.
struct Owned(Option<Runtime>);

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// One connection less when it ends, however it ends.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    /// Starts `count` threads.
    pub(crate) fn start(count: NonZero<usize>) -> io::Result<Self> {
        let first = Worker::start(0)?;
        let others = (1..count.get()).map(Worker::start).collect::<io::Result<_>>()?;
        Ok(Self { first, others })
    }

    /// Connections on all of them.
    pub(crate) fn open(&self) -> usize {
        let all = std::iter::once(&self.first).chain(&self.others);
        all.map(|worker| worker.open.load(Ordering::Relaxed)).sum()
    }

    /// Runs a connection on the thread that has the fewest.
    pub(crate) fn spawn(
        &self,
        connections: &TaskTracker,
        connection: impl Future<Output = ()> + Send + 'static,
    ) {
        let all = std::iter::once(&self.first).chain(&self.others);
        let worker = all
            .min_by_key(|worker| worker.open.load(Ordering::Relaxed))
            .unwrap_or(&self.first);
        worker.open.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(&worker.open));
        let counted = async move {
            let _open = open;
            connection.await;
        };
        connections.spawn_on(counted, &worker.runtime);
    }
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let runtime = Owned(Some(runtime));
        let (running, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name(format!("http-{number}"))
            .spawn(move || {
                if let Some(runtime) = &runtime.0 {
                    // Nobody sends: it ends when the other half is dropped.
                    let _ = runtime.block_on(ended);
                }
            })?;
        Ok(Self {
            runtime: handle,
            open: Arc::default(),
            _running: running,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_go_where_the_fewest_are_and_workers_end_with_their_owner() {
        let workers = Workers::start(NonZero::new(2).unwrap()).unwrap();
        let connections = TaskTracker::new();
        let (seen, mut threads) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..4 {
            let seen = seen.clone();
            workers.spawn(&connections, async move {
                let _ = seen.send(std::thread::current().id());
                std::future::pending::<()>().await;
            });
        }
        drop(seen);
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(threads.recv().await.unwrap());
        }
        ids.sort_by_key(|id| format!("{id:?}"));
        assert!(
            ids[0] == ids[1] && ids[2] == ids[3] && ids[1] != ids[2],
            "{ids:?}"
        );
        // On a thread of another runtime, as an ingress is.
        drop(workers);
        connections.close();
        let ended = tokio::time::timeout(std::time::Duration::from_secs(10), connections.wait()).await;
        assert!(ended.is_ok(), "connections outlive their workers");
    }

    #[tokio::test]
    async fn a_runtime_whose_thread_did_not_start_may_be_dropped_here() {
        drop(Owned(Some(Builder::new_current_thread().build().unwrap())));
    }
}
