//! What clients may rely on, run against our broker and against real nats-servers: whoever moves from one to the
//! other sees no difference.

#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod delivery;
mod login;
mod protocol;
mod queues;
#[path = "../support/mod.rs"]
mod support;
mod trouble;
