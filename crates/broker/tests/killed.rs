//! A broker that is killed at any moment has lost nothing that it acknowledged, starts again, and leaves nothing
//! behind that misleads others.
//!
//! The broker to be killed is this test binary once more, told by an environment variable to be the child.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use support::soon;
use wasmcloud_broker::{Broker, BrokerConfig, BrokerError, Credentials, DirectoryError, Endpoint};
use wasmcloud_wire::state_api::{BucketName, Done, Key, Request, Value, decode_reply};

const CHILD: &str = "WASMCLOUD_TEST_BROKER_CHILD";
const ROUNDS: u64 = 100;
const WRITERS: usize = 4;

/// Not a test: the child. Runs a broker until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() -> Result<()> {
    let Ok(dir) = std::env::var(CHILD) else {
        return Ok(());
    };
    let mut config = BrokerConfig::new(dir);
    config.port = 0;
    let broker = Broker::start(config).await?;
    println!("child listens on {}", broker.address());
    std::future::pending().await
}

/// The child, killed when it is dropped.
struct Running(Child);

impl Running {
    /// Starts a broker and waits until it listens.
    fn start(dir: &Path) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let running = Self(child);
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let ready = lines.any(|line| line.contains("child listens on "));
        ensure!(ready, "the broker did not start");
        Ok(running)
    }

    fn kill(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn connect(dir: &Path) -> Result<async_nats::Client> {
    let endpoint = Endpoint::load(dir)?.context("a broker runs")?;
    let login = Credentials::load(dir)?.context("it has made credentials")?;
    let options = async_nats::ConnectOptions::with_user_and_password(login.user, login.password);
    let connect = options.max_reconnects(1).connect(endpoint.address.to_string());
    Ok(soon("connection", connect).await??)
}

/// Counts up in a key of its own until the broker is gone; returns what was acknowledged last.
async fn write(client: async_nats::Client, writer: usize, from: u64, total: Arc<AtomicU64>) -> u64 {
    let bucket: BucketName = "killed".parse().unwrap();
    let key: Key = format!("writer.{writer}").parse().unwrap();
    let mut acknowledged = from;
    loop {
        let number = acknowledged + 1;
        let request = Request::Put {
            key: key.clone(),
            value: Value::new(number.to_string().as_bytes()).unwrap(),
            expected: None,
            ttl_ms: None,
        };
        match client.request(bucket.subject(), request.encode().into()).await {
            Ok(reply) if decode_reply(&reply.payload).is_ok_and(|reply| reply.is_ok()) => {
                acknowledged = number;
                total.fetch_add(1, Ordering::Relaxed);
            }
            _ => return acknowledged,
        }
    }
}

async fn read(client: &async_nats::Client, writer: usize) -> Result<u64> {
    let bucket: BucketName = "killed".parse()?;
    let request = Request::Get {
        key: format!("writer.{writer}").parse()?,
    };
    let reply = soon("reply", client.request(bucket.subject(), request.encode().into())).await??;
    match decode_reply(&reply.payload)? {
        Ok(Done::Got(entry)) => Ok(std::str::from_utf8(entry.value.as_bytes())?.parse()?),
        _ => Ok(0),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_a_hundred_kills() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut acknowledged = [0; WRITERS];
    for round in 0..ROUNDS {
        let mut child = Running::start(dir.path())?;
        let client = connect(dir.path()).await?;
        for (writer, acknowledged) in acknowledged.iter_mut().enumerate() {
            let found = read(&client, writer).await?;
            // One more may have been written and not acknowledged.
            ensure!(
                found == *acknowledged || found == *acknowledged + 1,
                "round {round}: writer {writer} had {acknowledged} acknowledged, found is {found}"
            );
            *acknowledged = found;
        }
        let total = Arc::new(AtomicU64::new(0));
        let mut writers = Vec::new();
        for (writer, from) in acknowledged.iter().enumerate() {
            let client = connect(dir.path()).await?;
            writers.push(tokio::spawn(write(client, writer, *from, Arc::clone(&total))));
        }
        // At another point of what the broker does in each round: after a number of acknowledgements that differs, and
        // then wherever it happens to be.
        let enough = (round * 7) % 23;
        let reached = async {
            while total.load(Ordering::Relaxed) < enough {
                tokio::task::yield_now().await;
            }
        };
        soon("acknowledgements", reached).await?;
        child.kill();
        for (writer, acknowledged) in writers.into_iter().zip(&mut acknowledged) {
            *acknowledged = soon("end of a writer", writer).await??;
        }
        ensure!(
            Endpoint::load(dir.path())?.is_none(),
            "the endpoint of a killed broker counts"
        );
    }
    ensure!(acknowledged.iter().all(|count| *count > 0), "{acknowledged:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_one_broker_and_the_second_names_the_first() -> Result<()> {
    let dir = tempfile::tempdir()?;
    ensure!(Endpoint::load(dir.path())?.is_none());
    let child = Running::start(dir.path())?;
    let pid = child.0.id();
    ensure!(Endpoint::load(dir.path())?.is_some_and(|endpoint| endpoint.pid == pid));
    let mut config = BrokerConfig::new(dir.path());
    config.port = 0;
    let error = Broker::start(config.clone()).await.unwrap_err();
    ensure!(
        matches!(&error, BrokerError::Directory(DirectoryError::InUse { owner, .. }) if owner.starts_with(&format!("{pid} ("))),
        "{error:?}"
    );
    drop(child);
    // A lock that the kernel let go of, and files that mean nothing any more.
    let before = Credentials::load(dir.path())?;
    let broker = Broker::start(config).await?;
    ensure!(Some(broker.credentials()) == before.as_ref());
    let endpoint = Endpoint::load(dir.path())?.context("it runs")?;
    ensure!(endpoint.address == broker.address() && endpoint.pid == std::process::id());
    broker.stop().await;
    ensure!(Endpoint::load(dir.path())?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_taken_port_is_said_with_its_owner() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let other = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut config = BrokerConfig::new(dir.path());
    config.port = other.local_addr()?.port();
    let error = Broker::start(config).await.unwrap_err().to_string();
    ensure!(
        error.contains(&format!("is in use by process {} (", std::process::id())),
        "{error}"
    );
    ensure!(error.contains("hint:"), "{error}");
    Ok(())
}

#[tokio::test]
async fn only_the_owner_may_read_what_lets_in() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir()?;
    let dir = parent.path().join("lattice");
    let mut config = BrokerConfig::new(&dir);
    config.port = 0;
    let broker = Broker::start(config).await?;
    let mode = |path: &Path| anyhow::Ok(std::fs::metadata(path)?.permissions().mode() & 0o777);
    ensure!(mode(&dir)? == 0o700);
    for file in ["credentials.json", "endpoint.json", "broker.lock"] {
        ensure!(mode(&dir.join(file))? == 0o600, "{file}");
    }
    let shown = format!("{:?} {broker:?}", broker.credentials());
    ensure!(!shown.contains(&broker.credentials().password), "{shown}");
    broker.stop().await;
    Ok(())
}
