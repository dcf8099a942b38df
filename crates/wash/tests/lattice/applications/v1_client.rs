//! The manifest API as the published client of v1 sees it (`tests/interop/client-v1`): what it asks is done, and what
//! goes wrong reaches it as the error that it has for that.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::Launch;
use wasmcloud_test_nats::interop;

use super::support::{Api, HELLO, PAGE, PATIENCE, Web, labelled};
use super::{HELLO_WORD, PAGE_WORD};
use crate::support::nats;

/// Runs operations one after the other; answers the lines that the client has for them.
fn ask(nats_url: &str, operations: &[&str]) -> Result<Vec<Value>> {
    let mut client = Launch::command(interop("client-v1")?, &[nats_url, "default"])?;
    for operation in operations {
        client = client.arg(operation);
    }
    let ended = client.run_within(PATIENCE * 2)?;
    ensure!(ended.code == 0, "{}", ended.text());
    let lines: Vec<Value> = ended
        .stdout
        .iter()
        .map(|line| serde_json::from_str(line))
        .collect::<Result<_, _>>()?;
    ensure!(lines.len() == operations.len(), "{}", ended.text());
    Ok(lines)
}

/// What the client has to say about operations, in their order: an answer, or the kind of an error.
fn check(nats_url: &str, expected: &[(&str, Value)]) -> Result<()> {
    let operations: Vec<&str> = expected.iter().map(|(operation, _)| *operation).collect();
    for (line, (operation, expected)) in ask(nats_url, &operations)?.iter().zip(expected) {
        let said = match line["error"].as_str() {
            Some(kind) => json!({ "error": kind }),
            None => line["answer"].clone(),
        };
        ensure!(said == *expected, "{operation}: {line:#}, and not {expected:#}");
    }
    Ok(())
}

fn error(kind: &str) -> Value {
    json!({ "error": kind })
}

/// Writes the manifest of a version; answers the operation that puts it.
fn file(dir: &Path, address: SocketAddr, image: &str, version: &str) -> Result<String> {
    let file = dir.join(format!("{version}.yaml"));
    std::fs::write(&file, Web::new(image, address, 2).text(version)?)?;
    Ok(file.display().to_string())
}

fn page(address: SocketAddr) -> Result<String> {
    Ok(get(address, "/")?.expect(200)?.text())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_of_v1_leads_an_application_through_its_life() -> Result<()> {
    let nats = nats()?;
    let front = labelled(&nats, &[("role", "front")])?.ready()?;
    let back = labelled(&nats, &[])?.ready()?;
    let (url, address, dir) = (nats.url(), free_address()?, tempfile::tempdir()?);
    let first = file(dir.path(), address, HELLO, "v1")?;
    let second = file(dir.path(), address, PAGE, "v2")?;
    // As v1's wadm, nobody answers before there is a controller, and the client does not ask twice.
    Api::new(&nats).await?.leader().await?;

    check(
        &url,
        &[
            ("list", json!([])),
            (&format!("put {first}"), json!(["web", "v1"])),
            ("versions web", json!([{ "version": "v1", "deployed": false }])),
            ("deploy web", json!(["web", "v1"])),
        ],
    )?;
    let deployed = ask(
        &url,
        &[
            "await web deployed",
            "status web",
            "list",
            "get web",
            "get web v1",
        ],
    )?;
    let status = &deployed[0]["answer"];
    ensure!(status == &deployed[1]["answer"], "{deployed:#?}");
    // The component, the server and the link.
    ensure!(
        status["scalers"].as_array().map(Vec::len) == Some(3),
        "{status:#}"
    );
    let listed = &deployed[2]["answer"][0];
    for (field, expected) in [
        ("name", "web"),
        ("version", "v1"),
        ("deployed_version", "v1"),
        ("status", "deployed"),
    ] {
        ensure!(listed[field] == expected, "{field}: {listed:#}");
    }
    ensure!(&listed["detailed_status"] == status, "{listed:#}");
    let manifest = &deployed[3]["answer"];
    ensure!(manifest == &deployed[4]["answer"], "{deployed:#?}");
    ensure!(
        manifest["metadata"]["annotations"]["version"] == "v1",
        "{manifest:#}"
    );
    let names: Vec<_> = manifest["spec"]["components"]
        .as_array()
        .context("components")?
        .iter()
        .collect();
    ensure!(names.len() == 2 && names[0]["name"] == "site", "{manifest:#}");
    ensure!(
        names[1]["traits"][1]["properties"]["target"]["name"] == "site",
        "{manifest:#}"
    );
    ensure!(page(address)?.contains(HELLO_WORD));

    check(&url, &[(&format!("run {second}"), json!(["web", "v2"]))])?;
    ask(&url, &["await web deployed"])?;
    ensure!(page(address)?.starts_with(PAGE_WORD));
    let versions = |deployed: [bool; 2]| json!([{ "version": "v1", "deployed": deployed[0] }, { "version": "v2", "deployed": deployed[1] }]);
    check(
        &url,
        &[
            ("versions web", versions([false, true])),
            ("deploy web v1", json!(["web", "v1"])),
            ("versions web", versions([true, false])),
        ],
    )?;
    ask(&url, &["await web deployed"])?;
    ensure!(page(address)?.contains(HELLO_WORD));

    check(&url, &[("undeploy web", json!("web"))])?;
    ask(&url, &["await web undeployed"])?;
    check(
        &url,
        &[
            ("versions web", versions([false, false])),
            ("delete web v2", json!(true)),
            ("delete web v2", json!(false)),
            ("delete web", json!(true)),
            ("list", json!([])),
            ("get web", error("not-found")),
        ],
    )?;
    front.stop()?;
    back.stop()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_reaches_the_client_of_v1() -> Result<()> {
    let nats = nats()?;
    let host = labelled(&nats, &[("role", "front")])?.ready()?;
    let (url, address, dir) = (nats.url(), free_address()?, tempfile::tempdir()?);
    let first = file(dir.path(), address, HELLO, "v1")?;
    let bad = dir.path().join("bad.yaml");
    let text = Web::new(HELLO, address, 2).text("v2")?;
    // The client reads it without complaint, and only a server says what is wrong with it.
    std::fs::write(
        &bad,
        text.replace("target: { name: site }", "target: { name: nobody }"),
    )?;
    let again = dir.path().join("again.yaml");
    std::fs::write(&again, Web::new(PAGE, address, 2).text("v1")?)?;
    let latest = dir.path().join("latest.yaml");
    std::fs::write(&latest, Web::new(HELLO, address, 2).text("latest")?)?;
    Api::new(&nats).await?.leader().await?;

    check(
        &url,
        &[
            ("get web", error("not-found")),
            ("status web", error("not-found")),
            ("versions web", error("not-found")),
            ("deploy web", error("not-found")),
            ("undeploy web", error("not-found")),
            ("delete web", json!(false)),
            (&format!("put {first}"), json!(["web", "v1"])),
            ("get web v9", error("not-found")),
            ("deploy web v9", error("refused")),
            ("delete web v9", json!(false)),
        ],
    )?;
    let operations = [&bad, &again, &latest].map(|file| format!("put {}", file.display()));
    let operations: Vec<&str> = operations
        .iter()
        .map(String::as_str)
        .chain(["get we$b"])
        .collect();
    let refused = ask(&url, &operations)?;
    for (line, reason) in refused.iter().zip(["nobody", "v1", "latest", "we$b"]) {
        ensure!(line["error"] == "refused", "{line:#}");
        ensure!(
            line["message"].as_str().is_some_and(|text| text.contains(reason)),
            "{line:#} does not say {reason}"
        );
    }
    // None of it has left anything.
    check(
        &url,
        &[("versions web", json!([{ "version": "v1", "deployed": false }]))],
    )?;
    host.stop()?;
    Ok(())
}
