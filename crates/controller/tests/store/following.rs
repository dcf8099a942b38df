//! What planning is given: followed, parsed once, and not believed after the store was lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use wasmcloud_controller::StoreHealth;
use wasmcloud_controller::store::{Catalogue, Snapshot, Store};
use wasmcloud_lattice::{Entry, Event};
use wasmcloud_test_lattice::soon;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{AppRecord, app_key, revision_key};

use crate::support::{Target, World, connect, manifest, name};

crate::support::for_all_servers!(
    what_is_deployed_is_planned,
    one_change_is_one_parse,
    what_cannot_be_planned_is_said,
    a_new_catalogue_knows_all,
    a_store_that_was_set_back_is_not_believed,
);

async fn what_is_deployed_is_planned(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let shop = name("shop");
    world.put(&manifest("shop", "1", "a/b:1")).await?;
    let snapshot = world
        .until("record", |snapshot| snapshot.records.contains_key(&shop))
        .await?;
    ensure!(
        snapshot.applications.is_empty(),
        "what was never deployed is not planned"
    );
    let generation = world.deploy("shop").await?;
    let application = world
        .snapshot()
        .application(&shop)
        .cloned()
        .context("it is planned")?;
    ensure!(application.generation == generation && application.former.is_empty());
    let revision = application.deployed.context("it shall run")?;
    ensure!(revision.desired.version.as_deref() == Some("1"));
    ensure!(revision.desired.components[0].image.to_string() == "a/b:1");
    let undeployed = world.store.undeploy(&shop).await?;
    let snapshot = world.known("shop", undeployed.generation).await?;
    let application = snapshot
        .application(&shop)
        .context("of it something may be left")?;
    ensure!(application.deployed.is_none() && application.former.len() == 1);
    Ok(())
}

async fn one_change_is_one_parse(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    for app in ["a", "b", "c"] {
        world.put(&manifest(app, "1", "a/b:1")).await?;
        world.deploy(app).await?;
    }
    let before = world.snapshot();
    world.put(&manifest("b", "2", "a/b:2")).await?;
    world.deploy("b").await?;
    let after = world.snapshot();
    let desired = |snapshot: &wasmcloud_controller::store::Snapshot, app: &str| {
        let application = snapshot.application(&name(app)).cloned();
        application
            .and_then(|app| app.deployed)
            .map(|revision| revision.desired)
    };
    for (app, same) in [("a", true), ("b", false), ("c", true)] {
        let (before, after) = (
            desired(&before, app).context("before")?,
            desired(&after, app).context("after")?,
        );
        ensure!(Arc::ptr_eq(&before, &after) == same, "{app}");
    }
    let former = &after.application(&name("b")).context("b")?.former;
    ensure!(
        Arc::ptr_eq(&former[0].desired, &desired(&before, "b").context("b")?),
        "also as a former one"
    );
    Ok(())
}

async fn what_cannot_be_planned_is_said(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    world.put(&manifest("good", "1", "a/b:1")).await?;
    world.deploy("good").await?;
    let lost = AppRecord {
        generation: 5,
        deployed: Some("0123".to_owned()),
        ..AppRecord::default()
    };
    world.write("lost", &lost).await?;
    let state = world.lattice_state().await?;
    state.put(&app_key(&name("bad")), "{".into()).await?;
    let unreadable = AppRecord {
        deployed: Some("4567".to_owned()),
        ..lost
    };
    state
        .put(
            &revision_key(&name("odd"), "4567"),
            r#"{"version":"1","manifest":"{"}"#.into(),
        )
        .await?;
    world.write("odd", &unreadable).await?;
    let snapshot = world
        .until("broken ones", |snapshot| snapshot.broken.len() == 3)
        .await?;
    for (app, part) in [
        ("lost", "revision 0123 of application lost"),
        ("bad", "failed to deserialize application record"),
        ("odd", "Unable to parse manifest: 1:"),
    ] {
        let why = &snapshot.broken[&name(app)];
        ensure!(why.contains(part), "{why}");
    }
    ensure!(snapshot.applications.len() == 1, "the others are planned as ever");
    ensure!(snapshot.health == StoreHealth::Trusted);
    let listed = world.store.list().await?;
    ensure!(listed.iter().any(|(app, _)| app.as_str() == "good"));
    Ok(())
}

async fn a_new_catalogue_knows_all(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    for n in 0..20 {
        world.put(&manifest(&format!("app{n}"), "1", "a/b:1")).await?;
        world
            .store
            .deploy(&name(&format!("app{n}")), None, &world.snapshot())
            .await?;
    }
    let lattice = connect(&world.server).await?;
    let other = Catalogue::open(&Store::open(&lattice).await?).await?;
    let snapshot = Arc::clone(&other.snapshots().borrow());
    ensure!(
        snapshot.applications.len() == 20 && snapshot.broken.is_empty(),
        "{:?}",
        snapshot.broken
    );
    Ok(())
}

/// What is only known to who follows it.
fn known(generation: u64, deployed: &str) -> AppRecord {
    AppRecord {
        generation,
        deployed: Some(deployed.to_owned()),
        ..AppRecord::default()
    }
}

fn put(app: &str, record: &AppRecord) -> Event {
    Event::Put(Entry {
        key: app_key(&name(app)),
        value: record.encode().into(),
        revision: 1,
    })
}

async fn a_store_that_was_set_back_is_not_believed(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let revision = world
        .store
        .put(&manifest("shop", "1", "a/b:1"), None)
        .await?
        .revision;
    let (shop, stuck) = (name("shop"), name("stuck"));
    let (events, stream) = tokio::sync::mpsc::unbounded_channel();
    let record = AppRecord {
        versions: world.store.existing(&shop).await?.versions,
        ..known(7, &revision)
    };
    for event in [put("shop", &record), put("stuck", &known(7, "0")), Event::Ready] {
        events.send(event)?;
    }
    let stream = futures::stream::unfold(stream, async |mut stream| Some((stream.recv().await?, stream)));
    let catalogue = Catalogue::follow(&world.store, Box::pin(stream)).await;
    let mut snapshots = catalogue.snapshots();
    ensure!(snapshots.borrow().health == StoreHealth::Trusted);
    let mut until = async |expected: &str| -> Result<Arc<Snapshot>> {
        let is = |snapshot: &Arc<Snapshot>| match &snapshot.health {
            StoreHealth::Trusted => expected.is_empty(),
            StoreHealth::Suspect(why) => !expected.is_empty() && why.ends_with(expected),
        };
        let found = soon("state of trust", snapshots.wait_for(is)).await??;
        Ok(Arc::clone(&found))
    };
    events.send(Event::Reset)?;
    let suspect = until("and is being looked at").await?;
    ensure!(
        suspect.records.len() == 2 && suspect.applications.len() == 1,
        "what was known stays known"
    );
    // An older record of one of them, and one that stands in the way.
    world
        .lattice_state()
        .await?
        .put(&app_key(&stuck), "{".into())
        .await?;
    events.send(put("shop", &known(3, &revision)))?;
    events.send(Event::Ready)?;
    let suspect = until("could not be written back yet: stuck").await?;
    ensure!(
        suspect.application(&shop).is_some_and(|app| app.generation == 7),
        "not the older one"
    );
    let shop = world.store.existing(&shop).await?;
    ensure!(
        shop.generation == 7 && shop.deployed == Some(revision),
        "it was written back: {shop:?}"
    );
    // Somebody takes away what stands in the way. Nobody has the text of that application, so nothing is left of it.
    world
        .lattice_state()
        .await?
        .delete(&app_key(&stuck), None)
        .await?;
    let trusted = until("").await?;
    ensure!(
        trusted.records.len() == 1 && trusted.broken.is_empty(),
        "{trusted:?}"
    );
    Ok(())
}

/// An empty store in place of the one that was: what was known is written back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_store_lost_is_written_back() -> Result<()> {
    let mut world = World::new(Target::Nats("2.12.8")).await?;
    for (app, version) in [("shop", "1"), ("shop", "2"), ("blog", "1")] {
        world.put(&manifest(app, version, "a/b:1")).await?;
        world.deploy(app).await?;
    }
    world.put(&manifest("draft", "1", "a/b:1")).await?;
    let draft = name("draft");
    let before = world
        .until("draft", |snapshot| snapshot.records.contains_key(&draft))
        .await?;
    let mut watch = world.lattice_state().await?.watch("APP_").await?;
    world
        .server
        .server()
        .context("it is a nats-server")?
        .restart_wiped()?;
    let (mut reset, mut back) = (false, BTreeSet::new());
    while !reset || back.len() < 2 {
        match soon("event", watch.next()).await?.context("the watch ended")? {
            Event::Reset => (reset, back) = (true, BTreeSet::new()),
            Event::Put(entry) => {
                back.insert(entry.key);
            }
            _ => {}
        }
    }
    world
        .until("trust", |snapshot| snapshot.health == StoreHealth::Trusted)
        .await?;
    let shop = world.store.existing(&name("shop")).await?;
    let known = &before.records[&name("shop")];
    ensure!(
        shop.generation == known.generation && shop.deployed == known.deployed,
        "{shop:?}"
    );
    ensure!(
        world.store.get(&name("shop"), Some("1")).await.is_ok(),
        "also what is only a former one"
    );
    ensure!(world.store.existing(&name("blog")).await?.deployed.is_some());
    ensure!(
        !world.snapshot().records.contains_key(&draft),
        "what was never deployed is lost, and nobody says that it is there"
    );
    // And it is a store like any other.
    world.put(&manifest("shop", "3", "a/b:3")).await?;
    world.deploy("shop").await?;
    Ok(())
}
