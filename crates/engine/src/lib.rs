//! The one wasmtime engine of a host: from component bytes to answered calls.
//!
//! The steps, each with its own type: bytes are [`Engine::compile`]d to a [`Compiled`] component (or found in the
//! on-disk cache), [`Prepared::start`] links it, instantiates it once to prove that it starts, and gives out
//! [`Live`] instances within its [`Limits`](wasmcloud_core::Limits). A [`Target`] is the place where a component
//! that may be replaced while calls run is found.
//!
//! This crate knows no NATS and no manifest. What an interface means is for the `cap-*` crates, which add their host
//! functions to its linker; which component answers which call is for `host`.

mod adapt;
mod admit;
mod cache;
mod compile;
mod config;
mod dynamic;
mod encoded;
mod error;
mod functions;
mod handles;
mod imports;
mod kept;
mod linker;
mod live;
mod permits;
mod prepared;
mod profile;
mod resources;
mod runtime;
mod shape;
mod signature;
mod stats;
mod streams;
mod target;
mod typed;
mod values;

pub use admit::Admit;
pub use compile::{CompileError, CompileSource, Compiled};
pub use config::EngineConfig;
pub use dynamic::{
    CallRoute, EncodedRequest, Remote, RemoteCall, Routed, Unrouted, call_export, link_dynamic_import,
};
pub use encoded::{Called, EncodedCall, Exported};
pub use error::{CallError, Refused, TrapReport};
pub use imports::{Described, DescribedItem, UnsatisfiedImport};
pub use linker::Linkers;
pub use live::Live;
pub use permits::{Permits, Slot};
pub use prepared::{Exports, PrepareOptions, Prepared, ResolveExports, StartError};
pub use profile::Profile;
pub use runtime::{Engine, EngineError, Flavor};
pub use signature::Signature;
pub use stats::{CompileSnapshot, Durations, Stats, StatsSnapshot};
pub use target::{Target, Wake};
