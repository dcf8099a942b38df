//! The config service, which a starting host may ask for settings (wire reference §2.2). A host that gets no answer
//! starts without them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::control::RegistryCredential;
use crate::json::Message;
use crate::limit::{self, Labels, MAX_LABELS, MAX_REQUEST};

/// What a starting host says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigServiceRequest {
    /// Its labels.
    #[serde(default, deserialize_with = "limit::map::<_, _, MAX_LABELS>")]
    pub labels: Labels,
}

impl Message for ConfigServiceRequest {
    const WHAT: &'static str = "config service request";
    const MAX: usize = MAX_REQUEST;
}

/// What it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigServiceReply {
    /// Credentials by registry; they override those the host was started with.
    #[serde(
        rename = "registryCredentials",
        default,
        deserialize_with = "limit::map::<_, _, MAX_LABELS>"
    )]
    pub registry_credentials: BTreeMap<String, RegistryCredential>,
}

impl Message for ConfigServiceReply {
    const WHAT: &'static str = "config service reply";
    const MAX: usize = MAX_REQUEST;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_credentials_is_one() {
        assert_eq!(
            ConfigServiceReply::decode(b"{}").unwrap(),
            ConfigServiceReply::default()
        );
        let reply = ConfigServiceReply::decode(
            br#"{"registryCredentials":{"ghcr.io":{"username":"u","password":"p","registryType":"oci"}}}"#,
        );
        assert_eq!(reply.unwrap().registry_credentials.len(), 1);
    }
}
