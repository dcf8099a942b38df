//! Links of revisions that share the calls: whoever asks meanwhile gets each answer over the link of the revision that
//! gives it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use wasmcloud_test_kit::guests::example;
use wasmcloud_test_kit::load::Load;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::SOON;

use super::support::{Api, labelled};
use crate::support::{nats, until};

/// The counter example on the front, behind a server, and the store that it counts in on the back. `config` is that of the
/// link between them.
fn counter(
    address: SocketAddr,
    (version, word): (&str, &str),
    (store, config): (&str, &str),
    rollout: &str,
) -> Result<String> {
    let file = example("http-keyvalue-counter", "http_keyvalue_counter")?;
    Ok(format!(
        "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: count
  annotations: {{ version: {version} }}
spec:
  policies:
    - name: rollout
      type: policy.rollout.wasmcloud.dev/v1alpha1
      properties: {rollout}
  components:
    - name: counter
      type: component
      properties:
        image: file://{}
        config: [ {{ name: greeting, properties: {{ prefix: {word} }} }} ]
      traits:
        - type: spreadscaler
          properties:
            instances: 100
            spread: [ {{ name: front, requirements: {{ role: front }} }} ]
        - type: link
          properties:
            namespace: wasi
            package: keyvalue
            interfaces: [store, atomics]
            target: {{ name: {store}, config: [ {config} ] }}
    - name: {store}
      type: capability
      properties: {{ image: 'wasmcloud+builtin://keyvalue-redb' }}
      traits:
        - type: spreadscaler
          properties:
            instances: 1
            spread: [ {{ name: back, requirements: {{ role: back }} }} ]
    - name: server
      type: capability
      properties: {{ image: 'ghcr.io/wasmcloud/http-server:0.27.0' }}
      traits:
        - type: spreadscaler
          properties:
            instances: 1
            spread: [ {{ name: front, requirements: {{ role: front }} }} ]
        - type: link
          properties:
            namespace: wasi
            package: http
            interfaces: [incoming-handler]
            source: {{ config: [ {{ name: web, properties: {{ address: '{address}' }} }} ] }}
            target: {{ name: counter }}
",
        file.display(),
    ))
}

/// The names and targets of the links that the counter has.
async fn links(api: &Api) -> Result<Vec<(String, String)>> {
    let (_, links) = api.control.ok("link.get", &Value::Null).await?;
    let links = links.as_array().context("a list")?.clone();
    let of_counter = links.iter().filter(|link| link["source_id"] == "count-counter");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(of_counter
        .map(|link| (text(&link["name"]), text(&link["target"])))
        .collect())
}

/// Waits until the counter has one link, to this store; answers its name.
async fn only_link(api: &Api, store: &str) -> Result<String> {
    let mut name = String::new();
    until(&format!("only a link to {store}"), async || {
        let links = links(api).await?;
        let [(one, target)] = links.as_slice() else {
            anyhow::bail!("{links:?}");
        };
        name.clone_from(one);
        Ok(*target == format!("count-{store}"))
    })
    .await?;
    Ok(name)
}

/// Each number that a store gives is given once, so what these words said of one store has to be all that it counted.
fn counted_by(answers: &BTreeMap<String, usize>, words: &[&str]) -> Result<usize> {
    let mut numbers = Vec::new();
    for (text, times) in answers {
        let (word, number) = text.trim().split_once(" visits: ").context("an answer")?;
        if words.contains(&word) {
            ensure!(*times == 1, "{text:?} came {times} times");
            numbers.push(number.parse::<usize>()?);
        }
    }
    numbers.sort_unstable();
    let gap = numbers
        .iter()
        .zip(1..)
        .find(|(number, wanted)| **number != *wanted);
    ensure!(gap.is_none(), "{words:?}: {gap:?} of {}", numbers.len());
    Ok(numbers.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_revision_has_its_own_links() -> Result<()> {
    let nats = nats()?;
    let hosts = [
        labelled(&nats, &[("role", "front")])?.ready()?,
        labelled(&nats, &[("role", "back")])?.ready()?,
    ];
    let api = Api::new(&nats).await?;
    let address = free_address()?;
    let rolling = "{ strategy: rolling }";
    let canary = "{ strategy: canary, steps: '50', pause: 2s }";
    api.deploy(&counter(address, ("v1", "One"), ("first", ""), rolling)?)
        .await?;
    api.wait("count", "deployed").await?;
    ensure!(only_link(&api, "first").await? == "default");
    let load = Load::start_whole(address, "/visits");
    load.wait_answer("One", SOON)?;

    // From names that all revisions have to those of one, with another target.
    api.deploy(&counter(address, ("v2", "Two"), ("second", ""), canary)?)
        .await?;
    load.wait_answer("Two", SOON)?;
    load.wait_answer("One", SOON)?;
    let both = links(&api).await?;
    ensure!(both.len() == 2, "{both:?}");
    api.wait("count", "deployed").await?;
    let second = only_link(&api, "second").await?;
    ensure!(second.starts_with("default-"), "{second}");

    // Another image or config alone is no other link.
    api.deploy(&counter(address, ("v3", "Three"), ("second", ""), canary)?)
        .await?;
    load.wait_answer("Three", SOON)?;
    load.wait_answer("Two", SOON)?;
    ensure!(links(&api).await?.len() == 1);
    api.wait("count", "deployed").await?;
    ensure!(only_link(&api, "second").await? == second);

    let odd = "{ name: odd, properties: { nonsense: x } }";
    // One that nobody takes: its revision gets no call, and the rollout is given up.
    api.deploy(&counter(address, ("v4", "Four"), ("second", odd), canary)?)
        .await?;
    until("rollback", async || {
        let (reply, _) = api.ask("history.count", "").await?;
        let last = reply["history"].as_array().and_then(|all| all.last()).cloned();
        let last = last.context("something was done")?;
        ensure!(last["kind"] == "rolled-back" && last["version"] == "v3", "{last}");
        let why = last["why"].as_str().context("a reason")?;
        ensure!(why.contains("does not take link"), "{why}");
        Ok(true)
    })
    .await?;
    api.wait("count", "deployed").await?;
    ensure!(only_link(&api, "second").await? == second);
    load.wait_answer("Three", SOON)?;

    // And back to the names that all have.
    api.deploy(&counter(address, ("v5", "Five"), ("first", ""), rolling)?)
        .await?;
    load.wait_answer("Five", SOON)?;
    api.wait("count", "deployed").await?;
    ensure!(only_link(&api, "first").await? == "default");
    load.wait_answer("Five", SOON)?;
    let answers = load.finish()?;
    let first = counted_by(&answers, &["One", "Five"])?;
    let second = counted_by(&answers, &["Two", "Three"])?;
    ensure!(first + second == answers.len(), "nobody else answered");
    println!("answers of each store: {first} and {second}");
    for host in hosts {
        host.stop()?;
    }
    Ok(())
}
