//! A provider as a process: host data on standard input, logs on standard error, signals, exit codes.

use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing_subscriber::EnvFilter;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::provider::{HostData, HostDataError, LogLevel, MAX_LINE};

use crate::provider::Provider;
use crate::session::{SessionError, run_with};

/// Longest wait for host data. A host writes it at once.
const HOST_DATA: Duration = Duration::from_secs(10);

/// What a person reads who starts the program by hand.
const HINT: &str = "this program is a wasmCloud capability provider: a host starts it, and tells it on its standard \
     input what to do; hint: pack it with `wash par create`, then start it with `wash start provider`, or name it as \
     the image of a capability in a manifest and run that with `wash up`";

/// How a process ends that nobody gave host data.
const EXIT_USAGE: u8 = 2;

/// Why a provider process ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Somebody at a terminal started it.
    #[error("{HINT}")]
    Terminal,
    /// There was nothing on standard input.
    #[error("there was no host data on standard input; {HINT}")]
    NoHostData,
    /// Nothing came, and standard input was not closed either.
    #[error("no host data came on standard input within {HOST_DATA:?}; {HINT}")]
    Silent,
    /// It cannot be read.
    #[error("read the host data on standard input")]
    Input(#[source] std::io::Error),
    /// It is something else.
    #[error("what came on standard input is not host data; {HINT}")]
    HostData(#[from] HostDataError),
    /// Signals cannot be heard.
    #[error("listen for signals")]
    Signals(#[source] std::io::Error),
    /// It did not run, or not on.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl RunError {
    fn is_usage(&self) -> bool {
        !matches!(self, Self::Session(_) | Self::Signals(_) | Self::Input(_))
    }
}

/// All that `main` of a provider has to do: [`run`] on a runtime with threads. An error is printed with its causes, and
/// is 1 as the exit code, or 2 where the program was not started by a host.
pub fn main<P: Provider>() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error, 1),
    };
    let outcome = runtime.block_on(run::<P>());
    // Not held up by what blocks in it.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_usage() => failed(&error, EXIT_USAGE),
        Err(error) => failed(&error, 1),
    }
}

fn failed(error: &dyn std::error::Error, code: u8) -> ExitCode {
    eprintln!("error: {}", chain(error));
    ExitCode::from(code)
}

/// Runs a provider in the process that a host has started for it: reads the host data, sets up logging as it says, and
/// runs until the host, a SIGTERM or a SIGINT asks the process to stop. A second signal ends it at once.
pub async fn run<P: Provider>() -> Result<(), RunError> {
    let data = read().await?;
    log(&data);
    let (stop, stopped) = oneshot::channel();
    let signals = signals().map_err(RunError::Signals)?;
    tokio::spawn(obey(signals, stop));
    let stop = async {
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Ok(run_with::<P>(data, stop).await?)
}

async fn read() -> Result<HostData, RunError> {
    if std::io::stdin().is_terminal() {
        return Err(RunError::Terminal);
    }
    // A thread of its own: what blocks in tokio's would hold up the end of the process.
    let (sender, line) = oneshot::channel();
    std::thread::Builder::new()
        .name("host-data".to_owned())
        .spawn(move || sender.send(read_line(std::io::stdin().lock())))
        .map_err(RunError::Input)?;
    let line = match timeout(HOST_DATA, line).await {
        Ok(Ok(line)) => line?,
        Ok(Err(_)) => return Err(RunError::NoHostData),
        Err(_) => return Err(RunError::Silent),
    };
    Ok(HostData::from_line(&line)?)
}

/// One line, not longer than it may be.
fn read_line(input: impl std::io::Read) -> Result<String, RunError> {
    let mut line = Vec::new();
    let limit = MAX_LINE as u64 + 1;
    BufReader::new(input.take(limit))
        .read_until(b'\n', &mut line)
        .map_err(RunError::Input)?;
    if line.trim_ascii().is_empty() {
        return Err(RunError::NoHostData);
    }
    // What is not UTF-8 is not base64 either, and is refused as such.
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Log lines go to standard error, which the host passes on. `RUST_LOG` goes before the level in host data.
fn log(data: &HostData) {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::builder().parse_lossy(directives),
        _ => EnvFilter::builder().parse_lossy(directives(data.log_level.unwrap_or_default())),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A provider that has set up logging itself keeps its own.
    let already = match data.structured_logging {
        true => lines.json().try_init(),
        false => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    if already.is_err() {
        tracing::debug!("logging was set up before, the level in host data does not count");
    }
}

fn directives(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Critical | LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        // The client tells of every connection, and so do we.
        LogLevel::Info => "info,async_nats=warn",
        LogLevel::Debug => "debug,async_nats=info",
        LogLevel::Trace => "trace",
    }
}

/// Ends the process properly at the first signal, and at once at the second.
async fn obey(mut signals: Signals, stop: oneshot::Sender<()>) {
    let first = signals.next().await;
    tracing::info!(signal = first, "asked to stop by a signal");
    // Nobody hears it if the process is stopping already.
    stop.send(()).ok();
    let second = signals.next().await;
    tracing::warn!(signal = second, "a second signal, leaving at once");
    std::process::exit(1);
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
fn signals() -> std::io::Result<Signals> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok(Signals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
    })
}

#[cfg(unix)]
impl Signals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            Some(()) = self.terminate.recv() => "SIGTERM",
            Some(()) = self.interrupt.recv() => "SIGINT",
            else => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
fn signals() -> std::io::Result<Signals> {
    Ok(Signals)
}

#[cfg(not(unix))]
impl Signals {
    async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_data_is_one_line_of_limited_length() {
        assert!(matches!(read_line(&b""[..]), Err(RunError::NoHostData)));
        assert!(matches!(read_line(&b"\r\n"[..]), Err(RunError::NoHostData)));
        assert_eq!(read_line(&b"abc\r\nmore"[..]).unwrap(), "abc\r\n");
        assert_eq!(read_line(&b"abc"[..]).unwrap(), "abc");
        // It ends, though what is read does not.
        let endless = read_line(std::io::repeat(b'A')).unwrap();
        assert!(matches!(
            HostData::from_line(&endless),
            Err(HostDataError::TooLong { .. })
        ));
        let binary = read_line(&b"\xff\xfe\n"[..]).unwrap();
        assert!(matches!(
            HostData::from_line(&binary),
            Err(HostDataError::Base64(_))
        ));
    }

    #[test]
    fn every_level_is_one_for_the_filter() {
        for level in [
            LogLevel::Critical,
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
            LogLevel::Trace,
        ] {
            assert!(EnvFilter::builder().parse(directives(level)).is_ok());
        }
    }
}
