//! One process of a provider: made, watched, killed with everything in its group.
//!
//! Each process has a thread of its own, which makes it, waits for its end, kills what it leaves behind and only then
//! reaps it. The thread lives as long as the process, as what ends a process with its host demands (`launch`); and
//! until a process is reaped its id, which is that of its group, is nobody else's, so no signal goes astray.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wasmcloud_core::ComponentId;

use super::executable;
use super::launch::Launcher;
use super::options::ProcessLimits;
use super::output::{self, Tail};

/// How long what a process printed last may take to be read, once it has ended: somebody who has left its group may
/// still hold the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long a process may take to read its host data. Who does not read it does not run, and is found out by the
/// start deadline; this only ends the task that writes.
const READ_HOST_DATA: Duration = Duration::from_secs(60);

/// What is to be run.
pub(super) struct Start {
    pub(super) id: ComponentId,
    pub(super) program: PathBuf,
    pub(super) launcher: Launcher,
    pub(super) limits: ProcessLimits,
    /// The line for its standard input.
    pub(super) host_data: String,
}

/// A process of a provider. Killed when this is dropped, with its group.
pub(super) struct Process {
    group: Group,
    ended: watch::Receiver<Option<ExitStatus>>,
    outputs: Vec<JoinHandle<()>>,
    tail: Arc<Tail>,
}

/// The group that a process leads, until the process has been reaped.
#[derive(Clone)]
struct Group(Arc<Mutex<Option<Pid>>>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = *self.0.lock() {
            // There is nobody else to tell, and who is gone already needs no signal.
            kill_process_group(pid, signal).ok();
        }
    }
}

impl Process {
    /// Starts a process in a group of its own, with next to no environment, and gives it its host data.
    pub(super) async fn start(start: Start) -> io::Result<Self> {
        let (made, came) = oneshot::channel();
        let (end, ended) = watch::channel(None);
        let id = start.id.clone();
        let host_data = start.host_data.clone();
        std::thread::Builder::new()
            .name("provider".to_owned())
            .spawn(move || run(&start, made, &end))?;
        let gone = || io::Error::other("the thread that starts it has ended");
        let (group, mut child) = came.await.map_err(|_| gone())??;
        // From here on it is killed if anything fails.
        let mut process = Self {
            group,
            ended,
            outputs: Vec::new(),
            tail: Arc::default(),
        };
        if let Some(stdin) = child.stdin.take() {
            tell(stdin, host_data)?;
        }
        if let Some(pipe) = child.stdout.take() {
            let pipe = tokio::process::ChildStdout::from_std(pipe)?;
            process.outputs.push(tokio::spawn(output::capture(
                pipe,
                id.clone(),
                "stdout",
                Arc::clone(&process.tail),
            )));
        }
        if let Some(pipe) = child.stderr.take() {
            let pipe = tokio::process::ChildStderr::from_std(pipe)?;
            process.outputs.push(tokio::spawn(output::capture(
                pipe,
                id,
                "stderr",
                Arc::clone(&process.tail),
            )));
        }
        Ok(process)
    }

    /// Waits until the process has ended and its group has been killed.
    pub(super) async fn ended(&mut self) -> String {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(status)) => status.to_string(),
            // The thread tells before it ends.
            _ => "nobody knows how".to_owned(),
        }
    }

    /// What it printed last, once it has ended.
    pub(super) async fn last_words(&mut self) -> Vec<String> {
        for output in &mut self.outputs {
            if timeout(LAST_WORDS, &mut *output).await.is_err() {
                output.abort();
            }
        }
        self.outputs.clear();
        self.tail.lines()
    }

    /// What it printed last, so far.
    pub(super) fn lines(&self) -> Vec<String> {
        self.tail.lines()
    }

    /// Sends a signal to the process and everything in its group.
    pub(super) fn signal(&self, signal: Signal) {
        self.group.signal(signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.group.signal(Signal::KILL);
    }
}

/// The pipes of a new process.
struct Pipes {
    stdin: Option<ChildStdin>,
    stdout: Option<std::process::ChildStdout>,
    stderr: Option<std::process::ChildStderr>,
}

/// The whole life of a process, on its thread.
fn run(
    start: &Start,
    made: oneshot::Sender<io::Result<(Group, Pipes)>>,
    end: &watch::Sender<Option<ExitStatus>>,
) {
    let mut child = match spawn(start) {
        Ok(child) => child,
        Err(error) => return drop(made.send(Err(error))),
    };
    let pid = Pid::from_child(&child);
    limit(pid, &start.limits, &start.id);
    let group = Group(Arc::new(Mutex::new(Some(pid))));
    let pipes = Pipes {
        stdin: child.stdin.take(),
        stdout: child.stdout.take(),
        stderr: child.stderr.take(),
    };
    if made.send(Ok((group.clone(), pipes))).is_err() {
        // Whoever wanted it does not wait any more.
        group.signal(Signal::KILL);
    }
    // Not reaped yet, so the id stays taken.
    while let Err(error) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
        if error != rustix::io::Errno::INTR {
            break;
        }
    }
    let status = {
        let mut pid = group.0.lock();
        if let Some(pid) = pid.take() {
            // What it started goes with it, before anything takes its place.
            kill_process_group(pid, Signal::KILL).ok();
        }
        child.wait()
    };
    match status {
        Ok(status) => drop(end.send_replace(Some(status))),
        Err(error) => {
            tracing::error!(provider = %start.id, %error, "the end of a provider's process is not known")
        }
    }
}

fn spawn(start: &Start) -> io::Result<Child> {
    let mut command = start.launcher.command(&start.program);
    command
        .process_group(0)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| is_for_providers(name)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    executable::when_written(|| {
        let _nobody = executable::nobody_writes();
        command.spawn()
    })
}

/// What a provider gets of the host's environment, as in v1 (wire reference §2.5).
fn is_for_providers(name: &std::ffi::OsStr) -> bool {
    name == "RUST_LOG" || name.as_encoded_bytes().starts_with(b"OTEL_")
}

/// Writes the host data and closes, beside everything else: a process that does not read holds nobody up.
fn tell(stdin: ChildStdin, host_data: String) -> io::Result<()> {
    let mut stdin = tokio::process::ChildStdin::from_std(stdin)?;
    tokio::spawn(async move {
        // Who has closed its input, or ended, has no use for it, and shows that in other ways.
        timeout(READ_HOST_DATA, stdin.write_all(host_data.as_bytes()))
            .await
            .ok();
    });
    Ok(())
}

#[cfg(target_os = "linux")]
fn limit(pid: Pid, limits: &ProcessLimits, id: &ComponentId) {
    use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

    let mut wanted = vec![(Resource::Core, 0), (Resource::Nofile, limits.open_files)];
    wanted.extend(limits.address_space.map(|bytes| (Resource::As, bytes)));
    for (resource, limit) in wanted {
        // A process may lower its limits and not raise them.
        let limit = getrlimit(resource).maximum.map_or(limit, |ours| ours.min(limit));
        let both = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        match prlimit(Some(pid), resource, both) {
            Ok(_) => {}
            // It has ended already.
            Err(rustix::io::Errno::SRCH) => return,
            Err(error) => {
                tracing::warn!(provider = %id, ?resource, limit, %error, "a limit of the provider's process cannot be set");
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn limit(_pid: Pid, _limits: &ProcessLimits, _id: &ComponentId) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_get_next_to_nothing_of_the_environment() {
        for name in ["RUST_LOG", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_"] {
            assert!(is_for_providers(name.as_ref()), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "RUST_LOG_STYLE",
            "XOTEL_A",
            "OTEL",
            "WASMCLOUD_NATS_SEED",
            "",
        ] {
            assert!(!is_for_providers(name.as_ref()), "{name}");
        }
    }

    fn start(launcher: Launcher) -> Start {
        Start {
            id: "p".parse().unwrap(),
            program: "/bin/cat".into(),
            launcher,
            limits: ProcessLimits::default(),
            host_data: "the host data\r\n".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_process_reads_its_line_and_its_end_is_known() {
        for launcher in [Launcher::find(), Launcher::Nothing] {
            let mut process = Process::start(start(launcher)).await.unwrap();
            assert_eq!(process.ended().await, "exit status: 0");
            assert_eq!(process.last_words().await, ["the host data"]);
            // Its id may be somebody else's by now.
            process.signal(Signal::KILL);
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        let missing = Start {
            program: "/nowhere/at/all".into(),
            ..start(Launcher::Nothing)
        };
        assert!(Process::start(missing).await.is_err());
    }
}
