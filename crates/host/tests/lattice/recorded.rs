//! What was recorded of a v1 host, asked of ours: the same requests, the same answers and events, but for ids, times,
//! claims, and where we differ on purpose (each is named below).

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::on_both_lattices;
use crate::support::{HTTP, Rig, Target, answers, free_address, hello, until};

on_both_lattices!(a_recorded_session_goes_the_same_way);

const CONTROL: &str = include_str!("../../../wire/tests/golden/control.jsonl");
const LIFECYCLE: &str = include_str!("../../../wire/tests/golden/provider-lifecycle.jsonl");

/// The recorded host, images and address.
const HOST: &str = "NCSMZMQIUNKQLFQ4RKS5JD2VFWRMRTRO6X7FUXY4HORNP3TM5RDMIDSS";
const HELLO: &str = "file:///app/hello.wasm";
const SERVER: &str = "file:///app/http-server.par.gz";
const ADDRESS: &str = "127.0.0.1:9201";

/// One thing that was done.
#[derive(Debug, Default)]
struct Step {
    name: String,
    /// Subject and body.
    request: Option<(String, String)>,
    reply: Value,
    /// Kind and data.
    events: Vec<(String, Value)>,
}

fn steps(recording: &str) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inbox = String::new();
    for line in recording.lines() {
        let line: Value = serde_json::from_str(line)?;
        if let Some(name) = line["step"].as_str() {
            steps.push(Step {
                name: name.to_owned(),
                ..Step::default()
            });
            continue;
        }
        let step = steps.last_mut().context("a recording begins with a step")?;
        let subject = line["subject"].as_str().context("a subject")?;
        let text = line["text"].as_str().context("a text")?;
        if let Some(rest) = subject.strip_prefix("wasmbus.ctl.v1.default.") {
            inbox = line["reply"].as_str().context("somebody asked")?.to_owned();
            step.request = Some((rest.to_owned(), text.to_owned()));
        } else if subject == inbox {
            step.reply = serde_json::from_str(text)?;
        } else if let Some(kind) = subject.strip_prefix("wasmbus.evt.default.") {
            let event: Value = serde_json::from_str(text)?;
            step.events.push((kind.to_owned(), event["data"].clone()));
        }
    }
    Ok(steps)
}

/// Without what differs from host to host, and from v1 to ours.
fn comparable(mut value: Value) -> Value {
    const VARIES: [&str; 16] = [
        "friendly_name",
        "version",
        "uptime_human",
        "uptime_seconds",
        "rpc_host",
        "ctl_host",
        // Nothing here is signed.
        "claims",
        // The text is ours; that there is one is checked.
        "error",
        // v1 does not say these.
        "inventory_revision",
        "features",
        "health",
        "refused_links",
        "calls",
        "failures",
        "load",
        "asleep",
    ];
    match &mut value {
        Value::Object(fields) => {
            if fields.contains_key("image_ref") {
                // v1 knows names, and says the id thrice, only of what is signed.
                for field in ["name", "instance_id", "public_key", "link_name"] {
                    fields.shift_remove(field);
                }
            }
            fields.retain(|name, value| !VARIES.contains(&name.as_str()) && !value.is_null());
            for (_, value) in fields.iter_mut() {
                *value = comparable(value.take());
            }
        }
        Value::Array(items) => {
            for item in items.iter_mut() {
                *item = comparable(item.take());
            }
        }
        _ => {}
    }
    value
}

/// What we say otherwise on purpose.
fn corrected(step: &mut Step) {
    // v1 tells one start twice.
    step.events.dedup();
    // The built-in server has no process whose health could be asked for.
    step.events.retain(|(kind, _)| !kind.starts_with("health_check"));
    // v1 repeats the reference where the id belongs.
    if step.name == "component.auction" {
        step.reply["response"]["component_id"] = "hello".into();
    }
    // Nothing here is signed.
    if step.name == "claims.get" {
        step.reply["response"] = json!([]);
    }
}

async fn a_recorded_session_goes_the_same_way(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let address = free_address()?;
    let (at, image) = (address.to_string(), hello()?);
    let same = [
        (HOST, host.id().as_str()),
        (HELLO, image.as_str()),
        (SERVER, HTTP),
        (ADDRESS, at.as_str()),
    ];
    let theirs = |text: &str| {
        same.iter()
            .fold(text.to_owned(), |text, (v1, ours)| text.replace(v1, ours))
    };
    let read = |value: Value| -> Result<Value> {
        let text = same
            .iter()
            .fold(value.to_string(), |text, (v1, ours)| text.replace(ours, v1));
        // v1 tells the path of a file in place of its reference.
        let text = text.replace("\"/app/", "\"file:///app/");
        Ok(comparable(serde_json::from_str(&text)?))
    };
    let mut all = steps(CONTROL)?;
    let later = ["link.del", "component.scale to 0", "host.stop"];
    all.extend(
        steps(LIFECYCLE)?
            .into_iter()
            .filter(|step| later.contains(&step.name.as_str())),
    );
    let mut done = 0;
    for mut step in all {
        corrected(&mut step);
        let Some((subject, body)) = &step.request else {
            continue;
        };
        let payload = theirs(body).into_bytes().into();
        let limit = wasmcloud_test_kit::process::SOON;
        let reply = rig.client.ask_bytes(&theirs(subject), payload, limit).await?;
        let (reply, expected) = (read(reply)?, read(step.reply.clone())?);
        ensure!(reply == expected, "{}: {reply} is not {expected}", step.name);
        if subject.starts_with("host.stop") {
            host.leave(&[], &[]).await;
        }
        for (kind, data) in &step.events {
            let event = rig.events.next().await?;
            ensure!(&event.kind == kind, "{}: {event:?} is not {kind}", step.name);
            ensure!(event.data["error"].is_string() == data["error"].is_string());
            let (told, expected) = (read(event.data)?, read(data.clone())?);
            ensure!(told == expected, "{}: {told} is not {expected}", step.name);
        }
        if step.name == "link.put" {
            ensure!(
                answers(&host, address)
                    .await?
                    .expect(200)?
                    .text()
                    .contains("Hello")
            );
        }
        if step.name == "link.del" {
            until("end of the listener", async || {
                Ok(!host.host().listening().await.contains(&address))
            })
            .await?;
        }
        done += 1;
    }
    ensure!(done == 17, "{done} steps");
    Ok(())
}
