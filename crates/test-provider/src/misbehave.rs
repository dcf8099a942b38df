//! What a provider can do to its host, by keys of its config.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// Before anything else:
/// - `crash`: ends with this exit code;
/// - `crash_if`: ends with 7 if there is a file with this name;
/// - `hang`: does nothing any more.
pub(crate) fn at_start(config: &BTreeMap<String, String>) -> Result<()> {
    if let Some(code) = config.get("crash") {
        eprintln!("I was told to crash");
        std::process::exit(code.parse().context("crash: an exit code")?);
    }
    if config
        .get("crash_if")
        .is_some_and(|file| std::path::Path::new(file).exists())
    {
        eprintln!("there is the file");
        std::process::exit(7);
    }
    if config.contains_key("hang") {
        loop {
            std::thread::park();
        }
    }
    Ok(())
}

/// Beside everything else:
/// - `flood`: prints as fast as it can, lines and one that never ends;
/// - `crash_after_ms`: ends with 9 after that time;
/// - `grandchild`: starts a process, and writes its id to this file.
pub(crate) fn beside(config: &BTreeMap<String, String>) -> Result<()> {
    if config.contains_key("flood") {
        std::thread::spawn(|| flood(std::io::stdout(), b"flooded with this line\n"));
        std::thread::spawn(|| flood(std::io::stderr(), &[b'x'; 4096]));
    }
    if let Some(after) = config.get("crash_after_ms") {
        let after = Duration::from_millis(after.parse().context("crash_after_ms: milliseconds")?);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            std::process::exit(9);
        });
    }
    if let Some(file) = config.get("grandchild") {
        let program = std::env::current_exe()?;
        let child = Command::new(program)
            .arg(super::IDLE)
            .stdin(Stdio::null())
            .spawn()?;
        let part = format!("{file}.part");
        std::fs::write(&part, child.id().to_string())?;
        std::fs::rename(&part, file)?;
    }
    Ok(())
}

fn flood(mut to: impl std::io::Write, with: &[u8]) {
    let much = with.repeat(64);
    while to.write_all(&much).is_ok() {}
    std::io::stderr().flush().ok();
}

/// What it answers when it is asked for its health: the `health` of its config, or that it is well.
pub(crate) fn health(config: &BTreeMap<String, String>) -> Vec<u8> {
    let answer = config.get("health").map(String::as_str);
    answer
        .unwrap_or(r#"{"healthy":true,"message":null}"#)
        .as_bytes()
        .to_vec()
}

/// Whether it stops when it is asked to.
pub(crate) fn stops(config: &BTreeMap<String, String>) -> Result<bool> {
    match config.get("shutdown").map(String::as_str) {
        None | Some("answer") => Ok(true),
        // Not when it is asked, and not when it is told by a signal.
        Some("ignore") => Ok(false),
        Some(other) => bail!("shutdown: {other} is unknown"),
    }
}
