//! A provider as a process: what it says to a person who starts it, logs, signals, exit codes.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use wasmcloud_provider_sdk::HostData;
use wasmcloud_test_lattice::{TestLattice, example, soon};

/// Starts it with a line on its standard input, which is closed then.
async fn start(line: &str) -> Result<Child> {
    let mut child = Command::new(example("provider-keyvalue-file")?)
        .env_clear()
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().context("it was piped")?;
    stdin.write_all(line.as_bytes()).await?;
    Ok(child)
}

fn signal(child: &Child, signal: Signal) -> Result<()> {
    let id = child.id().context("it runs")?;
    Ok(kill_process(
        Pid::from_raw(id.try_into()?).context("a pid")?,
        signal,
    )?)
}

/// The next line of the log that has this in it.
async fn logged(lines: &mut Lines<BufReader<ChildStderr>>, what: &str) -> Result<String> {
    loop {
        let line = soon(what, lines.next_line()).await??;
        let line = line.with_context(|| format!("the log ended before {what:?}"))?;
        if line.contains(what) {
            return Ok(line);
        }
    }
}

#[tokio::test]
async fn a_person_who_starts_it_is_told_how_it_is_started() -> Result<()> {
    for line in ["", "\r\n", "nonsense\r\n", "bm9uc2Vuc2U=\r\n"] {
        let mut child = start(line).await?;
        let mut said = String::new();
        let mut stderr = child.stderr.take().context("it was piped")?;
        soon("last words", stderr.read_to_string(&mut said)).await??;
        let status = soon("end", child.wait()).await??;
        ensure!(status.code() == Some(2), "{status} after {line:?}");
        ensure!(
            said.starts_with("error: ")
                && said.contains("a host starts it")
                && said.contains("wash par create"),
            "{said}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_lattice_that_is_not_there_is_an_error() -> Result<()> {
    let data = HostData {
        host_id: "N1".to_owned(),
        lattice_rpc_prefix: "default".to_owned(),
        provider_key: "kv".to_owned(),
        lattice_rpc_url: "no://where".to_owned(),
        ..HostData::default()
    };
    let mut child = start(&data.to_line()).await?;
    let mut said = String::new();
    let mut stderr = child.stderr.take().context("it was piped")?;
    soon("last words", stderr.read_to_string(&mut said)).await??;
    let status = soon("end", child.wait()).await??;
    ensure!(
        status.code() == Some(1) && said.contains("how to connect to NATS"),
        "{status}: {said}"
    );
    Ok(())
}

/// The first signal lets everything end, the second does not wait for that.
#[tokio::test]
async fn a_second_signal_ends_it_at_once() -> Result<()> {
    let mut lattice = TestLattice::nats("2.12.8").await?;
    let root = tempfile::tempdir()?;
    let mut data = HostData {
        host_id: "N1".to_owned(),
        lattice_rpc_prefix: "default".to_owned(),
        provider_key: "kv".to_owned(),
        lattice_rpc_url: lattice.url().to_owned(),
        structured_logging: true,
        ..HostData::default()
    };
    let root = root.path().to_str().context("a path of text")?;
    data.config.insert("root".to_owned(), root.to_owned());
    let mut child = start(&data.to_line()).await?;
    let stderr = child.stderr.take().context("it was piped")?;
    let mut lines = BufReader::new(stderr).lines();
    let ready = logged(&mut lines, "the provider is ready").await?;
    let ready: serde_json::Value = serde_json::from_str(&ready).context("the log is JSON")?;
    ensure!(ready.get("level") == Some(&"INFO".into()), "{ready}");
    // Without a server it waits for one to say its farewell to.
    lattice.server().context("a real one")?.kill()?;
    logged(&mut lines, "lost the connection to NATS").await?;
    signal(&child, Signal::TERM)?;
    logged(&mut lines, "asked to stop by a signal").await?;
    ensure!(child.try_wait()?.is_none(), "it ended at the first signal");
    signal(&child, Signal::INT)?;
    let status = soon("end", child.wait()).await??;
    ensure!(status.code() == Some(1), "{status}");
    Ok(())
}

#[tokio::test]
async fn one_signal_ends_it_properly() -> Result<()> {
    let lattice = TestLattice::embedded().await?;
    let root = tempfile::tempdir()?;
    let mut data = HostData {
        host_id: "N1".to_owned(),
        lattice_rpc_prefix: "default".to_owned(),
        provider_key: "kv".to_owned(),
        lattice_rpc_url: lattice.url().to_owned(),
        ..HostData::default()
    };
    let root = root.path().to_str().context("a path of text")?;
    data.config.insert("root".to_owned(), root.to_owned());
    let mut child = start(&data.to_line()).await?;
    let stderr = child.stderr.take().context("it was piped")?;
    let mut lines = BufReader::new(stderr).lines();
    logged(&mut lines, "the provider is ready").await?;
    signal(&child, Signal::INT)?;
    logged(&mut lines, "the provider has stopped").await?;
    let status = soon("end", child.wait()).await??;
    ensure!(status.success(), "{status}");
    Ok(())
}
