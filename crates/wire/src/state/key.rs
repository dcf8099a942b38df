//! Keys of the two buckets.

use std::fmt;
use std::str::FromStr;

use wasmcloud_core::{ComponentId, ConfigName, InvalidName, PublicKey};

const COMPONENT: &str = "COMPONENT_";
const CLAIMS: &str = "CLAIMS_";
/// What hosts before 1.0 wrote. It means nothing any more and is left where it is.
const LEGACY: [&str; 2] = ["LINKDEF_", "REFMAP_"];
const SECRET: &str = "SECRET_";

/// A key of the bucket `LATTICEDATA_{lattice}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LatticeKey {
    /// `COMPONENT_{id}`: a component or provider.
    Component(ComponentId),
    /// `CLAIMS_{subject}`: who made a component or provider.
    Claims(PublicKey),
}

/// A key that has no record known here. Whoever watches a bucket ignores it, and never removes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Hosts before 1.0 wrote it: `LINKDEF_…`, `REFMAP_…`.
    #[error("key `{0}` is of a host before 1.0")]
    Legacy(String),
    /// It is none of the known kinds; perhaps a newer host wrote it.
    #[error("key `{0}` is of an unknown kind")]
    Unknown(String),
    /// It is of a known kind and names what cannot exist.
    #[error("key `{key}` names what cannot exist")]
    Name {
        /// The key, cut off where it is long.
        key: String,
        /// What is wrong with the name.
        #[source]
        source: InvalidName,
    },
}

/// How much of a key errors repeat, in bytes.
const SHOWN: usize = 512;

impl InvalidKey {
    fn name(key: &str) -> impl Fn(InvalidName) -> Self {
        move |source| Self::Name {
            key: crate::message::cut(key, SHOWN),
            source,
        }
    }
}

impl FromStr for LatticeKey {
    type Err = InvalidKey;

    fn from_str(key: &str) -> Result<Self, InvalidKey> {
        if let Some(id) = key.strip_prefix(COMPONENT) {
            return id.parse().map(Self::Component).map_err(InvalidKey::name(key));
        }
        if let Some(subject) = key.strip_prefix(CLAIMS) {
            return subject.parse().map(Self::Claims).map_err(InvalidKey::name(key));
        }
        let shown = crate::message::cut(key, SHOWN);
        Err(if LEGACY.iter().any(|legacy| key.starts_with(legacy)) {
            InvalidKey::Legacy(shown)
        } else {
            InvalidKey::Unknown(shown)
        })
    }
}

impl fmt::Display for LatticeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(id) => write!(f, "{COMPONENT}{id}"),
            Self::Claims(subject) => write!(f, "{CLAIMS}{subject}"),
        }
    }
}

/// A key of the bucket `CONFIGDATA_{lattice}`, which is also the name by which components, providers and links use
/// what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConfigKey {
    /// `{name}`: a config.
    Config(ConfigName),
    /// `SECRET_{name}`: a reference to a secret, with `SECRET_` in front.
    ///
    /// v1 takes every name that starts with `SECRET` for one; `wash` refuses such names for configs.
    Secret(ConfigName),
}

impl ConfigKey {
    /// The key of the reference to the secret called `name`.
    pub fn secret(name: &str) -> Result<Self, InvalidName> {
        format!("{SECRET}{name}").parse().map(Self::Secret)
    }

    /// The name as it stands in lists of configs.
    pub fn name(&self) -> &ConfigName {
        match self {
            Self::Config(name) | Self::Secret(name) => name,
        }
    }

    /// Whether this is a config or a reference to a secret.
    pub fn of(name: ConfigName) -> Self {
        if name.as_str().starts_with("SECRET") {
            Self::Secret(name)
        } else {
            Self::Config(name)
        }
    }
}

impl FromStr for ConfigKey {
    type Err = InvalidKey;

    fn from_str(key: &str) -> Result<Self, InvalidKey> {
        key.parse().map(Self::of).map_err(InvalidKey::name(key))
    }
}

impl fmt::Display for ConfigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_lattice() {
        for key in ["COMPONENT_http", "COMPONENT_COMPONENT_x", "CLAIMS_VD4U"] {
            assert_eq!(key.parse::<LatticeKey>().unwrap().to_string(), key);
        }
        let refused = |key: &str| key.parse::<LatticeKey>().unwrap_err();
        assert!(matches!(refused("LINKDEF_a-b"), InvalidKey::Legacy(_)));
        assert!(matches!(refused("REFMAP_x"), InvalidKey::Legacy(_)));
        assert!(matches!(refused("component_x"), InvalidKey::Unknown(_)));
        assert!(matches!(refused("COMPONENT_"), InvalidKey::Name { .. }));
        assert!(matches!(refused("COMPONENT_a.b"), InvalidKey::Name { .. }));
    }

    #[test]
    fn secrets_are_known_by_their_name() {
        let check = |key: &str, secret: bool| {
            let parsed: ConfigKey = key.parse().unwrap();
            assert_eq!(matches!(parsed, ConfigKey::Secret(_)), secret, "{key}");
            assert_eq!(parsed.to_string(), key);
        };
        check("web", false);
        check("shop.secret", false);
        check("SECRET_pw", true);
        check("SECRETS", true);
        assert_eq!(ConfigKey::secret("pw").unwrap(), "SECRET_pw".parse().unwrap());
    }
}
