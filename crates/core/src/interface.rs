//! Names of WIT interfaces: `namespace:package/interface@version`.

use std::fmt;
use std::str::FromStr;

use semver::Version;

use crate::suggest::nearest;

/// The name of a WIT interface, as it stands in a component's imports and exports (component model, "Import and
/// Export Definitions").
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceName {
    /// `wasi` in `wasi:http/types@0.2.0`.
    pub namespace: String,
    /// `http` in `wasi:http/types@0.2.0`.
    pub package: String,
    /// `types` in `wasi:http/types@0.2.0`.
    pub interface: String,
    /// `0.2.0` in `wasi:http/types@0.2.0`.
    pub version: Option<Version>,
}

/// Text that is not the name of a WIT interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an interface name; it should look like `wasi:http/types@0.2.0`")]
pub struct InvalidInterface(pub String);

impl InterfaceName {
    /// `namespace:package`, what a link names.
    pub fn package_name(&self) -> String {
        format!("{}:{}", self.namespace, self.package)
    }

    /// `namespace:package/interface` without the version, what link tables are keyed by (v1 wire reference §4.5).
    pub fn unversioned(&self) -> String {
        format!("{}:{}/{}", self.namespace, self.package, self.interface)
    }

    /// Whether a host that offers `self` satisfies an import of `wanted`.
    ///
    /// Releases match as wasmtime's linker matches them: the same major version, or the same minor version below
    /// 1.0, or the same patch below 0.1. Pre-releases match exactly.
    pub fn satisfies(&self, wanted: &Self) -> bool {
        if (&self.namespace, &self.package, &self.interface)
            != (&wanted.namespace, &wanted.package, &wanted.interface)
        {
            return false;
        }
        match (&self.version, &wanted.version) {
            (None, None) => true,
            (Some(have), Some(want)) if have.pre.is_empty() && want.pre.is_empty() => {
                match (want.major, want.minor) {
                    (0, 0) => have == want,
                    (0, minor) => have.major == 0 && have.minor == minor,
                    (major, _) => have.major == major,
                }
            }
            (Some(have), Some(want)) => have == want,
            _ => false,
        }
    }

    /// The offered interface that a person most likely meant by `self`: the same interface in another version
    /// (the newest), else the most similar name.
    pub fn closest<'a>(&self, offered: impl IntoIterator<Item = &'a Self>) -> Option<&'a Self> {
        let offered: Vec<&Self> = offered.into_iter().collect();
        let same = self.unversioned();
        if let Some(version) = offered
            .iter()
            .filter(|o| o.unversioned() == same)
            .max_by_key(|o| &o.version)
        {
            return Some(version);
        }
        let names: Vec<String> = offered.iter().map(|o| o.unversioned()).collect();
        let found = nearest(&same, names.iter().map(String::as_str))?;
        offered
            .iter()
            .filter(|o| o.unversioned() == found)
            .max_by_key(|o| &o.version)
            .copied()
    }
}

impl FromStr for InterfaceName {
    type Err = InvalidInterface;

    fn from_str(raw: &str) -> Result<Self, InvalidInterface> {
        let invalid = || InvalidInterface(raw.to_owned());
        let (name, version) = match raw.split_once('@') {
            Some((name, version)) => (name, Some(Version::parse(version).map_err(|_| invalid())?)),
            None => (raw, None),
        };
        let (package, interface) = name.split_once('/').ok_or_else(invalid)?;
        let (namespace, package) = package.split_once(':').ok_or_else(invalid)?;
        if [namespace, package, interface].iter().any(|part| !is_kebab(part)) {
            return Err(invalid());
        }
        Ok(Self {
            namespace: namespace.to_owned(),
            package: package.to_owned(),
            interface: interface.to_owned(),
            version,
        })
    }
}

fn is_kebab(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.namespace, self.package, self.interface)?;
        match &self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(raw: &str) -> InterfaceName {
        raw.parse().unwrap()
    }

    #[test]
    fn round_trip_and_refusal() {
        for raw in [
            "wasi:http/types@0.2.0",
            "wasi:logging/logging",
            "wasi:keyvalue/store@0.2.0-draft",
        ] {
            assert_eq!(name(raw).to_string(), raw);
        }
        for raw in [
            "",
            "wasi:http",
            "http/types",
            "wasi:http/types@",
            "wasi:http/types@x",
            "wasi:/x",
            "a b:c/d",
        ] {
            assert!(raw.parse::<InterfaceName>().is_err(), "{raw:?} must be refused");
        }
    }

    #[test]
    fn versions_match_as_in_the_linker() {
        let check = |have: &str, want: &str, expect: bool| {
            assert_eq!(name(have).satisfies(&name(want)), expect, "{have} for {want}");
        };
        check("wasi:http/types@0.2.12", "wasi:http/types@0.2.2", true);
        check("wasi:http/types@0.2.2", "wasi:http/types@0.2.12", true);
        check("wasi:http/types@0.3.0", "wasi:http/types@0.2.2", false);
        check(
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:keyvalue/store@0.2.0-draft2",
            false,
        );
        check("a:b/c@1.4.0", "a:b/c@1.2.0", true);
        check("a:b/c", "a:b/c@1.0.0", false);
    }

    #[test]
    fn closest_prefers_another_version_of_the_same() {
        let offered = [
            name("wasi:http/types@0.2.12"),
            name("wasi:http/types@0.3.0"),
            name("wasi:keyvalue/store@0.2.0-draft"),
        ];
        let closest = |want: &str| name(want).closest(&offered).map(ToString::to_string);
        assert_eq!(
            closest("wasi:http/types@0.9.0").as_deref(),
            Some("wasi:http/types@0.3.0")
        );
        assert_eq!(
            closest("wasi:keyvalu/store@0.1.0").as_deref(),
            Some("wasi:keyvalue/store@0.2.0-draft")
        );
        assert_eq!(closest("acme:billing/ledger"), None);
    }
}
