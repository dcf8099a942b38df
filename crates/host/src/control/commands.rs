//! What takes long, in order: starts, updates and stops of one component or provider run one after another, those of
//! different ones beside each other. Whoever asks is not kept waiting.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures::FutureExt as _;
use parking_lot::Mutex;
use wasmcloud_core::ComponentId;

/// Commands that may wait for one component or provider.
const MAX_EACH: usize = 64;
/// Commands that may wait on one host.
const MAX_ALL: usize = 20_000;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The queues, one for each component or provider that has something to do.
#[derive(Clone, Default)]
pub(crate) struct Commands(Arc<Mutex<Queues>>);

#[derive(Default)]
struct Queues {
    /// An entry is there while somebody works on it.
    waiting: HashMap<ComponentId, VecDeque<Job>>,
    count: usize,
}

/// Too much waits already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{limit} commands for {whom} wait already, this one is not accepted; hint: wait for the event of the last one"
)]
pub(crate) struct TooMany {
    whom: String,
    limit: usize,
}

impl Commands {
    /// Puts a command behind those for the same component or provider, in the order of the calls.
    pub(crate) fn submit(
        &self,
        id: &ComponentId,
        job: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), TooMany> {
        let mut queues = self.0.lock();
        if queues.count >= MAX_ALL {
            return Err(TooMany {
                whom: "this host".to_owned(),
                limit: MAX_ALL,
            });
        }
        let job: Job = Box::pin(job);
        match queues.waiting.get_mut(id) {
            Some(waiting) if waiting.len() >= MAX_EACH => {
                return Err(TooMany {
                    whom: format!("`{id}`"),
                    limit: MAX_EACH,
                });
            }
            Some(waiting) => {
                waiting.push_back(job);
                queues.count += 1;
            }
            None => {
                queues.waiting.insert(id.clone(), VecDeque::new());
                tokio::spawn(self.clone().work(id.clone(), job));
            }
        }
        Ok(())
    }

    /// Whether something is being done or waits for this component or provider.
    pub(crate) fn busy(&self, id: &ComponentId) -> bool {
        self.0.lock().waiting.contains_key(id)
    }

    async fn work(self, id: ComponentId, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            // A command that panics must not take those behind it along.
            if AssertUnwindSafe(job).catch_unwind().await.is_err() {
                tracing::error!(%id, "a command ended in a panic, which is a bug of the host");
            }
            let mut queues = self.0.lock();
            next = queues.waiting.get_mut(&id).and_then(VecDeque::pop_front);
            match next {
                Some(_) => queues.count = queues.count.saturating_sub(1),
                None => drop(queues.waiting.remove(&id)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn commands_of_one_run_in_order_and_others_do_not_wait() {
        let commands = Commands::default();
        let (done, mut order) = mpsc::unbounded_channel();
        let (go, gate) = oneshot::channel::<()>();
        let (a, b): (ComponentId, ComponentId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let tell = |what: &'static str| {
            let done = done.clone();
            async move { done.send(what).unwrap() }
        };
        let first = tell("a1");
        let held = async move {
            gate.await.ok();
            first.await;
        };
        commands.submit(&a, held).unwrap();
        commands
            .submit(&a, async { panic!("of no concern to the next") })
            .unwrap();
        commands.submit(&a, tell("a2")).unwrap();
        commands.submit(&b, tell("b1")).unwrap();
        assert_eq!(order.recv().await, Some("b1"));
        go.send(()).unwrap();
        assert_eq!(order.recv().await, Some("a1"));
        assert_eq!(order.recv().await, Some("a2"));
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let commands = Commands::default();
        let id: ComponentId = "a".parse().unwrap();
        for _ in 0..=MAX_EACH {
            commands.submit(&id, std::future::pending()).unwrap();
        }
        let refused = commands.submit(&id, std::future::pending()).unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("64 commands for `a` wait already")
        );
    }
}
