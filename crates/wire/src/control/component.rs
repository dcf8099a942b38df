//! Requests about components.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmcloud_core::{ComponentId, ConfigName, HostId, ImageRef, LinkSuffix};

use crate::json::{InvalidField, Message};
use crate::limit::{self, Labels, MAX_LABELS, MAX_REQUEST};
use crate::{link, text};

/// The annotation by which a revision is known: components on one host that both have it are the same revision if it
/// is the same. Controllers of ours set it.
pub const REVISION: &str = "wasmcloud.dev/revision";

/// The weight of a component that takes all calls.
pub const FULL_WEIGHT: u8 = 100;

/// Longest path of a probe, in bytes.
const MAX_PATH: usize = 2_048;

/// Longest time that a probe may take: further commands for the component wait as long.
const MAX_PROBE: Duration = Duration::from_secs(60);

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
    /// The percent of the calls that this revision gets while another one runs under the same id; absent or 100, it
    /// takes the place of the other. Not in v1; [`ScaleComponent::weight`] reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
    /// What it has to answer before it gets calls. Not in v1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// Whether it is refused if it imports what no link answers; else calls of such an import fail until there is a
    /// link. Not in v1.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub links_required: bool,
    /// What the names of the links that are its own end in; it selects them by the names before that. Without, it has all
    /// links of its id, by their names. Only for hosts with [`FEATURE_LINK_SUFFIX`](super::FEATURE_LINK_SUFFIX). Not in
    /// v1.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::optional")]
    pub link_suffix: Option<LinkSuffix>,
}

/// A request that a component has to answer well before it gets calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The path, with its query: `/healthz`.
    pub path: String,
    /// How long the answer may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

impl Probe {
    /// How long the answer to a probe may take that does not say.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

    /// The path.
    pub fn path(&self) -> Result<&str, InvalidField> {
        let (path, invalid) = (&*self.path, |what: String| InvalidField::new("probe.path", what));
        if path.len() > MAX_PATH {
            return Err(invalid(format!(
                "it has {} bytes, the limit is {MAX_PATH}",
                path.len()
            )));
        }
        // A fragment is not sent.
        let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        match path.starts_with('/') && path.bytes().all(fits) {
            true => Ok(path),
            false => Err(invalid(format!(
                "`{}` is not the path of a URL, such as `/healthz`",
                path.escape_debug()
            ))),
        }
    }

    /// How long the answer may take.
    pub fn timeout(&self) -> Result<Duration, InvalidField> {
        let time = self
            .timeout_ms
            .map_or(Self::DEFAULT_TIMEOUT, Duration::from_millis);
        match !time.is_zero() && time <= MAX_PROBE {
            true => Ok(time),
            false => Err(InvalidField::new(
                "probe.timeout_ms",
                format!(
                    "it is {}, and may be from 1 to {}",
                    time.as_millis(),
                    MAX_PROBE.as_millis()
                ),
            )),
        }
    }
}

impl ScaleComponent {
    /// The percent of the calls that it gets beside another revision; `None` where it gets all of them.
    pub fn weight(&self) -> Result<Option<u8>, InvalidField> {
        match self.weight {
            Some(weight) if weight > FULL_WEIGHT => Err(InvalidField::new(
                "weight",
                format!("it is {weight}, and may be from 0 to {FULL_WEIGHT}"),
            )),
            weight => Ok(weight.filter(|weight| *weight < FULL_WEIGHT)),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: &InvalidField) -> String {
        crate::message::chain(error)
    }

    #[test]
    fn a_probe_says_where_and_how_long() {
        let probe = |path: &str, timeout_ms| Probe {
            path: path.to_owned(),
            timeout_ms,
        };
        let good = probe("/healthz?deep=1", None);
        assert_eq!(good.path().unwrap(), "/healthz?deep=1");
        assert_eq!(good.timeout().unwrap(), Duration::from_secs(5));
        assert_eq!(
            probe("/", Some(60_000)).timeout().unwrap(),
            Duration::from_secs(60)
        );
        for path in ["", "healthz", "/a b", "/a#b", "/\r\nx: y", "/ä"] {
            let error = told(&probe(path, None).path().unwrap_err());
            assert!(error.contains("is not the path of a URL"), "{error}");
        }
        assert!(told(&probe(&"/".repeat(2_049), None).path().unwrap_err()).contains("the limit is 2048"));
        for timeout in [0, 60_001, u64::MAX] {
            let error = told(&probe("/", Some(timeout)).timeout().unwrap_err());
            assert!(error.ends_with("may be from 1 to 60000"), "{error}");
        }
    }
}
