//! Image reference to verified bytes: files and built-ins now, OCI with the lattice.
