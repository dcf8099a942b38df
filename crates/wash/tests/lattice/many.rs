//! A lattice with much in it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use wasmcloud_test_kit::process::SOON;

use crate::support::{Driven, connect, connect_embedded, host, link, nats, up};

/// Components, and links between them.
const MANY: usize = 1_000;

/// Requests at once.
const AT_ONCE: usize = 20;

async fn a_thousand(mut driven: Driven, image: &str) -> Result<()> {
    let slowest_ping = {
        let client = driven.client.clone();
        let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
        let pings = tokio::spawn(async move {
            let (mut slowest, mut count) = (Duration::ZERO, 0);
            while stopped.try_recv().is_err() {
                let begun = Instant::now();
                client.ok("host.ping", &Value::Null).await?;
                slowest = slowest.max(begun.elapsed());
                count += 1;
            }
            anyhow::Ok((slowest, count))
        });
        let (subject, asker) = (driven.on("component.scale"), &driven);
        let scales = stream::iter(0..MANY).map(|n| {
            let body = asker.scale(&format!("a{n}"), image, 1);
            let subject = subject.as_str();
            async move { asker.client.ok(subject, &body).await }
        });
        scales
            .buffer_unordered(AT_ONCE)
            .map_ok(drop)
            .try_collect::<()>()
            .await?;
        let links = stream::iter(0..MANY).map(|n| {
            let body = link(&format!("a{n}"), &format!("a{}", (n + 1) % MANY), "reader");
            async move { asker.client.ok("link.put", &body).await }
        });
        links
            .buffer_unordered(AT_ONCE)
            .map_ok(drop)
            .try_collect::<()>()
            .await?;
        let mut started = 0;
        while started < MANY {
            let event = driven.events.next().await?;
            ensure!(!event.kind.ends_with("_failed"), "{event:?}");
            started += usize::from(event.kind == "component_scaled");
        }
        stop.send(()).ok().context("the pings go on")?;
        pings.await??
    };
    let (slowest, count) = slowest_ping;
    ensure!(
        count > 1 && slowest < Duration::from_secs(1),
        "{count} pings, the slowest {slowest:?}"
    );

    let inventory = driven.inventory().await?;
    let components = inventory["components"].as_array().context("components")?;
    ensure!(components.len() == MANY);
    ensure!(components.iter().all(|component| component["image_ref"] == image));
    let links = driven.client.ok("link.get", &Value::Null).await?.1;
    ensure!(links.as_array().map(Vec::len) == Some(MANY));
    Ok(())
}

const NOTHING: &str = "(component)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_components_and_links_on_nats() -> Result<()> {
    let nats = nats()?;
    let launch = host(&nats.url())?;
    let wash = launch.ready()?;
    let file = launch.file("nothing.wasm");
    std::fs::write(&file, wat::parse_str(NOTHING)?)?;
    let driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    a_thousand(driven, &format!("file://{}", file.display())).await?;
    // One more host takes in all of it before it is ready.
    let later = host(&nats.url())?;
    later.arg("--drain").arg("1s").ready()?.stop()?;
    wash.terminate()?;
    let ended = wash.wait_exit(SOON)?;
    ensure!(ended.code == 0, "{}", ended.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_components_and_links_on_the_embedded_lattice() -> Result<()> {
    let launch = up()?;
    let wash = launch.ready()?;
    let file = launch.file("nothing.wasm");
    std::fs::write(&file, wat::parse_str(NOTHING)?)?;
    let driven = Driven::new(connect_embedded(&launch.file("data")).await?, &wash).await?;
    a_thousand(driven, &format!("file://{}", file.display())).await?;
    wash.stop()?;
    // Acknowledged is durable.
    let wash = launch.ready()?;
    let driven = Driven::new(connect_embedded(&launch.file("data")).await?, &wash).await?;
    let links = driven.client.ok("link.get", &Value::Null).await?.1;
    ensure!(links.as_array().map(Vec::len) == Some(MANY));
    wash.stop()?;
    Ok(())
}
