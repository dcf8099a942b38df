//! Every operation of the API, with the texts that people and programs know.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wasmcloud_controller::api::Told;
use wasmcloud_controller::{
    AppReport, Decision, OnHost, PartKind, PartReport, Share, Status, StatusKind, Wait,
};
use wasmcloud_lattice::HeaderMap;

use crate::support::{LEADER, Target, World, manifest, name, with};

crate::support::for_all_servers!(
    each_operation_has_its_text,
    what_is_not_there_is_said,
    status_is_that_of_the_last_deployment,
    decisions_are_told,
    content_types_and_directories_are_headers,
);

fn json_of(text: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| text.to_owned())
}

async fn each_operation_has_its_text(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let served = world.serve().await?;
    let check = async |operation: &str, payload: &str, expected: &str| -> Result<()> {
        let mut reply = json_of(&served.ask(operation, payload).await?)?;
        let object = reply.as_object_mut().context("it is an object")?;
        // What differs each time, and what is long.
        for key in [
            "generation",
            "revision",
            "versions",
            "manifest",
            "text",
            "models",
            "status",
            "history",
        ] {
            object.remove(key);
        }
        let reply = reply.to_string();
        ensure!(reply == expected, "{operation}: {reply}");
        Ok(())
    };
    let one = manifest("shop", "1", "a/b:1");
    check("put", &one, r#"{"result":"created","total_versions":1,"current_version":"1","message":"Successfully put manifest shop 1","name":"shop"}"#).await?;
    check("put", &manifest("shop", "2", "a/b:2"), r#"{"result":"newversion","total_versions":2,"current_version":"2","message":"Successfully put manifest shop 2","name":"shop"}"#).await?;
    check("put", &one, r#"{"result":"newversion","total_versions":2,"current_version":"1","message":"Manifest shop 1 is the same as before, nothing was changed","name":"shop"}"#).await?;
    check(
        "put",
        &manifest("shop", "1", "a/b:3"),
        r#"{"result":"error","message":"Manifest version 1 already exists"}"#,
    )
    .await?;
    check(
        "get",
        "",
        r#"{"result":"success","message":"Successfully fetched list of applications"}"#,
    )
    .await?;
    check(
        "get.shop",
        "",
        r#"{"result":"success","message":"Successfully fetched application shop"}"#,
    )
    .await?;
    check(
        "get.shop",
        r#"{"version":"2"}"#,
        r#"{"result":"success","message":"Successfully fetched application shop 2"}"#,
    )
    .await?;
    check(
        "versions.shop",
        "",
        r#"{"result":"success","message":"Successfully fetched versions for application shop"}"#,
    )
    .await?;
    check("deploy.shop", r#"{"version":"2"}"#, r#"{"result":"acknowledged","message":"Successfully deployed application shop 2","name":"shop","version":"2"}"#).await?;
    check("deploy.shop", "", r#"{"result":"acknowledged","message":"Successfully deployed application shop 1","name":"shop","version":"1"}"#).await?;
    check("rollback.shop", "", r#"{"result":"acknowledged","message":"Successfully rolled back application shop to 2","name":"shop","version":"2"}"#).await?;
    check("pause.shop", "", r#"{"result":"acknowledged","message":"Successfully paused application shop","name":"shop","version":"2"}"#).await?;
    check("resume.shop", "", r#"{"result":"acknowledged","message":"Successfully resumed application shop","name":"shop","version":"2"}"#).await?;
    check(
        "status.shop",
        "",
        r#"{"result":"ok","message":"Successfully fetched status for application shop"}"#,
    )
    .await?;
    check(
        "history.shop",
        "",
        r#"{"result":"success","message":"Successfully fetched history for application shop"}"#,
    )
    .await?;
    check("undeploy.shop", "", r#"{"result":"acknowledged","message":"Successfully undeployed application shop","name":"shop","version":null}"#).await?;
    check("undeploy.shop", "", r#"{"result":"acknowledged","message":"Application shop was already undeployed","name":"shop","version":null}"#).await?;
    check(
        "del.shop",
        r#"{"version":"7"}"#,
        r#"{"result":"noop","message":"Application version 7 doesn't exist","undeploy":false}"#,
    )
    .await?;
    check("del.shop", r#"{"version":"1"}"#, r#"{"result":"deleted","message":"Successfully deleted version 1 of application shop","undeploy":false}"#).await?;
    check("del.shop", r#"{"version":"2"}"#, r#"{"result":"deleted","message":"Successfully deleted last version of application shop","undeploy":true}"#).await?;
    check("del.shop", "", r#"{"result":"noop","message":"Application shop doesn't exist or was already deleted","undeploy":false}"#).await?;
    check("put", &one, r#"{"result":"created","total_versions":1,"current_version":"1","message":"Successfully put manifest shop 1","name":"shop"}"#).await?;
    check(
        "del.shop",
        "",
        r#"{"result":"deleted","message":"Successfully deleted application shop","undeploy":true}"#,
    )
    .await?;
    ensure!(served.ask("list", "").await? == "[]", "the older list is bare");
    Ok(())
}

async fn what_is_not_there_is_said(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let served = world.serve().await?;
    for (operation, expected) in [
        (
            "get.x",
            r#"{"result":"notfound","message":"Application with the name x not found"}"#,
        ),
        (
            "versions.x",
            r#"{"result":"notfound","message":"Application with the name x not found","versions":[]}"#,
        ),
        (
            "deploy.x",
            r#"{"result":"notfound","message":"Application with the name x not found","name":"x","version":null}"#,
        ),
        (
            "undeploy.x",
            r#"{"result":"notfound","message":"Application with the name x not found","name":"x","version":null}"#,
        ),
        (
            "rollback.x",
            r#"{"result":"notfound","message":"Application with the name x not found","name":"x","version":null}"#,
        ),
        (
            "pause.x",
            r#"{"result":"notfound","message":"Application with the name x not found","name":"x","version":null}"#,
        ),
        (
            "status.x",
            r#"{"result":"notfound","message":"Application with the name x not found"}"#,
        ),
        (
            "history.x",
            r#"{"result":"notfound","message":"Application with the name x not found","history":[]}"#,
        ),
        (
            "why.x",
            r#"{"result":"notfound","message":"Application with the name x not found","parts":[]}"#,
        ),
        (
            "fly.x",
            r#"{"result":"error","message":"Unsupported subject: wadm.api.default.model.fly.x"}"#,
        ),
        (
            "fly",
            r#"{"result":"error","message":"Unsupported subject: wadm.api.default.model.fly"}"#,
        ),
    ] {
        let reply = served.ask(operation, "").await?;
        ensure!(reply == expected, "{operation}: {reply}");
    }
    let reply = served.ask("deploy.a.b", "").await?;
    ensure!(
        reply.starts_with(r#"{"result":"error","message":"Invalid subject: wadm.api.default.model.deploy.a.b: application name"#),
        "{reply}"
    );
    let reply = served.asker.message("wadm.api.default.other", None, "").await?;
    ensure!(
        reply
            .payload
            .starts_with(br#"{"result":"error","message":"Unsupported subject: "#)
    );
    let headers = reply.headers.context("who leads is said")?;
    ensure!(headers.get("wasmcloud-controller").map(|id| id.as_str()) == Some(LEADER));
    Ok(())
}

/// What a leader would say of an application with one component.
pub(crate) fn told(app: &str, generation: u64, kind: StatusKind, message: &str) -> Arc<Told> {
    let status = Status::new(kind, message);
    let part = PartReport {
        id: "ea77".to_owned(),
        kind: PartKind::Spread,
        name: format!("{app}-cart"),
        status: status.clone(),
        decision: Decision {
            scale: None,
            alias: Some("cart".to_owned()),
            shares: vec![Share {
                spread: "default".to_owned(),
                wanted: 1,
                eligible: 0,
            }],
            hosts: vec![OnHost {
                host: "NA".parse().unwrap(),
                runs: 0,
                wanted: 1,
            }],
            waits: vec![Wait::OneByOne],
        },
    };
    let report = AppReport {
        app: name(app),
        revision: None,
        status,
        scalers: vec![part],
        prerequisites: Vec::new(),
    };
    Arc::new(Told {
        reports: vec![report],
        generations: BTreeMap::from([(name(app), generation)]),
        held: None,
    })
}

async fn status_is_that_of_the_last_deployment(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let served = world.serve().await?;
    let status =
        async || -> Result<Value> { Ok(json_of(&served.ask("status.shop", "").await?)?["status"].take()) };
    world.put(&manifest("shop", "1", "a/b:1")).await?;
    ensure!(status().await? == json!({"status": {"type": "undeployed"}, "version": "", "components": []}));
    let first = world.deploy("shop").await?;
    let waiting = |generation: u64| {
        json!({
            "status": {"type": "reconciling", "message": format!("waiting for the controller to plan generation {generation}")},
            "version": "1", "components": [], "generation": generation
        })
    };
    ensure!(status().await? == waiting(first), "{}", status().await?);
    served
        .told
        .send_replace(Some(told("shop", first, StatusKind::Deployed, "")));
    let deployed = status().await?;
    ensure!(
        deployed["status"] == json!({"type": "deployed"}) && deployed["generation"] == first,
        "{deployed}"
    );
    ensure!(
        deployed["scalers"][0]
            == json!({"id": "ea77", "kind": "SpreadScaler", "name": "shop-cart", "status": {"type": "deployed"},
                      "alias": "cart", "hosts": [{"host": "NA", "runs": 0, "wanted": 1}],
                      "waits": ["for another host to be done first"]}),
        "{deployed}"
    );
    // Not the plan before.
    let second = world.deploy("shop").await?;
    ensure!(status().await? == waiting(second), "{}", status().await?);
    served
        .told
        .send_replace(Some(told("shop", second, StatusKind::Waiting, "for hosts")));
    ensure!(status().await?["status"] == json!({"type": "waiting", "message": "for hosts"}));
    let list = json_of(&served.ask("get", "").await?)?;
    let listed = &list["models"][0];
    ensure!(
        listed["status"] == "undeployed" && listed["detailed_status"]["status"]["type"] == "waiting",
        "as in v1, a list never says waiting: {listed}"
    );
    ensure!(
        listed["deployed_version"] == "1" && listed["status_message"] == "for hosts",
        "{listed}"
    );
    Ok(())
}

async fn decisions_are_told(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let served = world.serve().await?;
    world.put(&manifest("shop", "1", "a/b:1")).await?;
    let generation = world.deploy("shop").await?;
    let before = json_of(&served.ask("why.shop", "").await?)?;
    ensure!(
        before["message"] == format!("waiting for the controller to plan generation {generation}"),
        "{before}"
    );
    let mut plan = (*told("shop", generation, StatusKind::Failed, "no host")).clone();
    plan.held = Some("waiting for all hosts to be heard of".to_owned());
    served.told.send_replace(Some(Arc::new(plan)));
    for part in ["", r#"{"part":"cart"}"#, r#"{"part":"shop-cart"}"#, "{}"] {
        let why = json_of(&served.ask("why.shop", part).await?)?;
        ensure!(why["held"] == "waiting for all hosts to be heard of", "{why}");
        let decision = &why["parts"][0];
        ensure!(
            decision["spreads"] == json!([{"name": "default", "wanted": 1, "eligible": 0}])
                && decision["waits"] == json!(["for another host to be done first"])
                && decision["status"]["message"] == "no host",
            "{why}"
        );
    }
    let none = json_of(&served.ask("why.shop", r#"{"part":"x"}"#).await?)?;
    ensure!(
        none["result"] == "notfound" && none["message"] == "Application shop has no part `x`",
        "{none}"
    );
    Ok(())
}

async fn content_types_and_directories_are_headers(target: Target) -> Result<()> {
    let world = World::new(target).await?;
    let served = world.serve().await?;
    let put = async |text: &str, headers: &[(&str, &str)]| -> Result<Value> {
        let mut map = HeaderMap::new();
        for (key, value) in headers {
            map.insert(*key, *value);
        }
        let reply = served
            .asker
            .message("wadm.api.default.model.put", Some(map), text);
        Ok(serde_json::from_slice(&reply.await?.payload)?)
    };
    let text = manifest("shop", "1", "'file://cart.wasm'");
    let refused = put(&text, &[("Content-Type", "text/html")]).await?;
    ensure!(
        refused["message"] == "Unsupported content type text/html given. Wadm supports YAML and JSON",
        "{refused}"
    );
    let refused = put(&text, &[("Content-Type", "application/yaml")]).await?;
    ensure!(
        refused["message"]
            .as_str()
            .is_some_and(|text| text.contains("is relative")),
        "{refused}"
    );
    let reply = put(
        &text,
        &[
            ("Content-Type", "application/yaml"),
            ("wasmcloud-base-dir", "/work"),
        ],
    )
    .await?;
    ensure!(reply["result"] == "created", "{reply}");
    let got = json_of(&served.ask("get.shop", "").await?)?;
    ensure!(
        got["base_dir"] == "/work" && got["text"] == text.as_str(),
        "{got}"
    );
    ensure!(got["manifest"]["metadata"]["annotations"]["version"] == "1");
    // What uses something of applications that are not deployed yet can be put.
    let user = with(
        "user",
        "version: '1'",
        "application: { name: shop, component: cart }",
    );
    let user = user.split("    traits:").next().unwrap_or_default();
    let reply = put(user, &[]).await?;
    ensure!(
        reply["message"]
            == "Successfully put manifest user 1, but some shared components are not deployed: [cart of shop]",
        "{reply}"
    );
    Ok(())
}
