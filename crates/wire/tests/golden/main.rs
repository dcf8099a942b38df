//! Recorded v1 traffic against our types; README.md says where it comes from.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod calls;
mod produce;
mod read;
mod recorded;
mod values;
