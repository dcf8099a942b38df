//! A link as it travels: in requests, in replies and in the record of its source, always with the same fields
//! (wire reference §3.1).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wasmcloud_core::{ComponentId, ConfigName, LinkName, Route};

use crate::json::{InvalidField, Message};
use crate::limit::{self, MAX_NAMES, MAX_REQUEST};

/// Longest name of a WIT namespace, package or interface, in bytes; the limit that other names have.
const MAX_WORD: usize = 256;

/// A link: the source's use of interfaces goes to the target.
///
/// The text is as somebody wrote it; [`wasmcloud_core::Link`] is a link that makes sense.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The id of who calls.
    pub source_id: String,
    /// The id of who answers.
    pub target: String,
    /// The name under which the source selects this link.
    #[serde(default = "default_name")]
    pub name: String,
    /// `wasi` in `wasi:http`.
    pub wit_namespace: String,
    /// `http` in `wasi:http`.
    pub wit_package: String,
    /// `incoming-handler` in `wasi:http/incoming-handler`.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_NAMES>")]
    pub interfaces: Vec<String>,
    /// Names of configs for the source, later ones override earlier ones.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_NAMES>")]
    pub source_config: Vec<String>,
    /// Names of configs for the target, later ones override earlier ones.
    #[serde(default, deserialize_with = "limit::list::<_, _, MAX_NAMES>")]
    pub target_config: Vec<String>,
    /// How calls travel, as [`Route`] names it. Not in v1, which ignores it; absent means [`Route::Auto`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// In a request, the target of the link with the same key whose place this one takes, in one step. Not in v1, where
    /// such a link is deleted first; no record has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
    /// What newer peers said that is not known here; kept, so that writing the link back does not lose it.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl Message for Link {
    const WHAT: &'static str = "link put command";
    const MAX: usize = MAX_REQUEST;
}

pub(crate) fn default_name() -> String {
    LinkName::default_name().as_str().to_owned()
}

impl Link {
    /// The target whose place this link takes, if there is one.
    pub fn instead_of(&self) -> Result<Option<ComponentId>, InvalidField> {
        let target = self.instead_of.as_deref();
        target.map(|target| name("instead_of", target)).transpose()
    }
}

impl TryFrom<&Link> for wasmcloud_core::Link {
    type Error = InvalidField;

    fn try_from(link: &Link) -> Result<Self, InvalidField> {
        let interfaces = link
            .interfaces
            .iter()
            .enumerate()
            .map(|(index, interface)| word(format!("interfaces[{index}]"), interface))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            source: name("source_id", &link.source_id)?,
            target: name("target", &link.target)?,
            name: name("name", &link.name)?,
            namespace: word("wit_namespace", &link.wit_namespace)?,
            package: word("wit_package", &link.wit_package)?,
            interfaces,
            source_config: configs("source_config", &link.source_config)?,
            target_config: configs("target_config", &link.target_config)?,
            route: match &link.route {
                Some(route) => name("route", route)?,
                None => Route::default(),
            },
        })
    }
}

impl From<&wasmcloud_core::Link> for Link {
    fn from(link: &wasmcloud_core::Link) -> Self {
        let texts = |names: &[ConfigName]| names.iter().map(ToString::to_string).collect();
        Self {
            source_id: link.source.to_string(),
            target: link.target.to_string(),
            name: link.name.to_string(),
            wit_namespace: link.namespace.clone(),
            wit_package: link.package.clone(),
            interfaces: link.interfaces.clone(),
            source_config: texts(&link.source_config),
            target_config: texts(&link.target_config),
            route: (link.route != Route::default()).then(|| link.route.name().to_owned()),
            instead_of: None,
            unknown: Map::new(),
        }
    }
}

pub(crate) fn name<T>(field: &str, text: &str) -> Result<T, InvalidField>
where
    T: std::str::FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    text.parse().map_err(|error| InvalidField::new(field, error))
}

fn configs(field: &str, names: &[String]) -> Result<Vec<ConfigName>, InvalidField> {
    names
        .iter()
        .enumerate()
        .map(|(index, config)| name(&format!("{field}[{index}]"), config))
        .collect()
}

/// A word of a WIT name. v1 checks none, so this refuses only what no tool can have meant.
fn word(field: impl Into<String>, text: &str) -> Result<String, InvalidField> {
    let problem = if text.is_empty() {
        "must not be empty".to_owned()
    } else if text.len() > MAX_WORD {
        format!("has {} bytes, the limit is {MAX_WORD}", text.len())
    } else if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        format!("{text:?} contains white space or a control character")
    } else {
        return Ok(text.to_owned());
    };
    Err(InvalidField::new(field, problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::chain;

    const LINK: &str = r#"{"source_id":"http","target":"hello","wit_namespace":"wasi","wit_package":"http","interfaces":["incoming-handler"],"source_config":["web"],"target_config":null,"weight":{"a":[1,2.5,null]}}"#;

    #[test]
    fn unknown_fields_survive_and_defaults_are_filled_in() {
        let link = Link::decode(LINK.as_bytes()).unwrap();
        assert_eq!((link.name.as_str(), link.target_config.len()), ("default", 0));
        let again: Value = serde_json::from_slice(&link.encode()).unwrap();
        assert_eq!(
            again.get("weight"),
            Some(&serde_json::json!({"a": [1, 2.5, null]}))
        );
        assert_eq!(again.get("route"), None);
    }

    #[test]
    fn links_become_core_links_or_name_the_field() {
        let link = Link::decode(LINK.as_bytes()).unwrap();
        let core = wasmcloud_core::Link::try_from(&link).unwrap();
        assert_eq!(core.route, Route::Auto);
        assert_eq!(
            Link::from(&core),
            Link {
                unknown: Map::new(),
                ..link.clone()
            }
        );
        let refused = |change: fn(&mut Link)| {
            let mut link = link.clone();
            change(&mut link);
            chain(&wasmcloud_core::Link::try_from(&link).unwrap_err())
        };
        assert_eq!(
            refused(|link| link.target = "a.b".to_owned()),
            "field `target`: component id `a.b` contains '.'; letters, digits, `-` and `_` are allowed"
        );
        assert_eq!(
            refused(|link| link.source_config.push(String::new())),
            "field `source_config[1]`: config name must not be empty"
        );
        assert_eq!(
            refused(|link| link.interfaces.push("a b".to_owned())),
            "field `interfaces[1]`: \"a b\" contains white space or a control character"
        );
        assert_eq!(
            refused(|link| link.route = Some("locl".to_owned())),
            "field `route`: route `locl` is unknown; did you mean `local`?"
        );
    }
}
