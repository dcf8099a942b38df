//! What happened on a lattice, told as CloudEvents 1.0 in JSON (wire reference §3.3).
//!
//! An event is told once and nobody confirms it: whoever missed one asks the hosts. Time and id come from the
//! caller; this crate has neither clock nor chance.

mod data;
mod envelope;

use serde::Serialize;

use crate::control::HostInventory;

pub use data::{
    ComponentEventClaims, ComponentScaleFailed, ComponentScaled, ConfigChanged, HealthCheck, HostStarted,
    HostStopped, LabelsChanged, LinkdefDeleted, LinkdefSet, LinkdefSetFailed, ProviderEventClaims,
    ProviderStartFailed, ProviderStarted, ProviderStopped,
};
pub use envelope::{CloudEvent, EventError};

/// One table from which the kinds, their names and their data follow.
macro_rules! events {
    ($($(#[$doc:meta])* $kind:ident($data:ty) = $name:literal,)*) => {
        /// What can happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $kind,)*
        }

        impl EventKind {
            /// All kinds there are.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$kind),*];

            /// The last part of the subject and of the type: `component_scaled`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }

        /// Something that happened.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Event {
            $($(#[$doc])* $kind($data),)*
        }

        impl Event {
            /// What happened, without the data.
            pub fn kind(&self) -> EventKind {
                match self {
                    $(Self::$kind(_) => EventKind::$kind,)*
                }
            }

            fn from_json(kind: EventKind, data: &str) -> Result<Self, crate::json::DecodeError> {
                let max = crate::limit::MAX_REPLY;
                Ok(match kind {
                    $(EventKind::$kind => Self::$kind(crate::json::decode($name, max, data.as_bytes())?),)*
                })
            }
        }
    };
}

events! {
    /// A host is there.
    HostStarted(HostStarted) = "host_started",
    /// A host is still there, and this runs on it.
    HostHeartbeat(HostInventory) = "host_heartbeat",
    /// A host stops.
    HostStopped(HostStopped) = "host_stopped",
    /// A host has other labels. Controllers of v1 do not know this event.
    LabelsChanged(LabelsChanged) = "labels_changed",
    /// A component runs on a host with so many instances at most; none means that it stopped.
    ComponentScaled(ComponentScaled) = "component_scaled",
    /// A component could not be started or changed.
    ComponentScaleFailed(ComponentScaleFailed) = "component_scale_failed",
    /// A provider runs on a host.
    ProviderStarted(ProviderStarted) = "provider_started",
    /// A provider could not be started.
    ProviderStartFailed(ProviderStartFailed) = "provider_start_failed",
    /// A provider stopped.
    ProviderStopped(ProviderStopped) = "provider_stopped",
    /// A provider has become well.
    HealthCheckPassed(HealthCheck) = "health_check_passed",
    /// A provider is not well or does not answer.
    HealthCheckFailed(HealthCheck) = "health_check_failed",
    /// A provider is as well as it was.
    HealthCheckStatus(HealthCheck) = "health_check_status",
    /// A link was made or replaced.
    LinkdefSet(LinkdefSet) = "linkdef_set",
    /// A link was refused. Controllers of v1 do not know this event.
    LinkdefSetFailed(LinkdefSetFailed) = "linkdef_set_failed",
    /// A link was removed.
    LinkdefDeleted(LinkdefDeleted) = "linkdef_deleted",
    /// A config was made or replaced.
    ConfigSet(ConfigChanged) = "config_set",
    /// A config was removed.
    ConfigDeleted(ConfigChanged) = "config_deleted",
}

impl EventKind {
    /// The kind called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}
