//! Subjects of events (wire reference §3.3): `wasmbus.evt.{lattice}.{event}`.

use std::fmt;
use std::str::FromStr;

use wasmcloud_core::LatticeName;

use super::UnsupportedSubject;
use crate::event::EventKind;

/// Where an event is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventSubject {
    /// The lattice in which it happened.
    pub lattice: LatticeName,
    /// What happened.
    pub kind: EventKind,
}

impl EventSubject {
    /// What to subscribe to for all events of a lattice.
    pub fn all(lattice: &LatticeName) -> String {
        format!("wasmbus.evt.{lattice}.>")
    }
}

impl fmt::Display for EventSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wasmbus.evt.{}.{}", self.lattice, self.kind.name())
    }
}

impl FromStr for EventSubject {
    type Err = UnsupportedSubject;

    fn from_str(subject: &str) -> Result<Self, UnsupportedSubject> {
        let (lattice, name) = subject
            .strip_prefix("wasmbus.evt.")
            .and_then(|rest| rest.split_once('.'))
            .ok_or_else(|| UnsupportedSubject::foreign(subject))?;
        Ok(Self {
            lattice: lattice.parse().map_err(UnsupportedSubject::name(subject))?,
            kind: EventKind::from_name(name).ok_or_else(|| UnsupportedSubject::unknown(subject))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_subject() {
        for kind in EventKind::ALL {
            let subject = EventSubject {
                lattice: "default".parse().unwrap(),
                kind,
            };
            assert_eq!(subject.to_string().parse(), Ok(subject));
        }
        let refused = |subject: &str| subject.parse::<EventSubject>().unwrap_err();
        assert!(matches!(
            refused("wasmbus.evt.default"),
            UnsupportedSubject::Foreign(_)
        ));
        assert!(matches!(
            refused("wasmbus.evt.default.nothing"),
            UnsupportedSubject::Unknown(_)
        ));
        assert!(matches!(
            refused("wasmbus.evt.*.config_set"),
            UnsupportedSubject::Name { .. }
        ));
    }
}
