//! Programs under measurement. None of them outlives us.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::http::{self, Response};
use crate::shell;

/// Between two looks whether somebody answers.
const TINY: Duration = Duration::from_micros(200);

/// A running program that is killed when it is dropped, and by the kernel when we die without dropping anything.
pub(super) struct Server {
    name: String,
    child: Child,
    begun: Instant,
    log: PathBuf,
}

/// Resident memory in bytes.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    pub(super) all: f64,
    pub(super) anonymous: f64,
    pub(super) files: f64,
}

impl Server {
    /// Starts a program; what it says goes to a file in `logs`. Without `stdout` that includes its output.
    pub(super) fn start(name: &str, words: &[OsString], logs: &Path, stdout: Option<Stdio>) -> Result<Self> {
        let log = logs.join(format!("{}.log", name.replace(' ', "-")));
        let said = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let stdout = match stdout {
            Some(stdout) => stdout,
            None => said.try_clone()?.into(),
        };
        let mut all: Vec<OsString> = Vec::new();
        if shell::exists("setpriv") {
            all.extend(["setpriv", "--pdeathsig", "KILL"].map(Into::into));
        }
        all.extend_from_slice(words);
        let (program, args) = all.split_first().context("a command has a program")?;
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(said);
        for (variable, _) in env::vars_os() {
            if disturbs(&variable.to_string_lossy()) {
                command.env_remove(variable);
            }
        }
        let begun = Instant::now();
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            begun,
            log,
        })
    }

    /// Just before it was spawned.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// Its output, if that was asked for as a pipe.
    pub(super) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits until `/` is answered with 200.
    pub(super) fn wait_for_answer(&mut self, address: SocketAddr, limit: Duration) -> Result<Response> {
        let begun = Instant::now();
        loop {
            let last = match http::get(address, "/", limit) {
                Ok(response) if response.status == 200 => return Ok(response),
                Ok(response) => format!("status {}", response.status),
                Err(error) => format!("{error:#}"),
            };
            self.refuse_if_ended()?;
            if begun.elapsed() > limit {
                bail!(
                    "{} did not answer within {} s; last: {last}{}",
                    self.name,
                    limit.as_secs(),
                    self.said()
                );
            }
            shell::pause(TINY);
        }
    }

    /// Its process; `setpriv` has become it.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended, with what it said.
    pub(super) fn refuse_if_ended(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended with {status}{}", self.name, self.said()),
            None => Ok(()),
        }
    }

    /// Runs a program to its end and returns its output.
    pub(super) fn output(name: &str, words: &[OsString], logs: &Path, limit: Duration) -> Result<String> {
        let path = logs.join(format!("{}.out", name.replace(' ', "-")));
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        let mut program = Self::start(name, words, logs, Some(file.into()))?;
        match shell::wait_within(limit, &mut program.child)? {
            Some(status) if status.success() => {
                fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
            }
            Some(status) => bail!("{name} ended with {status}{}", program.said()),
            None => bail!("{name} did not end within {} s", limit.as_secs()),
        }
    }

    /// The end of what it said, to be put behind an error.
    pub(super) fn said(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default();
        if tail.is_empty() {
            String::new()
        } else {
            format!("; it said:\n{}", tail.join("\n"))
        }
    }

    pub(super) fn memory(&self) -> Result<Memory> {
        let file = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&file).with_context(|| format!("read {file}"))?;
        parse_memory(&text).with_context(|| format!("find the memory of {} in {file}", self.name))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both do nothing when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a variable would change what is measured. A backtrace for each dropped instance costs 9 % of throughput.
fn disturbs(variable: &str) -> bool {
    ["RUST_", "WASMCLOUD_", "WASH_", "TOKIO_"]
        .iter()
        .any(|prefix| variable.starts_with(prefix))
}

fn parse_memory(status: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024.0)
    };
    Some(Memory {
        all: bytes("VmRSS")?,
        anonymous: bytes("RssAnon")?,
        files: bytes("RssFile")?,
    })
}

/// An address on which nobody listens. Somebody else could take it before it is used; then the start fails.
pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_found_in_the_status_of_a_process() {
        let status = "Name:\twash\nVmRSS:\t   2000 kB\nRssAnon:\t    500 kB\nRssFile:\t   1500 kB\n";
        let memory = parse_memory(status).map(|memory| (memory.all, memory.anonymous, memory.files));
        assert_eq!(memory, Some((2_048_000.0, 512_000.0, 1_536_000.0)));
        assert!(parse_memory("Name:\twash\n").is_none());
    }

    #[test]
    fn what_changes_a_measurement_is_removed() {
        assert!(disturbs("RUST_BACKTRACE") && disturbs("WASMCLOUD_MAX_INSTANCES"));
        assert!(!disturbs("PATH") && !disturbs("HOME"));
    }
}
