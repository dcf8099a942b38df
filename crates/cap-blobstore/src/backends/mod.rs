//! The backends, each with its own folder or file.

mod fs;
mod lattice;

pub use fs::{FsStore, MAX_OPEN};
pub use lattice::LatticeStore;
