//! Which tick of a trigger is to be called for now: from the trigger, its record and the time to the record that is to be
//! written and the call that is to be made if that was written. No input or output; moments are seconds since 1970.
//!
//! A tick that nobody has settled is *on time* for [`ON_TIME`]: a change of leaders or a busy machine loses none. After
//! that it was missed. A clock that is set back calls for no tick a second time; one that was a day ahead or more is not
//! believed, as else nothing would be called for until it is reached again.

use std::collections::BTreeSet;
use std::time::Duration;

use wasmcloud_manifest::{Missed, Overlap};
use wasmcloud_wire::app::{CronClaim, CronLast, CronOutcome, CronOwed, CronRecord, MAX_CLAIMS};

use super::fire::Fired;
use super::trigger::Trigger;

/// How late a tick may be called for and is not missed: longer than a lattice is without a leader after a crash, the 5 s
/// that a lease lives (ADR 3).
pub const ON_TIME: Duration = Duration::from_secs(10);

/// With `missed: once`, how long a missed tick is called for.
pub const MISSED_FOR: Duration = Duration::from_secs(3_600);

/// Pause before a call for missed ticks is tried again, where the component did not run.
const RETRY: u64 = 10;

/// How long after the deadline of a call its outcome is surely written, if ever; clocks of hosts may differ by some of it.
const GRACE: u64 = 10;

/// How far ahead a record may be and is believed.
const AHEAD: u64 = 86_400;

/// What somebody who looks at a trigger knows besides its record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here<'a> {
    /// Who looks, as in claims.
    pub(crate) me: &'a str,
    /// The ticks of the claims of this trigger that are really under way here, whatever the clock says.
    pub(crate) alive: &'a BTreeSet<u64>,
}

/// What is to be done about a trigger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The record, to be written if it is another than before. Without that nothing of the rest holds.
    pub(crate) record: CronRecord,
    /// The call that is to be made then.
    pub(crate) call: Option<Calling>,
    /// Ticks that are not called for.
    pub(crate) skipped: u32,
    /// Whether ticks were missed and are not called for.
    pub(crate) missed: bool,
    /// When to look again; `None` where no tick is to come.
    pub(crate) next: Option<u64>,
}

/// A call that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Calling {
    /// The claim under which it is made.
    pub(crate) claim: CronClaim,
    /// Whether it stands for ticks that were missed.
    pub(crate) late: bool,
}

/// Looks at a trigger. There is one call in a verdict at most; who has made it looks again at `next`, which is `now` while
/// there is more.
pub(crate) fn look(trigger: &Trigger, record: Option<&CronRecord>, now: u64, here: Here<'_>) -> Verdict {
    let mut verdict = Verdict {
        record: named(trigger, record.cloned().unwrap_or_default()),
        ..Verdict::default()
    };
    let told = record.filter(|record| record.settled <= now.saturating_add(AHEAD));
    if told.is_none() {
        // What was before this moment is nobody's business.
        verdict.record.settled = now;
        verdict.record.owed = None;
    }
    lost_claims(trigger, &mut verdict, now, here);
    late_ticks(trigger, &mut verdict, now);
    if !tick_on_time(trigger, &mut verdict, now, here) {
        owed_tick(trigger, &mut verdict, now, here);
    }
    verdict.next = next(trigger, &verdict, now);
    verdict
}

/// Writes into a record what became of a call.
pub(crate) fn ended(
    trigger: &Trigger,
    record: &CronRecord,
    claim: &CronClaim,
    fired: &Fired,
    took: Duration,
    now: u64,
) -> CronRecord {
    let mut record = named(trigger, record.clone());
    let before = record.claims.len();
    record.claims.retain(|other| other != claim);
    // Somebody may have given it up for lost, and owes it already.
    let ours = record.claims.len() < before;
    let (outcome, error) = match fired {
        Fired::Ok => (CronOutcome::Ok, String::new()),
        Fired::Failed(error) => (CronOutcome::Failed, error.clone()),
        Fired::NotRunning(error) => (CronOutcome::Missed, error.clone()),
    };
    if ours && matches!(fired, Fired::NotRunning(_)) && trigger.cron.missed == Missed::Once {
        owe(&mut record, claim.tick, now.saturating_add(RETRY));
    }
    let took_ms = u64::try_from(took.as_millis()).ok();
    tell(&mut record, claim.tick, outcome, error, took_ms);
    record
}

/// The record with what people read in it.
fn named(trigger: &Trigger, record: CronRecord) -> CronRecord {
    CronRecord {
        component: trigger.component.to_string(),
        function: trigger.cron.function.to_string(),
        schedule: trigger.cron.schedule.to_string(),
        ..record
    }
}

/// The outcome of a later tick is not replaced by that of an earlier one.
fn tell(record: &mut CronRecord, tick: u64, outcome: CronOutcome, error: String, took_ms: Option<u64>) {
    if record.last.as_ref().is_none_or(|last| last.tick <= tick) {
        record.last = Some(CronLast {
            tick,
            outcome,
            error,
            took_ms,
        });
    }
}

/// All missed ticks are one call, so only the last of them is kept.
fn owe(record: &mut CronRecord, tick: u64, from: u64) {
    let (tick, from) = match &record.owed {
        Some(owed) => (owed.tick.max(tick), owed.from.min(from)),
        None => (tick, from),
    };
    record.owed = Some(CronOwed { tick, from });
}

/// Claims of somebody who is gone.
fn lost_claims(trigger: &Trigger, verdict: &mut Verdict, now: u64, here: Here<'_>) {
    let record = &mut verdict.record;
    let longest = now.saturating_add(window(trigger)).saturating_add(GRACE);
    let mut lost = Vec::new();
    record.claims.retain(|claim| {
        let over = match claim.by == here.me {
            true => !here.alive.contains(&claim.tick),
            // One that ends later than it can was made by a clock that was ahead.
            false => claim.until < now || claim.until > longest,
        };
        if over {
            lost.push(claim.clone());
        }
        !over
    });
    for claim in lost {
        let error = "whoever called for it is gone without a word of what became of it";
        tell(record, claim.tick, CronOutcome::Missed, error.to_owned(), None);
        // After a jump of the clock it may have been called for, and none is called for twice because of that.
        let owed = trigger.cron.missed == Missed::Once && claim.until <= longest;
        if owed && is_recent(claim.tick, now) {
            owe(record, claim.tick, now);
        } else {
            verdict.missed = true;
        }
    }
}

/// Ticks that are not on time any more.
fn late_ticks(trigger: &Trigger, verdict: &mut Verdict, now: u64) {
    let (schedule, record) = (&trigger.cron.schedule, &mut verdict.record);
    let edge = now.saturating_sub(ON_TIME.as_secs());
    if record.settled >= edge || schedule.after(record.settled).is_none_or(|tick| tick >= edge) {
        return;
    }
    let last = last_before(
        trigger,
        record.settled.max(now.saturating_sub(MISSED_FOR.as_secs())),
        edge,
    );
    record.settled = edge.saturating_sub(1);
    match last {
        Some(tick) if trigger.cron.missed == Missed::Once => owe(record, tick, now),
        last => {
            verdict.missed = true;
            let error = "nobody led the lattice";
            tell(
                record,
                last.unwrap_or(record.settled),
                CronOutcome::Missed,
                error.to_owned(),
                None,
            );
        }
    }
}

/// The last tick after one moment and before another.
fn last_before(trigger: &Trigger, after: u64, before: u64) -> Option<u64> {
    let schedule = &trigger.cron.schedule;
    let mut width = 1u64;
    // From the end, in steps that double: in the half that was looked at before there is none.
    let mut found = loop {
        let from = before.saturating_sub(1).saturating_sub(width).max(after);
        match schedule.after(from).filter(|tick| *tick < before) {
            Some(tick) => break tick,
            None if from == after => return None,
            None => width = width.saturating_mul(2),
        }
    };
    while let Some(next) = schedule.after(found).filter(|tick| *tick < before) {
        found = next;
    }
    Some(found)
}

/// The first tick that is on time and not settled. Whether there was one.
fn tick_on_time(trigger: &Trigger, verdict: &mut Verdict, now: u64, here: Here<'_>) -> bool {
    let record = &mut verdict.record;
    let Some(tick) = trigger
        .cron
        .schedule
        .after(record.settled)
        .filter(|tick| *tick <= now)
    else {
        return false;
    };
    record.settled = tick;
    let running = record.claims.len();
    let (skipped, why) = match trigger.cron.overlap {
        Overlap::Skip => (running > 0, "the call for an earlier tick still ran".to_owned()),
        Overlap::Allow => (
            running >= MAX_CLAIMS,
            format!("{running} calls for earlier ticks still ran"),
        ),
    };
    if skipped {
        verdict.skipped += 1;
        tell(record, tick, CronOutcome::Skipped, why, None);
        return true;
    }
    claim(trigger, verdict, tick, now, here, false);
    true
}

/// The call for those that were missed. It waits for calls that run, and is not skipped.
fn owed_tick(trigger: &Trigger, verdict: &mut Verdict, now: u64, here: Here<'_>) {
    let record = &mut verdict.record;
    let Some(owed) = record.owed.clone() else { return };
    if !is_recent(owed.tick, now) {
        record.owed = None;
        verdict.missed = true;
        let error = "it could not be called for within an hour";
        return tell(record, owed.tick, CronOutcome::Missed, error.to_owned(), None);
    }
    let room = match trigger.cron.overlap {
        Overlap::Skip => record.claims.is_empty(),
        Overlap::Allow => record.claims.len() < MAX_CLAIMS,
    };
    // A moment that is further away than a pause was written by a clock that was ahead.
    let due = owed.from <= now || owed.from > now.saturating_add(RETRY);
    if room && due {
        record.owed = None;
        claim(trigger, verdict, owed.tick, now, here, true);
    }
}

fn claim(trigger: &Trigger, verdict: &mut Verdict, tick: u64, now: u64, here: Here<'_>, late: bool) {
    let claim = CronClaim {
        tick,
        by: here.me.to_owned(),
        until: now.saturating_add(window(trigger)),
    };
    verdict.record.claims.push(claim.clone());
    verdict.call = Some(Calling { claim, late });
}

/// How long after a claim its outcome is written at the latest.
fn window(trigger: &Trigger) -> u64 {
    trigger
        .cron
        .deadline
        .as_secs()
        .saturating_add(1)
        .saturating_add(GRACE)
}

fn is_recent(tick: u64, now: u64) -> bool {
    tick > now.saturating_sub(MISSED_FOR.as_secs())
}

fn next(trigger: &Trigger, verdict: &Verdict, now: u64) -> Option<u64> {
    let record = &verdict.record;
    let tick = trigger
        .cron
        .schedule
        .after(record.settled)
        .map(|tick| tick.max(now));
    let owed = record.owed.as_ref().map(|owed| match record.claims.is_empty() {
        true => owed.from.clamp(now, now.saturating_add(RETRY)),
        // When a call of ours ends it is looked at anyway.
        false => now.saturating_add(RETRY),
    });
    let claims = record
        .claims
        .iter()
        .map(|claim| claim.until.saturating_add(1).max(now.saturating_add(1)));
    [tick, owed, claims.min()].into_iter().flatten().min()
}

#[cfg(test)]
mod tests;
