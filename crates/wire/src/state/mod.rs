//! The state of a lattice: the records of its key-value buckets. The first two are those of v1 (wire reference §3.2).
//!
//! | bucket | key | record |
//! |---|---|---|
//! | [`lattice_bucket`] | [`LatticeKey::Component`] | [`ComponentSpec`]: image and links of a component or provider |
//! | | [`LatticeKey::Claims`] | [`Claims`] |
//! | [`config_bucket`] | [`ConfigKey::Config`] | [`Config`] |
//! | | [`ConfigKey::Secret`] | [`SecretReference`]: where a secret is, never its value |
//! | [`lease_bucket`] | [`CONTROLLER_LEASE`] | [`LeaseRecord`]: which host's controller leads |
//!
//! Hosts of several versions write the same records, so a record keeps what is not known here: reading it, changing
//! what one came for and writing it back loses nothing.

mod claims;
mod config;
mod key;
mod lease;
mod spec;

use wasmcloud_core::LatticeName;

pub use claims::{Claims, ClaimsCommon, ComponentClaims, ProviderClaims};
pub use config::{Config, InvalidPolicy, SECRET_POLICY_TYPE, SECRET_TYPE, SecretReference};
pub use key::{ConfigKey, InvalidKey, LatticeKey};
pub use lease::{CONTROLLER_LEASE, LeaseRecord};
pub use spec::ComponentSpec;

/// The bucket with components, links and claims of a lattice.
pub fn lattice_bucket(lattice: &LatticeName) -> String {
    format!("LATTICEDATA_{lattice}")
}

/// The bucket with configs and secret references of a lattice.
pub fn config_bucket(lattice: &LatticeName) -> String {
    format!("CONFIGDATA_{lattice}")
}

/// The bucket with the leases of a lattice (ADR 3). Its entries have a time to live, which v1's buckets do not know.
pub fn lease_bucket(lattice: &LatticeName) -> String {
    format!("LEASES_{lattice}")
}
