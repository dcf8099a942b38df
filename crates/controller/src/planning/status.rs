//! How an application and its parts fare, in the words of v1 (wire reference §8.3, §16).

use std::fmt;

use wasmcloud_core::AppName;

use crate::planning::why::Decision;

/// How something fares. The order is that of precedence: the first of several is that of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusKind {
    /// It was tried several times in vain, or cannot be.
    Failed,
    /// It shall not run, and does not.
    Undeployed,
    /// It waits for something that others have to do.
    Waiting,
    /// It is being made so.
    Reconciling,
    /// It runs, but not well.
    Unhealthy,
    /// It is as it should be.
    Deployed,
}

impl StatusKind {
    /// The name in replies and status messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Undeployed => "undeployed",
            Self::Waiting => "waiting",
            Self::Reconciling => "reconciling",
            Self::Unhealthy => "unhealthy",
            Self::Deployed => "deployed",
        }
    }
}

impl fmt::Display for StatusKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How something fares, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// How.
    pub kind: StatusKind,
    /// Why, in plain words; empty where there is nothing to say.
    pub message: String,
}

impl Status {
    /// A status with a reason.
    pub fn new(kind: StatusKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// All is as it should be.
    pub fn deployed() -> Self {
        Self::new(StatusKind::Deployed, "")
    }

    /// That of a whole: the kind with the greatest precedence, and all that there is to say, with `, ` between. Of no
    /// parts at all, everything is as it should be.
    pub fn of_all<'a>(parts: impl IntoIterator<Item = &'a Status>) -> Self {
        let mut whole = Self::deployed();
        for part in parts {
            whole.kind = whole.kind.min(part.kind);
            if !part.message.is_empty() {
                if !whole.message.is_empty() {
                    whole.message.push_str(", ");
                }
                whole.message.push_str(&part.message);
            }
        }
        whole
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.as_str() {
            "" => self.kind.fmt(f),
            message => write!(f, "{}: {message}", self.kind),
        }
    }
}

/// What keeps one part of an application as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// A component or provider, so many in the whole lattice.
    Spread,
    /// A component or provider, so many on each eligible host.
    Daemon,
    /// A link.
    Link,
    /// A config. Status does not list it by itself.
    Config,
    /// A reference to a secret. Status does not list it by itself.
    Secret,
}

impl PartKind {
    /// The name in replies and status messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spread => "SpreadScaler",
            Self::Daemon => "DaemonScaler",
            Self::Link => "LinkScaler",
            Self::Config => "ConfigScaler",
            Self::Secret => "SecretScaler",
        }
    }
}

/// How one part of an application fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartReport {
    /// The id of its scaler, a hash; what is only left over has none.
    pub id: String,
    /// What keeps it.
    pub kind: PartKind,
    /// Its name: the id of a component or provider, the ends of a link, a config.
    pub name: String,
    /// How it fares.
    pub status: Status,
    /// What was decided about it.
    pub decision: Decision,
}

/// How an application fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppReport {
    /// Its name.
    pub app: AppName,
    /// The revision that is deployed.
    pub revision: Option<String>,
    /// How the whole fares.
    pub status: Status,
    /// Its components, providers and links, and what is left of former revisions.
    pub scalers: Vec<PartReport>,
    /// Its configs and secrets. What uses them says so if they are not as they should be.
    pub prerequisites: Vec<PartReport>,
}

impl AppReport {
    /// Whether anything is there that only a former revision had: it waits to be removed.
    pub fn has_leftovers(&self) -> bool {
        self.scalers.iter().any(|part| part.id.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_part_is_the_whole() {
        let check = |parts: &[(StatusKind, &str)], expect: &str| {
            let parts: Vec<Status> = parts
                .iter()
                .map(|(kind, message)| Status::new(*kind, *message))
                .collect();
            assert_eq!(Status::of_all(&parts).to_string(), expect);
        };
        use StatusKind::*;
        check(&[], "deployed");
        check(&[(Deployed, ""), (Unhealthy, "a")], "unhealthy: a");
        check(
            &[(Unhealthy, "a"), (Reconciling, "b"), (Deployed, "")],
            "reconciling: a, b",
        );
        check(&[(Reconciling, "a"), (Waiting, "b")], "waiting: a, b");
        check(&[(Waiting, "a"), (Undeployed, "b")], "undeployed: a, b");
        check(&[(Undeployed, "a"), (Failed, "b")], "failed: a, b");
    }
}
