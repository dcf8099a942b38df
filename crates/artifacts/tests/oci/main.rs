//! Pulls and pushes against registries: a real one, and one that misbehaves on demand.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests are tests, which Clippy sees only in functions marked as such"
)]

mod cached;
mod debian;
mod fake;
mod hostile;
mod images;
mod logins;
mod network;
mod proxies;
mod sharing;
mod transfers;
