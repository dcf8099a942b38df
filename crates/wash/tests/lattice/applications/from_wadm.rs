//! A lattice that v1's wadm looked after, as it is when wadm is gone: its bucket, and what runs under its annotations.
//! What it kept is taken over, and what runs goes on running.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};
use wasmcloud_lattice::{Bucket, open_state};
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::load::Load;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Ended, Launch, SOON};
use wasmcloud_test_nats::Running;

use super::support::{Api, HELLO, PAGE, file, labelled};
use super::{HELLO_WORD, PAGE_WORD};
use crate::support::{Driven, HTTP, WASH, connect, nats, until};

/// A manifest as wadm writes it: what a person wrote, with its version.
fn manifest(name: &str, version: &str, shared: bool, components: Value) -> Value {
    let mut annotations = json!({ "version": version });
    if shared {
        annotations["experimental.wasmcloud.dev/shared"] = json!("true");
    }
    json!({
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": { "name": name, "annotations": annotations },
        "spec": { "components": components },
    })
}

/// The image of an example.
fn image(of: &str) -> Result<String> {
    Ok(format!("file://{}", file(of)?.display()))
}

/// One component that runs so often.
fn site(of: &str, instances: u32) -> Result<Value> {
    Ok(json!({
        "name": "site", "type": "component",
        "properties": { "image": image(of)? },
        "traits": [{ "type": "spreadscaler", "properties": { "instances": instances } }],
    }))
}

/// A component behind an HTTP server.
fn web(version: &str, of: &str, address: SocketAddr) -> Result<Value> {
    let source =
        json!({ "config": [{ "name": "address", "properties": { "address": address.to_string() } }] });
    let link = json!({
        "namespace": "wasi", "package": "http", "interfaces": ["incoming-handler"], "source": source,
        "target": { "name": "site" },
    });
    let server = json!({
        "name": "server", "type": "capability",
        "properties": { "image": HTTP },
        "traits": [{ "type": "link", "properties": link }],
    });
    Ok(manifest("web", version, false, json!([site(of, 4)?, server])))
}

/// Writes what wadm has written: the applications of lattice `default`, and one of another lattice.
async fn write(api: &Api, applications: &[(&str, Value)]) -> Result<()> {
    let state = open_state(api.control.connection(), Bucket::new("wadm_manifests")?, None).await?;
    for (name, application) in applications {
        state
            .put(&format!("default-{name}"), application.to_string().into())
            .await?;
    }
    // There is no application behind the last one.
    let names: Vec<&str> = applications
        .iter()
        .map(|(name, _)| *name)
        .chain(["lost"])
        .collect();
    state.put("default", json!(names).to_string().into()).await?;
    state.put("other", json!(["web"]).to_string().into()).await?;
    state.put("other-web", "{}".into()).await?;
    Ok(())
}

fn stored(manifests: &[Value], deployed: Option<&str>) -> Value {
    let versions = manifests.iter().map(|manifest| {
        let version = manifest["metadata"]["annotations"]["version"]
            .as_str()
            .unwrap_or_default();
        (version.to_owned(), manifest.clone())
    });
    json!({ "manifests": versions.collect::<Map<_, _>>(), "deployed_version": deployed })
}

/// Starts `web` as wadm has it started: two instances on each of two hosts would be the same to us, all on one is what
/// wadm does.
async fn start(host: &mut Driven, address: SocketAddr) -> Result<()> {
    let marks = |scaler: &str| {
        json!({
            "wasmcloud.dev/managed-by": "wadm", "wasmcloud.dev/appspec": "web",
            "wasmcloud.dev/scaler": scaler, "wasmcloud.dev/spread_name": "default",
        })
    };
    let config = json!({ "address": address.to_string() });
    host.client.ok("config.put.web-address", &config).await?;
    let mut scale = host.scale("web-site", &image(HELLO)?, 4);
    scale["annotations"] = marks("1111");
    host.client.ok(&host.on("component.scale"), &scale).await?;
    let provider = json!({
        "provider_id": "web-server", "provider_ref": HTTP, "host_id": host.id, "annotations": marks("2222"),
    });
    host.client.ok(&host.on("provider.start"), &provider).await?;
    let link = json!({
        "source_id": "web-server", "target": "web-site", "name": "default", "wit_namespace": "wasi",
        "wit_package": "http", "interfaces": ["incoming-handler"], "source_config": ["web-address"],
        "target_config": [],
    });
    host.client.ok("link.put", &link).await?;
    until("answer", async || Ok(get(address, "/")?.status == 200)).await
}

fn import(nats: &Running, words: &[&str]) -> Result<Ended> {
    let mut all = vec!["-o", "json", "app", "import"];
    all.extend(words);
    Launch::command(WASH, &all)?
        .arg("--nats-url")
        .arg(nats.url())
        .run()
}

/// What was said of each application and version.
fn said(ended: &Ended) -> Result<Vec<(String, String, String)>> {
    let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let events = ended.events();
    let (_, events) = events.split_last().with_context(|| ended.text())?;
    Ok(events
        .iter()
        .map(|event| (text(event, "event"), text(event, "name"), text(event, "version")))
        .collect())
}

fn why(ended: &Ended, name: &str) -> String {
    let events = ended.events();
    let refused = events
        .iter()
        .find(|event| event["event"] == "refused" && event["name"] == name);
    refused
        .map(|event| event["message"].to_string())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_wadm_kept_is_taken_over_and_what_runs_goes_on() -> Result<()> {
    let nats = nats()?;
    let address = free_address()?;
    let front = labelled(&nats, &[])?.arg("--controller").arg("off").ready()?;
    let api = Api::new(&nats).await?;
    let mut host = Driven::new(connect(&nats.url()).await?, &front).await?;
    start(&mut host, address).await?;
    let before = host.inventory().await?;
    let load = Load::start(address, "/");

    // Of two that belong together, the one that needs the other comes first by name.
    let reference = json!({
        "name": "site", "type": "component",
        "properties": { "application": { "name": "common", "component": "site" } },
    });
    let user = json!([site(HELLO, 1)?, reference]);
    let mut user = manifest("a-user", "1", false, user);
    user["spec"]["components"][0]["name"] = json!("mine");
    let odd = json!([{
        "name": "site", "type": "component", "properties": { "image": image(HELLO)? },
        "traits": [{ "type": "spreadscalar", "properties": { "instances": 1 } }],
    }]);
    write(
        &api,
        &[
            ("a-user", stored(&[user], Some("1"))),
            (
                "common",
                stored(
                    &[manifest("common", "1", true, json!([site(PAGE, 1)?]))],
                    Some("1"),
                ),
            ),
            ("garbage", json!({ "manifests": 7 })),
            (
                "half",
                stored(
                    &[manifest("half", "1", false, json!([site(HELLO, 1)?]))],
                    Some("2"),
                ),
            ),
            ("odd", stored(&[manifest("odd", "1", false, odd)], Some("1"))),
            (
                "stopped",
                stored(&[manifest("stopped", "1", false, json!([site(HELLO, 1)?]))], None),
            ),
            (
                "web",
                stored(
                    &[
                        web("v9", PAGE, address)?,
                        web("v1", HELLO, address)?,
                        web("v2", PAGE, address)?,
                    ],
                    Some("v1"),
                ),
            ),
        ],
    )
    .await?;

    // A controller that knows nothing of all that leaves it alone.
    let back = labelled(&nats, &[])?.ready()?;
    api.leader().await?;
    let ended = import(&nats, &["--from-wadm"])?;
    ensure!(ended.code == 1, "some could not be taken over: {}", ended.text());
    let line = |what: &str, name: &str, version: &str| (what.to_owned(), name.to_owned(), version.to_owned());
    ensure!(
        said(&ended)?
            == [
                line("refused", "garbage", ""),
                line("refused", "lost", ""),
                line("put", "a-user", "1"),
                line("put", "common", "1"),
                line("put", "half", "1"),
                line("refused", "half", "2"),
                line("refused", "odd", "1"),
                line("put", "stopped", "1"),
                line("put", "web", "v9"),
                line("put", "web", "v1"),
                line("put", "web", "v2"),
                line("deployed", "common", "1"),
                line("deployed", "web", "v1"),
                line("deployed", "a-user", "1"),
            ],
        "{}",
        ended.text()
    );
    for (name, reason) in [
        ("garbage", "manifests"),
        ("half", "it was deployed"),
        ("lost", "nothing under `default-lost`"),
        ("odd", "spreadscalar"),
    ] {
        ensure!(why(&ended, name).contains(reason), "{name}: {}", ended.text());
    }

    for app in ["web", "common", "a-user"] {
        api.wait(app, "deployed").await?;
    }
    ensure!(api.spread(&[&front, &back], "web-site").await? == [4, 0]);
    // The same annotations as before: nobody has told the host anything about them.
    let now = host.inventory().await?;
    let of_web = |inventory: &Value, list: &str| {
        let list = inventory[list].as_array().cloned().unwrap_or_default();
        let running = list
            .into_iter()
            .find(|running| running["annotations"]["wasmcloud.dev/appspec"] == "web");
        running.map(|running| running["annotations"].clone())
    };
    for list in ["components", "providers"] {
        ensure!(of_web(&before, list).is_some(), "{before:#}");
        ensure!(of_web(&before, list) == of_web(&now, list), "{now:#}");
    }
    let (versions, _) = api.ask("versions.web", "").await?;
    let order: Vec<_> = versions["versions"]
        .as_array()
        .context("versions")?
        .iter()
        .map(|it| it["version"].clone())
        .collect();
    ensure!(order == ["v9", "v1", "v2"], "{versions:#}");

    // Once more: all of it is there.
    let again = import(&nats, &["--from-wadm=wadm_manifests"])?;
    let last = again.events().pop().with_context(|| again.text())?;
    ensure!(
        last == json!({ "put": 0, "skipped": 7, "deployed": 0, "refused": 4, "success": false }),
        "{}",
        again.text()
    );

    // What wadm has started is ours to change and to end.
    load.wait_answer(HELLO_WORD, SOON)?;
    let (deployed, _) = api.ask("deploy.web", r#"{"version":"v2"}"#).await?;
    ensure!(deployed["result"] == "acknowledged", "{deployed}");
    load.wait_answer(PAGE_WORD, SOON)?;
    api.wait("web", "deployed").await?;
    println!(
        "answers while web was taken over and changed: {:?}",
        load.finish()?
    );
    ensure!(api.instances(&[&front, &back], "web-site").await? == 4);
    api.ask("undeploy.web", "").await?;
    api.wait("web", "undeployed").await?;
    until("end of what wadm had started", async || {
        let gone = api.spread(&[&front, &back], "web-site").await? == [0, 0];
        Ok(gone && get(address, "/").is_err())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_wadm_kept_nothing_that_is_said() -> Result<()> {
    let nats = nats()?;
    let host = labelled(&nats, &[])?.ready()?;
    let api = Api::new(&nats).await?;
    let ended = import(&nats, &["--from-wadm"])?;
    ensure!(
        ended.code == 1 && ended.text().contains("there is no bucket `wadm_manifests`"),
        "{}",
        ended.text()
    );
    // It was not made by looking for it.
    let again = import(&nats, &["--from-wadm"])?;
    ensure!(again.text().contains("there is no bucket"), "{}", again.text());
    write(
        &api,
        &[(
            "web",
            stored(
                &[manifest("web", "1", false, json!([site(HELLO, 1)?]))],
                Some("1"),
            ),
        )],
    )
    .await?;
    let ended = import(&nats, &["--from-wadm", "--lattice", "nobodys"])?;
    ensure!(
        ended.text().contains("no applications of lattice `nobodys`"),
        "{}",
        ended.text()
    );
    let ended = import(&nats, &["--from-wadm", "--no-deploy"])?;
    let last = ended.events().pop().with_context(|| ended.text())?;
    ensure!(
        last == json!({ "put": 1, "skipped": 0, "deployed": 0, "refused": 1, "success": false }),
        "{}",
        ended.text()
    );
    let (versions, _) = api.ask("versions.web", "").await?;
    ensure!(versions["versions"][0]["deployed"] == false, "{versions}");
    host.stop()?;
    Ok(())
}
