//! Running other programs: with an error that names the command, and with a deadline where one could hang.

use std::env;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::{repo, toolchain};

/// A `cargo` command for the host, in the root of the repository.
///
/// This program runs under Cargo, which describes the package `xtask` in the environment. Build scripts may look
/// at such variables and would run again for nothing.
pub(crate) fn cargo() -> Result<Command> {
    let mut command = Command::new(toolchain::cargo());
    command.current_dir(repo::root()?);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// Runs a command with our own terminal; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = describe(command);
    let status = command.status().with_context(|| format!("start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed with {status}");
    }
    Ok(())
}

/// Runs a command and returns what it wrote to stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = describe(command);
    let output = command.output().with_context(|| format!("start `{line}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed with {}: {}", output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("read the output of `{line}` as text"))
}

/// Runs a command that may hang on a network. Returns what it wrote to stderr together with how it ended;
/// no ending means that the deadline passed and the command was killed.
pub(crate) fn run_within(limit: Duration, command: &mut Command) -> Result<(Option<ExitStatus>, String)> {
    let line = describe(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start `{line}`"))?;

    // A full pipe would stop the child, so somebody has to read along while we wait.
    let mut stderr = child.stderr.take().context("the pipe was asked for above")?;
    let (said, text) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stderr.read_to_end(&mut bytes);
        let _ = said.send(String::from_utf8_lossy(&bytes).into_owned());
    });

    let status = wait_within(limit, &mut child).with_context(|| format!("wait for `{line}`"))?;
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    // A grandchild may hold the pipe open after the child has gone: do not wait for that.
    let text = text.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    Ok((status, text))
}

/// Waits until the child has ended, at most `limit`.
pub(crate) fn wait_within(limit: Duration, child: &mut Child) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        pause(Duration::from_millis(20));
    }
}

/// A short rest between two looks at a state that nothing notifies about.
pub(crate) fn pause(time: Duration) {
    // The sender is dropped only after the wait, so this always lasts until the timeout.
    let (_sender, receiver) = mpsc::channel::<()>();
    let _ = receiver.recv_timeout(time);
}

/// Whether a program can be started at all.
pub(crate) fn exists(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command as a person would type it, without its environment and without where the program lies.
pub(crate) fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let mut words = vec![program.to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_command_that_hangs_is_killed() {
        let start = Instant::now();
        let (status, _) = run_within(Duration::from_millis(100), &mut sh("exec sleep 60")).unwrap();
        assert!(status.is_none());
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_failure_says_what_the_command_said() {
        let (status, said) = run_within(Duration::from_secs(30), &mut sh("echo no >&2; exit 3")).unwrap();
        assert_eq!(
            (status.and_then(|status| status.code()), said.as_str()),
            (Some(3), "no\n")
        );
        let error = output(&mut sh("echo no >&2; exit 3")).unwrap_err().to_string();
        assert!(
            error.starts_with("`sh -c echo no >&2; exit 3` failed with exit status: 3"),
            "{error}"
        );
    }
}
