//! `cargo xtask demo`: builds what it takes, starts the counter example and shows that it works.
//!
//! Without `--check` this process *becomes* the host, so Ctrl-C and the exit code are the host's own; a small
//! process beside it says when the example answers. With `--check` the host is a child that never outlives us.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::{CommandExt as _, parent_id};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{guests, http, repo, shell};

const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);
const EXAMPLE: &str = "http-keyvalue-counter";

/// From the start of `wash` to the first answer. Compiling the component is part of it.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(15);
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ask twice, verify the answers, stop, and report through the exit code
    #[arg(long)]
    check: bool,
    /// Only say when the host that this process belongs to answers
    #[arg(long, hide = true, value_name = "PID")]
    announce: Option<u32>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(host) = args.announce {
        return announce(host);
    }
    refuse_a_busy_port()?;
    guests::run(&guests::Args::only(EXAMPLE))?;
    let wash = build_wash()?;
    let data = fresh_data_dir()?;
    if args.check {
        let result = check(&wash, &data);
        let _ = fs::remove_dir_all(&data);
        return result;
    }
    become_host(&wash, &data)
}

fn refuse_a_busy_port() -> Result<()> {
    match TcpListener::bind(ADDRESS) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("{ADDRESS} is in use: stop the program that listens there (`ss -ltnp` shows it)")
        }
        Err(error) => Err(error).with_context(|| format!("try to listen on {ADDRESS}")),
    }
}

/// Builds `wash` and returns where it is, as Cargo itself reports it.
fn build_wash() -> Result<PathBuf> {
    eprintln!("demo: building wash");
    let mut build = shell::cargo()?;
    build.args([
        "build",
        "--package",
        "wash",
        "--locked",
        "--message-format=json-render-diagnostics",
    ]);
    build.stderr(Stdio::inherit());
    let messages = shell::output(&mut build)?;
    executable(&messages, "wash").context("find the built wash in what Cargo reported")
}

fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/name").and_then(Value::as_str) == Some(name))
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
}

/// A demo starts without the counts of the one before. It cannot clean up behind itself when it became the
/// host, so the next one does.
fn fresh_data_dir() -> Result<PathBuf> {
    let dir = repo::target_dir()?.join("demo");
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("remove {}", dir.display()));
        }
        _ => {}
    }
    fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    Ok(dir)
}

fn wash_up(wash: &PathBuf, data: &PathBuf) -> Result<Vec<std::ffi::OsString>> {
    let manifest = repo::root()?.join("examples").join(EXAMPLE).join("wadm.yaml");
    Ok(vec![
        wash.into(),
        "up".into(),
        manifest.into(),
        "--data-dir".into(),
        data.into(),
    ])
}

/// Turns this process into the host.
fn become_host(wash: &PathBuf, data: &PathBuf) -> Result<()> {
    let this = std::env::current_exe().context("find this program")?;
    Command::new(this)
        .args(["demo", "--announce", &std::process::id().to_string()])
        .stdin(Stdio::null())
        .spawn()
        .context("start the announcer")?;
    let words = wash_up(wash, data)?;
    let (program, args) = words.split_first().context("a command has a program")?;
    Err(Command::new(program).args(args).exec()).with_context(|| format!("start {}", wash.display()))
}

/// Says that the example answers, once it does. Gives up as soon as the host has gone.
fn announce(host: u32) -> Result<()> {
    wait_for_answer(|| Ok((parent_id() != host).then(|| "the host has ended".to_owned())))?;
    eprintln!("demo: the counter answers at http://{ADDRESS}/");
    eprintln!("demo: try `curl http://{ADDRESS}/apples`, and Ctrl-C to stop");
    Ok(())
}

fn wait_for_answer(mut gone: impl FnMut() -> Result<Option<String>>) -> Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        if let Some(why) = gone()? {
            bail!("{why} before http://{ADDRESS}/ answered");
        }
        let last = match http::get(ADDRESS, "/", Duration::from_secs(1)) {
            Ok(response) if response.status == 200 => return Ok(()),
            Ok(response) => format!("status {}: {}", response.status, response.body.trim()),
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() >= deadline {
            bail!(
                "http://{ADDRESS}/ did not answer within {} s; last: {last}",
                START_LIMIT.as_secs()
            );
        }
        shell::pause(Duration::from_millis(50));
    }
}

fn check(wash: &PathBuf, data: &PathBuf) -> Result<()> {
    let mut host = Host::start(&wash_up(wash, data)?)?;
    wait_for_answer(|| host.ended())?;
    eprintln!("demo: the counter answers at http://{ADDRESS}/");

    let before = count("demo")?;
    let after = count("demo")?;
    if before.checked_add(1) != Some(after) {
        bail!("the counter went from {before} to {after}, it should count up by one");
    }
    eprintln!("demo: the counter went from {before} to {after}");

    host.stop()?;
    eprintln!("demo: the host stopped cleanly");
    Ok(())
}

/// Asks for a counter, which counts it up.
fn count(name: &str) -> Result<u64> {
    let response = http::get(ADDRESS, &format!("/{name}"), ANSWER_LIMIT)?;
    if response.status != 200 {
        bail!(
            "/{name} answered with {}: {}",
            response.status,
            response.body.trim()
        );
    }
    number_after(&response.body, &format!("{name}: "))
        .with_context(|| format!("find the count of {name} in {:?}", response.body))
}

fn number_after(text: &str, label: &str) -> Option<u64> {
    let (_, rest) = text.split_once(label)?;
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// A host that is killed when it is dropped, and by the kernel when this process dies without dropping anything.
struct Host(Child);

impl Host {
    fn start(words: &[std::ffi::OsString]) -> Result<Self> {
        let mut all = Vec::new();
        if shell::exists("setpriv") {
            all.extend(["setpriv", "--pdeathsig", "KILL"].map(Into::into));
        }
        all.extend_from_slice(words);
        let (program, args) = all.split_first().context("a command has a program")?;
        let child = Command::new(program).args(args).stdin(Stdio::null()).spawn();
        Ok(Self(
            child.with_context(|| format!("start {}", program.display()))?,
        ))
    }

    fn ended(&mut self) -> Result<Option<String>> {
        Ok(self
            .0
            .try_wait()?
            .map(|status| format!("wash ended with {status}")))
    }

    /// Stops the host as Ctrl-C would and expects it to end well.
    fn stop(&mut self) -> Result<()> {
        let interrupt = format!("kill -INT {}", self.0.id());
        shell::run(Command::new("sh").args(["-c", &interrupt])).context("interrupt wash")?;
        match shell::wait_within(STOP_LIMIT, &mut self.0)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("wash ended with {status} after an interrupt, not with success"),
            None => bail!(
                "wash did not end within {} s after an interrupt",
                STOP_LIMIT.as_secs()
            ),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Both do nothing when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_behind_its_name() {
        assert_eq!(number_after("Counter demo: 12\n", "demo: "), Some(12));
        assert_eq!(number_after("Counter other: 12\n", "demo: "), None);
        assert_eq!(number_after("Counter demo: soon\n", "demo: "), None);
    }

    #[test]
    fn the_executable_is_the_one_of_the_named_target() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"helper"},"executable":"/t/helper"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"wash"},"executable":"/t/wash"}"#,
            "\nnot json\n",
        );
        assert_eq!(executable(messages, "wash"), Some(PathBuf::from("/t/wash")));
        assert_eq!(executable(messages, "other"), None);
    }
}
