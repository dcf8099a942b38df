//! The engine from outside: hand-written components, no network, no guest toolchain.

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
mod starting;
mod support;
