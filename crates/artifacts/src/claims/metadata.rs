//! What is claimed about each kind of subject. The names in JSON are those of v1 (wire reference §11).

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What can be claimed about one kind of subject.
pub trait Metadata: Serialize + DeserializeOwned {
    /// What people call it.
    const KIND: &'static str;
    /// The first letter of its public keys.
    const SUBJECT: char;
    /// The first letter of the public keys of those who sign for it.
    const ISSUER: char;

    /// Its name, if it has one.
    fn name(&self) -> Option<&str>;
}

/// About a component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentMetadata {
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The SHA-256 of the component without its claims, in hexadecimal digits.
    pub hash: String,
    /// Anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// A number that grows with each release.
    #[serde(rename = "rev", skip_serializing_if = "Option::is_none")]
    pub revision: Option<i32>,
    /// A version for people.
    #[serde(rename = "ver", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Another name to call it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_alias: Option<String>,
    /// Whether it is a provider. Always false today.
    #[serde(rename = "prov", default)]
    pub provider: bool,
}

/// About a capability provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderMetadata {
    /// A name for people.
    pub name: Option<String>,
    /// Who made it.
    pub vendor: String,
    /// A number that grows with each release.
    #[serde(rename = "rev", skip_serializing_if = "Option::is_none")]
    pub revision: Option<i32>,
    /// A version for people.
    #[serde(rename = "ver", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The SHA-256 in hexadecimal digits of the program for each target (`x86_64-linux`), and of `world.wasm`.
    pub target_hashes: BTreeMap<String, String>,
    /// A JSON schema of what its links can be configured with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<Value>,
}

/// About an account, which signs for components and providers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountMetadata {
    /// A name for people.
    pub name: Option<String>,
    /// Other public keys that may sign for it.
    pub valid_signers: Option<Vec<String>>,
}

/// About an operator, which signs for accounts and for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorMetadata {
    /// A name for people.
    pub name: Option<String>,
    /// Other public keys that may sign for it.
    pub valid_signers: Option<Vec<String>>,
}

macro_rules! metadata {
    ($type:ty, $kind:literal, $subject:literal, $issuer:literal) => {
        impl Metadata for $type {
            const KIND: &'static str = $kind;
            const SUBJECT: char = $subject;
            const ISSUER: char = $issuer;

            fn name(&self) -> Option<&str> {
                self.name.as_deref()
            }
        }
    };
}

metadata!(ComponentMetadata, "component", 'M', 'A');
metadata!(ProviderMetadata, "provider", 'V', 'A');
metadata!(AccountMetadata, "account", 'A', 'O');
metadata!(OperatorMetadata, "operator", 'O', 'O');
