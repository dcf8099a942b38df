//! What a host of v1 answered, word for word, is understood.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use serde_json::Value;
use wasmcloud_test_lattice::Script;

use crate::support::{PATIENT, Target, client, lattice};

crate::support::for_all_servers!(recorded_answers_are_understood,);

/// Traffic of a v1 lattice, a message on each line.
const RECORDED: &str = include_str!("../../../wire/tests/golden/control.jsonl");

/// The first recorded answer to each request, by `noun.verb`.
fn answers() -> Result<HashMap<String, String>> {
    let mut waiting = HashMap::new();
    let mut answers = HashMap::new();
    for line in RECORDED.lines() {
        let message: Value = serde_json::from_str(line)?;
        let text = |key: &str| message.get(key).and_then(Value::as_str).map(str::to_owned);
        let Some(subject) = text("subject") else { continue };
        if let (Some(rest), Some(reply)) = (subject.strip_prefix("wasmbus.ctl.v1.default."), text("reply")) {
            let verb: Vec<&str> = rest.split('.').take(2).collect();
            waiting.insert(reply, verb.join("."));
        } else if let (Some(verb), Some(text)) = (waiting.remove(&subject), text("text")) {
            answers.entry(verb).or_insert(text);
        }
    }
    Ok(answers)
}

async fn recorded_answers_are_understood(target: Target) -> Result<()> {
    let lattice = lattice(target).await?;
    let host = lattice.host(Script::new("a", 1)).await?;
    let client = client(&lattice, PATIENT).await?;
    let answers = answers()?;
    let answer = |verb: &'static str| -> Result<()> {
        let text = answers
            .get(verb)
            .with_context(|| format!("no {verb} was recorded"))?;
        host.change(|script| {
            script.nonsense.insert(verb, text.clone().into_bytes());
        });
        Ok(())
    };
    for verb in [
        "host.ping",
        "host.get",
        "link.get",
        "claims.get",
        "config.get",
        "component.auction",
    ] {
        answer(verb)?;
    }
    let hosts = client.hosts().await?;
    let names: Vec<_> = hosts
        .answers
        .iter()
        .map(|host| host.friendly_name.as_str())
        .collect();
    assert_eq!(names, ["crimson-field-2598"]);
    let found = client.find_host("crimson").await;
    assert!(found.is_err(), "a name is not told by its beginning: {found:?}");
    assert!(
        client
            .find_host("NCSMZM")
            .await?
            .id
            .as_str()
            .starts_with("NCSMZM")
    );
    let inventory = client.inventory(&host.id()).await?;
    assert_eq!(inventory.friendly_name, "crimson-field-2598");
    client.links().await?;
    client.claims().await?;
    let config = client.config(&"web".parse()?).await?.context("it was there")?;
    assert_eq!(
        config.0.get("address").map(String::as_str),
        Some("127.0.0.1:9201")
    );
    Ok(())
}
