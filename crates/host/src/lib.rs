//! What runs on this host: components, providers, links and config, and the router between them.
//!
//! [`Host`] is a library: the command line drives it now, the lattice's control interface will. It knows no manifest;
//! whoever has one turns it into these calls. How a component runs is for `engine`, what an interface means for the
//! `cap-*` crates.

mod builtin;
mod components;
mod configs;
mod error;
mod host;
mod inventory;
mod links;
mod providers;
mod router;

pub use builtin::BUILTIN_PROVIDERS;
pub use components::ComponentSpec;
pub use error::HostError;
pub use host::{Host, HostOptions};
pub use inventory::{ComponentInfo, Inventory, ProviderInfo};
pub use providers::ProviderSpec;
pub use wasmcloud_artifacts::ArtifactOptions;
pub use wasmcloud_cap_http::IngressOptions;
