//! What shall run: deployed, undeployed, rolled back, paused.

use anyhow::{Result, ensure};
use wasmcloud_wire::app::HistoryKind;

use crate::support::{Target, World, manifest, name, refused, with};

crate::support::for_all_servers!(
    generations_grow_and_history_is_kept,
    a_rollback_goes_to_what_was_deployed_before,
    ids_of_others_are_refused,
    what_is_used_of_others_has_to_be_deployed,
    a_paused_application_says_so,
);

async fn generations_grow_and_history_is_kept(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let (store, shop) = (&world.store, name("shop"));
    let why = refused(store.deploy(&shop, None, &world.snapshot()).await)?;
    ensure!(why == "Application with the name shop not found", "{why}");
    for version in ["1", "2"] {
        world.put(&manifest("shop", version, "a/b:1")).await?;
    }
    let why = refused(store.deploy(&shop, Some("3"), &world.snapshot()).await)?;
    ensure!(
        why == "Application with the name 'shop' does not have a version '3' to deploy",
        "{why}"
    );
    let never = store.undeploy(&shop).await?;
    ensure!(never.unchanged && never.generation == 0, "{never:?}");

    let mut last = 0;
    for (asked, expected) in [
        (Some("1"), "1"),
        (None, "2"),
        (Some("latest"), "2"),
        (Some("1"), "1"),
    ] {
        let deployed = store.deploy(&shop, asked, &world.snapshot()).await?;
        ensure!(deployed.version.as_deref() == Some(expected), "{deployed:?}");
        ensure!(
            deployed.generation > last,
            "also where it was deployed before: {deployed:?}"
        );
        last = deployed.generation;
    }
    ensure!(last > 1_700_000_000_000, "generations are not below the time");
    let undeployed = store.undeploy(&shop).await?;
    ensure!(
        !undeployed.unchanged && undeployed.generation > last,
        "{undeployed:?}"
    );
    let again = store.undeploy(&shop).await?;
    ensure!(
        again.unchanged && again.generation == undeployed.generation,
        "{again:?}"
    );

    let record = store.existing(&shop).await?;
    let history: Vec<_> = record
        .history
        .iter()
        .map(|entry| (entry.kind, entry.version.as_deref()))
        .collect();
    let deployed = HistoryKind::Deployed;
    let expected = [
        (deployed, Some("1")),
        (deployed, Some("2")),
        (deployed, Some("2")),
        (deployed, Some("1")),
        (HistoryKind::Undeployed, None),
    ];
    ensure!(history == expected, "{history:?}");
    ensure!(
        record.former.len() == 2 && record.deployed.is_none(),
        "{record:?}"
    );
    Ok(())
}

async fn a_rollback_goes_to_what_was_deployed_before(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let (store, shop) = (&world.store, name("shop"));
    for version in ["1", "2", "3"] {
        world.put(&manifest("shop", version, "a/b:1")).await?;
    }
    let why = refused(store.rollback(&shop, None, &world.snapshot()).await)?;
    ensure!(
        why == "No other version of application shop that still exists was deployed before; hint: name a version",
        "{why}"
    );
    for version in ["1", "2", "3"] {
        store.deploy(&shop, Some(version), &world.snapshot()).await?;
    }
    let back = async |version: Option<&str>| store.rollback(&shop, version, &world.snapshot()).await;
    ensure!(back(None).await?.version.as_deref() == Some("2"));
    ensure!(
        back(None).await?.version.as_deref() == Some("3"),
        "and back again"
    );
    store.delete(&shop, Some("2")).await?;
    ensure!(
        back(None).await?.version.as_deref() == Some("1"),
        "2 is not there any more"
    );
    ensure!(back(Some("3")).await?.version.as_deref() == Some("3"));
    store.undeploy(&shop).await?;
    ensure!(back(None).await?.version.as_deref() == Some("3"), "what ran last");
    let why = refused(back(Some("2")).await)?;
    ensure!(
        why == "Application with the name 'shop' does not have a version '2' to deploy",
        "{why}"
    );
    let record = store.existing(&shop).await?;
    ensure!(
        record
            .history
            .last()
            .is_some_and(|entry| entry.kind == HistoryKind::RolledBack)
    );
    Ok(())
}

async fn ids_of_others_are_refused(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    world
        .put(&with("one", "version: '1'", "image: a/b:1, id: cart"))
        .await?;
    world
        .put(&with("two", "version: '1'", "image: a/b:1, id: cart"))
        .await?;
    world.deploy("one").await?;
    let why = refused(world.store.deploy(&name("two"), None, &world.snapshot()).await)?;
    ensure!(
        why == "Component identifier 'cart' is already deployed in a different application 'one'.",
        "{why}"
    );
    // What the catalogue does not know yet is looked up.
    let stale = world.snapshot();
    world.store.undeploy(&name("one")).await?;
    world.store.deploy(&name("two"), None, &stale).await?;
    Ok(())
}

/// An application that uses a component of another one.
fn user(of: &str) -> String {
    format!(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: user\n  annotations: {{ version: '1' }}\nspec:\n  \
         components:\n  - name: theirs\n    type: component\n    properties: {{ application: {{ name: {of}, component: cart }} }}\n"
    )
}

async fn what_is_used_of_others_has_to_be_deployed(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    world.put(&user("one")).await?;
    let shared = "version: '1', experimental.wasmcloud.dev/shared: 'true'";
    world.put(&with("one", shared, "image: a/b:1")).await?;
    let stale = world.snapshot();
    let why = refused(world.store.deploy(&name("user"), None, &stale).await)?;
    ensure!(
        why == "Application contains shared components that are not deployed in other applications: [cart of one]",
        "{why}"
    );
    world.deploy("one").await?;
    world.store.deploy(&name("user"), None, &stale).await?;
    Ok(())
}

async fn a_paused_application_says_so(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let shop = name("shop");
    let why = refused(world.store.pause(&shop).await)?;
    ensure!(why == "Application with the name shop not found", "{why}");
    world.put(&manifest("shop", "1", "a/b:1")).await?;
    let generation = world.deploy("shop").await?;
    let paused = world.store.pause(&shop).await?;
    ensure!(paused.generation == generation && !paused.unchanged, "{paused:?}");
    ensure!(world.store.pause(&shop).await?.unchanged);
    let is_paused = |snapshot: &wasmcloud_controller::store::Snapshot| {
        snapshot.application(&shop).is_some_and(|app| app.paused)
    };
    world.until("pause", is_paused).await?;
    world.store.resume(&shop).await?;
    world.until("resume", |snapshot| !is_paused(snapshot)).await?;
    Ok(())
}
