//! Calls by the clock on a real lattice: leaders, a component that counts, and the records between them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod calling;
mod leaders;
mod support;
