//! The engine from outside, without a network: hand-written components, and for resources the guests of tests/guests.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in tests a panic is the report"
)]

mod bad_files;
mod cache;
mod calls;
mod limits;
mod observed;
mod overflow;
mod pipes;
mod resources;
mod shares;
mod starting;
mod support;
