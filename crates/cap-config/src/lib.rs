//! Small capabilities that every component may use and no link answers: `wasi:config`, `wasi:logging` and
//! `wasmcloud:bus`.
//!
//! What a component's config is (which named configs, in which order) is decided by the host; how a log line looks by
//! `telemetry`; where a chosen link leads by whoever answers the interface.

mod bus;
mod config;
mod logging;

#[cfg(test)]
mod tests;

pub use bus::Bus;
pub use config::Config;
pub use logging::{Logging, MAX_CONTEXT, MAX_MESSAGE};
