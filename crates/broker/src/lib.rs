//! The embedded lattice for one machine: a NATS client-protocol server on loopback in our own process, and the
//! lattice's state in redb, so that a laptop needs nothing installed.
//!
//! Clients connect as to any NATS (2.11 or later, without JetStream). The state is served over subjects of its own,
//! `wasmcloud.state.v1.*`, described in `wasmcloud_wire::state_api`. This crate never clusters and never grows
//! JetStream: who outgrows one machine uses a real NATS.

mod broker;
mod config;
mod connection;
mod directory;
mod error;
mod outbox;
mod owner;
#[doc(hidden)]
pub mod protocol;
mod random;
mod router;
mod session;
mod state;
mod sublist;

pub use broker::{Broker, Clients, DEFAULT_PORT, PROTOCOL_VERSION, SERVER_NAME};
pub use config::{Access, BrokerConfig, Limits, StateLimits};
pub use directory::{Credentials, DirectoryError, Endpoint};
pub use error::BrokerError;
pub use state::StateError;
