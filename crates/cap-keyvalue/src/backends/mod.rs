//! The backends. Each has its own file and passes the one compliance suite (`wasmcloud_test_kit::keyvalue`).

mod memory;
mod redb;

pub use self::memory::{DEFAULT_MAX_BYTES, MemoryStore};
pub use self::redb::{OpenError, RedbStore};
