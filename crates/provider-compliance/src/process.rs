//! The program, started as a host starts it (wire reference §2.5).

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How much of what the program says last is kept, in bytes.
const KEPT: usize = 4 << 10;

/// The program, killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Process {
    /// Starts it, writes the line to its standard input, and closes that.
    pub(crate) async fn start(program: &Path, line: &str) -> Result<Self, String> {
        let mut command = Command::new(program);
        command
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|error| format!("start {}: {error}", program.display()))?;
        let said = Arc::<Mutex<Vec<u8>>>::default();
        if let Some(mut stderr) = child.stderr.take() {
            let said = Arc::clone(&said);
            tokio::spawn(async move {
                let mut piece = [0; 1024];
                while let Ok(len @ 1..) = stderr.read(&mut piece).await {
                    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                    said.extend_from_slice(piece.get(..len).unwrap_or_default());
                    let more = said.len().saturating_sub(KEPT);
                    said.drain(..more);
                }
            });
        }
        if let Some(mut stdin) = child.stdin.take() {
            // A program that has ended does not read, and how it ended is looked at later.
            let _ = stdin.write_all(line.as_bytes()).await;
        }
        Ok(Self { child, said })
    }

    /// Whether it runs; if not, how it ended.
    pub(crate) fn running(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("the program ended with {status}{}", self.said())),
            Err(error) => Err(format!("look at the program: {error}")),
        }
    }

    /// Waits until it has ended, for as long as that takes.
    pub(crate) async fn end(&mut self) {
        // How is asked for later; an error here is one there.
        let _ = self.child.wait().await;
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self, patience: Duration) -> Result<ExitStatus, String> {
        match timeout(patience, self.child.wait()).await {
            Ok(Ok(status)) => Ok(status),
            Ok(Err(error)) => Err(format!("wait for the program: {error}")),
            Err(_) => Err(format!(
                "the program still runs after {patience:?}{}",
                self.said()
            )),
        }
    }

    pub(crate) fn terminate(&self) -> Result<(), String> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let pid = id.and_then(Pid::from_raw).ok_or("the program has ended")?;
        kill_process(pid, Signal::TERM).map_err(|error| format!("send SIGTERM: {error}"))
    }

    /// What it said last, for messages.
    pub(crate) fn said(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match said.trim_ascii() {
            [] => String::new(),
            said => format!("; it said last:\n{}", String::from_utf8_lossy(said)),
        }
    }
}
