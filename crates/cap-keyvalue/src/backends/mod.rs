//! The backends. Each has its own file and passes the one compliance suite (`wasmcloud_test_kit::keyvalue`), the one for
//! providers on other hosts as far as calls can travel.

mod lattice;
mod memory;
mod redb;

pub use self::lattice::LatticeStore;
pub use self::memory::{DEFAULT_MAX_BYTES, MemoryStore};
pub use self::redb::{OpenError, RedbStore};
