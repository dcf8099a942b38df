//! Why something that was asked for in this process was not done on the lattice.

use std::sync::Arc;

use wasmcloud_core::{ComponentId, ConfigName, LinkKey};

use super::RecordError;
use crate::error::HostError;
use crate::policy::PolicyError;

/// A failed operation of a host on a lattice.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The shared state could not be read or changed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The host did not do it.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The policy service does not let it start, or does not answer.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The change is in the state, and did not reach this host in time.
    #[error(
        "{what} is written, and did not come back to this host within {waited:?}; hint: look at the connection"
    )]
    NotApplied {
        /// What.
        what: String,
        /// How long was waited.
        waited: std::time::Duration,
    },
    /// A config that nobody has put.
    #[error("config `{config}` does not exist, and {user} uses it; hint: put it first")]
    NoConfig {
        /// The config.
        config: ConfigName,
        /// Who uses it, in words.
        user: String,
    },
    /// A revision would take calls of another one without a link of its own, which this host refuses.
    #[error("start component `{component}`: its link {link} is not in effect on this host")]
    LinkRefused {
        /// The component.
        component: ComponentId,
        /// The link.
        link: Box<LinkKey>,
        /// Why the host refuses it.
        #[source]
        source: Arc<HostError>,
    },
    /// A secret, which this host cannot read.
    #[error("{user} uses the secret `{secret}`, and this host has no secrets backend")]
    NoSecrets {
        /// The reference, as it is named in the request.
        secret: ConfigName,
        /// Who uses it, in words.
        user: String,
    },
}
