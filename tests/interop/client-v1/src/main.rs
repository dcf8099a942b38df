//! The manifest API as v1's own client (`wadm-client`) sees it, with nothing of ours: each argument is one operation,
//! and each answer one line of JSON. A test sees with it whether what people wrote for v1's wadm understands us.
//!
//! ```text
//! client-v1 NATS_URL LATTICE "put app.yaml" list "get web v1" "deploy web" "await web deployed"
//! ```

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use serde_json::{Value, json};
use wadm_client::error::ClientError;
use wadm_client::{Client, ClientConnectOptions};
use wadm_types::api::Status;

/// Longest time for an application to get the status that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")
        .and_then(|runtime| runtime.block_on(run()));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let mut args = env::args().skip(1);
    let url = args.next().context("the address of a NATS server comes first")?;
    let lattice = args.next().context("the name of a lattice comes second")?;
    let options = ClientConnectOptions {
        url: Some(url),
        ..ClientConnectOptions::default()
    };
    let client = Client::new(&lattice, None, options)
        .await
        .context("connect to the lattice")?;
    for operation in args {
        let words: Vec<&str> = operation.split(' ').collect();
        let line = match perform(&client, &words).await? {
            Ok(answer) => json!({ "operation": operation, "answer": answer }),
            Err(error) => {
                json!({ "operation": operation, "error": kind(&error), "message": error.to_string() })
            }
        };
        println!("{line}");
    }
    Ok(())
}

/// What a program can tell errors apart by.
fn kind(error: &ClientError) -> &'static str {
    match error {
        ClientError::ManifestLoad(_) => "manifest",
        ClientError::NatsError(_) => "nats",
        ClientError::ApiError(_) => "refused",
        ClientError::NotFound(_) => "not-found",
        ClientError::Serialization(_) => "not-understood",
        ClientError::Other(_) => "other",
    }
}

/// The inner result is what the client makes of the answer, the outer one is about this program.
async fn perform(client: &Client, words: &[&str]) -> Result<wadm_client::Result<Value>> {
    Ok(match *words {
        ["put", file] => client.put_manifest(file).await.map(|put| json!(put)),
        ["run", file] => client.put_and_deploy_manifest(file).await.map(|run| json!(run)),
        ["list"] => client.list_manifests().await.map(|list| json!(list)),
        ["get", app] => client
            .get_manifest(app, None)
            .await
            .map(|manifest| json!(manifest)),
        ["get", app, version] => {
            let got = client.get_manifest(app, Some(version)).await;
            got.map(|manifest| json!(manifest))
        }
        ["versions", app] => client.list_versions(app).await.map(|versions| json!(versions)),
        ["deploy", app] => client
            .deploy_manifest(app, None)
            .await
            .map(|deployed| json!(deployed)),
        ["deploy", app, version] => {
            let deployed = client.deploy_manifest(app, Some(version)).await;
            deployed.map(|deployed| json!(deployed))
        }
        ["undeploy", app] => client.undeploy_manifest(app).await.map(|name| json!(name)),
        ["delete", app] => client
            .delete_manifest(app, None)
            .await
            .map(|deleted| json!(deleted)),
        ["delete", app, version] => {
            let deleted = client.delete_manifest(app, Some(version)).await;
            deleted.map(|deleted| json!(deleted))
        }
        ["status", app] => client.get_manifest_status(app).await.map(|status| json!(status)),
        ["await", app, wanted] => Ok(json!(await_status(client, app, wanted).await?)),
        _ => bail!("`{}` is no operation", words.join(" ")),
    })
}

/// Listens to what is told of an application until it has a status.
async fn await_status(client: &Client, app: &str, wanted: &str) -> Result<Status> {
    let reached = |status: &Status| json!(status.info.status_type) == wanted;
    // First to listen and then to ask, so that nothing is missed in between.
    let mut told = client.subscribe_to_status(app).await.context("listen")?;
    let mut status = client
        .get_manifest_status(app)
        .await
        .context("ask for the status")?;
    let wait = async {
        while !reached(&status) {
            let message = told.next().await.context("the connection ended")?;
            status = serde_json::from_slice(&message.payload).context("read what was told")?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .with_context(|| format!("{app} was not {wanted} after {PATIENCE:?}"))?
        .with_context(|| format!("wait until {app} is {wanted}"))?;
    Ok(status)
}
