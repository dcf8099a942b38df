//! What runs on this host: components, providers, links and config, and the router between them.
//!
//! [`Host`] is a library; [`LatticeHost`] makes one a part of a lattice, whose control interface drives it then. It
//! knows no manifest; whoever has one turns it into these calls. How a component runs is for `engine`, what an interface means for the
//! `cap-*` crates.

mod admin;
mod builtin;
mod claims;
mod components;
mod configs;
mod control;
mod error;
mod external;
mod host;
mod identity;
mod inventory;
mod links;
mod metrics;
mod policy;
mod providers;
mod rollout;
mod router;
mod rpc;

pub use admin::{Admin, AdminError, Readiness};
pub use builtin::BUILTIN_PROVIDERS;
pub use components::{ComponentSpec, Probe, Unlinked};
pub use control::{ControlError, JoinError, JoinOptions, LatticeHost, RecordError, StopRequest};
pub use error::HostError;
pub use external::{Launcher, ProcessError, ProcessLimits, ProviderOptions, become_provider};
pub use host::{Host, HostOptions};
pub use identity::{HostKey, Identity, InvalidSeed, LabelError, builtin_labels};
pub use inventory::{CandidateInfo, ComponentInfo, Inventory, ProviderInfo};
pub use policy::{PolicyError, PolicyOptions};
pub use providers::ProviderSpec;
pub use wasmcloud_artifacts::ArtifactOptions;
pub use wasmcloud_cap_http::IngressOptions;
/// What callers need of the wire to fill in [`ProviderOptions`].
pub use wasmcloud_wire::provider::{LogLevel, OtelConfig, OtelProtocol};
/// What callers need of the wire to fill in [`JoinOptions`].
pub use wasmcloud_wire::subject::{Auctions as ControlAuctions, InvalidTopic, Topic};
