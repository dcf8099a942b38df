//! What a plan does in known situations: manifests as people write them, hosts as a table, steps as text.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod failures;
mod leftovers;
mod lifecycle;
mod links;
mod own_links;
mod performance;
mod placement;
mod providers;
mod scaling;
mod shared;
mod world;
