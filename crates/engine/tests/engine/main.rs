//! The engine from outside: hand-written components, no network, no guest toolchain.

mod bad_files;
mod cache;
mod calls;
mod limits;
mod starting;
mod support;
