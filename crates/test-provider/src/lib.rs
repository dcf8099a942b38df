//! A capability provider for tests. A crate whose tests need one makes it a program of its own: an example whose
//! `main` is [`run`].
//!
//! It speaks the provider protocol of v1 (wire reference §2.5, §4.7) over the NATS client that providers of v1 use, in
//! JSON that knows none of the types of the host, except for the line that it reads first. What it was told it answers
//! on `test.provider.ID.report`. Its config says how it misbehaves.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value by name is null where there is none"
)]

mod misbehave;
mod report;
mod serve;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_nats::ConnectOptions;
use wasmcloud_wire::provider::HostData;

/// With this argument the program only waits to be killed: what a provider leaves behind.
const IDLE: &str = "idle";

/// The whole program.
#[must_use]
pub fn run() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(IDLE) {
        loop {
            std::thread::park();
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(provider()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn provider() -> Result<()> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("read the host data")?;
    let data = HostData::from_line(&line).context("read the host data")?;
    println!("provider {} begins", data.provider_key);
    misbehave::at_start(&data.config)?;
    let client = connect(&data).await.context("connect to the lattice")?;
    let report = Arc::new(report::Report::new(&data)?);
    misbehave::beside(&data.config)?;
    serve::serve(&client, &data, &report).await
}

/// As the SDK of v1 does it: with JWT and seed if there are both, else with nothing but the address.
async fn connect(data: &HostData) -> Result<async_nats::Client> {
    let (jwt, seed) = (
        data.lattice_rpc_user_jwt.reveal(),
        data.lattice_rpc_user_seed.reveal(),
    );
    let mut options = ConnectOptions::new().name(&data.provider_key);
    if !jwt.is_empty() && !seed.is_empty() {
        let key = Arc::new(nkeys::KeyPair::from_seed(seed)?);
        options = options.jwt(jwt.to_owned(), move |nonce| {
            let key = Arc::clone(&key);
            async move { key.sign(&nonce).map_err(async_nats::AuthError::new) }
        });
    }
    Ok(options.connect(&data.lattice_rpc_url).await?)
}
