//! What most tests begin with.

use std::time::Duration;

use anyhow::Result;
use wasmcloud_client::Client;
use wasmcloud_test_lattice::TestLattice;
use wasmcloud_wire::control::{Request, ScaleComponent};
use wasmcloud_wire::subject::Topic;

pub(crate) use wasmcloud_test_lattice::{Target, for_all_servers};

/// Longer than any answer takes on a busy machine; only what is about silence waits for a timeout, a shorter one.
pub(crate) const PATIENT: Duration = Duration::from_secs(20);

/// For tests in which somebody does not answer.
pub(crate) const SHORT: Duration = Duration::from_millis(400);

pub(crate) async fn lattice(target: Target) -> Result<TestLattice> {
    match target {
        Target::Embedded => TestLattice::embedded().await,
        Target::Nats(version) => TestLattice::nats(version).await,
    }
}

pub(crate) async fn client(lattice: &TestLattice, timeout: Duration) -> Result<Client> {
    let connection = lattice.connect().await?;
    Ok(Client::new(
        connection,
        lattice.name(),
        &Topic::control(),
        timeout,
    ))
}

pub(crate) fn scale(host: &wasmcloud_core::HostId, id: &str, count: u32) -> Request {
    let scale = ScaleComponent {
        component_ref: "file:///hello.wasm".to_owned(),
        component_id: id.parse().expect("a test's id is one"),
        annotations: None,
        count,
        component_limits: None,
        host_id: host.clone(),
        config: Vec::new(),
        allow_update: false,
        weight: None,
        probe: None,
        links_required: false,
        link_suffix: None,
    };
    Request::ScaleComponent(host.clone(), scale)
}

/// An error with its causes, as people see it.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    wasmcloud_wire::message::chain(error)
}
