//! Subjects between a host and its providers (wire reference §2.5, §4.7): `wasmbus.rpc.{lattice}.{provider}.…`.

use std::fmt;
use std::str::FromStr;

use wasmcloud_core::LatticeName;

use super::{Token, UnsupportedSubject};

/// What a host asks or tells a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderOperation {
    /// Whether it is well; answered with a [`HealthReply`](crate::provider::HealthReply).
    Health,
    /// A link it is part of was made; told with an
    /// [`InterfaceLinkDefinition`](crate::provider::InterfaceLinkDefinition).
    LinkPut,
    /// A link it is part of was removed.
    LinkDel,
    /// Its merged config changed.
    ConfigUpdate,
    /// It should stop; asked with a [`Shutdown`](crate::provider::Shutdown).
    Shutdown,
}

impl ProviderOperation {
    /// All of them, with what stands behind the provider in their subjects.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("health", Self::Health),
        ("linkdefs.put", Self::LinkPut),
        ("linkdefs.del", Self::LinkDel),
        ("config.update", Self::ConfigUpdate),
        // `default` was the name of a link when there was one process for each.
        ("default.shutdown", Self::Shutdown),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::LinkPut => "linkdefs.put",
            Self::LinkDel => "linkdefs.del",
            Self::ConfigUpdate => "config.update",
            Self::Shutdown => "default.shutdown",
        }
    }
}

/// Where a provider is asked or told something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProviderSubject {
    /// The lattice it belongs to.
    pub lattice: LatticeName,
    /// The id of the provider, which all its processes on all hosts listen to; links are also put to the public key
    /// of one process.
    pub provider: Token,
    /// What it is asked or told.
    pub operation: ProviderOperation,
}

impl fmt::Display for ProviderSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            lattice,
            provider,
            operation,
        } = self;
        write!(
            f,
            "wasmbus.rpc.{lattice}.{}.{}",
            provider.as_str(),
            operation.name()
        )
    }
}

impl FromStr for ProviderSubject {
    type Err = UnsupportedSubject;

    fn from_str(subject: &str) -> Result<Self, UnsupportedSubject> {
        let (lattice, rest) = subject
            .strip_prefix("wasmbus.rpc.")
            .and_then(|rest| rest.split_once('.'))
            .ok_or_else(|| UnsupportedSubject::foreign(subject))?;
        let unknown = || UnsupportedSubject::unknown(subject);
        let (provider, name) = rest.split_once('.').ok_or_else(unknown)?;
        let (_, operation) = ProviderOperation::NAMES
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(unknown)?;
        let invalid = UnsupportedSubject::name(subject);
        Ok(Self {
            lattice: lattice.parse().map_err(&invalid)?,
            provider: provider.parse().map_err(&invalid)?,
            operation,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_subject() {
        for (name, operation) in ProviderOperation::NAMES {
            let subject = ProviderSubject {
                lattice: "default".parse().unwrap(),
                provider: "http".parse().unwrap(),
                operation,
            };
            assert_eq!(subject.to_string(), format!("wasmbus.rpc.default.http.{name}"));
            assert_eq!(subject.to_string().parse(), Ok(subject));
        }
        let refused = |subject: &str| subject.parse::<ProviderSubject>().unwrap_err();
        assert!(matches!(
            refused("wasmbus.rpc.default.http"),
            UnsupportedSubject::Unknown(_)
        ));
        assert!(matches!(
            refused("wasmbus.rpc.default.http.linkdefs"),
            UnsupportedSubject::Unknown(_)
        ));
        assert!(matches!(
            refused("wasmbus.rpc.default.*.health"),
            UnsupportedSubject::Name { .. }
        ));
        assert!(matches!(
            refused("wasmbus.evt.default.http.health"),
            UnsupportedSubject::Foreign(_)
        ));
    }
}
