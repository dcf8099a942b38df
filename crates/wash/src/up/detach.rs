//! `--detached`: the same command once more in the background, and a wait until it says that it is ready.
//!
//! The background process reports over a socket that it finds as its stdin: one line of JSON when it is ready, or when
//! it has failed. If it dies instead, the socket closes, and its log says why.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};
use wasmcloud_host::LatticeHost;

use crate::exit::{FAILURE, Failure, Message, NOT_STARTED};
use crate::host::args::HostArgs;
use crate::host::data_dir;
use crate::output::Output;

/// Says to the background process that its stdin is the socket.
const VARIABLE: &str = "WASH_DETACHED";

/// Longest wait for the background process. Pulling large images takes a while; progress is in its log.
const LIMIT: Duration = Duration::from_secs(300);

/// Where a background process tells how its start went; nowhere for one in the foreground.
pub(crate) struct Report(Mutex<Option<UnixStream>>);

impl Report {
    /// To the process that started this one in the background, if it did.
    pub(crate) fn to_parent() -> Self {
        let socket = std::env::var_os(VARIABLE).and_then(|_| {
            let stdin = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
            Some(UnixStream::from(stdin))
        });
        Self(Mutex::new(socket))
    }

    /// It is ready.
    pub(crate) fn ready(&self, urls: &[String], host: &LatticeHost) {
        self.send(&json!({
            "ready": true,
            "urls": urls,
            "nats_url": host.connection().address(),
            "host_id": host.id().as_str(),
            "friendly_name": host.identity().friendly_name,
        }));
    }

    /// It is not going to be.
    pub(crate) fn failed(&self, failure: &Failure) {
        let message = match &failure.message {
            Message::Error { error, .. } => error
                .chain()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(": "),
            Message::Manifest(diagnostics) => diagnostics.to_string(),
            Message::Told => String::new(),
        };
        self.send(&json!({ "ready": false, "message": message }));
    }

    /// Once: the first word is the outcome.
    fn send(&self, value: &Value) {
        let socket = self.0.lock().map(|mut socket| socket.take());
        if let Ok(Some(mut socket)) = socket {
            // A parent that has gone does not want to know.
            let _ = writeln!(socket, "{value}");
        }
    }
}

/// Starts the background process and waits for its report. `command` is the one that is being run, `stop` the one
/// that ends it.
pub(crate) fn run(args: &HostArgs, command: &str, stop: &str, output: &Output) -> Result<(), Failure> {
    let failed = |error: anyhow::Error| Failure::new(FAILURE, "detach", error);
    let dir = data_dir(args).join("logs");
    let log = dir.join(format!("wash-{command}.log"));
    let (child, socket) = start(&dir, &log).map_err(failed)?;
    socket
        .set_read_timeout(Some(LIMIT))
        .map_err(|error| failed(error.into()))?;
    let mut line = String::new();
    let read = BufReader::new(socket).read_line(&mut line);
    let report: Option<Value> = serde_json::from_str(&line).ok();
    let text = |key: &str| {
        let value = report.as_ref().and_then(|report| report.get(key));
        value.and_then(Value::as_str).map(str::to_owned)
    };
    match (read, report.as_ref().and_then(|report| report.get("ready"))) {
        (_, Some(Value::Bool(true))) => {}
        (_, Some(_)) => {
            let message = text("message").unwrap_or_default();
            let error = anyhow!("{message}; hint: the whole log is {}", log.display());
            return Err(Failure::new(NOT_STARTED, "not-started", error));
        }
        (Ok(_), None) => {
            let error = anyhow!("it ended before it was ready; hint: see {}", log.display());
            return Err(Failure::new(NOT_STARTED, "not-started", error));
        }
        (Err(_), None) => {
            let error = anyhow!(
                "it is not ready after {LIMIT:?} and goes on in the background (process {child}); hint: see {}, and \
                 stop it with `{stop}`",
                log.display()
            );
            return Err(Failure::new(NOT_STARTED, "not-ready", error));
        }
    }
    let [nats_url, host_id, name] =
        ["nats_url", "host_id", "friendly_name"].map(|key| text(key).unwrap_or_default());
    let stop = stop.replace("HOST", &host_id);
    let urls = report.and_then(|mut report| Some(report.get_mut("urls")?.take()));
    // The keys are those of v1 (wire reference §7.3), and ours behind them.
    let value = json!({
        "success": true,
        "wasmcloud_log": log.display().to_string(),
        "kill_cmd": stop,
        "nats_url": nats_url,
        "pid": child,
        "host_id": host_id,
        "friendly_name": name,
        "urls": urls,
    });
    let mut lines = vec![format!(
        "host {name} runs in the background, process {child}, lattice at {nats_url}"
    )];
    let urls = urls.as_ref().and_then(Value::as_array).into_iter().flatten();
    lines.extend(urls.filter_map(Value::as_str).map(|url| format!("  {url}")));
    lines.push(format!("log: {}", log.display()));
    lines.push(format!("stop it: {stop}"));
    output.data(&lines.join("\n"), &value);
    Ok(())
}

fn start(dir: &Path, log: &Path) -> anyhow::Result<(u32, UnixStream)> {
    fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    let open = OpenOptions::new().create(true).append(true).mode(0o600).open(log);
    let file = open.with_context(|| format!("open {}", log.display()))?;
    let (ours, theirs) = UnixStream::pair().context("make a socket for the report")?;
    let program = std::env::current_exe().context("find this program")?;
    let args = std::env::args_os()
        .skip(1)
        .filter(|arg| arg != "--detached" && arg != "-d");
    let child = Command::new(program)
        .args(args)
        .env(VARIABLE, "1")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::from(file.try_clone().context("share the log")?))
        .stderr(Stdio::from(file))
        // Ctrl-C in this terminal is not for it.
        .process_group(0)
        .spawn()
        .context("start the background process")?;
    Ok((child.id(), ours))
}
