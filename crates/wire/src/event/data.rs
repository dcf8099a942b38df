//! The data of each event. What some versions of v1 leave out may be missing; what is not known is ignored.

use serde::{Deserialize, Serialize};

use crate::limit::{self, Labels, MAX_LABELS, MAX_NAMES};
use crate::link::{Link, default_name};

/// A host is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStarted {
    /// A name that people can remember.
    #[serde(default)]
    pub friendly_name: String,
    /// Its labels.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub labels: Labels,
    /// How long it runs, in seconds: 0.
    #[serde(default)]
    pub uptime_seconds: u64,
    /// The version of its software.
    #[serde(default)]
    pub version: String,
}

/// A host stops.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStopped {
    /// Its labels.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub labels: Labels,
}

/// A host has other labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelsChanged {
    /// Which host.
    pub host_id: String,
    /// All its labels.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub labels: Labels,
}

/// A component runs on a host with so many instances at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentScaled {
    /// The public key of a signed component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// The claims of a signed component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ComponentEventClaims>,
    /// What the asker wanted to remember about it.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub annotations: Labels,
    /// Which host.
    pub host_id: String,
    /// Where it came from.
    pub image_ref: String,
    /// How many invocations may run at once; 0 means that it stopped.
    pub max_instances: u32,
    /// Its id in the lattice.
    pub component_id: String,
}

/// A component could not be started or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentScaleFailed {
    /// The public key of a signed component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// What the asker wanted to remember about it.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub annotations: Labels,
    /// Which host.
    pub host_id: String,
    /// Where it should have come from.
    pub image_ref: String,
    /// How many invocations should have been able to run at once.
    pub max_instances: u32,
    /// Its id in the lattice.
    pub component_id: String,
    /// Why, with all causes.
    pub error: String,
}

/// The claims of a component as events show them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentEventClaims {
    /// Another name by which it could be called before 1.0.
    #[serde(default)]
    pub call_alias: Option<String>,
    /// The public key of the account that signed.
    #[serde(default)]
    pub issuer: String,
    /// Free words.
    #[serde(default, deserialize_with = "limit::optional_list::<_, _, MAX_NAMES>")]
    pub tags: Option<Vec<String>>,
    /// What its maker calls it.
    #[serde(default)]
    pub name: Option<String>,
    /// The version its maker gave it.
    #[serde(default)]
    pub version: Option<String>,
    /// The revision its maker gave it.
    #[serde(default)]
    pub revision: Option<i32>,
    /// Since when it is valid, in words.
    #[serde(default)]
    pub not_before_human: String,
    /// Until when it is valid, in words: `never`.
    #[serde(default)]
    pub expires_human: String,
}

/// The claims of a provider as events show them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderEventClaims {
    /// The public key of the account that signed.
    #[serde(default)]
    pub issuer: String,
    /// Free words.
    #[serde(default, deserialize_with = "limit::optional_list::<_, _, MAX_NAMES>")]
    pub tags: Option<Vec<String>>,
    /// What its maker calls it.
    #[serde(default)]
    pub name: Option<String>,
    /// The version its maker gave it.
    #[serde(default)]
    pub version: Option<String>,
    /// Since when it is valid, in words.
    #[serde(default)]
    pub not_before_human: String,
    /// Until when it is valid, in words: `never`.
    #[serde(default)]
    pub expires_human: String,
}

/// A provider runs on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderStarted {
    /// Which host.
    pub host_id: String,
    /// Where it came from.
    #[serde(default)]
    pub image_ref: String,
    /// Its id in the lattice.
    pub provider_id: String,
    /// What the asker wanted to remember about it.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub annotations: Labels,
    /// Its claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ProviderEventClaims>,
    /// Its id once more, which older controllers read here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// Its id once more, which older controllers read here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// `default`, which older controllers read here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_name: Option<String>,
}

/// A provider could not be started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderStartFailed {
    /// Where it should have come from.
    #[serde(default)]
    pub provider_ref: String,
    /// Its id in the lattice.
    pub provider_id: String,
    /// Which host.
    pub host_id: String,
    /// Why, with all causes.
    pub error: String,
    /// `default`, which older controllers read here.
    #[serde(default = "default_name")]
    pub link_name: String,
}

/// A provider stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderStopped {
    /// Which host.
    pub host_id: String,
    /// Its id in the lattice.
    pub provider_id: String,
    /// What the asker wanted to remember about it.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub annotations: Labels,
    /// Why: `stop` where somebody asked for it.
    #[serde(default)]
    pub reason: String,
    /// Its id once more, which older controllers read here.
    #[serde(default)]
    pub instance_id: String,
    /// Its id once more, which older controllers read here.
    #[serde(default)]
    pub public_key: String,
    /// `default`, which older controllers read here.
    #[serde(default = "default_name")]
    pub link_name: String,
}

/// A provider was asked whether it is well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Which host asked.
    pub host_id: String,
    /// The id of the provider.
    pub provider_id: String,
}

/// A link was made or replaced. Fields of the link that are not known here are not told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkdefSet {
    /// The id of who calls.
    pub source_id: String,
    /// The id of who answers.
    pub target: String,
    /// The name of the link.
    #[serde(default = "default_name")]
    pub name: String,
    /// `wasi` in `wasi:http`.
    pub wit_namespace: String,
    /// `http` in `wasi:http`.
    pub wit_package: String,
    /// `incoming-handler` in `wasi:http/incoming-handler`.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_NAMES>")]
    pub interfaces: Vec<String>,
    /// Names of configs for the source.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_NAMES>")]
    pub source_config: Vec<String>,
    /// Names of configs for the target.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_NAMES>")]
    pub target_config: Vec<String>,
    /// How calls travel, see [`Link::route`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

impl From<&Link> for LinkdefSet {
    fn from(link: &Link) -> Self {
        let link = link.clone();
        Self {
            source_id: link.source_id,
            target: link.target,
            name: link.name,
            wit_namespace: link.wit_namespace,
            wit_package: link.wit_package,
            interfaces: link.interfaces,
            source_config: link.source_config,
            target_config: link.target_config,
            route: link.route,
        }
    }
}

/// A link was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkdefSetFailed {
    /// Why, with all causes.
    pub error: String,
    /// The link.
    #[serde(flatten)]
    pub link: LinkdefSet,
}

/// A link was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkdefDeleted {
    /// The id of who called.
    pub source_id: String,
    /// The name of the link.
    #[serde(default = "default_name")]
    pub name: String,
    /// `wasi` in `wasi:http`.
    pub wit_namespace: String,
    /// `http` in `wasi:http`.
    pub wit_package: String,
    /// The id of who answered, where the link had existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Its interfaces, where the link had existed.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "limit::optional_list::<_, _, MAX_NAMES>"
    )]
    pub interfaces: Option<Vec<String>>,
}

/// A config was made, replaced or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChanged {
    /// Its name; its values are in the bucket.
    pub config_name: String,
}
