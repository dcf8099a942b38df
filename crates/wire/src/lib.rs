//! What travels between the parts of a lattice: types, and their form as bytes. Opens nothing and waits for nothing.

pub mod state_api;
