//! Pulls under way, so that those who want the same thing at the same time share one.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::progress::{Progress, Reporter, forward};
use crate::registry_error::RegistryError;

type Outcome<T> = Result<T, Arc<RegistryError>>;

/// One pull. Ends when the last who waits for it is gone.
struct Flight<T> {
    outcome: watch::Receiver<Option<Outcome<T>>>,
    progress: watch::Receiver<Progress>,
    _task: AbortOnDropHandle<()>,
}

pub(crate) struct Flights<K, T> {
    table: Mutex<HashMap<K, Weak<Flight<T>>>>,
    most: usize,
}

impl<K: Eq + Hash, T: Clone + Send + Sync + 'static> Flights<K, T> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            table: Mutex::default(),
            most,
        }
    }

    /// The outcome of the pull with this key: of the one under way, or of a new one.
    pub(crate) async fn join<F>(
        &self,
        key: K,
        progress: Option<&watch::Sender<Progress>>,
        start: impl FnOnce(Reporter) -> F,
    ) -> Outcome<T>
    where
        F: Future<Output = Result<T, RegistryError>> + Send + 'static,
    {
        let flight = self.board(key, start)?;
        let mut outcome = flight.outcome.clone();
        let landed = async {
            match outcome.wait_for(Option::is_some).await {
                Ok(value) => value.clone(),
                // The task is gone: it panicked, or the runtime stops.
                Err(_) => None,
            }
        };
        let result = tokio::select! {
            result = landed => result,
            () = forward(flight.progress.clone(), progress) => None,
        };
        if let Some(progress) = progress {
            progress.send_replace(*flight.progress.borrow());
        }
        result.unwrap_or_else(|| Err(Arc::new(RegistryError::Aborted)))
    }

    fn board<F>(
        &self,
        key: K,
        start: impl FnOnce(Reporter) -> F,
    ) -> Result<Arc<Flight<T>>, Arc<RegistryError>>
    where
        F: Future<Output = Result<T, RegistryError>> + Send + 'static,
    {
        let mut table = self.table.lock();
        if let Some(flight) = table.get(&key).and_then(Weak::upgrade)
            // One that has ended is an answer of the past.
            && flight.outcome.borrow().is_none()
        {
            return Ok(flight);
        }
        table.retain(|_, flight| flight.strong_count() > 0);
        if table.len() >= self.most {
            return Err(Arc::new(RegistryError::Full(self.most)));
        }
        let (outcome_to, outcome) = watch::channel(None);
        let (progress_to, progress) = watch::channel(Progress::default());
        let pull = start(Reporter::new(progress_to));
        let task = tokio::spawn(async move {
            let result = pull.await.map_err(Arc::new);
            outcome_to.send_replace(Some(result));
        });
        let flight = Arc::new(Flight {
            outcome,
            progress,
            _task: AbortOnDropHandle::new(task),
        });
        table.insert(key, Arc::downgrade(&flight));
        Ok(flight)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;
    use crate::progress::Stage;

    #[tokio::test]
    async fn those_who_want_the_same_share_one() {
        let flights = Flights::<u8, u8>::new(10);
        let started = AtomicUsize::new(0);
        let gate = Arc::new(Semaphore::new(0));
        let pull = |reporter: Reporter| {
            started.fetch_add(1, Ordering::SeqCst);
            let gate = Arc::clone(&gate);
            async move {
                reporter.set(Stage::Downloading, 1, 2);
                let _permit = gate.acquire().await;
                Ok(7)
            }
        };
        let (sender, mut seen) = watch::channel(Progress::default());
        let (one, two, ()) = tokio::join!(
            flights.join(1, None, pull),
            flights.join(1, Some(&sender), pull),
            async {
                // Who joins sees how far the pull is; only then it may end.
                seen.wait_for(|progress| progress.total == Some(2)).await.unwrap();
                gate.add_permits(1);
            }
        );
        assert_eq!((one.unwrap(), two.unwrap()), (7, 7));
        assert_eq!(started.load(Ordering::SeqCst), 1);
        flights.join(1, None, pull).await.unwrap();
        assert_eq!(started.load(Ordering::SeqCst), 2, "what has ended is not joined");
    }

    #[tokio::test]
    async fn a_pull_ends_with_the_last_who_waits() {
        struct Guard(Arc<Semaphore>);
        impl Drop for Guard {
            fn drop(&mut self) {
                self.0.add_permits(1);
            }
        }
        let flights = Flights::<u8, u8>::new(1);
        let gone = Arc::new(Semaphore::new(0));
        let started = Arc::new(Semaphore::new(0));
        let pull = |_| {
            let guard = Guard(Arc::clone(&gone));
            let started = Arc::clone(&started);
            async move {
                started.add_permits(1);
                let _guard = guard;
                std::future::pending().await
            }
        };
        tokio::select! {
            _ = flights.join(1, None, pull) => panic!("it never ends"),
            permit = started.acquire() => permit.unwrap().forget(),
        }
        let _permit = gone.acquire().await.unwrap();
        // Its place is free again, and a full table refuses.
        let full = async {
            started.acquire().await.unwrap().forget();
            flights.join(3, None, |_| async { Ok(1) }).await.unwrap_err()
        };
        tokio::select! {
            _ = flights.join(2, None, pull) => panic!("it never ends"),
            error = full => assert!(matches!(*error, RegistryError::Full(1))),
        }
    }
}
