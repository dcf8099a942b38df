//! What is told without being asked.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use serde_json::{Value, json};
use wasmcloud_controller::StatusKind;
use wasmcloud_lattice::Subscription;
use wasmcloud_test_lattice::{SOON, soon};

use crate::asking::told;
use crate::support::{Target, World, manifest};

crate::support::for_all_servers!(a_status_is_told_when_it_changed, deployments_are_told,);

async fn heard(subscription: &mut Subscription) -> Result<Value> {
    let message = soon("message", subscription.next())
        .await?
        .context("the subscription ended")?;
    Ok(serde_json::from_slice(&message.payload)?)
}

async fn a_status_is_told_when_it_changed(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let served = world.serve().await?;
    let connection = world.server.connect().await?;
    let mut statuses = connection.subscribe("wadm.status.default.shop").await?;
    connection.barrier(tokio::time::Instant::now() + SOON).await?;
    world.put(&manifest("shop", "1", "a/b:1")).await?;
    let generation = world.deploy("shop").await?;
    let waiting = told(
        "shop",
        generation,
        StatusKind::Reconciling,
        "Scaling component on 1 host(s)",
    );
    served.told.send_replace(Some(Arc::clone(&waiting)));
    let first = heard(&mut statuses).await?;
    ensure!(
        first["status"] == json!({"type": "reconciling", "message": "Scaling component on 1 host(s)"})
            && first["generation"] == generation,
        "{first}"
    );
    // The same again is not told: what comes next is the next one.
    served.told.send_replace(Some(waiting));
    served
        .told
        .send_replace(Some(told("shop", generation, StatusKind::Deployed, "")));
    let second = heard(&mut statuses).await?;
    ensure!(second["status"] == json!({"type": "deployed"}), "{second}");
    Ok(())
}

async fn deployments_are_told(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let served = world.serve().await?;
    let connection = world.server.connect().await?;
    let mut events = connection.subscribe("wadm.evt.default.*").await?;
    connection.barrier(tokio::time::Instant::now() + SOON).await?;
    served.ask("put", &manifest("shop", "1", "a/b:1")).await?;
    served.ask("deploy.shop", "").await?;
    let published = heard(&mut events).await?;
    ensure!(
        published["type"] == "com.wadm.manifest_published"
            && published["data"]["metadata"]["annotations"]["version"] == "1",
        "{published}"
    );
    served.ask("undeploy.shop", "").await?;
    let unpublished = heard(&mut events).await?;
    ensure!(
        unpublished["type"] == "com.wadm.manifest_unpublished"
            && unpublished["data"] == json!({"name": "shop"}),
        "{unpublished}"
    );
    Ok(())
}
