//! The signals that end the program.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, which mean the same.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    seen: bool,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self {
            interrupt,
            terminate,
            seen: false,
        })
    }

    /// The first signal, at once if it came before.
    pub(crate) async fn first(&mut self) {
        if !self.seen {
            self.next().await;
            self.seen = true;
        }
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
