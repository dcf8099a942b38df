//! Clients that never stop asking, to see whether a change is noticed by anyone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::http::{Connection, Response, get};
use anyhow::{Context as _, Result, anyhow, ensure};

/// Longest time that one of the clients keeps its connection.
const CONNECTION: Duration = Duration::from_secs(120);

/// Four clients: two keep their connection, two open one for each request.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Result<()>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answers: Mutex<BTreeMap<String, usize>>,
    changed: Condvar,
}

impl Load {
    /// Asks for `path` until [`Load::finish`]. Answers are counted by their first word.
    pub fn start(address: SocketAddr, path: &'static str) -> Self {
        let shared = Arc::new(Shared::default());
        let clients = (0..4).map(|client| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let outcome = if client % 2 == 0 {
                    keep(&shared, address, path)
                } else {
                    renew(&shared, address, path)
                };
                shared.changed.notify_all();
                outcome.with_context(|| format!("client {client}"))
            })
        });
        Self {
            clients: clients.collect(),
            shared,
        }
    }

    /// Waits until this answer came ten times from now on.
    pub fn wait_answer(&self, word: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut answers = self.shared.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = answers.get(word).copied().unwrap_or_default() + 10;
        while answers.get(word).copied().unwrap_or_default() < wanted {
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "no {word:?} within {limit:?}, but {answers:?}");
            ensure!(
                !self.clients.iter().any(JoinHandle::is_finished),
                "a client failed, answers until then: {answers:?}"
            );
            let woken = self.shared.changed.wait_timeout(answers, left);
            answers = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    /// Ends the clients. Fails if any of their requests did.
    pub fn finish(self) -> Result<BTreeMap<String, usize>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().map_err(|_| anyhow!("a client panicked"))??;
        }
        let answers = self.shared.answers.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(answers.clone())
    }
}

impl Shared {
    fn count(&self, response: Response) -> Result<bool> {
        ensure!(
            (200..300).contains(&response.status),
            "status {}: {}",
            response.status,
            response.text()
        );
        ensure!(response.complete, "a response was cut");
        let text = response.text();
        let word = text.split_whitespace().next().unwrap_or_default().to_owned();
        *self
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(word)
            .or_default() += 1;
        self.changed.notify_all();
        Ok(!self.stop.load(Ordering::Relaxed))
    }
}

fn keep(shared: &Shared, address: SocketAddr, path: &str) -> Result<()> {
    let mut connection = Connection::within(address, CONNECTION)?;
    loop {
        connection.request("GET", path, &[], b"")?;
        if !shared.count(connection.response("GET")?)? {
            return Ok(());
        }
    }
}

fn renew(shared: &Shared, address: SocketAddr, path: &str) -> Result<()> {
    while shared.count(get(address, path)?)? {}
    Ok(())
}
