//! What is deleted, and what is forgotten when nothing of it runs.

use anyhow::{Result, ensure};
use wasmcloud_controller::store::Deleted;

use crate::support::{Target, World, manifest, name};

crate::support::for_all_servers!(
    what_never_ran_goes_at_once,
    what_ran_is_known_until_it_is_forgotten,
    a_deployment_in_between_wins,
    an_application_comes_back_above_its_generation,
);

/// All keys of the bucket.
async fn keys(world: &World) -> Result<Vec<String>> {
    let entries = world.lattice_state().await?.list("").await?;
    Ok(entries.into_iter().map(|entry| entry.key).collect())
}

async fn what_never_ran_goes_at_once(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let (store, shop) = (&world.store, name("shop"));
    ensure!(store.delete(&shop, None).await? == Deleted::NoApp);
    for version in ["1", "2", "3"] {
        world.put(&manifest("shop", version, "a/b:1")).await?;
    }
    ensure!(keys(&world).await?.len() == 4);
    ensure!(store.delete(&shop, Some("2")).await? == Deleted::Version { deployed: false });
    ensure!(store.delete(&shop, Some("2")).await? == Deleted::NoVersion);
    ensure!(keys(&world).await?.len() == 3);
    ensure!(store.delete(&shop, None).await? == Deleted::All);
    ensure!(keys(&world).await?.is_empty(), "{:?}", keys(&world).await?);
    world.put(&manifest("shop", "1", "a/b:1")).await?;
    ensure!(store.delete(&shop, Some("1")).await? == Deleted::Last);
    ensure!(keys(&world).await?.is_empty());
    Ok(())
}

async fn what_ran_is_known_until_it_is_forgotten(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let (store, shop) = (&world.store, name("shop"));
    for version in ["1", "2"] {
        world.put(&manifest("shop", version, "a/b:1")).await?;
        world.deploy("shop").await?;
    }
    ensure!(store.delete(&shop, Some("1")).await? == Deleted::Version { deployed: false });
    ensure!(store.delete(&shop, Some("2")).await? == Deleted::Last);
    ensure!(store.list().await?.is_empty(), "nobody sees it any more");
    let record = store.record(&shop).await?.unwrap_or_default();
    let snapshot = world.known("shop", record.generation).await?;
    let application = snapshot.application(&shop).cloned();
    let application = application.ok_or_else(|| anyhow::anyhow!("planning knows it"))?;
    ensure!(
        application.deployed.is_none() && application.former.len() == 2,
        "{application:?}"
    );
    ensure!(
        !store.forget_former(&shop, record.generation - 1).await?,
        "that is an older generation"
    );
    ensure!(store.forget_former(&shop, record.generation).await?);
    ensure!(keys(&world).await?.is_empty(), "{:?}", keys(&world).await?);
    world
        .until("end of the application", |snapshot| snapshot.records.is_empty())
        .await?;
    Ok(())
}

async fn a_deployment_in_between_wins(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let (store, shop) = (&world.store, name("shop"));
    world.put(&manifest("shop", "1", "a/b:1")).await?;
    world.deploy("shop").await?;
    let seen = store.undeploy(&shop).await?.generation;
    let now = store.deploy(&shop, None, &world.snapshot()).await?.generation;
    ensure!(!store.forget_former(&shop, seen).await?);
    ensure!(store.forget_former(&shop, now).await?);
    let record = store.existing(&shop).await?;
    ensure!(
        record.deployed.is_some() && record.versions.len() == 1,
        "{record:?}"
    );
    ensure!(store.get(&shop, None).await.is_ok(), "its text is still there");
    Ok(())
}

async fn an_application_comes_back_above_its_generation(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let (store, shop) = (&world.store, name("shop"));
    world.put(&manifest("shop", "1", "a/b:1")).await?;
    let first = world.deploy("shop").await?;
    store.delete(&shop, None).await?;
    // While something of it may be left.
    let put = store.put(&manifest("shop", "1", "a/b:2"), None).await?;
    ensure!(
        put.kind == wasmcloud_controller::store::PutKind::Created,
        "{put:?}"
    );
    let record = store.existing(&shop).await?;
    ensure!(
        record.former.len() == 1 && record.generation > first,
        "{record:?}"
    );
    // And when all of it was forgotten.
    store.delete(&shop, None).await?;
    ensure!(store.forget_former(&shop, record.generation).await?);
    ensure!(keys(&world).await?.is_empty());
    world.put(&manifest("shop", "1", "a/b:1")).await?;
    let last = store.deploy(&shop, None, &world.snapshot()).await?;
    ensure!(last.generation > record.generation, "{last:?}");
    Ok(())
}
