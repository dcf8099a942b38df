//! The store, the catalogue and the manifest API, on the embedded lattice and on a real nats-server.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod asking;
mod deleting;
mod deploying;
mod following;
mod hostile;
mod putting;
mod racing;
mod recorded;
mod support;
mod telling;
