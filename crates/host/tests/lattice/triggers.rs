//! Functions of a real component that are called by the clock, by two who lead at once.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use tokio::sync::watch;
use wasmcloud_controller::{Counts, Fire as _, Fired, LatticeFire, Ledger, Trigger, Triggers};
use wasmcloud_core::LatticeName;
use wasmcloud_lattice::{Bucket, Connection, State, open_state};
use wasmcloud_manifest::{CronTrigger, ExportedFunction, Missed, Overlap, Schedule};
use wasmcloud_test_kit::guests::guest;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{CronRecord, app_bucket};

use crate::calls::answered;
use crate::on_both_lattices;
use crate::support::{Rig, Target, reference, until};

on_both_lattices!(
    a_component_is_called_once_per_tick,
    a_call_ends_as_the_component_does,
);

fn trigger(interface: &str, function: &str) -> Result<Trigger> {
    Ok(Trigger {
        app: "shop".parse()?,
        component: "callee".parse()?,
        cron: CronTrigger {
            schedule: Schedule::parse("* * * * * *")?,
            function: ExportedFunction {
                interface: interface.parse()?,
                name: function.to_owned(),
            },
            missed: Missed::Skip,
            deadline: Duration::from_secs(20),
            // On a busy machine no tick is left out for a call that takes long.
            overlap: Overlap::Allow,
            at: Default::default(),
        },
    })
}

async fn fire(rig: &Rig) -> Result<LatticeFire> {
    let connection = Connection::connect(&rig.options()).await?;
    Ok(LatticeFire::start(connection, "default".parse()?, "LEADER").await?)
}

async fn state(rig: &Rig) -> Result<Arc<dyn State>> {
    let connection = Connection::connect(&rig.options()).await?;
    let lattice: LatticeName = "default".parse()?;
    let bucket = Bucket::new(&app_bucket(&lattice))?;
    Ok(open_state(&connection, bucket, None).await?.into())
}

async fn a_component_is_called_once_per_tick(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    rig.run(&host, "callee", &reference(&guest("callee")?)).await?;
    let trigger = trigger("test:calls/bytes@0.1.0", "none")?;
    let records = state(&rig).await?;
    let begun = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let record = CronRecord {
        settled: begun,
        ..CronRecord::default()
    };
    records.put(&trigger.key(), record.encode().into()).await?;

    let mut leaders = Vec::new();
    for _ in 0..2 {
        let (list, triggers) = watch::channel(Arc::new(vec![trigger.clone()]));
        let counts = Arc::new(Counts::default());
        let clock = Triggers::start(
            Ledger::new(state(&rig).await?),
            triggers,
            Arc::new(fire(&rig).await?),
            Arc::new(|| true),
            Arc::clone(&counts),
        );
        leaders.push((clock, list, counts));
    }
    until("five calls", async || Ok(answered(&host, "callee").0 >= 5)).await?;
    let counts: Vec<_> = leaders
        .into_iter()
        .map(|(clock, _list, counts)| (drop(clock), counts).1)
        .collect();
    let mut last = CronRecord::default();
    until("end of all calls", async || {
        let entry = records
            .get(&trigger.key())
            .await?
            .context("the record is there")?;
        last = CronRecord::decode(&entry.value)?;
        Ok(last.claims.is_empty())
    })
    .await?;
    let ticks = last.settled - begun;
    ensure!(
        answered(&host, "callee") == (ticks, 0),
        "{:?} at {ticks} ticks",
        answered(&host, "callee")
    );
    let fired: u64 = counts.iter().map(|counts| counts.now().fired).sum();
    ensure!(fired == ticks, "{counts:?} at {ticks} ticks");
    Ok(())
}

async fn a_call_ends_as_the_component_does(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let fire = fire(&rig).await?;
    let none = trigger("test:calls/bytes@0.1.0", "none")?;
    let nobody = fire.fire(&none).await;
    ensure!(matches!(&nobody, Fired::NotRunning(_)), "{nobody:?}");
    rig.run(&host, "callee", &reference(&guest("callee")?)).await?;
    ensure!(fire.fire(&none).await == Fired::Ok);
    for (interface, function, why) in [
        ("test:calls/math@0.1.0", "fail", "trapped"),
        // It has parameters.
        ("test:calls/math@0.1.0", "add", "add"),
        ("test:calls/math@0.1.0", "nothing", "nothing"),
        ("test:calls/maths@0.1.0", "add", "maths"),
    ] {
        let failed = fire.fire(&trigger(interface, function)?).await;
        ensure!(
            matches!(&failed, Fired::Failed(error) if error.contains(why)),
            "{interface}.{function}: {failed:?}"
        );
    }
    Ok(())
}
