//! The record of who made a component or provider: what was stated and signed in it.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::json::Message;
use crate::limit::{self, MAX_NAMES, MAX_REQUEST};

/// Claims of one of the two kinds. They have no field that says which; those of a component have `call_alias` and
/// `tags`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Claims {
    /// Of a component.
    Component(ComponentClaims),
    /// Of a provider.
    Provider(ProviderClaims),
}

/// What claims of both kinds state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimsCommon {
    /// The public key of the account that signed.
    #[serde(default)]
    pub issuer: String,
    /// What its maker calls it.
    #[serde(default)]
    pub name: String,
    /// A number, as text.
    #[serde(default)]
    pub revision: String,
    /// The public key of the component or provider, which is also in the key of the record.
    pub subject: String,
    /// The version its maker gave it, or nothing.
    #[serde(default)]
    pub version: String,
}

/// Claims of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentClaims {
    /// Another name by which it could be called before 1.0.
    #[serde(default)]
    pub call_alias: Option<String>,
    /// What both kinds state.
    #[serde(flatten)]
    pub common: ClaimsCommon,
    /// Free words.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_NAMES>")]
    pub tags: Vec<String>,
    /// What is not known here; kept.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Claims of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderClaims {
    /// What both kinds state.
    #[serde(flatten)]
    pub common: ClaimsCommon,
    /// A JSON Schema of its config, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<String>,
    /// What is not known here; kept.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Claims {
    /// What claims of both kinds state.
    pub fn common(&self) -> &ClaimsCommon {
        match self {
            Self::Component(claims) => &claims.common,
            Self::Provider(claims) => &claims.common,
        }
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fields = Map::<String, Value>::deserialize(from)?;
        let is_component = ["call_alias", "tags"]
            .iter()
            .any(|field| fields.contains_key(*field));
        let fields = Value::Object(fields);
        let claims = if is_component {
            serde_json::from_value(fields).map(Self::Component)
        } else {
            serde_json::from_value(fields).map(Self::Provider)
        };
        claims.map_err(D::Error::custom)
    }
}

impl Message for Claims {
    const WHAT: &'static str = "claims record";
    const MAX: usize = MAX_REQUEST;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::ClaimsEntry;

    #[test]
    fn the_two_kinds_are_told_apart() {
        let component = br#"{"call_alias":"","issuer":"A1","name":"cart","revision":"3","subject":"M1","tags":["x","y"],"version":"1","more":true}"#;
        let claims = Claims::decode(component).unwrap();
        assert!(matches!(&claims, Claims::Component(it) if it.tags.len() == 2));
        assert_eq!(Claims::decode(&claims.encode()).unwrap(), claims);
        let entry = ClaimsEntry::from(&claims);
        assert_eq!(entry.get("tags").map(String::as_str), Some("x,y"));
        assert_eq!(entry.get("rev"), entry.get("revision"));

        let provider = br#"{"issuer":"A1","name":"http","revision":"0","subject":"V1","version":""}"#;
        assert!(matches!(Claims::decode(provider).unwrap(), Claims::Provider(_)));
    }
}
