//! Clients that never stop asking, to see whether a change is noticed by anyone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::http::{Connection, Response, get};
use anyhow::{Context as _, Result, anyhow, bail, ensure};

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
    /// Whether answers are counted by all that they say.
    whole: bool,
    answers: Mutex<BTreeMap<String, usize>>,
    /// Why the first client failed that did.
    failed: Mutex<Option<String>>,
    changed: Condvar,
}

impl Load {
    /// Asks for `path` until [`Load::finish`]. Answers are counted by their first word.
    pub fn start(address: SocketAddr, path: &'static str) -> Self {
        Self::run(address, path, Shared::default())
    }

    /// The same with answers that are counted by their whole text.
    pub fn start_whole(address: SocketAddr, path: &'static str) -> Self {
        let shared = Shared {
            whole: true,
            ..Shared::default()
        };
        Self::run(address, path, shared)
    }

    fn run(address: SocketAddr, path: &'static str, shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let clients = (0..4).map(|client| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                let outcome = if client % 2 == 0 {
                    keep(&shared, address, path)
                } else {
                    renew(&shared, address, path)
                };
                if let Err(error) = &outcome {
                    let mut failed = shared.failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.get_or_insert_with(|| format!("{error:#}"));
                }
                shared.changed.notify_all();
                outcome.with_context(|| format!("client {client}"))
            })
        });
        Self {
            clients: clients.collect(),
            shared,
        }
    }

    /// Waits until an answer that begins with this word came ten times from now on.
    pub fn wait_answer(&self, word: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut answers = self.shared.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let came = |answers: &BTreeMap<String, usize>| -> usize {
            by_first_word(answers).get(word).copied().unwrap_or_default()
        };
        let wanted = came(&answers) + 10;
        while came(&answers) < wanted {
            let left = deadline.saturating_duration_since(Instant::now());
            let until = || format!("answers until then: {:?}", by_first_word(&answers));
            ensure!(!left.is_zero(), "no {word:?} within {limit:?}, {}", until());
            if self.clients.iter().any(JoinHandle::is_finished) {
                let failed = self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner);
                let why = failed.as_deref().unwrap_or_default();
                bail!("a client failed: {why}; {}", until());
            }
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

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

fn by_first_word(answers: &BTreeMap<String, usize>) -> BTreeMap<&str, usize> {
    let mut words = BTreeMap::new();
    for (text, count) in answers {
        *words.entry(first_word(text)).or_default() += count;
    }
    words
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
        let said = match self.whole {
            true => text.as_str(),
            false => first_word(&text),
        };
        *self
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(said.to_owned())
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
