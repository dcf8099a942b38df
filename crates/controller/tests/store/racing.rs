//! Several write at the same time, and nothing is lost.

use anyhow::{Result, ensure};
use wasmcloud_controller::store::Store;
use wasmcloud_wire::app::HistoryKind;

use crate::support::{Target, World, connect, manifest, name};

crate::support::for_all_servers!(
    puts_and_deploys_of_two_stores_lose_nothing,
    what_is_put_while_it_is_deleted_has_its_text,
);

/// Puts that each of them makes.
const EACH: usize = 12;

async fn puts_and_deploys_of_two_stores_lose_nothing(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    world.put(&manifest("shop", "first", "a/b:1")).await?;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..2 {
        let store = Store::open(&connect(&world.server).await?).await?;
        let others = world.snapshot();
        let deployer = store.clone();
        writers.spawn(async move {
            for n in 0..EACH {
                store
                    .put(&manifest("shop", &format!("{writer}-{n}"), "a/b:1"), None)
                    .await?;
            }
            anyhow::Ok(Vec::new())
        });
        writers.spawn(async move {
            let mut generations = Vec::new();
            for _ in 0..EACH {
                let deployed = deployer.deploy(&name("shop"), Some("first"), &others).await?;
                generations.push(deployed.generation);
            }
            Ok(generations)
        });
    }
    let mut generations = Vec::new();
    while let Some(done) = writers.join_next().await {
        generations.extend(done??);
    }
    let record = world.store.existing(&name("shop")).await?;
    ensure!(
        record.versions.len() == 1 + 2 * EACH,
        "{} versions",
        record.versions.len()
    );
    for version in &record.versions {
        ensure!(
            world
                .store
                .get(&name("shop"), Some(&version.version))
                .await
                .is_ok()
        );
    }
    generations.sort_unstable();
    let told: Vec<u64> = record.history.iter().map(|entry| entry.generation).collect();
    ensure!(
        told == generations,
        "each deployment has a generation of its own, and all are in the history"
    );
    ensure!(
        record
            .history
            .iter()
            .all(|entry| entry.kind == HistoryKind::Deployed)
    );
    Ok(())
}

async fn what_is_put_while_it_is_deleted_has_its_text(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let other = Store::open(&connect(&world.server).await?).await?;
    let (text, shop) = (manifest("shop", "1", "a/b:1"), name("shop"));
    for _ in 0..25 {
        let (put, deleted) = tokio::join!(world.store.put(&text, None), other.delete(&shop, None));
        put?;
        deleted?;
        // Either it is there with its text, or not at all.
        if world.store.existing(&name("shop")).await.is_ok() {
            world.store.get(&name("shop"), None).await?;
        }
    }
    Ok(())
}
