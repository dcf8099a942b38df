//! What `cargo xtask bench` starts and measures with. One program with a subcommand for each benchmark, because each
//! program with a host in it takes minutes to link.
//!
//! | subcommand | is for |
//! |---|---|
//! | `apps` | a client that deploys, and hosts that only say that they are there |
//! | `bare-hyper` | an HTTP server that does the least |
//! | `call` | calls between components of one host |
//! | `control` | a client that asks a host |
//! | `lattice` | calls from host to host |

mod apps;
mod bare_hyper;
mod call;
mod control;
mod lattice;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use wasmcloud_core::{ComponentId, ImageRef, InstanceMode, Limits};
use wasmcloud_engine::EngineConfig;
use wasmcloud_host::{ArtifactOptions, ComponentSpec, Host, HostOptions, IngressOptions, Unlinked};

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((name, words)) if name == "apps" => apps::main(words).await,
        Some((name, words)) if name == "bare-hyper" => bare_hyper::main(words).await,
        Some((name, words)) if name == "call" => call::main(words).await,
        Some((name, words)) if name == "control" => control::main(words).await,
        Some((name, words)) if name == "lattice" => lattice::main(words).await,
        _ => bail!("usage: bench-kit apps|bare-hyper|call|control|lattice …"),
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

/// A component to be started from a file, whose calls may take as long as a measurement.
fn component(id: ComponentId, file: &Path, instance: InstanceMode, longest: Duration) -> ComponentSpec {
    ComponentSpec {
        id,
        image: ImageRef::File(file.to_owned()),
        reference: file.display().to_string(),
        count: Limits::default().concurrency,
        unlinked: Unlinked::Allow,
        weight: None,
        probe: None,
        link_suffix: None,
        limits: Limits {
            instance,
            // A kept instance is never replaced while we look.
            max_reuse: u32::MAX,
            deadline: longest,
            ..Limits::default()
        },
        config: Vec::new(),
        annotations: BTreeMap::new(),
    }
}
