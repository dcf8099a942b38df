//! A conversation with v1's wadm, recorded: ours gives the same replies, but for versions, ids and what v1 has wrong.

use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use wasmcloud_controller::StatusKind;
use wasmcloud_lattice::HeaderMap;

use crate::asking::told;
use crate::support::{Target, World, name};

crate::support::for_all_servers!(replies_are_those_of_v1,);

/// Traffic of a v1 lattice, a message on each line.
const RECORDED: &str = include_str!("../../../wire/tests/golden/applications.jsonl");

/// The questions in order, each with its reply.
fn conversation() -> Result<Vec<(Value, Value)>> {
    let lines = RECORDED.lines().map(serde_json::from_str);
    let lines: Vec<Value> = lines.collect::<Result<_, _>>()?;
    let text = |line: &Value, key: &str| line[key].as_str().map(str::to_owned);
    let replies: HashMap<String, &Value> = lines
        .iter()
        .filter_map(|line| Some((text(line, "subject")?, line)))
        .collect();
    let asked = lines.iter().filter(|line| {
        let subject = line["subject"].as_str();
        subject.is_some_and(|subject| subject.starts_with("wadm.api."))
    });
    let pairs = asked.map(|line| {
        let to = text(line, "reply").context("it wants a reply")?;
        let reply = replies.get(&to).context("it was answered")?;
        Ok((
            line.clone(),
            serde_json::from_str(&text(reply, "text").context("with text")?)?,
        ))
    });
    pairs.collect()
}

/// Leaves only what is the same each time.
fn settle(reply: &mut Value, version: &str) {
    match reply {
        Value::Object(map) => {
            // Ours, or about hosts that are not there.
            for key in [
                "generation",
                "revision",
                "put_at",
                "text",
                "detailed_status",
                "status_message",
                "scalers",
                "base_dir",
            ] {
                map.remove(key);
            }
            if map.get("type").is_some_and(Value::is_string) {
                map.remove("message");
            }
            // v1 leaves it empty in a status, ours is what is deployed.
            if map.contains_key("components") && map.contains_key("status") {
                map.remove("version");
            }
            map.values_mut().for_each(|value| settle(value, version));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| settle(value, version)),
        Value::String(text) => {
            *text = text
                .replace(version, "VERSION")
                .replace("manifest hello VERSION", "manifest hello ")
        }
        _ => {}
    }
}

async fn replies_are_those_of_v1(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let served = world.serve().await?;
    let (mut theirs, mut ours) = (String::new(), String::new());
    let conversation = conversation()?;
    ensure!(conversation.len() >= 9, "all of it was found");
    for (question, mut expected) in conversation {
        let subject = question["subject"].as_str().context("subject")?;
        let mut headers = HeaderMap::new();
        if let Some(kind) = question["headers"]["Content-Type"].as_str() {
            headers.insert("Content-Type", kind);
        }
        let payload = question["text"].as_str().context("text")?;
        let reply = served.asker.message(subject, Some(headers), payload).await?;
        let mut reply: Value = serde_json::from_slice(&reply.payload)?;
        if let Some(version) = reply["current_version"].as_str() {
            ours = version.to_owned();
            theirs = expected["current_version"]
                .as_str()
                .context("v1 says its version")?
                .to_owned();
        }
        if let Some(generation) = reply["generation"].as_u64() {
            world.known("hello", generation).await?;
            served.told.send_replace(Some(told(
                "hello",
                generation,
                StatusKind::Reconciling,
                "Scaling",
            )));
        }
        settle(&mut reply, &ours);
        settle(&mut expected, &theirs);
        ensure!(reply == expected, "{subject}:\nours   {reply}\ntheirs {expected}");
        // And its fields are in the same order.
        let (written, recorded) = (reply.to_string(), expected.to_string());
        ensure!(written == recorded, "{subject}: {written}");
    }
    ensure!(world.store.record(&name("nothere")).await?.is_none());
    Ok(())
}
