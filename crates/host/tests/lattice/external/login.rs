//! How an external provider gets into a lattice that asks who it is.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use wasmcloud_broker::{Access, Broker, BrokerConfig};
use wasmcloud_lattice::{Auth, NatsOptions};
use wasmcloud_test_kit::control::Control;
use wasmcloud_test_nats::{example, interop};

use super::{Machine, Scene, archive};
use crate::support::Rig;

/// The embedded lattice lets in who has its key. A provider is told a JWT and a seed, and nothing else fits into its
/// host data.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_lattice_lets_providers_in() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut config = BrokerConfig::new(dir.path().join("lattice"));
    (config.port, config.access) = (0, Access::Credentials);
    let broker = Broker::start(config).await?;
    let mut options = NatsOptions::new(&format!("nats://{}", broker.address()))?;
    options.auth = Auth::nkey(broker.credentials().nkey_seed.clone())?;
    let client = Control::connect(options.clone(), "default").await?;
    let rig = Rig::on_broker(broker, dir, client, options).await?;
    let mut scene = Scene {
        host: rig.join(|_, _| {}).await?,
        image: rig.file(
            "test.par",
            &archive(Machine::here(), std::fs::read(example("host-test-provider")?)?)?,
        )?,
        rig,
    };
    scene.provide("p", json!({})).await?;
    let report = scene.report("p").await?;
    let data = &report["host_data"];
    let jwt = data["lattice_rpc_user_jwt"].as_str().context("a JWT")?;
    ensure!(jwt.split('.').count() == 3, "{jwt}");
    let url = data["lattice_rpc_url"].as_str().context("an address")?;
    ensure!(!url.contains('@'), "{url}");
    scene.stop("p").await?;
    // One that was built with v1's SDK finds its way as well.
    let v1 = archive(Machine::here(), std::fs::read(interop("provider-v1")?)?)?;
    scene.image = scene.rig.file("v1.par", &v1)?;
    scene.provide("q", json!({})).await?;
    scene.stop("q").await
}
