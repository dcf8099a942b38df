//! The names people choose: one newtype for each, one parser for all.
//!
//! Names become NATS subject tokens and key-value keys (v1 wire reference §1), so the alphabet is the one that is
//! safe in both: ASCII letters, digits, `-` and `_`.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest accepted name in bytes. Subjects carry two names and a function name and stay far below the 4 KiB
/// control line of a NATS server.
const MAX_LEN: usize = 256;

/// A name that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// The name has no characters.
    #[error("{kind} must not be empty")]
    Empty {
        /// What the name would have named, for example `component id`.
        kind: &'static str,
    },
    /// The name is longer than 256 bytes.
    #[error("{kind} has {len} bytes, the limit is {MAX_LEN}")]
    TooLong {
        /// What the name would have named.
        kind: &'static str,
        /// Its length in bytes.
        len: usize,
    },
    /// The name has to have a certain length, and has another one.
    #[error("{kind} has {len} bytes, and has to have {wanted}")]
    Length {
        /// What the name would have named.
        kind: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The length that it has to have.
        wanted: usize,
    },
    /// The name has a character that is not allowed in it.
    #[error("{kind} `{name}` contains {character:?}; {allowed} are allowed")]
    Character {
        /// What the name would have named.
        kind: &'static str,
        /// The name as it was written.
        name: String,
        /// The first character that is not allowed.
        character: char,
        /// The allowed characters, in words.
        allowed: &'static str,
    },
    /// A dot stands at an end or beside another, so that a subject or key made of the name has an empty part.
    #[error("{kind} `{name}` has an empty part; a dot needs something on both sides")]
    EmptyPart {
        /// What the name would have named.
        kind: &'static str,
        /// The name as it was written.
        name: String,
    },
}

fn check(kind: &'static str, raw: &str, extra: &[char], allowed: &'static str) -> Result<(), InvalidName> {
    if raw.is_empty() {
        return Err(InvalidName::Empty { kind });
    }
    if raw.len() > MAX_LEN {
        return Err(InvalidName::TooLong { kind, len: raw.len() });
    }
    match raw
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || extra.contains(c)))
    {
        None if raw.split('.').any(str::is_empty) => Err(InvalidName::EmptyPart {
            kind,
            name: raw.to_owned(),
        }),
        None => Ok(()),
        Some(character) => Err(InvalidName::Character {
            kind,
            name: raw.to_owned(),
            character,
            allowed,
        }),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $extra:expr, $allowed:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(raw: &str) -> Result<Self, InvalidName> {
                check($kind, raw, &$extra, $allowed)?;
                Ok(Self(raw.into()))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// The id of a component in its lattice. Providers share the name space: a link's source or target is a
    /// `ComponentId` whichever of the two it turns out to be.
    ComponentId, "component id", [], "letters, digits, `-` and `_`"
}
name! {
    /// The name of a link, `default` where nobody chose one.
    LinkName, "link name", [], "letters, digits, `-` and `_`"
}
name! {
    /// The name of a named config. Dots and slashes are allowed as in NATS key-value keys, but no dot without
    /// something on both sides.
    ConfigName, "config name", ['.', '/', '='], "letters, digits and `-_./=`"
}
name! {
    /// The name of an application.
    AppName, "application name", [], "letters, digits, `-` and `_`"
}
name! {
    /// The name of a lattice, `default` where nobody chose one.
    LatticeName, "lattice name", [], "letters, digits, `-` and `_`"
}

name! {
    /// A host: the public half of its key (`N` and 55 more characters in v1, wire reference §1). Only its text is
    /// checked here; whether it is a key is the business of who verifies signatures.
    HostId, "host id", [], "letters, digits, `-` and `_`"
}
name! {
    /// The public half of any other key, as text: of a component, a provider process, an account.
    PublicKey, "public key", [], "letters, digits, `-` and `_`"
}

impl LinkName {
    /// The link name that is meant where none is written: `default` (v1 wire reference §1).
    pub fn default_name() -> Self {
        Self("default".into())
    }
}

/// What the names of the links of one revision of a component end in, where it has links of its own: eight hexadecimal
/// digits in lower case. `default` is then `default-1a2b3c4d` for everybody but the component.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkSuffix(Arc<str>);

impl LinkSuffix {
    /// How many digits it has. Few are enough: only the revisions of one component meet.
    pub const DIGITS: usize = 8;

    /// The digits as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkSuffix {
    type Err = InvalidName;

    fn from_str(raw: &str) -> Result<Self, InvalidName> {
        let kind = "link suffix";
        if raw.len() != Self::DIGITS {
            let len = raw.len();
            let wanted = Self::DIGITS;
            return Err(InvalidName::Length { kind, len, wanted });
        }
        match raw.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
            None => Ok(Self(raw.into())),
            Some(character) => Err(InvalidName::Character {
                kind,
                name: raw.to_owned(),
                character,
                allowed: "digits and `a` to `f`",
            }),
        }
    }
}

impl fmt::Display for LinkSuffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for LinkSuffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl LinkName {
    /// The name that a link of this name has where it is of one revision alone. Fails where it would be too long.
    pub fn apart(&self, suffix: &LinkSuffix) -> Result<Self, InvalidName> {
        format!("{self}-{suffix}").parse()
    }

    /// What [`LinkName::apart`] made this name of; `None` where it looks like no such name.
    pub fn parts(&self) -> Option<(Self, LinkSuffix)> {
        let (name, suffix) = self.0.rsplit_once('-')?;
        Some((name.parse().ok()?, suffix.parse().ok()?))
    }
}

impl Default for LinkName {
    fn default() -> Self {
        Self::default_name()
    }
}

impl ComponentId {
    /// The id of a component of an application that states none: `app-component`, each part in lower case with
    /// every character outside `[a-z0-9]` replaced by `_` (v1 wire reference §1).
    pub fn of_application(app: &str, component: &str) -> Result<Self, InvalidName> {
        format!("{}-{}", sanitize(app), sanitize(component)).parse()
    }
}

impl ConfigName {
    /// The name under which an application's own config is stored; the rule is that of
    /// [`ComponentId::of_application`].
    pub fn of_application(app: &str, config: &str) -> Result<Self, InvalidName> {
        format!("{}-{}", sanitize(app), sanitize(config)).parse()
    }
}

fn sanitize(part: &str) -> String {
    part.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accepts_and_refuses() {
        for good in ["a", "http-hello", "A_b-9"] {
            assert_eq!(good.parse::<ComponentId>().unwrap().as_str(), good);
        }
        for bad in ["", "a.b", "a b", "*", ">", "é", "a/b", &"x".repeat(257)] {
            assert!(bad.parse::<ComponentId>().is_err(), "{bad:?} must be refused");
        }
        for good in ["a.b", "a/b=c", "a"] {
            assert_eq!(good.parse::<ConfigName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", ".a", "a.", "a..b", "a b", "a*"] {
            assert!(bad.parse::<ConfigName>().is_err(), "{bad:?} must be refused");
        }
        assert_eq!(
            "a.b".parse::<LinkName>().unwrap_err().to_string(),
            "link name `a.b` contains '.'; letters, digits, `-` and `_` are allowed"
        );
    }

    #[test]
    fn a_link_name_apart_is_known_again() {
        let suffix: LinkSuffix = "1a2b3c4d".parse().unwrap();
        let apart = LinkName::default().apart(&suffix).unwrap();
        assert_eq!(apart.as_str(), "default-1a2b3c4d");
        assert_eq!(apart.parts(), Some((LinkName::default(), suffix.clone())));
        for other in [
            "default",
            "default-1a2b3c4",
            "default-1a2b3c4D",
            "-1a2b3c4d",
            "1a2b3c4d",
        ] {
            assert_eq!(other.parse::<LinkName>().unwrap().parts(), None, "{other}");
        }
        let long: LinkName = "x".repeat(MAX_LEN - LinkSuffix::DIGITS).parse().unwrap();
        assert!(long.apart(&suffix).is_err());
        assert_eq!(
            "1a2b".parse::<LinkSuffix>().unwrap_err().to_string(),
            "link suffix has 4 bytes, and has to have 8"
        );
        assert!("1a2b3c4g".parse::<LinkSuffix>().is_err());
    }

    #[test]
    fn application_ids_follow_v1() {
        assert_eq!(
            ComponentId::of_application("My App", "HTTP server")
                .unwrap()
                .as_str(),
            "my_app-http_server"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_one_subject_token(raw in ".{0,40}") {
            if let Ok(id) = raw.parse::<ComponentId>() {
                prop_assert!(!id.as_str().contains(['.', '*', '>', ' ']));
                prop_assert_eq!(id.as_str(), raw);
            }
        }
    }
}
