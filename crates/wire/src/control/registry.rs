//! Credentials of registries, as `registry.put` and the config service hand them to hosts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::hidden::Hidden;
use crate::json::Message;
use crate::limit::{self, MAX_LABELS, MAX_REQUEST};

/// How to sign in at one registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryCredential {
    /// Who signs in; with a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password of that user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Hidden>,
    /// A token instead of user and password. v1 hosts take it and then sign in as nobody (wire reference §2.6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Hidden>,
    /// The kind of registry; `oci` is the only one there is.
    #[serde(rename = "registryType", default = "oci")]
    pub registry_type: String,
}

fn oci() -> String {
    "oci".to_owned()
}

impl Default for RegistryCredential {
    fn default() -> Self {
        Self {
            username: None,
            password: None,
            token: None,
            registry_type: oci(),
        }
    }
}

/// Credentials by the host, and port where it has one, of the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Registries(
    #[serde(deserialize_with = "limit::map::<_, _, MAX_LABELS>")] pub BTreeMap<String, RegistryCredential>,
);

impl Message for Registries {
    const WHAT: &'static str = "registries put command";
    const MAX: usize = MAX_REQUEST;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_and_not_shown() {
        let text = br#"{"ghcr.io":{"username":"u","password":"p4ss"},"localhost:5000":{"token":"t0ken","registryType":"oci"}}"#;
        let registries = Registries::decode(text).unwrap();
        let shown = format!("{registries:?}");
        assert!(shown.contains("ghcr.io") && !shown.contains("p4ss") && !shown.contains("t0ken"));
        assert_eq!(Registries::decode(&registries.encode()).unwrap(), registries);
    }
}
