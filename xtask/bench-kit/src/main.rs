//! What `cargo xtask bench` starts and measures with. One program with a subcommand for each benchmark, because each
//! program with a host in it takes minutes to link.
//!
//! | subcommand | is for |
//! |---|---|
//! | `bare-hyper` | an HTTP server that does the least |
//! | `call` | calls between components of one host |
//! | `control` | a client that asks a host |
//! | `lattice` | calls from host to host |

mod bare_hyper;
mod call;
mod control;
mod lattice;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use wasmcloud_engine::EngineConfig;
use wasmcloud_host::{ArtifactOptions, Host, HostOptions, IngressOptions};

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((name, words)) if name == "bare-hyper" => bare_hyper::main(words).await,
        Some((name, words)) if name == "call" => call::main(words).await,
        Some((name, words)) if name == "control" => control::main(words).await,
        Some((name, words)) if name == "lattice" => lattice::main(words).await,
        _ => bail!("usage: bench-kit bare-hyper|call|control|lattice …"),
    }
}

/// A host that may read files.
fn host() -> Result<Host> {
    Host::new(HostOptions {
        data_dir: std::env::temp_dir(),
        engine: EngineConfig::default(),
        drain: Duration::from_secs(1),
        ingress: IngressOptions::default(),
        artifacts: ArtifactOptions {
            allow_file_load: true,
            ..ArtifactOptions::default()
        },
    })
    .context("make a host")
}
