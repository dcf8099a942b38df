//! A host on a lattice, driven as any v1 client drives one: subjects and JSON (wire reference §2 and §3). Every test
//! runs on the embedded lattice and on nats-server.
//!
//! One binary for all of it, because linking is what costs.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]
#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value by name is null where there is none"
)]

mod blobstore;
mod blobstore_v1;
mod calls;
mod calls_refused;
mod claims;
mod components;
mod external;
mod fence;
mod golden;
mod http_elsewhere;
mod inventory;
mod keyvalue;
mod messaging;
mod order;
mod overflow;
mod own_links;
mod policy;
mod policy_calls;
mod providers;
mod recorded;
mod requests;
mod rollout;
mod sleeping;
mod state;
mod support;
mod triggers;
mod two_hosts;
mod v1_peer;
mod watcher;
