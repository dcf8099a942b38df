//! What most tests begin with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wasmcloud_broker::{Credentials, Endpoint};
use wasmcloud_lattice::{Auth, NatsOptions};
use wasmcloud_test_kit::control::{Control, Events, soon};
use wasmcloud_test_kit::guests::example;
use wasmcloud_test_kit::http::get;
use wasmcloud_test_kit::ports::free_address;
use wasmcloud_test_kit::process::{Launch, SOON, Wash};
use wasmcloud_test_nats::{NatsServer, Running};

/// The program under test.
pub(crate) const WASH: &str = env!("CARGO_BIN_EXE_wash");

/// The image of v1's HTTP server, which is built in.
pub(crate) const HTTP: &str = "ghcr.io/wasmcloud/http-server:0.27.0";

/// Compiled code, shared by all tests and kept between runs.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("wash-cache")
}

/// `wash host` in this lattice.
pub(crate) fn host(nats_url: &str) -> Result<Launch> {
    Launch::host(WASH, &cache(), nats_url)
}

/// `wash up` without a manifest: a host with an embedded lattice, on a free port.
pub(crate) fn up() -> Result<Launch> {
    let launch = Launch::command(WASH, &["-o", "json", "up", "--nats-port", "0"])?;
    let data = launch.file("data");
    Ok(launch.arg("--data-dir").arg(data).arg("--cache-dir").arg(cache()))
}

/// A nats-server with JetStream.
pub(crate) fn nats() -> Result<Running> {
    NatsServer::default().jetstream().start()
}

/// The `hello` example as an image.
pub(crate) fn hello() -> Result<String> {
    let file = example("http-hello-world", "http_hello_world")?;
    Ok(format!("file://{}", file.display()))
}

/// The id that a host has told.
pub(crate) fn id(wash: &Wash) -> Result<String> {
    let ready = wash.wait_event("ready", 1, SOON)?;
    Ok(ready["host_id"].as_str().context("an id")?.to_owned())
}

/// A client of the lattice at this address.
pub(crate) async fn connect(nats_url: &str) -> Result<Control> {
    Control::connect(NatsOptions::new(nats_url)?, "default").await
}

/// Where the embedded lattice below a data directory is, and how to log in.
pub(crate) fn embedded(data: &Path) -> Result<(SocketAddr, Credentials)> {
    let dir = data.join("lattice");
    let endpoint = Endpoint::load(&dir)?.context("an embedded lattice runs")?;
    Ok((endpoint.address, Credentials::load(&dir)?.context("a login")?))
}

/// A client of the embedded lattice below a data directory.
pub(crate) async fn connect_embedded(data: &Path) -> Result<Control> {
    let (address, credentials) = embedded(data)?;
    let mut options = NatsOptions::new(&format!("nats://{address}"))?;
    options.auth = Auth::UserPassword {
        user: credentials.user,
        password: credentials.password.into(),
    };
    Control::connect(options, "default").await
}

/// A host that is driven by a client.
pub(crate) struct Driven {
    pub(crate) client: Control,
    pub(crate) events: Events,
    pub(crate) id: String,
}

impl Driven {
    pub(crate) async fn new(client: Control, wash: &Wash) -> Result<Self> {
        let events = client.events().await?;
        let id = id(wash)?;
        Ok(Self { client, events, id })
    }

    pub(crate) fn on(&self, what: &str) -> String {
        format!("{what}.{}", self.id)
    }

    pub(crate) fn scale(&self, id: &str, image: &str, count: u32) -> Value {
        json!({ "component_ref": image, "component_id": id, "host_id": self.id, "count": count })
    }

    /// Starts a component and waits until it runs.
    pub(crate) async fn run(&mut self, id: &str, image: &str) -> Result<()> {
        let body = self.scale(id, image, 10);
        self.client.ok(&self.on("component.scale"), &body).await?;
        self.events
            .wait("component_scaled", &json!({ "component_id": id }))
            .await?;
        Ok(())
    }

    /// Starts the hello example behind an HTTP server, and answers where.
    pub(crate) async fn serve_hello(&mut self) -> Result<SocketAddr> {
        let address = free_address()?;
        self.run("hello", &hello()?).await?;
        let start = json!({ "provider_id": "http", "provider_ref": HTTP, "host_id": self.id });
        self.client.ok(&self.on("provider.start"), &start).await?;
        self.events.wait("provider_started", &json!({})).await?;
        let config = json!({ "address": address.to_string() });
        self.client.ok("config.put.web", &config).await?;
        self.client.ok("link.put", &web_link("hello")).await?;
        until("answer", async || Ok(page(address)?.contains("Hello"))).await?;
        Ok(address)
    }

    pub(crate) async fn inventory(&self) -> Result<Value> {
        Ok(self.client.ok(&self.on("host.get"), &Value::Null).await?.1)
    }
}

/// Waits for a state that nothing tells about. Failures on the way count as not yet.
pub(crate) async fn until(what: &str, mut reached: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let mut last = None;
    let wait = async {
        loop {
            match reached().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    match soon(what, wait).await {
        Err(late) => Err(match last {
            Some(last) => last.context(late),
            None => late,
        }),
        done => done,
    }
}

/// The page at this address.
pub(crate) fn page(address: SocketAddr) -> Result<String> {
    let response = get(address, "/")?;
    ensure!(response.status == 200, "{response:?}");
    Ok(response.text())
}

/// From the provider `http`, with the config `web`, to a component.
pub(crate) fn web_link(target: &str) -> Value {
    json!({
        "source_id": "http", "target": target, "name": "default", "wit_namespace": "wasi",
        "wit_package": "http", "interfaces": ["incoming-handler"], "source_config": ["web"],
        "target_config": [],
    })
}

/// A link between two components.
pub(crate) fn link(source: &str, target: &str, interface: &str) -> Value {
    json!({
        "source_id": source, "target": target, "name": "default", "wit_namespace": "acme",
        "wit_package": "store", "interfaces": [interface], "source_config": [], "target_config": [],
    })
}
