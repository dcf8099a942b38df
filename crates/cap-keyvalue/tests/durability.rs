//! What the redb backend acknowledged survives `kill -9`, and a file that a process holds is refused to another.
//!
//! Both need a second process. It is this test binary once more, told by an environment variable to be the child.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use wasmcloud_cap_keyvalue::backends::{OpenError, RedbStore};
use wasmcloud_cap_keyvalue::{Backend, BucketName, Increment, Key, KeyValueProvider, Store, Value};
use wasmcloud_capability::ProviderError;

/// The file that the child writes to.
const CHILD: &str = "WASMCLOUD_TEST_KEYVALUE_CHILD";

/// Tasks of the child that write at the same time.
const WRITERS: usize = 4;

/// Not a test: what the child does. Counts in several keys at once until it is killed, and says on stdout what was
/// acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() -> Result<()> {
    let Ok(path) = std::env::var(CHILD) else {
        return Ok(());
    };
    let store = Arc::new(RedbStore::open(Path::new(&path), "the child")?);
    say("open")?;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let bucket = BucketName::new("counters")?;
            let counter = Key::new(format!("counter-{writer}"))?;
            loop {
                let number = store
                    .increment(&bucket, counter.clone(), Increment::unsigned(1))
                    .await?;
                let name = Key::new(format!("name-{writer}-{number}"))?;
                store.set(&bucket, name, Value::new(number.to_string())?).await?;
                say(&format!("{writer} {number}"))?;
            }
        });
    }
    match tasks.join_next().await {
        Some(ended) => ended?,
        None => Ok(()),
    }
}

fn say(line: &str) -> Result<()> {
    // One write for the line, so that a kill leaves either all of it or a line without its end.
    std::io::stdout()
        .lock()
        .write_all(format!("ack {line}.\n").as_bytes())?;
    Ok(())
}

/// The child, killed at the end of the test at the latest.
struct Running(Child);

impl Running {
    fn start(path: &Path) -> Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self(child))
    }

    /// What the child acknowledges. The test harness prints its own lines between.
    fn acknowledged(&mut self) -> Result<impl Iterator<Item = String> + use<>> {
        let stdout = self.0.stdout.take().context("stdout is piped")?;
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        Ok(lines.filter_map(|line| {
            let (_, line) = line.split_once("ack ")?;
            line.strip_suffix('.').map(str::to_owned)
        }))
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

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_kill() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("kv.redb");
    let mut last = [0_u64; WRITERS];
    // Each round kills after another number of acknowledgements, so at another point of what the child does.
    for acknowledgements in [1, 2, 7, 40, 171] {
        let mut child = Running::start(&path)?;
        let mut lines = child.acknowledged()?;
        ensure!(
            lines.next().as_deref() == Some("open"),
            "the child opened the file"
        );
        let mut read = 0;
        let mut count = |line: String| -> Result<()> {
            let (writer, number) = line.split_once(' ').context("writer and number")?;
            let number: u64 = number.parse()?;
            let last = last.get_mut(writer.parse::<usize>()?).context("a writer")?;
            ensure!(
                number == *last + 1,
                "writer {writer} went from {last} to {number}"
            );
            *last = number;
            Ok(())
        };
        while read < acknowledgements {
            count(lines.next().context("the child ended early")?)?;
            read += 1;
        }
        child.kill();
        // Also what it said between the last line read here and its end.
        lines.try_for_each(&mut count)?;

        let store = RedbStore::open(&path, "the parent")?;
        let bucket = BucketName::new("counters")?;
        for (writer, last) in last.iter_mut().enumerate() {
            let counter = Key::new(format!("counter-{writer}"))?;
            let stored = store
                .increment(&bucket, counter.clone(), Increment::unsigned(0))
                .await?;
            ensure!(
                stored >= i128::from(*last),
                "writer {writer}: {last} acknowledged, {stored} stored"
            );
            for number in 1..=*last {
                let name = Key::new(format!("name-{writer}-{number}"))?;
                ensure!(store.exists(&bucket, &name).await?, "`{}` is lost", name.as_str());
            }
            // One more may have been counted than was said; give it the name that the next round looks for.
            *last = u64::try_from(stored)?;
            let name = Key::new(format!("name-{writer}-{stored}"))?;
            store.set(&bucket, name, Value::new("counted")?).await?;
        }
        store.close().await;
    }
    Ok(())
}

#[tokio::test]
async fn a_file_of_another_process_is_refused_and_free_after_its_death() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("keyvalue/cache.redb");
    let mut child = Running::start(&path)?;
    let mut lines = child.acknowledged()?;
    ensure!(lines.next().as_deref() == Some("open"));

    let id = "cache".parse()?;
    let config = Default::default();
    let started = KeyValueProvider::start(Backend::Redb, &id, &config, dir.path()).await;
    let Err(ProviderError::Conflict { what: text, .. }) = started else {
        anyhow::bail!("a second owner must be refused")
    };
    let holder = format!("process {} (the child)", child.0.id());
    ensure!(text.contains(&holder) && text.contains("cache.redb"), "{text}");
    ensure!(matches!(
        RedbStore::open(&path, "t"),
        Err(OpenError::InUse { .. })
    ));

    child.kill();
    let provider = KeyValueProvider::start(Backend::Redb, &id, &config, dir.path()).await?;
    let bucket = BucketName::new("counters")?;
    provider.store().list_keys(&bucket, None, 1).await?;
    provider.store().close().await;
    Ok(())
}
