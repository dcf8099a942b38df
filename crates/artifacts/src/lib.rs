//! From an image reference to verified bytes, and back into a registry.
//!
//! [`Artifacts`] reads files, pulls from OCI registries through a content-addressed cache, and pushes. Everything that
//! comes from a registry is checked against its digest before anybody sees it. What the bytes mean is for others:
//! nothing here compiles or runs anything. Two things that bytes say about themselves are read here because they decide
//! whether the bytes may be trusted: [`claims`] are signed statements about a component or provider, and [`par`] is the
//! archive that a provider comes in.
//!
//! In the order of a pull: `reference` parses what is written, `artifacts` decides whether it may be had, `flight`
//! joins those who want the same, `pull` goes from tag to manifest to layer and asks `cache` first, `registry` speaks
//! to the registry with `auth` and `retry`, over `transport`.
//!
//! HTTP is spoken with hyper directly. The library for registries, `oci-client` 0.18, reads manifests without a size
//! limit, does not repeat requests or honour `Retry-After`, does not check sizes while it receives, and brings
//! `reqwest`, a second HTTP client, into a program that has one.

mod answer;
mod artifact;
mod artifacts;
mod auth;
mod cache;
mod challenge;
pub mod claims;
mod credentials;
mod dial;
mod digest;
mod docker;
mod error;
mod file;
mod flight;
mod helper;
mod manifest;
mod options;
pub mod par;
mod progress;
mod pull;
mod push;
mod reference;
mod registry;
mod registry_error;
mod retry;
mod select;
mod time;
mod transport;
mod trust;
mod upload;
mod wasm;

pub use artifact::{Artifact, Freshness, Origin, Pulled};
pub use artifacts::Artifacts;
pub use credentials::{Credentials, Secret};
pub use digest::{Digest, InvalidDigest};
pub use error::{BoxError, FetchError, OptionsError, PushError};
pub use manifest::{InvalidManifest, MAX_MANIFEST_BYTES};
pub use options::{
    ArtifactOptions, CacheOptions, Kind, Protocol, Proxies, RegistryOptions, RetryOptions, SizeLimits,
    Timeouts,
};
pub use progress::{Progress, Stage};
pub use push::{PushOptions, Pushed};
pub use reference::{InvalidReference, Reference};
pub use registry_error::RegistryError;
pub use select::SelectError;
