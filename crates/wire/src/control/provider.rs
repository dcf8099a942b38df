//! Requests about providers.

use serde::{Deserialize, Serialize};
use wasmcloud_core::{ComponentId, ConfigName, HostId, ImageRef};

use crate::json::{InvalidField, Message};
use crate::limit::{self, Labels, MAX_LABELS, MAX_REQUEST};
use crate::{link, text};

/// A provider should run on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartProvider {
    /// Its id in the lattice.
    #[serde(with = "text")]
    pub provider_id: ComponentId,
    /// Where it comes from, as text; [`StartProvider::image`] reads it.
    pub provider_ref: String,
    /// The host that should run it, the one of the subject.
    #[serde(with = "text")]
    pub host_id: HostId,
    /// Configs and secret references it reads, later ones override earlier ones.
    #[serde(default, with = "text::list")]
    pub config: Vec<ConfigName>,
    /// What the asker wants to remember about it; opaque to hosts.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "limit::optional_map::<_, _, MAX_LABELS>"
    )]
    pub annotations: Option<Labels>,
}

impl StartProvider {
    /// Where the provider comes from.
    pub fn image(&self) -> Result<ImageRef, InvalidField> {
        link::name("provider_ref", &self.provider_ref)
    }
}

impl Message for StartProvider {
    const WHAT: &'static str = "provider start command";
    const MAX: usize = MAX_REQUEST;
}

/// A provider should stop on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopProvider {
    /// The host it runs on, the one of the subject.
    #[serde(with = "text")]
    pub host_id: HostId,
    /// Its id in the lattice. Older clients call the field `provider_ref`.
    #[serde(with = "text", alias = "provider_ref")]
    pub provider_id: ComponentId,
}

impl Message for StopProvider {
    const WHAT: &'static str = "provider stop command";
    const MAX: usize = MAX_REQUEST;
}

/// Who could run this provider?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderAuction {
    /// Where the provider comes from, as text.
    pub provider_ref: String,
    /// The id it would have.
    #[serde(with = "text")]
    pub provider_id: ComponentId,
    /// Labels a host must have, with the same values.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub constraints: Labels,
}

impl Message for ProviderAuction {
    const WHAT: &'static str = "provider auction command";
    const MAX: usize = MAX_REQUEST;
}

/// A host could run it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderAuctionAck {
    /// As asked.
    pub provider_ref: String,
    /// As asked.
    pub provider_id: String,
    /// Which host.
    pub host_id: String,
    /// As asked.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub constraints: Labels,
}

impl ProviderAuction {
    /// The answer of a host that could.
    pub fn accept(self, host: &HostId) -> ProviderAuctionAck {
        ProviderAuctionAck {
            provider_ref: self.provider_ref,
            provider_id: self.provider_id.to_string(),
            host_id: host.to_string(),
            constraints: self.constraints,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_clients_stop_providers_too() {
        let stop = StopProvider::decode(br#"{"host_id":"N1","provider_ref":"http"}"#).unwrap();
        assert_eq!(stop.encode(), br#"{"host_id":"N1","provider_id":"http"}"#);
    }
}
