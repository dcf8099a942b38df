//! One binary: the command line, the host and the controller of a lattice.

fn main() {}
