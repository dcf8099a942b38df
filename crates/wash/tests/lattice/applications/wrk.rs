//! Revisions and hosts that change under the load of `wrk`, a client that is not ours, keeps its connections and does
//! not forgive: an answer that is no 2xx, a connection that ends without one and a timeout all count as errors.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::process::{Launch, SOON, Wash};

use super::rollouts::Rig;
use super::support::PAGE;
use super::{HELLO_WORD, PAGE_WORD};

/// Says at the end how many answers of each status there were. wrk itself counts only what is above 399.
const SCRIPT: &str = r#"
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() other = 0 end
function response(status) if status < 200 or status > 299 then other = other + 1 end end
function done(summary)
  local others = 0
  for _, thread in ipairs(threads) do others = others + thread:get("other") end
  local failed = summary.errors
  print(string.format('counted: {"requests":%d,"other":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}',
    summary.requests, others, failed.connect, failed.read, failed.write, failed.timeout))
end
"#;

/// Where it is: in a folder of `PATH`.
fn wrk() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|dir| dir.join("wrk"))
        .find(|file| file.is_file());
    found.context("wrk is not there: it comes with `cargo xtask test`, or with `apt-get install wrk`")
}

/// What it has counted. A connection that nobody takes fails when it is made or when it is first written to.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct Counted {
    requests: u64,
    /// Answers other than 2xx.
    other: u64,
    connect: u64,
    /// Connections that ended without an answer.
    read: u64,
    write: u64,
    timeout: u64,
}

/// Clients that never stop asking.
struct Wrk(Wash);

impl Wrk {
    fn start(address: SocketAddr) -> Result<Self> {
        let words = ["-t2", "-c8", "-d300s", "--timeout", "10s", "--latency", "-s"];
        let launch = Launch::command(wrk()?, &words)?;
        let script = launch.file("count.lua");
        std::fs::write(&script, SCRIPT)?;
        let running = launch.arg(script).arg(format!("http://{address}/")).start()?;
        Ok(Self(running))
    }

    /// Ends it, and answers what it has counted.
    fn finish(self) -> Result<Counted> {
        // Its way to be told that it is enough.
        self.0.interrupt()?;
        let said = self.0.wait_exit(SOON)?.text();
        println!("{said}");
        let line = said.lines().find_map(|line| line.strip_prefix("counted: "));
        let counted: Counted = serde_json::from_str(line.with_context(|| said.clone())?)?;
        ensure!(counted.requests > 100, "{said}");
        Ok(counted)
    }
}

/// A page is what everybody gets, whichever host answers.
fn everybody_gets(address: SocketAddr, word: &str) -> Result<()> {
    for _ in 0..50 {
        let text = get(address, "/")?.expect(200)?.text();
        ensure!(text.starts_with(word), "{word} is not what {text} begins with");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrk_sees_no_failure_while_revisions_and_hosts_change() -> Result<()> {
    let mut rig = Rig::start().await?;
    let address = rig.web.address;
    everybody_gets(address, HELLO_WORD)?;
    let load = Wrk::start(address)?;
    rig.deploy(PAGE, "{ strategy: rolling }").await?;
    rig.api.wait("web", "deployed").await?;
    everybody_gets(address, PAGE_WORD)?;
    let (back_again, _) = rig.api.ask("rollback.web", "").await?;
    ensure!(back_again["version"] == "v1", "{back_again}");
    rig.api.wait("web", "deployed").await?;
    everybody_gets(address, HELLO_WORD)?;
    // A host that leaves finishes what it was asked, and what comes then goes elsewhere.
    let [_front, back] = &rig.hosts;
    back.stop()?;
    everybody_gets(address, HELLO_WORD)?;
    let counted = load.finish()?;
    let requests = counted.requests;
    ensure!(
        counted
            == Counted {
                requests,
                ..Counted::default()
            }
    );
    Ok(())
}

/// Whoever is connected is told that the connection ends, with the answer to what was asked last. That nobody listens
/// any more is all that there is to be seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrk_sees_no_request_cut_when_its_server_leaves() -> Result<()> {
    let rig = Rig::start().await?;
    let load = Wrk::start(rig.web.address)?;
    everybody_gets(rig.web.address, HELLO_WORD)?;
    let [front, _back] = &rig.hosts;
    front.stop()?;
    let counted = load.finish()?;
    ensure!(counted.connect + counted.write > 0, "nobody listens: {counted:?}");
    ensure!(
        [counted.other, counted.read, counted.timeout] == [0; 3],
        "{counted:?}"
    );
    Ok(())
}
