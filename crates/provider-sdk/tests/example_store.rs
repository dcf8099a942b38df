//! The store of the example provider, with the tests that are in it. The example itself is built as a program, which
//! other tests run.

#![allow(dead_code, reason = "the example uses all of it, its tests a part")]

#[path = "../../../examples/provider-keyvalue-file/src/store.rs"]
mod store;
