//! wadm of wasmCloud v1, as its own program starts it: `wadm-v1 127.0.0.1:4222`. It says `ready` once it answers, and ends
//! with the signal or with the first of its tasks that does.

use anyhow::{Context as _, Result, bail};
use wadm::config::WadmConfig;

#[tokio::main]
async fn main() -> Result<()> {
    let server = std::env::args().nth(1).context("usage: wadm-v1 SERVER")?;
    tracing_subscriber::fmt()
        .with_env_filter("warn,wadm=info")
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let mut tasks = wadm::start_wadm(WadmConfig {
        nats_server: server,
        ..WadmConfig::default()
    })
    .await?;
    println!("ready");
    tokio::select! {
        ended = tasks.join_next() => match ended {
            Some(outcome) => outcome??,
            None => bail!("wadm has started nothing"),
        },
        signal = tokio::signal::ctrl_c() => signal?,
    }
    Ok(())
}
