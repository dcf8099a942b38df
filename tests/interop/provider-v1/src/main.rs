//! A provider as people wrote them for wasmCloud v1, with the published SDK of v1 and nothing of ours. It keeps counters
//! and values in memory, apart for each link, hands messages from one component to another, and writes what it was told
//! into a diary that is read like a value: a test sees with it how a host treats a provider that it does not know.

mod broker;
mod diary;
mod store;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use wasmcloud_provider_sdk::{
    get_connection, initialize_observability, run_provider, serve_provider_exports,
};

use crate::store::Store;

/// What wit-bindgen makes of the contract.
mod bindings {
    wit_bindgen_wrpc::generate!({
        world: "provider",
        with: {
            "wasmcloud:messaging/types@0.2.0": generate,
            "wasmcloud:messaging/handler@0.2.0": generate,
            "wasmcloud:messaging/consumer@0.2.0": generate,
            "wrpc:keyvalue/store@0.2.0-draft": generate,
            "wrpc:keyvalue/atomics@0.2.0-draft": generate,
        },
    });
}

fn main() -> ExitCode {
    let ended = tokio::runtime::Builder::new_multi_thread()
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
    initialize_observability!("provider-v1", None::<std::path::PathBuf>);
    let store = Store::default();
    let shutdown = run_provider(store.clone(), "provider-v1")
        .await
        .context("start the provider")?;
    let connection = get_connection();
    let client = connection
        .get_wrpc_client(connection.provider_key())
        .await
        .context("connect to the lattice")?;
    serve_provider_exports(&client, store.clone(), shutdown, bindings::serve)
        .await
        .context("serve the store")?;
    store.ended().await
}
