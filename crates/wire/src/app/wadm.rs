//! What v1's wadm keeps of its applications in a bucket of JetStream (wire reference §8.5), for who takes them over.
//!
//! One key has the names of a lattice's applications, one more for each of them has all its versions. Ours are kept
//! otherwise ([`app_bucket`](super::app_bucket)); nothing here is ever written.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wasmcloud_core::LatticeName;

use crate::json::Message;
use crate::limit::{self, MAX_ITEMS, MAX_REPLY};

/// The bucket, where nobody gave wadm another one (`--manifest-bucket-name`).
pub const WADM_BUCKET: &str = "wadm_manifests";

/// The key of the [`WadmNames`] of a lattice, of a wadm that is not multi-tenant: that one has an account in front.
pub fn wadm_names_key(lattice: &LatticeName) -> String {
    lattice.to_string()
}

/// The key of the [`WadmApplication`] of this name.
pub fn wadm_app_key(lattice: &LatticeName, name: &str) -> String {
    format!("{lattice}-{name}")
}

/// The names of all applications of a lattice. wadm writes an application before its name and deletes it after that, so
/// what is not named is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WadmNames(#[serde(deserialize_with = "limit::list::<_, _, MAX_ITEMS>")] pub Vec<String>);

/// All versions of an application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WadmApplication {
    /// The manifests by their versions, in the order in which they were put.
    pub manifests: Map<String, Value>,
    /// The version that is deployed.
    #[serde(default)]
    pub deployed_version: Option<String>,
}

impl Message for WadmNames {
    const WHAT: &'static str = "list of wadm's applications";
    const MAX: usize = MAX_REPLY;
}

impl Message for WadmApplication {
    const WHAT: &'static str = "application of wadm";
    const MAX: usize = MAX_REPLY;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_keep_the_order_in_which_they_were_put() {
        let text = r#"{"manifests":{"v2":{"b":1,"a":2},"v10":{},"v1":{}},"deployed_version":"v10"}"#;
        let read = WadmApplication::decode(text.as_bytes()).unwrap();
        let versions: Vec<&str> = read.manifests.keys().map(String::as_str).collect();
        assert_eq!(versions, ["v2", "v10", "v1"]);
        assert_eq!(read.deployed_version.as_deref(), Some("v10"));
        assert_eq!(String::from_utf8(read.encode()).unwrap(), text);
        let undeployed = r#"{"manifests":{},"deployed_version":null}"#;
        let read = WadmApplication::decode(undeployed.as_bytes()).unwrap();
        assert_eq!(read, WadmApplication::default());
    }

    #[test]
    fn names_are_a_list() {
        let names = WadmNames::decode(br#"["cart","shop"]"#).unwrap();
        assert_eq!(names.0, ["cart", "shop"]);
        assert!(WadmNames::decode(br#"{"cart":{}}"#).is_err());
    }
}
