//! Hosts as processes on a lattice, and what goes wrong there: servers that die, hang and forget, clients that send
//! garbage, hosts that are killed.
//!
//! One binary for all of it, because linking is what costs.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value by name is null where there is none"
)]

mod applications;
mod clients;
mod elsewhere;
mod embedded;
mod hosts;
mod many;
mod nats_py;
mod providers;
mod server_gone;
mod support;
