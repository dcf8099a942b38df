//! Requests about components.

use serde::{Deserialize, Serialize};
use wasmcloud_core::{ComponentId, ConfigName, HostId, ImageRef};

use crate::json::{InvalidField, Message};
use crate::limit::{self, Labels, MAX_LABELS, MAX_REQUEST};
use crate::{link, text};

/// A component should run on a host with so many instances at once; none stops it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScaleComponent {
    /// Where the component comes from, as text; [`ScaleComponent::image`] reads it.
    pub component_ref: String,
    /// Its id in the lattice.
    #[serde(with = "text")]
    pub component_id: ComponentId,
    /// What the asker wants to remember about it; opaque to hosts.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "limit::optional_map::<_, _, MAX_LABELS>"
    )]
    pub annotations: Option<Labels>,
    /// How many invocations may run at once on the host.
    pub count: u32,
    /// Limits by name: `max_memory_limit` in bytes, `max_execution_time` in seconds (wire reference §2.3).
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "limit::optional_map::<_, _, MAX_LABELS>"
    )]
    pub component_limits: Option<Labels>,
    /// The host that should run it, the one of the subject.
    #[serde(with = "text")]
    pub host_id: HostId,
    /// Configs and secret references the component reads, later ones override earlier ones.
    #[serde(default, with = "text::list")]
    pub config: Vec<ConfigName>,
    /// Whether a component that runs from another image is replaced.
    #[serde(default)]
    pub allow_update: bool,
}

impl ScaleComponent {
    /// Where the component comes from.
    pub fn image(&self) -> Result<ImageRef, InvalidField> {
        link::name("component_ref", &self.component_ref)
    }
}

impl Message for ScaleComponent {
    const WHAT: &'static str = "component scale command";
    const MAX: usize = MAX_REQUEST;
}

/// A component that runs should go on with another image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateComponent {
    /// Its id in the lattice.
    #[serde(with = "text")]
    pub component_id: ComponentId,
    /// What the asker wants to remember about it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "limit::optional_map::<_, _, MAX_LABELS>"
    )]
    pub annotations: Option<Labels>,
    /// The host it runs on, the one of the subject.
    #[serde(with = "text")]
    pub host_id: HostId,
    /// Where it comes from now, as text; [`UpdateComponent::image`] reads it.
    pub new_component_ref: String,
}

impl UpdateComponent {
    /// Where the component comes from now.
    pub fn image(&self) -> Result<ImageRef, InvalidField> {
        link::name("new_component_ref", &self.new_component_ref)
    }
}

impl Message for UpdateComponent {
    const WHAT: &'static str = "component update command";
    const MAX: usize = MAX_REQUEST;
}

/// Who could run this component?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentAuction {
    /// Where the component comes from, as text.
    pub component_ref: String,
    /// The id it would have.
    #[serde(with = "text")]
    pub component_id: ComponentId,
    /// Labels a host must have, with the same values.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub constraints: Labels,
}

impl Message for ComponentAuction {
    const WHAT: &'static str = "component auction command";
    const MAX: usize = MAX_REQUEST;
}

/// A host could run it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentAuctionAck {
    /// As asked.
    pub component_ref: String,
    /// As asked. v1 hosts repeat the reference here (recorded); compare it with nothing.
    pub component_id: String,
    /// Which host.
    pub host_id: String,
    /// As asked.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub constraints: Labels,
}

impl ComponentAuction {
    /// The answer of a host that could.
    pub fn accept(self, host: &HostId) -> ComponentAuctionAck {
        ComponentAuctionAck {
            component_ref: self.component_ref,
            component_id: self.component_id.to_string(),
            host_id: host.to_string(),
            constraints: self.constraints,
        }
    }
}
