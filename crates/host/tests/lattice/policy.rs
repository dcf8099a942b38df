//! The policy service decides what starts (wire reference §2.7). What is called is for `policy_calls`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use wasmcloud_host::{LatticeHost, PolicyOptions};
use wasmcloud_test_kit::control::Event;
use wasmcloud_test_kit::process::SOON;

use crate::on_both_lattices;
use crate::support::{HTTP, Rig, Target, on, scale, soon, until};

on_both_lattices!(
    what_is_permitted_starts_and_the_rest_does_not,
    silence_means_no,
    an_answer_that_is_none_means_no,
    a_change_of_mind_counts,
    a_stop_asks_nobody,
);

/// What the service was asked, in order.
pub(crate) struct Service(mpsc::UnboundedReceiver<Value>);

impl Service {
    /// Answers with what `decide` makes of a request: `permitted` and perhaps more; or nothing at all.
    pub(crate) async fn start(
        rig: &Rig,
        decide: impl Fn(&Value) -> Option<Value> + Send + 'static,
    ) -> Result<Self> {
        let connection = rig.client.connection().clone();
        let mut questions = connection.subscribe("policy").await?;
        connection.barrier(Instant::now() + SOON).await?;
        let (seen, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(question) = questions.next().await {
                let Ok(body) = serde_json::from_slice::<Value>(&question.payload) else {
                    continue;
                };
                let answer = decide(&body);
                let (Some(mut answer), Some(reply)) = (answer, question.reply) else {
                    seen.send(body).ok();
                    continue;
                };
                if answer.is_object() {
                    answer["requestId"] = body["requestId"].clone();
                }
                seen.send(body).ok();
                connection
                    .publish(&reply, None, answer.to_string().into())
                    .await
                    .ok();
            }
        });
        Ok(Self(asked))
    }

    pub(crate) async fn asked(&mut self) -> Result<Value> {
        soon("question to the policy service", self.0.recv())
            .await?
            .context("it ended")
    }

    /// Whether something was asked that nobody has looked at yet.
    pub(crate) fn asked_already(&mut self) -> bool {
        self.0.try_recv().is_ok()
    }

    pub(crate) fn nothing_more(&mut self) -> Result<()> {
        ensure!(self.0.try_recv().is_err(), "nobody had to be asked");
        Ok(())
    }
}

pub(crate) async fn host(rig: &mut Rig, timeout: Duration) -> Result<LatticeHost> {
    let policy = PolicyOptions {
        topic: "policy".parse()?,
        changes: Some("policy.changes".parse()?),
        timeout,
    };
    rig.host(|_, join| join.policy = Some(policy)).await
}

/// Scales to 1 and returns what became of it.
async fn attempt(rig: &mut Rig, host: &LatticeHost, id: &str) -> Result<Event> {
    let image = rig.nothing()?;
    let body = scale(host, id, &image, 1);
    rig.client.ok(&on("component.scale", host), &body).await?;
    rig.events.next().await
}

async fn what_is_permitted_starts_and_the_rest_does_not(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, |asked| {
        let id = asked["request"]["componentId"].as_str().unwrap_or("provider");
        Some(match id {
            "good" => json!({ "permitted": true }),
            _ => json!({ "permitted": false, "message": "not on a Sunday" }),
        })
    })
    .await?;
    let host = host(&mut rig, SOON).await?;
    let event = attempt(&mut rig, &host, "good").await?;
    ensure!(event.kind == "component_scaled", "{event:?}");
    let asked = service.asked().await?;
    let mut expected = json!({
        "requestId": asked["requestId"], "kind": "startComponent", "version": "v1",
        "request": {
            "componentId": "good", "imageRef": rig.nothing()?, "maxInstances": 1, "annotations": {},
            "claims": null,
        },
        "host": {
            "publicKey": host.id().as_str(), "lattice": "default", "labels": host.identity().labels(),
        },
    });
    ensure!(asked == expected, "{asked} is not {expected}");

    // An answer holds: asked once.
    attempt(&mut rig, &host, "good").await?;
    service.nothing_more()?;

    let event = attempt(&mut rig, &host, "bad").await?;
    ensure!(event.kind == "component_scale_failed", "{event:?}");
    let error = "Policy denied request to scale component `bad`: `not on a Sunday`";
    ensure!(event.data["error"] == error, "{event:?}");
    service.asked().await?;

    let body = json!({ "provider_id": "http", "provider_ref": HTTP, "host_id": host.id().as_str() });
    rig.client.ok(&on("provider.start", &host), &body).await?;
    let event = rig.events.next().await?;
    ensure!(event.kind == "provider_start_failed", "{event:?}");
    let asked = service.asked().await?;
    expected["requestId"] = asked["requestId"].clone();
    expected["kind"] = "startProvider".into();
    expected["request"] =
        json!({ "providerId": "http", "imageRef": HTTP, "annotations": {}, "claims": null });
    ensure!(asked == expected, "{asked} is not {expected}");
    let error = format!(
        "policy denied request to start provider `{}`: `not on a Sunday`",
        asked["requestId"].as_str().unwrap_or_default()
    );
    ensure!(event.data["error"] == error, "{event:?}");
    let inventory = rig.inventory(&host).await?;
    ensure!(inventory["components"].as_array().map(Vec::len) == Some(1));
    ensure!(inventory["providers"] == json!([]));
    Ok(())
}

async fn silence_means_no(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let host = host(&mut rig, Duration::from_millis(100)).await?;
    // Nobody listens at first, then somebody who says nothing.
    for _ in 0..2 {
        let event = attempt(&mut rig, &host, "a").await?;
        ensure!(event.kind == "component_scale_failed", "{event:?}");
        let error = event.data["error"].as_str().unwrap_or_default();
        ensure!(error.starts_with("the policy service does not answer"), "{error}");
        Service::start(&rig, |_| None).await?;
    }
    Ok(())
}

async fn an_answer_that_is_none_means_no(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let _service = Service::start(&rig, |_| Some(json!("yes"))).await?;
    let host = host(&mut rig, SOON).await?;
    let event = attempt(&mut rig, &host, "a").await?;
    ensure!(event.kind == "component_scale_failed", "{event:?}");
    let error = event.data["error"].as_str().unwrap_or_default();
    ensure!(error.contains("does not answer a decision"), "{error}");
    Ok(())
}

async fn a_change_of_mind_counts(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, |_| Some(json!({ "permitted": false }))).await?;
    let host = host(&mut rig, SOON).await?;
    let event = attempt(&mut rig, &host, "a").await?;
    ensure!(
        event.data["error"] == "Policy denied request to scale component `a`",
        "{event:?}"
    );
    let request = service.asked().await?["requestId"].clone();
    let changes = rig.client.connection().clone();
    for (permitted, outcome) in [(true, "component_scaled"), (false, "component_scale_failed")] {
        // What is none is passed over.
        changes.publish("policy.changes", None, "{".into()).await?;
        let change = json!({ "requestId": request, "permitted": permitted });
        changes
            .publish("policy.changes", None, change.to_string().into())
            .await?;
        // The change comes on another subscription than the command, so it may come later.
        until(outcome, async || {
            Ok(attempt(&mut rig, &host, "a").await?.kind == outcome)
        })
        .await?;
    }
    service.nothing_more()?;
    Ok(())
}

async fn a_stop_asks_nobody(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let mut service = Service::start(&rig, |_| Some(json!({ "permitted": true }))).await?;
    let host = host(&mut rig, SOON).await?;
    attempt(&mut rig, &host, "a").await?;
    service.asked().await?;
    rig.client
        .ok(
            &on("component.scale", &host),
            &scale(&host, "a", "gone.io/a:1", 0),
        )
        .await?;
    let event = rig.events.next().await?;
    ensure!(
        event.kind == "component_scaled" && event.data["max_instances"] == 0,
        "{event:?}"
    );
    service.nothing_more()?;
    Ok(())
}
