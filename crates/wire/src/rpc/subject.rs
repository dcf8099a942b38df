//! Subjects of calls (wire reference §4.1): `{lattice}.{id}.wrpc.0.0.1.[{instance}.]{function}`.
//!
//! An instance is the name of an interface with its version, so it has dots of its own; functions may have one too.
//! What is what is found so:
//!
//! - a `[` starts a function, as in `[method]bucket.get`;
//! - a version has three numbers; what follows them is the function;
//! - a pre-release goes on with the parts behind it that start with a digit, for no function does; of what is left, the
//!   last two parts are `resource.function`, as bindings for Rust write it, and all before that is of the version. A
//!   pre-release of several words is therefore misread where the function has no resource. `wasi:x/y@1.0.0-a.b.f` is
//!   `b.f` of `wasi:x/y@1.0.0-a`;
//! - without a version, the instance is the first part; where there is one part only, it is a function of the component
//!   itself.
//!
//! A host need not guess: it subscribes to the functions it has, [`Prefix::exact`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use wasmcloud_core::{ComponentId, InvalidName, LatticeName};

use crate::message::cut;
use crate::subject::Subscription;

/// What stands between an id and a function: the protocol and its version.
const PROTOCOL: &str = "wrpc.0.0.1";

/// What stands between the inbox of a client and the subject of a function in a subject on which that client, and no
/// other of those who serve the function, takes a call. Ours: servers of v1 take calls only as one of their group.
pub const DIRECTLY: &str = "to";

/// Where one client takes calls of a function; see [`DIRECTLY`].
pub fn directly(inbox: &str, subject: &str) -> String {
    format!("{inbox}.{DIRECTLY}.{subject}")
}

/// The subject of the function for one that may be of a call to one client, whose inbox has two names as those of NATS
/// clients have.
pub fn called(subject: &str) -> &str {
    let mut parts = subject.splitn(4, '.');
    match (parts.next(), parts.nth(1), parts.next()) {
        (Some("_INBOX"), Some(DIRECTLY), Some(called)) => called,
        _ => subject,
    }
}

/// Longest name of an instance or function in bytes; see the limits of names in `wasmcloud-core` for why.
const MAX_NAME: usize = 512;
/// How much of a subject errors repeat, in bytes.
const SHOWN: usize = 512;

/// Text that is no subject of a call, or cannot be part of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSubject {
    /// The subject belongs to something else.
    #[error(
        "subject `{subject}` is none of a call; those look like `default.http.wrpc.0.0.1.wasi:a/b@1.0.0.run`"
    )]
    Foreign {
        /// The subject, cut off where it is long.
        subject: String,
    },
    /// The lattice or the id cannot be.
    #[error("subject `{subject}` names what cannot exist")]
    Name {
        /// The subject, cut off where it is long.
        subject: String,
        /// What is wrong with the name.
        #[source]
        source: InvalidName,
    },
    /// A part has no characters.
    #[error("{kind} `{name}` has an empty part")]
    EmptyPart {
        /// `instance` or `function`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A character that a subject cannot have, or that ends the name.
    #[error("{kind} `{name}` contains {character:?}, which cannot travel in a subject there")]
    Character {
        /// `instance` or `function`.
        kind: &'static str,
        /// The name, cut off where it is long.
        name: String,
        /// The first such character.
        character: char,
    },
    /// A name is too long.
    #[error("{kind} has {len} bytes, the limit is {MAX_NAME}")]
    TooLong {
        /// `instance` or `function`.
        kind: &'static str,
        /// Its length in bytes.
        len: usize,
    },
}

fn check(kind: &'static str, name: &str, forbidden: &[char]) -> Result<(), InvalidSubject> {
    if name.len() > MAX_NAME {
        return Err(InvalidSubject::TooLong {
            kind,
            len: name.len(),
        });
    }
    let bad = |c: char| !c.is_ascii_graphic() || matches!(c, '*' | '>') || forbidden.contains(&c);
    if let Some(character) = name.chars().find(|c| bad(*c)) {
        return Err(InvalidSubject::Character {
            kind,
            name: name.to_owned(),
            character,
        });
    }
    if name.split('.').any(str::is_empty) {
        return Err(InvalidSubject::EmptyPart {
            kind,
            name: name.to_owned(),
        });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $forbidden:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Whether the text is such a name.
            fn check(raw: &str) -> Result<(), InvalidSubject> {
                check($kind, raw, &$forbidden)
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidSubject;

            fn from_str(raw: &str) -> Result<Self, InvalidSubject> {
                Self::check(raw)?;
                Ok(Self(raw.into()))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// The name of what has a function: of an interface, `wasi:http/incoming-handler@0.2.0`, or the plain name under
    /// which a component exports one. ASCII without spaces, `*`, `>` and `[`.
    InstanceName, "instance", ['[']
}
name! {
    /// The name of a function: `handle`, or of a resource `[method]bucket.get` or `bucket.get`. ASCII without spaces,
    /// `*`, `>`, `/`, `:` and `@`.
    FunctionName, "function", ['/', ':', '@']
}

/// The subject of a function by the names of what has it (`""` for the component itself) and its own. What
/// [`Prefix::exact`] does for names that were read before.
pub fn exact(
    lattice: &LatticeName,
    component: &ComponentId,
    instance: &str,
    function: &str,
) -> Result<String, InvalidSubject> {
    FunctionName::check(function)?;
    let dot = match instance {
        "" => "",
        instance => {
            InstanceName::check(instance)?;
            "."
        }
    };
    let (lattice, component) = (lattice.as_str(), component.as_str());
    Ok([
        lattice, ".", component, ".", PROTOCOL, ".", instance, dot, function,
    ]
    .concat())
}

/// Whom a call is for: a component or provider of a lattice. `{lattice}.{id}` is what its subjects start with and the
/// group in which all that run it take turns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The lattice.
    pub lattice: LatticeName,
    /// The id of the component or provider.
    pub component: ComponentId,
}

impl Prefix {
    /// The queue group of its servers.
    pub fn queue_group(&self) -> String {
        self.to_string()
    }

    /// The subject of one of its functions.
    pub fn exact(&self, instance: Option<&InstanceName>, function: &FunctionName) -> String {
        match instance {
            Some(instance) => format!("{self}.{PROTOCOL}.{instance}.{function}"),
            None => format!("{self}.{PROTOCOL}.{function}"),
        }
    }

    /// The subjects of all its functions, for who watches or serves them together.
    pub fn wildcard(&self) -> String {
        format!("{self}.{PROTOCOL}.>")
    }

    /// What a server of one function subscribes to.
    pub fn serve(&self, instance: Option<&InstanceName>, function: &FunctionName) -> Subscription {
        Subscription {
            subject: self.exact(instance, function),
            queue_group: Some(self.queue_group()),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.lattice, self.component)
    }
}

/// Where one function of a component or provider is called. Its text is the subject, which is read as in the
/// [module](self) documentation; it is the same text again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InvocationSubject {
    /// The lattice.
    pub lattice: LatticeName,
    /// The id of the component or provider that is called.
    pub component: ComponentId,
    /// What has the function; nothing where the component itself has it.
    pub instance: Option<InstanceName>,
    /// The function.
    pub function: FunctionName,
}

impl InvocationSubject {
    /// Whom it is for.
    pub fn prefix(&self) -> Prefix {
        Prefix {
            lattice: self.lattice.clone(),
            component: self.component.clone(),
        }
    }
}

impl fmt::Display for InvocationSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            lattice,
            component,
            instance,
            function,
        } = self;
        write!(f, "{lattice}.{component}.{PROTOCOL}.")?;
        if let Some(instance) = instance {
            write!(f, "{instance}.")?;
        }
        write!(f, "{function}")
    }
}

impl FromStr for InvocationSubject {
    type Err = InvalidSubject;

    fn from_str(subject: &str) -> Result<Self, InvalidSubject> {
        let foreign = || InvalidSubject::Foreign {
            subject: cut(subject, SHOWN),
        };
        let invalid = |source| InvalidSubject::Name {
            subject: cut(subject, SHOWN),
            source,
        };
        let (lattice, rest) = subject.split_once('.').ok_or_else(foreign)?;
        let (component, rest) = rest.split_once('.').ok_or_else(foreign)?;
        let name = rest
            .strip_prefix(PROTOCOL)
            .and_then(|rest| rest.strip_prefix('.'))
            .ok_or_else(foreign)?;
        let (instance, function) = split(name).ok_or_else(foreign)?;
        Ok(Self {
            lattice: lattice.parse().map_err(invalid)?,
            component: component.parse().map_err(invalid)?,
            instance: instance.map(str::parse).transpose()?,
            function: function.parse()?,
        })
    }
}

/// The instance and the function.
fn split(name: &str) -> Option<(Option<&str>, &str)> {
    if let Some(function) = name.find('[') {
        let (instance, function) = name.split_at_checked(function)?;
        return match instance {
            "" => Some((None, function)),
            instance => Some((Some(instance.strip_suffix('.')?), function)),
        };
    }
    let dots: Vec<usize> = name.match_indices('.').map(|(at, _)| at).collect();
    let Some(version) = name.find('@') else {
        return match dots.first() {
            None => Some((None, name)),
            Some(dot) => cut_at(name, *dot),
        };
    };
    // The third number of the version ends at the third dot behind the `@`.
    let behind: Vec<usize> = dots.into_iter().filter(|dot| *dot > version).collect();
    let [_, second, third, ..] = *behind.as_slice() else {
        return None;
    };
    let patch = name.get(second..third)?;
    if !patch.contains(['-', '+']) {
        return cut_at(name, third);
    }
    let more = behind.get(2..)?;
    let digits = more
        .iter()
        .filter(|dot| {
            name.get(*dot + 1..)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .count();
    // Words of which a resource and its function are the last two.
    let skipped = more.len().saturating_sub(2).max(digits);
    cut_at(name, *more.get(skipped.min(more.len() - 1))?)
}

fn cut_at(name: &str, dot: usize) -> Option<(Option<&str>, &str)> {
    Some((Some(name.get(..dot)?), name.get(dot + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(name: &str) -> (Option<String>, String) {
        let text = format!("default.echo.wrpc.0.0.1.{name}");
        let subject: InvocationSubject = text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(subject.to_string(), text);
        assert_eq!(
            subject
                .prefix()
                .exact(subject.instance.as_ref(), &subject.function),
            text
        );
        (
            subject.instance.map(|name| name.to_string()),
            subject.function.to_string(),
        )
    }

    #[test]
    fn a_call_to_one_client_has_the_subject_of_the_function_behind_the_inbox() {
        let subject = "default.kv.wrpc.0.0.1.wrpc:keyvalue/store@0.2.0-draft.get";
        let sent = directly("_INBOX.x", subject);
        assert_eq!(sent, format!("_INBOX.x.to.{subject}"));
        assert_eq!(called(&sent), subject);
        for other in [subject, "_INBOX.x.1f.results", "_INBOX.x.to", "to.to.to.to", ""] {
            assert_eq!(called(other), other);
        }
    }

    #[test]
    fn instances_and_functions_are_told_apart() {
        for (instance, function) in [
            (None, "run"),
            (None, "[constructor]bucket"),
            (Some("exported"), "run"),
            (Some("exported"), "[static]a.b"),
            (Some("exported"), "thing.run"),
            (Some("a:b/c"), "run"),
            (Some("a:b/c"), "bucket.get"),
            (Some("wasi:http/incoming-handler@0.2.0"), "handle"),
            (Some("golden:types/all@1.2.3"), "ints"),
            (Some("wasi:http/types@0.2.0"), "fields.append"),
            (Some("wasi:keyvalue/store@0.2.0-draft"), "open"),
            (Some("wasi:keyvalue/store@0.2.0-draft"), "bucket.get"),
            (Some("wasi:keyvalue/store@0.2.0-draft"), "[method]bucket.get"),
            (Some("a:b/c@0.3.0-rc-2025-09-16"), "run"),
            (Some("a:b/c@1.0.0-rc.1"), "run"),
            (Some("a:b/c@1.0.0-rc.1"), "bucket.get"),
            (Some("a:b/c@1.0.0-rc.1.2"), "run"),
            (Some("a:b/c@1.0.0-alpha.beta"), "bucket.get"),
            (Some("a:b/c@1.0.0+build.7"), "run"),
        ] {
            let name = instance.map_or_else(
                || function.to_owned(),
                |instance| format!("{instance}.{function}"),
            );
            assert_eq!(
                parts(&name),
                (instance.map(str::to_owned), function.to_owned()),
                "{name}"
            );
        }
        // The one that is misread, as documented.
        assert_eq!(
            parts("wasi:x/y@1.0.0-a.b.f"),
            (Some("wasi:x/y@1.0.0-a".to_owned()), "b.f".to_owned())
        );
    }

    #[test]
    fn what_is_none_of_a_call_is_refused() {
        let refused = |subject: &str| subject.parse::<InvocationSubject>().unwrap_err();
        for foreign in [
            "",
            "default.echo",
            "default.echo.wrpc.0.0.1",
            "default.echo.wrpc.0.0.2.run",
            "default.echo.wrpc.0.0.1x.run",
            "wasmbus.ctl.v1.default.host.ping",
            "default.echo.wrpc.0.0.1.a:b/c@1.0.0",
            "default.echo.wrpc.0.0.1.a:b/c@1.0.run",
            "default.echo.wrpc.0.0.1.x[method]a.b",
        ] {
            let error = refused(foreign);
            assert!(
                matches!(error, InvalidSubject::Foreign { .. }),
                "{foreign}: {error}"
            );
        }
        assert!(matches!(
            refused("a b.echo.wrpc.0.0.1.run"),
            InvalidSubject::Name { .. }
        ));
        assert!(matches!(
            refused("a.*.wrpc.0.0.1.run"),
            InvalidSubject::Name { .. }
        ));
        for (subject, bad) in [
            ("a.b.wrpc.0.0.1.*", '*'),
            ("a.b.wrpc.0.0.1.>", '>'),
            ("a.b.wrpc.0.0.1.x y", ' '),
            ("a.b.wrpc.0.0.1.x.r\nun", '\n'),
            ("a.b.wrpc.0.0.1.é", 'é'),
            ("a.b.wrpc.0.0.1.a/b", '/'),
        ] {
            match refused(subject) {
                InvalidSubject::Character { character, .. } => assert_eq!(character, bad),
                other => panic!("{subject}: {other}"),
            }
        }
        for subject in ["a.b.wrpc.0.0.1.", "a.b.wrpc.0.0.1..run", "a.b.wrpc.0.0.1.run."] {
            let error = refused(subject);
            assert!(
                matches!(error, InvalidSubject::EmptyPart { .. }),
                "{subject}: {error}"
            );
        }
        let long = format!("a.b.wrpc.0.0.1.{}", "x".repeat(MAX_NAME + 1));
        assert!(matches!(refused(&long), InvalidSubject::TooLong { len: 513, .. }));
    }

    #[test]
    fn a_prefix_names_servers() {
        let prefix = Prefix {
            lattice: "default".parse().unwrap(),
            component: "kv".parse().unwrap(),
        };
        assert_eq!(prefix.queue_group(), "default.kv");
        assert_eq!(prefix.wildcard(), "default.kv.wrpc.0.0.1.>");
        let instance = "wrpc:keyvalue/store@0.2.0-draft".parse().unwrap();
        assert_eq!(
            prefix.serve(Some(&instance), &"get".parse().unwrap()),
            Subscription {
                subject: "default.kv.wrpc.0.0.1.wrpc:keyvalue/store@0.2.0-draft.get".to_owned(),
                queue_group: Some("default.kv".to_owned()),
            }
        );
    }
}
