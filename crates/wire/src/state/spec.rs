//! The record of a component or provider.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json::Message;
use crate::limit::{self, MAX_ITEMS, MAX_REQUEST};
use crate::link::Link;

/// What a lattice remembers about a component or provider: where it comes from, and its links to others.
///
/// Links may be put before either end exists, so there are records without an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentSpec {
    /// Where it comes from; empty where only its links are known.
    #[serde(default)]
    pub url: String,
    /// The links it is the source of.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_ITEMS>")]
    pub links: Vec<Link>,
    /// What newer hosts wrote that is not known here; kept, so that writing the record back does not lose it.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Message for ComponentSpec {
    const WHAT: &'static str = "component record";
    const MAX: usize = MAX_REQUEST;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_kept() {
        let text = r#"{"url":"a/b:1","links":[{"source_id":"a","target":"b","wit_namespace":"wasi","wit_package":"http","new":1.5e300}],"rollout":{"by":"n9"}}"#;
        let mut spec = ComponentSpec::decode(text.as_bytes()).unwrap();
        spec.url = "a/b:2".to_owned();
        let written: Value = serde_json::from_slice(&spec.encode()).unwrap();
        assert_eq!(written.pointer("/rollout/by"), Some(&Value::from("n9")));
        assert_eq!(written.pointer("/links/0/new"), Some(&Value::from(1.5e300)));
        assert_eq!(written.pointer("/url"), Some(&Value::from("a/b:2")));
    }

    #[test]
    fn an_error_names_the_link() {
        let error = ComponentSpec::decode(br#"{"links":[{"source_id":1}]}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to deserialize component record: field `links[0].source_id`"
        );
    }
}
