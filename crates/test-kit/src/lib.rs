//! What tests share: guests compiled from this repository, a real `wash` process, a client of the control
//! interface, compliance suites.

pub mod control;
pub mod guests;
pub mod http;
pub mod keyvalue;
pub mod load;
pub mod manifest;
pub mod process;

/// Ports for servers that tests start.
pub mod ports {
    pub use wasmcloud_test_nats::free_address;
}

/// Where the nats-server is that tests of `wash` use.
pub fn nats_server() -> anyhow::Result<std::path::PathBuf> {
    wasmcloud_test_nats::binary("2.12.8")
}
