//! What a watcher knows of a bucket, and what a new look at it means. No IO.
//!
//! The rule that matters: that a key is missing is a deletion only if the store is the same as before and has moved
//! on. Revisions count the changes, so a store in which more keys differ than there were changes is another one.

use std::collections::BTreeMap;

use super::{Entry, Event};

/// A look at a bucket.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// What tells a store from one that took its place, if the server has such a thing.
    pub(super) incarnation: Option<String>,
    /// The revision of the bucket; the entries may be newer, and never older.
    pub(super) revision: u64,
    /// The entries whose keys begin with what is watched.
    pub(super) entries: Vec<Entry>,
    /// For looks that were taken in parts: up to which key which revision of the bucket holds. Empty if there was
    /// one part.
    pub(super) parts: Vec<(String, u64)>,
}

/// A change that was heard of.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) key: String,
    pub(super) revision: u64,
    /// `None` if it was deleted.
    pub(super) value: Option<bytes::Bytes>,
}

/// What a watcher knows.
#[derive(Debug, Default)]
pub(super) struct View {
    incarnation: Option<String>,
    revision: u64,
    known: BTreeMap<String, u64>,
    parts: Vec<(String, u64)>,
    begun: bool,
}

impl View {
    /// The revision of the bucket that is known.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Takes a new look and says what it means: at first everything and [`Event::Ready`], later the difference, or
    /// [`Event::Reset`] and everything.
    pub(super) fn look(&mut self, snapshot: Snapshot) -> Vec<Event> {
        let newest = snapshot
            .entries
            .iter()
            .map(|entry| entry.revision)
            .max()
            .unwrap_or(0);
        let revision = snapshot
            .revision
            .max(if snapshot.parts.is_empty() { newest } else { 0 });
        let known: BTreeMap<String, u64> = snapshot
            .entries
            .iter()
            .map(|entry| (entry.key.clone(), entry.revision))
            .collect();
        let mut events = Vec::new();
        let all = !self.begun || self.is_another(&snapshot, revision.max(newest), &known);
        if self.begun && all {
            events.push(Event::Reset);
        }
        for entry in snapshot.entries {
            if all || self.known.get(&entry.key) != Some(&entry.revision) {
                events.push(Event::Put(entry));
            }
        }
        if all {
            events.push(Event::Ready);
        } else {
            let gone = self.known.keys().filter(|key| !known.contains_key(*key));
            events.extend(gone.map(|key| Event::Delete {
                key: key.clone(),
                revision,
            }));
        }
        *self = Self {
            incarnation: snapshot.incarnation,
            revision,
            known,
            parts: snapshot.parts,
            begun: true,
        };
        events
    }

    fn is_another(&self, snapshot: &Snapshot, revision: u64, known: &BTreeMap<String, u64>) -> bool {
        if snapshot.incarnation != self.incarnation || revision < self.revision {
            return true;
        }
        // Looks that are taken in parts may know newer entries than the revision that is remembered.
        let newest = self.known.values().copied().max().unwrap_or(0).max(self.revision);
        let older =
            |(key, revision): (&String, &u64)| self.known.get(key).is_some_and(|before| revision < before);
        if known.iter().any(older) {
            return true;
        }
        let gone = self.known.keys().filter(|key| !known.contains_key(*key)).count();
        let newer = known
            .iter()
            .filter(|(key, revision)| self.known.get(*key) != Some(*revision));
        // What is "new" and not newer than all that was known was there all along, in another store.
        let mut differing = gone;
        for (_, revision) in newer {
            if *revision <= self.revision {
                return true;
            }
            differing += 1;
        }
        differing as u64 > revision.max(newest).saturating_sub(self.revision)
    }

    /// Takes a change in the order of revisions. `None` if it is not news.
    pub(super) fn change(&mut self, change: Change) -> Option<Event> {
        if change.revision <= self.revision {
            return None;
        }
        self.revision = change.revision;
        if change.revision <= self.floor(&change.key) {
            return None;
        }
        match change.value {
            Some(value) => {
                self.known.insert(change.key.clone(), change.revision);
                Some(Event::Put(Entry {
                    key: change.key,
                    value,
                    revision: change.revision,
                }))
            }
            None => self.known.remove(&change.key).map(|_| Event::Delete {
                key: change.key,
                revision: change.revision,
            }),
        }
    }

    /// Moves on over changes of keys that are not watched.
    pub(super) fn passed(&mut self, revision: u64) {
        self.revision = self.revision.max(revision);
    }

    /// Up to which revision a key is known.
    fn floor(&self, key: &str) -> u64 {
        let listed = self.known.get(key).copied();
        let part = || {
            let part = self.parts.iter().find(|(last, _)| key <= last.as_str());
            part.or(self.parts.last()).map_or(0, |(_, revision)| *revision)
        };
        listed.unwrap_or_else(part)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn snapshot(incarnation: &str, revision: u64, entries: &[(&str, u64)]) -> Snapshot {
        let entry = |(key, revision): &(&str, u64)| Entry {
            key: (*key).to_owned(),
            value: Bytes::new(),
            revision: *revision,
        };
        Snapshot {
            incarnation: Some(incarnation.to_owned()),
            revision,
            entries: entries.iter().map(entry).collect(),
            parts: Vec::new(),
        }
    }

    fn shown(events: &[Event]) -> String {
        let one = |event: &Event| match event {
            Event::Put(entry) => format!("{}@{}", entry.key, entry.revision),
            Event::Delete { key, .. } => format!("-{key}"),
            Event::Ready => "ready".to_owned(),
            Event::Reset => "reset".to_owned(),
        };
        events.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn check(first: Snapshot, second: Snapshot, expected: &str) {
        let mut view = View::default();
        view.look(first);
        assert_eq!(shown(&view.look(second)), expected);
    }

    #[test]
    fn the_first_look_yields_everything() {
        let mut view = View::default();
        assert_eq!(
            shown(&view.look(snapshot("x", 7, &[("a", 3), ("b", 7)]))),
            "a@3 b@7 ready"
        );
        assert_eq!(shown(&View::default().look(snapshot("x", 0, &[]))), "ready");
    }

    #[test]
    fn a_later_look_yields_the_difference() {
        let before = || snapshot("x", 7, &[("a", 3), ("b", 7)]);
        check(before(), before(), "");
        check(
            before(),
            snapshot("x", 9, &[("a", 9), ("c", 8)]),
            "reset a@9 c@8 ready",
        );
        check(before(), snapshot("x", 10, &[("a", 9), ("c", 8)]), "a@9 c@8 -b");
        check(before(), snapshot("x", 8, &[("a", 3)]), "-b");
    }

    #[test]
    fn a_store_that_is_another_one_deletes_nothing() {
        let before = || snapshot("x", 7, &[("a", 3), ("b", 7)]);
        for (what, after, expected) in [
            ("made anew", snapshot("y", 0, &[]), "reset ready"),
            (
                "made anew and used",
                snapshot("y", 90, &[("a", 90)]),
                "reset a@90 ready",
            ),
            ("empty", snapshot("x", 0, &[]), "reset ready"),
            ("an older copy", snapshot("x", 5, &[("a", 3)]), "reset a@3 ready"),
            ("emptied without a trace", snapshot("x", 7, &[]), "reset ready"),
            (
                "an older entry",
                snapshot("x", 9, &[("a", 2), ("b", 7)]),
                "reset a@2 b@7 ready",
            ),
            (
                "fewer changes than differences",
                snapshot("x", 8, &[]),
                "reset ready",
            ),
        ] {
            println!("{what}");
            check(before(), after, expected);
        }
    }

    #[test]
    fn changes_that_a_look_knows_are_not_repeated() {
        let mut view = View::default();
        let mut look = snapshot("x", 4, &[("a", 6), ("m", 3)]);
        look.parts = vec![("h".to_owned(), 4), ("z".to_owned(), 8)];
        view.look(look);
        let mut change = |key: &str, revision, put: bool| {
            let change = Change {
                key: key.to_owned(),
                revision,
                value: put.then(Bytes::new),
            };
            view.change(change)
                .map(|event| shown(&[event]))
                .unwrap_or_default()
        };
        assert_eq!(change("a", 4, true), "");
        assert_eq!(change("b", 5, true), "b@5");
        assert_eq!(change("a", 6, true), "");
        assert_eq!(change("x", 7, true), "", "it is deleted again at 8");
        assert_eq!(change("x", 8, false), "");
        assert_eq!(change("m", 9, false), "-m");
        assert_eq!(change("m", 9, true), "", "what was heard already");
    }

    proptest! {
        /// Whoever applies the events of honest looks and changes ends with what the store has.
        #[test]
        fn events_lead_to_what_is_there(steps in prop::collection::vec((0..5_u8, any::<bool>(), any::<bool>()), 1..60)) {
            let (mut store, mut mirror) = (BTreeMap::new(), BTreeMap::new());
            let (mut view, mut revision) = (View::default(), 0);
            let mut apply = |events: Vec<Event>| {
                for event in events {
                    match event {
                        Event::Put(entry) => { mirror.insert(entry.key, entry.revision); }
                        Event::Delete { key, .. } => { mirror.remove(&key); }
                        Event::Ready => {}
                        Event::Reset => panic!("an honest store is not another one"),
                    }
                }
                mirror.clone()
            };
            apply(view.look(snapshot("x", 0, &[])));
            let mut deaf = false;
            for (key, put, heard) in steps {
                let key = key.to_string();
                if !put && !store.contains_key(&key) { continue; }
                revision += 1;
                match put { true => { store.insert(key.clone(), revision); } false => { store.remove(&key); } }
                deaf |= !heard;
                if deaf && heard {
                    let entries: Vec<(&str, u64)> = store.iter().map(|(key, at)| (key.as_str(), *at)).collect();
                    prop_assert_eq!(&apply(view.look(snapshot("x", revision, &entries))), &store);
                    deaf = false;
                } else if heard {
                    let event = view.change(Change { key, revision, value: put.then(Bytes::new) });
                    prop_assert_eq!(&apply(event.into_iter().collect()), &store);
                }
            }
        }
    }
}
