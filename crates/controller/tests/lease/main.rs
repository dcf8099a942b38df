//! The lease, on the embedded lattice and on a real nats-server.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod changes;
mod faults;
mod rivals;
mod support;
