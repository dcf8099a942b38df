//! Clients that send garbage or too much, and readers that are too slow.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::{Value, json};
use wasmcloud_test_kit::control::{Control, soon};
use wasmcloud_test_kit::process::{SOON, Wash};
use wasmcloud_test_nats::NatsServer;

use crate::support::{Driven, connect, connect_embedded, hello, host, nats, page, until, up};

/// How much a host may grow by what it was sent.
const GROWTH: u64 = 96 << 20;

/// What nobody should send.
fn garbage() -> Vec<(&'static str, Bytes)> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |len: usize| -> Bytes {
        let bytes = (0..len).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        });
        bytes.collect()
    };
    // The server takes 1 MiB for headers and payload together.
    let large = (1 << 20) - 512;
    let list = "[".repeat(large / 2);
    vec![
        ("a zero", Bytes::from_static(b"\0")),
        ("random", random(64)),
        ("much random", random(large)),
        ("invalid UTF-8", Bytes::from_static(b"{\"key\":\"\xff\xfe\"}")),
        (
            "a truncated object",
            Bytes::from_static(b"{\"component_ref\":\"file:///a"),
        ),
        ("another type", Bytes::from_static(b"\"text\"")),
        ("numbers", Bytes::from_static(b"[1e999,-0,18446744073709551616]")),
        ("deep lists", list.clone().into()),
        ("deep objects", "{\"a\":".repeat(large / 5).into()),
        ("deep unknown field", format!("{{\"x\":{list}").into()),
        (
            "a large text",
            format!("{{\"key\":\"{}\"}}", "a".repeat(large - 64)).into(),
        ),
        (
            "many fields",
            format!(
                "{{{}\"z\":\"\"}}",
                (0..large / 16)
                    .map(|n| format!("\"{n:09}\":\"\","))
                    .collect::<String>()
            )
            .into(),
        ),
    ]
}

/// Each subject that a host listens on, and whether a request with any payload may be fine.
fn subjects(id: &str) -> Vec<(String, bool)> {
    let mut subjects = vec![("host.ping".to_owned(), true), ("link.get".to_owned(), true)];
    subjects.extend(["claims.get", "config.get.x", "config.del.x"].map(|all| (all.to_owned(), true)));
    let body = ["link.put", "link.del", "registry.put", "config.put.x"];
    subjects.extend(body.map(|all| (all.to_owned(), false)));
    let auctions = ["component.auction", "provider.auction"];
    subjects.extend(auctions.map(|all| (all.to_owned(), false)));
    for one in [
        "component.scale",
        "component.update",
        "component.eat",
        "provider.start",
        "provider.stop",
        "label.put",
        "label.del",
        "host.stop",
        "host.eat",
    ] {
        subjects.push((format!("{one}.{id}"), false));
    }
    subjects.push((format!("host.get.{id}"), true));
    subjects
}

async fn survives_garbage(mut driven: Driven, wash: &Wash) -> Result<()> {
    let address = driven.serve_hello().await?;
    let garbage = garbage();
    let round = async |driven: &Driven| {
        for (subject, any) in subjects(&driven.id) {
            for (what, payload) in &garbage {
                let object = ["a large text", "many fields"].contains(what);
                // Unknown fields are ignored with whatever is in them, so this is a request to stop.
                if (object || *what == "invalid UTF-8") && subject.starts_with("host.stop") {
                    continue;
                }
                driven.client.send_bytes(&subject, payload.clone(), None).await?;
                let answer = driven.client.ask_bytes(&subject, payload.clone(), SOON).await;
                let answer = answer.with_context(|| format!("{what} on {subject}"))?;
                // An object of texts is a config, and a label that is not there can be deleted.
                let fine = any
                    || object
                        && ["config.put", "label.del"]
                            .iter()
                            .any(|of| subject.starts_with(of));
                ensure!(
                    fine || answer["success"] == false,
                    "{what} on {subject}: {answer}"
                );
                let text = answer["message"].as_str().context("a message")?;
                let length = 1..8 << 10;
                ensure!(
                    fine || length.contains(&text.len()),
                    "{what} on {subject}: {text}"
                );
            }
        }
        anyhow::Ok(())
    };
    round(&driven).await?;
    let (before, _) = wash.memory()?;
    round(&driven).await?;
    let (after, most) = wash.memory()?;
    ensure!(
        after < before + GROWTH && most < before + 2 * GROWTH,
        "{before}, {after}, at most {most}"
    );
    ensure!(page(address)?.contains("Hello"));
    driven.run("after", &hello()?).await?;
    let inventory = driven.inventory().await?;
    ensure!(
        inventory["components"].as_array().map(Vec::len) == Some(2),
        "{inventory}"
    );
    ensure!(
        !wash.log().iter().any(|line| line.contains("panic")),
        "{:?}",
        wash.log()
    );
    wash.stop()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_every_subject_of_nats() -> Result<()> {
    let nats = nats()?;
    let wash = host(&nats.url())?.ready()?;
    let driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    survives_garbage(driven, &wash).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_every_subject_of_the_embedded_lattice() -> Result<()> {
    let launch = up()?.arg("--allow-file-load");
    let wash = launch.ready()?;
    let driven = Driven::new(connect_embedded(&launch.file("data")).await?, &wash).await?;
    survives_garbage(driven, &wash).await
}

/// Sends so many pings at once, and waits until the server has them.
async fn flood(client: &Control, count: usize, payload: &Bytes) -> Result<()> {
    for _ in 0..count {
        client.send_bytes("host.ping", payload.clone(), None).await?;
    }
    let deadline = tokio::time::Instant::now() + SOON;
    Ok(client.connection().barrier(deadline).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_reads_too_slowly_comes_back() -> Result<()> {
    // The server cuts off who has this much waiting.
    let nats = NatsServer::default().jetstream().config("max_pending: 4MB");
    let nats = nats.start()?;
    let wash = host(&nats.url())?.ready()?;
    let mut driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    let address = driven.serve_hello().await?;
    wash.freeze()?;
    flood(&driven.client, 64, &Bytes::from(vec![b'x'; 512 << 10])).await?;
    ensure!(nats.log().contains("Slow Consumer"), "{}", nats.log());
    wash.thaw()?;
    wash.wait_log(&["connected to NATS again"], SOON)?;
    driven.client.ok("host.ping", &Value::Null).await?;
    driven.run("after", &hello()?).await?;
    ensure!(page(address)?.contains("Hello"));
    wash.stop()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_requests_than_a_host_can_answer() -> Result<()> {
    let nats = nats()?;
    let wash = host(&nats.url())?.ready()?;
    let mut driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    let (before, _) = wash.memory()?;
    flood(&driven.client, 200_000, &Bytes::new()).await?;
    // Other requests do not wait behind these. What could not wait is lost, and pings are answered again afterwards.
    driven.run("after", &hello()?).await?;
    until("answer to a ping", async || {
        let second = Duration::from_secs(1);
        let answer = driven
            .client
            .ask_within("host.ping", &Value::Null, second)
            .await?;
        Ok(answer["success"] == true)
    })
    .await?;
    let (_, most) = wash.memory()?;
    ensure!(most < before + 2 * GROWTH, "{before}, at most {most}");
    wash.stop()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_about_the_state_are_capped_and_not_lost() -> Result<()> {
    let nats = nats()?;
    let wash = host(&nats.url())?.ready()?;
    let driven = Driven::new(connect(&nats.url()).await?, &wash).await?;
    // More at once than a host asks the state for: each is answered, with the value or with a refusal.
    let inbox = driven.client.connection().new_inbox();
    let mut answers = driven.client.connection().subscribe(&inbox).await?;
    for n in 0..2_000 {
        let body = json!({ "n": n.to_string() });
        driven
            .client
            .send(&format!("config.put.c{n}"), &body, Some(&inbox))
            .await?;
    }
    let (mut done, mut refused) = (0, 0);
    while done + refused < 2_000 {
        let answer = soon("answer", answers.next()).await?.context("the inbox ended")?;
        let answer: Value = serde_json::from_slice(&answer.payload)?;
        match answer["success"] == true {
            true => done += 1,
            false => {
                ensure!(
                    answer["message"]
                        .as_str()
                        .is_some_and(|text| text.contains("hint")),
                    "{answer}"
                );
                refused += 1;
            }
        }
    }
    ensure!(done > 0);
    let late = driven
        .client
        .ask_within("config.get.c0", &Value::Null, Duration::from_secs(5))
        .await?;
    ensure!(late["success"] == true, "{late}");
    wash.stop()?;
    Ok(())
}
