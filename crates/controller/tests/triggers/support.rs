//! A lattice, leaders on it, and a component that counts how often it is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use wasmcloud_controller::{Counts, LatticeFire, Ledger, Trigger, Triggers};
use wasmcloud_core::LatticeName;
use wasmcloud_lattice::rpc::{Rpc, RpcOptions};
use wasmcloud_lattice::{Bucket, State, open_state};
use wasmcloud_manifest::{Manifest, ResolveOptions};
use wasmcloud_test_lattice::{SOON, TestLattice};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{CRON_PREFIX, CronRecord, app_bucket};
use wasmcloud_wire::rpc::{RpcErrorBody, RpcErrorCode};

/// The seconds since 1970, as leaders have them.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The schedule of a moment of each day.
pub(crate) fn at(moment: u64) -> String {
    let (second, minute, hour) = (moment % 60, moment / 60 % 60, moment / 3_600 % 24);
    format!("{second} {minute} {hour} * * *")
}

/// The trigger of a component `jobs`, as a manifest has it.
pub(crate) fn trigger(schedule: &str, more: &str) -> Trigger {
    let text = format!(
        r#"
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{ name: shop }}
spec:
  components:
    - name: jobs
      type: component
      properties: {{ image: ghcr.io/acme/jobs:1 }}
      traits:
        - {{ type: spreadscaler, properties: {{ instances: 1 }} }}
        - type: cron
          properties: {{ schedule: "{schedule}", function: acme:jobs/nightly@1.0.0.run, deadline: 5s {more} }}
"#
    );
    let (manifest, _) = Manifest::parse("wadm.yaml", &text).unwrap();
    let desired = manifest.resolve(&ResolveOptions::default()).unwrap();
    Trigger::of(&desired).next().unwrap()
}

/// The bucket with the records.
pub(crate) async fn bucket(lattice: &TestLattice) -> Result<Arc<dyn State>> {
    let bucket = Bucket::new(&app_bucket(&lattice.name()))?;
    Ok(open_state(&lattice.connect().await?, bucket, None).await?.into())
}

/// One who leads, and what it calls for.
pub(crate) struct Leader {
    pub(crate) triggers: Triggers,
    pub(crate) list: watch::Sender<Arc<Vec<Trigger>>>,
    pub(crate) counts: Arc<Counts>,
}

pub(crate) async fn leader(lattice: &TestLattice, trigger: &Trigger) -> Result<Leader> {
    lead(lattice, trigger, true).await
}

/// The same, which may act or not.
pub(crate) async fn lead(lattice: &TestLattice, trigger: &Trigger, may_act: bool) -> Result<Leader> {
    let fire = LatticeFire::start(lattice.connect().await?, lattice.name(), "LEADER").await?;
    let (list, triggers) = watch::channel(Arc::new(vec![trigger.clone()]));
    let counts = Arc::new(Counts::default());
    let triggers = Triggers::start(
        Ledger::new(bucket(lattice).await?),
        triggers,
        Arc::new(fire),
        Arc::new(move || may_act),
        Arc::clone(&counts),
    );
    Ok(Leader {
        triggers,
        list,
        counts,
    })
}

/// What the component `jobs` of the application `shop` does when it is called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    Return,
    Trap,
    /// Takes so long.
    Work(Duration),
}

/// How often it was called.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    calls: AtomicU64,
    running: AtomicU64,
    most: AtomicU64,
}

impl Seen {
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many calls ran at the same time, at most.
    pub(crate) fn most(&self) -> u64 {
        self.most.load(Ordering::SeqCst)
    }
}

/// Runs the component, as a host does: on the wire nobody can tell.
pub(crate) async fn component(lattice: &TestLattice, does: Does) -> Result<Arc<Seen>> {
    let rpc = Rpc::start(lattice.connect().await?, RpcOptions::new("HOST")).await?;
    let name: LatticeName = lattice.name();
    let group = format!("{name}.shop-jobs");
    let mut server = rpc.serve(&format!("{group}.wrpc.0.0.1.>"), &group).await?;
    rpc.connection().barrier(Instant::now() + SOON).await?;
    let seen = Arc::new(Seen::default());
    let counted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Some(incoming) = server.next().await {
            let seen = Arc::clone(&counted);
            assert!(incoming.subject().ends_with("acme:jobs/nightly@1.0.0.run"));
            tokio::spawn(async move {
                seen.calls.fetch_add(1, Ordering::SeqCst);
                let running = seen.running.fetch_add(1, Ordering::SeqCst) + 1;
                seen.most.fetch_max(running, Ordering::SeqCst);
                let accepted = incoming.accept(SOON).await?;
                match does {
                    Does::Return => accepted.finish(Bytes::new()).await?,
                    Does::Trap => {
                        let why = RpcErrorBody::new(RpcErrorCode::Trap, "unreachable executed");
                        accepted.fail(&why).await?;
                    }
                    Does::Work(time) => {
                        accepted.during(std::pin::pin!(sleep(time))).await;
                        accepted.finish(Bytes::new()).await?;
                    }
                }
                seen.running.fetch_sub(1, Ordering::SeqCst);
                anyhow::Ok(())
            });
        }
        drop(rpc);
    });
    Ok(seen)
}

/// The record of the only trigger.
pub(crate) async fn record(state: &Arc<dyn State>) -> Result<Option<CronRecord>> {
    let entries = state.list(CRON_PREFIX).await?;
    let entry = entries.first();
    Ok(entry.map(|entry| CronRecord::decode(&entry.value)).transpose()?)
}

/// Waits for a record of which something holds.
pub(crate) async fn until(
    what: &str,
    state: &Arc<dyn State>,
    holds: impl Fn(&CronRecord) -> bool,
) -> Result<CronRecord> {
    let end = Instant::now() + SOON;
    loop {
        let found = record(state).await?;
        match found {
            Some(record) if holds(&record) => return Ok(record),
            found if Instant::now() > end => {
                anyhow::bail!("no {what} within {SOON:?}, but {found:?}")
            }
            _ => pause().await,
        }
    }
}

/// Waits until something holds.
pub(crate) async fn wait(what: &str, holds: impl Fn() -> bool) -> Result<()> {
    let waiting = async {
        while !holds() {
            pause().await;
        }
    };
    tokio::time::timeout(SOON, waiting)
        .await
        .with_context(|| format!("no {what} within {SOON:?}"))
}

/// Between two looks at a state that is waited for.
async fn pause() {
    sleep(Duration::from_millis(20)).await;
}

/// Writes the record of a trigger whose ticks are settled up to a moment.
pub(crate) async fn settled_until(state: &Arc<dyn State>, trigger: &Trigger, settled: u64) -> Result<()> {
    let record = CronRecord {
        settled,
        ..CronRecord::default()
    };
    state.put(&trigger.key(), record.encode().into()).await?;
    Ok(())
}
