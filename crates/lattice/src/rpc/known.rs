//! Who serves a target, as far as the answers to our calls tell.
//!
//! The server picks who of a group gets a call, and goes on giving calls to a member that stands still or was cut off
//! until it takes it for dead, which is minutes. So callers remember who has accepted lately: once a call was not
//! accepted in time, those that were heard since get the calls directly.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use wasmcloud_core::ComponentId;

use super::call::Call;

/// Targets of which it is kept in mind who serves them.
const MAX_TARGETS: usize = 10_000;

/// Servers of one target that are kept in mind, those heard last.
const MAX_SERVERS: usize = 8;

/// How long calls avoid the group after one in it did not answer. Then the group is tried again, and who still stands
/// still is noticed again.
const AVOID: Duration = Duration::from_secs(10);

/// What is known of targets.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<ComponentId, Target>>);

struct Target {
    /// Whether all that ever accepted or refused a call speak more than v1.
    ours: bool,
    /// Whether they take requests without headers, as far as is known: whoever answers without them does.
    bare: bool,
    /// Who accepted calls.
    servers: Vec<Member>,
    /// When a call was made that one of the group did not answer.
    silent: Option<Instant>,
    /// Which version of an interface it answered last, where that was not the first choice.
    version: Option<&'static str>,
    /// Counts calls, so that servers take turns.
    turn: usize,
}

struct Member {
    /// Its inbox.
    inbox: Box<str>,
    /// When it last accepted a call.
    heard: Instant,
}

impl Target {
    /// Since when the group is to be avoided.
    fn silent_since(&mut self) -> Option<Instant> {
        self.silent = self.silent.filter(|silent| silent.elapsed() <= AVOID);
        self.silent
    }

    /// One of those that were heard since then, in turn, all but one; or, if wanted, the `last` of them.
    fn next(&mut self, since: Option<Instant>, last: bool, but: &str) -> Option<Box<str>> {
        self.turn = self.turn.wrapping_add(1);
        let others = || self.servers.iter().filter(|server| *server.inbox != *but);
        let heard = || others().filter(|server| since.is_none_or(|since| server.heard > since));
        let turn = self.turn.checked_rem(heard().count()).unwrap_or_default();
        let latest = || others().max_by_key(|server| server.heard);
        let server = heard().nth(turn).or_else(|| latest().filter(|_| last))?;
        Some(server.inbox.clone())
    }
}

/// The place of a target, a new one if there is room for it.
fn place<'a>(
    targets: &'a mut HashMap<ComponentId, Target>,
    target: &ComponentId,
    ours: bool,
) -> Option<&'a mut Target> {
    if !targets.contains_key(target) && targets.len() < MAX_TARGETS {
        let known = Target {
            ours,
            bare: false,
            servers: Vec::new(),
            silent: None,
            version: None,
            turn: 0,
        };
        targets.insert(target.clone(), known);
    }
    targets.get_mut(target)
}

impl Known {
    /// Somebody accepted a call.
    pub(super) fn accepted(&self, target: &ComponentId, call: &Call) {
        let now = Instant::now();
        let mut targets = self.0.lock();
        let ours = call.is_ours();
        let Some(known) = place(&mut targets, target, ours) else {
            return;
        };
        known.ours &= ours;
        known.bare = known.ours && (known.bare || call.is_bare());
        let Some(inbox) = call.server() else { return };
        if let Some(server) = known.servers.iter_mut().find(|server| *server.inbox == *inbox) {
            server.heard = now;
            return;
        }
        if known.servers.len() >= MAX_SERVERS {
            known.servers.sort_unstable_by_key(|server| server.heard);
            known.servers.remove(0);
        }
        known.servers.push(Member {
            inbox: inbox.into(),
            heard: now,
        });
    }

    /// Somebody who speaks more than v1 said no.
    pub(super) fn refused(&self, target: &ComponentId) {
        place(&mut self.0.lock(), target, true);
    }

    /// Nobody answered a call that was made to the group at that moment.
    pub(super) fn silent(&self, target: &ComponentId, since: Instant) {
        if let Some(known) = self.0.lock().get_mut(target) {
            known.silent = Some(since.max(known.silent.unwrap_or(since)));
        }
    }

    /// A server does not answer, or says that it does not serve the target any more.
    pub(super) fn gone(&self, target: &ComponentId, inbox: &str) {
        if let Some(known) = self.0.lock().get_mut(target) {
            known.servers.retain(|server| *server.inbox != *inbox);
        }
    }

    /// Who is to be called directly instead of the group: one of those that were heard since the group was silent; or,
    /// for a call that was `tried` in vain already, whoever was heard last.
    pub(super) fn server(&self, target: &ComponentId, tried: bool) -> Option<Box<str>> {
        let mut targets = self.0.lock();
        let known = targets.get_mut(target)?;
        let silent = known.silent_since()?;
        known.next(Some(silent), tried, "")
    }

    /// Who is to be called directly by one who serves the target as well, with the inbox `us`: one of those that were
    /// heard since the group was silent, if it was; or whoever was heard last.
    pub(super) fn another(&self, target: &ComponentId, us: &str) -> Option<Box<str>> {
        let mut targets = self.0.lock();
        let known = targets.get_mut(target)?;
        let silent = known.silent_since();
        known.next(silent, true, us)
    }

    /// Whether the group is to be avoided.
    pub(super) fn is_silent(&self, target: &ComponentId) -> bool {
        let mut targets = self.0.lock();
        let known = targets.get_mut(target);
        known.is_some_and(|known| known.silent_since().is_some())
    }

    /// Which version of an interface a target answered last; nothing if it was the first choice.
    pub(super) fn version(&self, target: &ComponentId) -> Option<&'static str> {
        self.0.lock().get(target)?.version
    }

    /// A target answered a call of this version; nothing if it was the first choice.
    pub(super) fn answered(&self, target: &ComponentId, version: Option<&'static str>) {
        if let Some(known) = self.0.lock().get_mut(target) {
            known.version = version;
        }
    }

    /// Whether all that ever answered a call for this target, and at least one did, speak more than v1.
    pub(super) fn is_ours(&self, target: &ComponentId) -> bool {
        self.0.lock().get(target).is_some_and(|known| known.ours)
    }

    /// Whether who serves a target takes requests without headers.
    pub(super) fn takes_bare(&self, target: &ComponentId) -> bool {
        self.0.lock().get(target).is_some_and(|known| known.bare)
    }
}
