//! Commands of a controller that does not lead any more are refused (ADR 3).

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use wasmcloud_lattice::{Bucket, HeaderMap, State, open_state};
use wasmcloud_test_nats::NatsServer;

use crate::on_both_lattices;
use crate::support::{Rig, Target, link, message, on, scale, until};

on_both_lattices!(
    a_command_of_an_older_epoch_is_refused,
    every_command_is_fenced_and_no_question,
    a_host_has_read_the_lease_before_it_takes_commands,
);

/// Asks with the header, and answers what the host says.
async fn ask(rig: &Rig, subject: &str, body: &Value, epoch: &str) -> Result<Value> {
    let connection = rig.client.connection();
    let mut headers = HeaderMap::new();
    headers.insert("wasmcloud-epoch", epoch);
    let payload = match body {
        Value::Null => Bytes::new(),
        body => body.to_string().into(),
    };
    let (subject, deadline) = (rig.client.subject(subject), connection.default_deadline());
    let answer = connection
        .request(&subject, Some(headers), payload, deadline)
        .await?;
    Ok(serde_json::from_slice(&answer.payload)?)
}

async fn leases(rig: &Rig) -> Result<Box<dyn State>> {
    let bucket = Bucket::leases(&"default".parse()?)?;
    Ok(open_state(rig.client.connection(), bucket, None).await?)
}

/// Takes the lease as a controller does, in place of `revision`; answers the epoch.
async fn take(leases: &dyn State, revision: u64) -> Result<u64> {
    let record = json!({ "holder": "N1", "name": "a" }).to_string();
    let ttl = Some(std::time::Duration::from_secs(60));
    Ok(leases.set("controller", record.into(), revision, ttl).await?)
}

async fn a_command_of_an_older_epoch_is_refused(target: Target) -> Result<()> {
    let (rig, host) = Rig::with_host(target).await?;
    let put = on("label.put", &host);
    let label = |value: &str| json!({ "key": "zone", "value": value });
    // From a command, before any lease was taken.
    ensure!(ask(&rig, &put, &label("a"), "7").await?["success"] == true);
    let refused = ask(&rig, &put, &label("b"), "6").await?;
    ensure!(refused["success"] == false);
    let text = message(&refused)?;
    ensure!(
        text.starts_with("the command is of epoch 6, this host knows of epoch 7: another controller leads"),
        "{text}"
    );
    ensure!(rig.inventory(&host).await?["labels"]["zone"] == "a");
    // From people and v1's controller, as ever.
    rig.client.ok(&put, &label("c")).await?;
    // From the lease, while the host runs.
    let leases = leases(&rig).await?;
    let mut epoch = 0;
    while epoch < 8 {
        epoch = take(&*leases, epoch).await?;
    }
    until("lease known", async || {
        let answer = ask(&rig, &put, &label("d"), "7").await?;
        Ok(answer["success"] == false)
    })
    .await?;
    ensure!(ask(&rig, &put, &label("e"), &epoch.to_string()).await?["success"] == true);
    let garbage = ask(&rig, &put, &label("f"), "soon").await?;
    ensure!(
        message(&garbage)? == "header wasmcloud-epoch is `soon`, a number from 1 on is expected",
        "{garbage}"
    );
    ensure!(rig.inventory(&host).await?["labels"]["zone"] == "e");
    Ok(())
}

async fn every_command_is_fenced_and_no_question(target: Target) -> Result<()> {
    let (rig, host) = Rig::with_host(target).await?;
    ensure!(
        ask(
            &rig,
            &on("label.put", &host),
            &json!({ "key": "a", "value": "b" }),
            "9"
        )
        .await?["success"]
            == true
    );
    let id = host.id().as_str();
    let image = rig.nothing()?;
    let update = json!({ "host_id": id, "component_id": "a", "new_component_ref": image });
    let provider = json!({ "host_id": id, "provider_id": "p", "provider_ref": crate::support::HTTP });
    let del = json!({ "source_id": "a", "name": "default", "wit_namespace": "acme", "wit_package": "store" });
    for (subject, body) in [
        (on("component.scale", &host), scale(&host, "a", &image, 1)),
        (on("component.update", &host), update),
        (on("provider.start", &host), provider),
        (
            on("provider.stop", &host),
            json!({ "host_id": id, "provider_id": "p" }),
        ),
        ("link.put".to_owned(), link("a", "b", &["reader"])),
        ("link.del".to_owned(), del),
        ("config.put.web".to_owned(), json!({ "a": "b" })),
        ("config.del.web".to_owned(), Value::Null),
        (on("label.put", &host), json!({ "key": "x", "value": "y" })),
        (on("label.del", &host), json!({ "key": "a" })),
        ("registry.put".to_owned(), json!({})),
        (on("host.stop", &host), json!({})),
    ] {
        let answer = ask(&rig, &subject, &body, "8").await?;
        ensure!(
            message(&answer)?.starts_with("the command is of epoch 8"),
            "{subject}: {answer}"
        );
    }
    for subject in [
        "host.ping".to_owned(),
        on("host.get", &host),
        "link.get".to_owned(),
        "claims.get".to_owned(),
        "config.get.web".to_owned(),
    ] {
        let answer = ask(&rig, &subject, &Value::Null, "8").await?;
        ensure!(answer["success"] == true, "{subject}: {answer}");
    }
    let inventory = rig.inventory(&host).await?;
    ensure!(
        inventory["components"] == json!([]) && inventory["labels"]["a"] == "b",
        "{inventory}"
    );
    ensure!(host.host().links().is_empty() && host.ready().is_ok());
    Ok(())
}

async fn a_host_has_read_the_lease_before_it_takes_commands(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let leases = leases(&rig).await?;
    let first = take(&*leases, 0).await?;
    let second = take(&*leases, first).await?;
    let host = rig.host(|_, _| {}).await?;
    let label = json!({ "key": "a", "value": "b" });
    let answer = ask(&rig, &on("label.put", &host), &label, &first.to_string()).await?;
    ensure!(answer["success"] == false, "{answer}");
    let answer = ask(&rig, &on("label.put", &host), &label, &second.to_string()).await?;
    ensure!(answer["success"] == true, "{answer}");
    Ok(())
}

/// Only JetStream has a way to lose one bucket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_lost_locks_nobody_out() -> Result<()> {
    let (rig, host) = Rig::with_host(Target::Nats).await?;
    let leases = leases(&rig).await?;
    let first = take(&*leases, 0).await?;
    let epoch = take(&*leases, first).await?;
    let put = on("label.put", &host);
    let label = json!({ "key": "a", "value": "b" });
    until("lease known", async || {
        Ok(ask(&rig, &put, &label, &first.to_string()).await?["success"] == false)
    })
    .await?;
    ensure!(ask(&rig, &put, &label, &epoch.to_string()).await?["success"] == true);
    let connection = rig.client.connection();
    let delete = "$JS.API.STREAM.DELETE.KV_LEASES_default";
    let deleted = connection
        .request(delete, None, Bytes::new(), connection.default_deadline())
        .await?;
    ensure!(String::from_utf8_lossy(&deleted.payload).contains("true"));
    until("epochs that begin anew", async || {
        Ok(ask(&rig, &put, &label, &first.to_string()).await?["success"] == true)
    })
    .await
}

/// Who may use the buckets of v1 and no others runs a host all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_may_not_read_leases_joins() -> Result<()> {
    let config = r#"
        authorization { users: [ { user: u, password: p, permissions: { publish: {
            deny: ["$JS.API.*.*.KV_LEASES_default", "$JS.API.*.*.KV_LEASES_default.>"]
        } } } ] }
        no_auth_user: u
    "#;
    let mut rig = Rig::on_nats(NatsServer::default().jetstream().config(config)).await?;
    let short = std::time::Duration::from_secs(2);
    let host = rig
        .host(|_, join| join.lattice.control.request_timeout = short)
        .await;
    let host = host.context("it joins")?;
    let put = on("label.put", &host);
    let label = json!({ "key": "a", "value": "b" });
    ensure!(ask(&rig, &put, &label, "5").await?["success"] == true);
    ensure!(ask(&rig, &put, &label, "4").await?["success"] == false);
    Ok(())
}
