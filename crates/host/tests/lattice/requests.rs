//! Requests about the host itself: ping, inventory, labels, registries, stop, auctions; and what is none.

use anyhow::{Result, ensure};
use futures::StreamExt as _;
use serde_json::{Value, json};
use wasmcloud_test_kit::control::Event;

use crate::on_both_lattices;
use crate::support::{HTTP, Rig, Target, message, on, scale, soon};

on_both_lattices!(
    a_host_says_who_and_where_it_is,
    labels_are_put_and_deleted,
    auctions_are_answered_by_those_that_could,
    an_answer_that_does_not_fit_is_said,
    a_host_that_takes_no_part_in_auctions_is_silent,
    what_is_not_a_request_is_answered,
    requests_for_other_hosts_are_refused,
    registries_are_put,
    a_host_stops_when_it_is_asked_to,
    heartbeats_tell_the_inventory,
    a_config_service_is_asked,
);

async fn a_host_says_who_and_where_it_is(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let host = rig
        .host(|_, join| drop(join.labels.insert("zone".into(), "a".into())))
        .await?;
    let (text, response) = rig.client.ok("host.ping", &Value::Null).await?;
    ensure!(text.is_empty());
    let id = host.id().as_str();
    let labels = json!({
        "hostcore.arch": std::env::consts::ARCH, "hostcore.os": "linux", "hostcore.osfamily": "unix",
        "zone": "a",
    });
    ensure!(
        response["id"] == id && response["lattice"] == "default",
        "{response}"
    );
    ensure!(response["labels"] == labels, "{response}");
    ensure!(response["ctl_host"] == host.connection().address(), "{response}");
    ensure!(response["rpc_host"] == host.connection().address(), "{response}");
    ensure!(response["version"] == env!("CARGO_PKG_VERSION"), "{response}");
    ensure!(response["friendly_name"] == host.identity().friendly_name);
    ensure!(response["uptime_seconds"].is_u64() && response["uptime_human"].is_string());
    let inventory = rig.inventory(&host).await?;
    ensure!(
        inventory["host_id"] == id && inventory["labels"] == labels,
        "{inventory}"
    );
    ensure!(inventory["components"] == json!([]) && inventory["providers"] == json!([]));
    ensure!(inventory["friendly_name"] == response["friendly_name"]);
    // A payload where none belongs does no harm.
    rig.client.ok("host.ping", &json!({ "x": 1 })).await?;
    Ok(())
}

async fn labels_are_put_and_deleted(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let (put, del) = (on("label.put", &host), on("label.del", &host));
    let (text, _) = rig
        .client
        .ok(&put, &json!({ "key": "zone", "value": "a" }))
        .await?;
    ensure!(text == "successfully put label");
    let changed = rig.events.next().await?;
    ensure!(changed.kind == "labels_changed" && changed.data["host_id"] == host.id().as_str());
    ensure!(changed.data["labels"]["zone"] == "a", "{changed:?}");
    ensure!(rig.inventory(&host).await?["labels"]["zone"] == "a");

    for key in ["hostcore.os", "hostcore.x"] {
        let why = rig
            .client
            .refused(&put, &json!({ "key": key, "value": "b" }))
            .await?;
        ensure!(why == "hostcore.* labels cannot be set dynamically", "{why}");
    }
    ensure!(rig.client.ok(&del, &json!({ "key": "zone" })).await?.0 == "successfully deleted label");
    let changed = rig.events.next().await?;
    ensure!(changed.kind == "labels_changed" && changed.data["labels"].get("zone").is_none());
    let (text, _) = rig.client.ok(&del, &json!({ "key": "zone" })).await?;
    ensure!(text == "successfully deleted label (no such label)");
    // v1 let a host lose its own labels.
    let why = rig.client.refused(&del, &json!({ "key": "hostcore.os" })).await?;
    ensure!(why == "hostcore.* labels cannot be set dynamically", "{why}");
    ensure!(rig.inventory(&host).await?["labels"]["hostcore.os"] == "linux");
    Ok(())
}

async fn auctions_are_answered_by_those_that_could(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let image = rig.nothing()?;
    rig.run(&host, "taken", &image).await?;
    rig.provide(&host, "http", HTTP).await?;
    for (noun, taken) in [("component", "taken"), ("provider", "http")] {
        let (subject, inbox) = (format!("{noun}.auction"), rig.client.connection().new_inbox());
        let mut answers = rig.client.connection().subscribe(&inbox).await?;
        let body = |id: &str, constraints: Value| {
            json!({
                format!("{noun}_ref"): image, format!("{noun}_id"): id, "constraints": constraints,
            })
        };
        let linux = json!({ "hostcore.os": "linux" });
        let silent = [
            body(taken, json!({})),
            body("free", json!({ "hostcore.os": "plan9" })),
            body("free", json!({ "hostcore.os": "linux", "zone": "a" })),
        ];
        for body in &silent {
            rig.client.send(&subject, body, Some(&inbox)).await?;
        }
        // Auctions are answered in their order, so the first answer says that those before have none.
        rig.client
            .send(&subject, &body("free", linux.clone()), Some(&inbox))
            .await?;
        let answer = soon("answer", answers.next()).await?.unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload)?;
        let mut expected = body("free", linux);
        expected["host_id"] = host.id().as_str().into();
        ensure!(answer["success"] == true && answer["message"] == "", "{answer}");
        ensure!(answer["response"] == expected, "{answer} is not {expected}");
    }
    Ok(())
}

async fn an_answer_that_does_not_fit_is_said(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let image = rig.nothing()?;
    for id in ["a", "b", "c"] {
        let mut body = scale(&host, id, &image, 1);
        body["annotations"] = json!({ "long": "x".repeat(400 << 10) });
        rig.client.ok(&on("component.scale", &host), &body).await?;
        rig.events
            .wait("component_scaled", &json!({ "component_id": id }))
            .await?;
    }
    let why = rig.client.refused(&on("host.get", &host), &Value::Null).await?;
    ensure!(why.contains("bytes") && why.contains("max_payload"), "{why}");
    rig.client.ok("host.ping", &Value::Null).await?;
    rig.client
        .ok(&on("component.scale", &host), &scale(&host, "a", "", 0))
        .await?;
    rig.events
        .wait("component_scaled", &json!({ "max_instances": 0 }))
        .await?;
    ensure!(rig.inventory(&host).await?["components"].as_array().map(Vec::len) == Some(2));
    // Labels are in every answer to a ping.
    let label = json!({ "key": "long", "value": "x".repeat(400 << 10) });
    let why = rig.client.refused(&on("label.put", &host), &label).await?;
    ensure!(why.contains("bytes"), "{why}");
    Ok(())
}

async fn a_host_that_takes_no_part_in_auctions_is_silent(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let part = |join: &mut wasmcloud_host::JoinOptions, components, providers| {
        join.auctions = wasmcloud_host::ControlAuctions {
            components,
            providers,
        };
    };
    let components = rig.host(|_, join| part(join, true, false)).await?;
    let providers = rig.host(|_, join| part(join, false, true)).await?;
    for (noun, host) in [("component", &components), ("provider", &providers)] {
        let body = json!({ format!("{noun}_ref"): "x", format!("{noun}_id"): "free" });
        let answer = rig.client.ask(&format!("{noun}.auction"), &body).await?;
        ensure!(answer["response"]["host_id"] == host.id().as_str(), "{answer}");
    }
    let _neither = rig.host(|_, join| part(join, false, false)).await?;
    components.leave(&[], &[]).await;
    let body = json!({ "component_ref": "x", "component_id": "free" });
    let nobody = rig.client.ask("component.auction", &body).await;
    ensure!(nobody.is_err(), "nobody takes part any more: {nobody:?}");
    Ok(())
}

async fn what_is_not_a_request_is_answered(target: Target) -> Result<()> {
    let (rig, host) = Rig::with_host(target).await?;
    for unknown in ["component.eat", "provider.eat", "label.eat", "host.eat"] {
        let why = rig.client.refused(&on(unknown, &host), &Value::Null).await?;
        ensure!(why.starts_with("unsupported subject"), "{unknown}: {why}");
    }
    for unknown in ["link.eat", "config.eat.x", "config.put"] {
        let why = rig.client.refused(unknown, &Value::Null).await?;
        ensure!(why.starts_with("unsupported subject"), "{unknown}: {why}");
    }
    let garbled = [
        (on("component.scale", &host), "component scale"),
        (on("component.update", &host), "component update"),
        (on("provider.start", &host), "provider start"),
        (on("provider.stop", &host), "provider stop"),
        (on("label.put", &host), "label put"),
        (on("label.del", &host), "label delete"),
        (on("host.stop", &host), "host stop"),
        ("component.auction".to_owned(), "component auction"),
        ("provider.auction".to_owned(), "provider auction"),
        ("link.put".to_owned(), "link put"),
        ("link.del".to_owned(), "link delete"),
        ("registry.put".to_owned(), "registr"),
    ];
    for (subject, what) in garbled {
        let why = rig.client.refused(&subject, &json!([1])).await?;
        ensure!(
            why.starts_with("failed to deserialize") && why.contains(what),
            "{subject}: {why}"
        );
    }
    let inventory = rig.inventory(&host).await?;
    ensure!(inventory["components"] == json!([]), "{inventory}");
    Ok(())
}

async fn requests_for_other_hosts_are_refused(target: Target) -> Result<()> {
    let (rig, host) = Rig::with_host(target).await?;
    let other = wasmcloud_host::HostKey::generate().id();
    let expected = format!("invalid host_id [{other}]");
    let mut body = scale(&host, "a", "x", 1);
    body["host_id"] = other.as_str().into();
    body["provider_id"] = "a".into();
    body["new_component_ref"] = "x".into();
    let mut start = body.clone();
    start["provider_ref"] = "x".into();
    for (subject, body) in [
        ("component.scale", &body),
        ("component.update", &body),
        ("provider.start", &start),
        ("provider.stop", &body),
        ("host.stop", &body),
    ] {
        let why = rig.client.refused(&on(subject, &host), body).await?;
        ensure!(why == expected, "{subject}: {why}");
    }
    Ok(())
}

async fn registries_are_put(target: Target) -> Result<()> {
    let (rig, _host) = Rig::with_host(target).await?;
    let body = json!({
        "ghcr.io": { "username": "u", "password": "p", "registryType": "oci" },
        "127.0.0.1:5000": { "token": "t", "registryType": "oci" },
        "useless.io": { "registryType": "oci" },
    });
    ensure!(rig.client.ok("registry.put", &body).await?.0 == "successfully put registries");
    Ok(())
}

async fn a_host_stops_when_it_is_asked_to(target: Target) -> Result<()> {
    let (mut rig, host) = Rig::with_host(target).await?;
    let image = rig.nothing()?;
    rig.run(&host, "a", &image).await?;
    let body = json!({ "host_id": host.id().as_str(), "timeout": 2000 });
    let (text, _) = rig.client.ok(&on("host.stop", &host), &body).await?;
    ensure!(text == "successfully handled stop host");
    let request = soon("request to stop", host.stop_requested()).await?;
    ensure!(request.timeout == Some(std::time::Duration::from_secs(2)));
    host.leave(&[], &[]).await;
    let Event { kind, source, data } = rig.events.next().await?;
    ensure!(kind == "host_stopped" && source == host.id().as_str());
    ensure!(data["labels"]["hostcore.os"] == "linux", "{data}");
    let gone = rig.client.ask(&on("host.get", &host), &Value::Null).await;
    ensure!(format!("{:#}", gone.unwrap_err()).contains("nobody"), "at once");
    ensure!(host.ready().is_err());

    // Without a body, as v1 clients may.
    let host = rig.host(|_, _| {}).await?;
    rig.client.ok(&on("host.stop", &host), &Value::Null).await?;
    ensure!(
        soon("request to stop", host.stop_requested())
            .await?
            .timeout
            .is_none()
    );
    Ok(())
}

async fn heartbeats_tell_the_inventory(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let often = std::time::Duration::from_millis(50);
    let host = rig.host(|_, join| join.heartbeat = often).await?;
    let image = rig.nothing()?;
    rig.run(&host, "a", &image).await?;
    let beat = rig.events.wait("host_heartbeat", &json!({})).await?;
    let inventory = rig.inventory(&host).await?;
    ensure!(beat.source == host.id().as_str());
    for field in [
        "components",
        "providers",
        "labels",
        "friendly_name",
        "host_id",
        "version",
    ] {
        ensure!(
            beat.data[field] == inventory[field],
            "{field}: {beat:?} {inventory}"
        );
    }
    ensure!(beat.data["components"][0]["id"] == "a", "{beat:?}");
    Ok(())
}

async fn a_config_service_is_asked(target: Target) -> Result<()> {
    let mut rig = Rig::start(target).await?;
    let connection = rig.client.connection().clone();
    let mut asked = connection.subscribe("wasmbus.cfg.default.req").await?;
    connection
        .barrier(tokio::time::Instant::now() + wasmcloud_test_kit::process::SOON)
        .await?;
    let service = tokio::spawn(async move {
        let request = soon("question", asked.next()).await?.unwrap();
        let body: Value = serde_json::from_slice(&request.payload)?;
        let reply = json!({ "registryCredentials": {
            "ghcr.io": { "username": "u", "password": "p", "registryType": "oci" },
        } });
        connection
            .publish(&request.reply.unwrap(), None, reply.to_string().into())
            .await?;
        anyhow::Ok(body)
    });
    let one = rig
        .host(|_, join| {
            join.config_service = true;
            join.labels.insert("zone".into(), "a".into());
        })
        .await?;
    let asked = service.await??;
    ensure!(asked["labels"]["zone"] == "a", "{asked}");
    // Nobody answers any more, and a host starts all the same.
    let two = rig.host(|_, join| join.config_service = true).await?;
    let all = rig.client.ask_all("host.ping", &Value::Null, 2).await?;
    ensure!(all.iter().all(|answer| message(answer).is_ok_and(str::is_empty)));
    ensure!(one.id() != two.id());
    Ok(())
}
