//! Configs, and the records that say where a secret is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json::Message;
use crate::limit::{self, MAX_REQUEST, MAX_VALUES};

/// A named config: text for each key. Also what `config.put` sends and `config.get` returns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Config(#[serde(deserialize_with = "limit::map::<_, _, MAX_VALUES>")] pub BTreeMap<String, String>);

impl Message for Config {
    const WHAT: &'static str = "config";
    const MAX: usize = MAX_REQUEST;
}

/// The type of every secret reference (wire reference §2.8).
pub const SECRET_TYPE: &str = "secret.wasmcloud.dev/v1alpha1";
/// The type of the policy in a secret reference.
pub const SECRET_POLICY_TYPE: &str = "properties.secret.wasmcloud.dev/v1alpha1";

/// Where a secret is (wire reference §2.8). Every field is text, so that it passes for a [`Config`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretReference {
    /// What components and providers call it.
    pub name: String,
    /// Which secrets backend has it.
    pub backend: String,
    /// What the backend calls it.
    pub key: String,
    /// One part of a secret that has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// One of its versions, else the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What the backend needs to know, JSON inside the text; [`SecretReference::properties`] reads it.
    #[serde(default)]
    pub policy: String,
    /// [`SECRET_TYPE`].
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What newer peers wrote that is not known here; kept.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// The policy of a secret reference is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPolicy {
    /// It is not JSON, or not an object with a type and properties.
    #[error("read the policy of secret `{name}`")]
    Form {
        /// The name of the reference.
        name: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// It is of another type.
    #[error("the policy of secret `{name}` is of type `{kind}`, not `{SECRET_POLICY_TYPE}`")]
    Type {
        /// The name of the reference.
        name: String,
        /// The type it states.
        kind: String,
    },
}

/// The policy inside a secret reference.
#[derive(Serialize, Deserialize)]
struct Policy {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_VALUES>")]
    properties: BTreeMap<String, Value>,
}

impl SecretReference {
    /// A reference to the newest version of a secret as a whole.
    pub fn new(name: &str, backend: &str, key: &str, properties: BTreeMap<String, Value>) -> Self {
        let policy = Policy {
            kind: SECRET_POLICY_TYPE.to_owned(),
            properties,
        };
        Self {
            name: name.to_owned(),
            backend: backend.to_owned(),
            key: key.to_owned(),
            policy: String::from_utf8_lossy(&crate::json::encode(&policy)).into_owned(),
            kind: SECRET_TYPE.to_owned(),
            ..Self::default()
        }
    }

    /// What the backend needs to know.
    pub fn properties(&self) -> Result<BTreeMap<String, Value>, InvalidPolicy> {
        let policy: Policy = serde_json::from_str(&self.policy).map_err(|source| InvalidPolicy::Form {
            name: self.name.clone(),
            source,
        })?;
        if policy.kind != SECRET_POLICY_TYPE {
            return Err(InvalidPolicy::Type {
                name: self.name.clone(),
                kind: policy.kind,
            });
        }
        Ok(policy.properties)
    }
}

impl Message for SecretReference {
    const WHAT: &'static str = "secret reference";
    const MAX: usize = MAX_REQUEST;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_config_and_has_a_policy_inside() {
        // Wire reference §15.
        let text = r#"{"name":"pw","backend":"nats-kv","key":"db/pw","version":"1","type":"secret.wasmcloud.dev/v1alpha1","policy":"{\"type\":\"properties.secret.wasmcloud.dev/v1alpha1\",\"properties\":{\"role\":\"x\"}}"}"#;
        assert!(Config::decode(text.as_bytes()).is_ok());
        let reference = SecretReference::decode(text.as_bytes()).unwrap();
        let properties = BTreeMap::from([("role".to_owned(), Value::from("x"))]);
        assert_eq!(reference.properties().unwrap(), properties);
        let ours = SecretReference {
            version: Some("1".to_owned()),
            ..SecretReference::new("pw", "nats-kv", "db/pw", properties)
        };
        assert_eq!(ours, reference);
        let other = SecretReference {
            policy: r#"{"type":"x"}"#.to_owned(),
            ..reference
        };
        assert!(
            other
                .properties()
                .unwrap_err()
                .to_string()
                .contains("is of type `x`")
        );
    }
}
