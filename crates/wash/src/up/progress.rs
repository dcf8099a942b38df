//! What is shown of a deployment while it is under way, and what ends it before its time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde_json::json;
use wasmcloud_host::LatticeHost;
use wasmcloud_wire::app::{AppStatus, ScalerStatus, StatusType};
use wasmcloud_wire::message::chain;

use super::parts::{Part, Parts};
use crate::control::table::one_line;
use crate::exit::{Failure, NOT_STARTED};
use crate::output::Output;

/// How long something may seem to be wrong that no host has said an error about: it may be an old look at a host, or
/// one that was not heard of yet.
const DOUBT: Duration = Duration::from_secs(3);

/// A deployment under way.
pub(super) struct Progress<'a> {
    pub(super) host: &'a LatticeHost,
    /// Whether this process runs the lattice, so that there is nobody else to wait for.
    pub(super) alone: bool,
    pub(super) file: &'a str,
    pub(super) parts: &'a Parts,
    /// Those of what ran before.
    pub(super) before: &'a Parts,
    pub(super) begun: Instant,
    pub(super) output: &'a Output,
    pub(super) seen: Seen,
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Seen {
    said: BTreeSet<String>,
    /// Since when something is wrong without an error of a host.
    wrong_since: Option<Instant>,
}

impl Progress<'_> {
    /// Says what runs now. The first error that a host has said about a part ends it, and so does what cannot change by
    /// itself.
    pub(super) fn look(&mut self, status: &AppStatus) -> Result<(), Failure> {
        let mut wrong = None;
        for part in &status.scalers {
            let known = self.parts.find(part);
            if let Some(error) = &part.error {
                return Err(self.failure(part, known, error));
            }
            match (part.status.kind, known) {
                (StatusType::Deployed, Some(known)) => self.say(&part.name, known),
                (StatusType::Failed, _) => wrong = wrong.or(Some((part, known))),
                _ => {}
            }
        }
        let failed = status.status.kind == StatusType::Failed;
        if wrong.is_none() && !(failed && status.scalers.is_empty()) {
            self.seen.wrong_since = None;
            return Ok(());
        }
        let since = *self.seen.wrong_since.get_or_insert_with(Instant::now);
        let Some((part, known)) = wrong else {
            let error = anyhow!(one_line(&status.status.message));
            return Err(Failure::new(NOT_STARTED, "not-started", error));
        };
        let link = known.and_then(|known| known.link.as_ref());
        if let Some(refused) = link.and_then(|link| self.host.refusal(link)) {
            return Err(self.failure(part, known, &chain(&*refused)));
        }
        // Links may have been refused for what was there before.
        match since.elapsed() >= DOUBT || (self.alone && link.is_none()) {
            true => Err(self.failure(part, known, &part.status.message)),
            false => Ok(()),
        }
    }

    fn failure(&self, part: &ScalerStatus, known: Option<&Part>, error: &str) -> Failure {
        let mut text = one_line(error);
        if let Some(labels) = known.map(|known| known.labels.join(" --label "))
            && part.error.is_none()
            && !labels.is_empty()
        {
            text.push_str(&format!("; hint: wash up --label {labels}"));
        }
        let failure = Failure::new(NOT_STARTED, "not-started", anyhow!(text));
        match known {
            Some(known) => failure.at(format!("{}:{}", self.file, known.at)),
            None => failure,
        }
    }

    /// Says once that a part runs which did not run before.
    fn say(&mut self, name: &str, part: &Part) {
        if !self.seen.said.contains(name) && !self.before.has_same(name, part) {
            self.seen.said.insert(name.to_owned());
            step(part, &part.detail, Some(self.begun.elapsed()), self.output);
        }
    }
}

/// One thing was done.
pub(super) fn step(part: &Part, what: &str, took: Option<Duration>, output: &Output) {
    let (kind, name) = (part.kind, &part.name);
    let ms = took.map(|took| took.as_millis() as u64);
    let took = ms.map(|ms| format!("  {ms} ms")).unwrap_or_default();
    let mark = output.paint("32", "✓");
    let text = format!("  {mark} {kind:<9} {name}  {}{took}", output.paint("2", what));
    let value = json!({ "event": "step", "kind": kind, "name": name, "detail": what, "ms": ms });
    output.event(&text, &value);
}
