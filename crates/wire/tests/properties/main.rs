//! What holds for all messages: what is written is read as it was, and nothing that anybody sends makes a reader
//! panic.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod calls;
mod events;
mod hostile;
mod roundtrip;
mod typed;
mod values;
