//! Known situations, and thousands of random ones: no tick twice, none lost.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use wasmcloud_manifest::{CronTrigger, Schedule};

use super::*;

/// 2026-11-29T00:00:00Z.
const DAY: u64 = 1_795_910_400;

fn trigger(schedule: &str, missed: Missed, overlap: Overlap) -> Trigger {
    Trigger {
        app: "shop".parse().unwrap(),
        component: "shop-jobs".parse().unwrap(),
        cron: CronTrigger {
            schedule: Schedule::parse(schedule).unwrap(),
            function: wasmcloud_manifest::ExportedFunction {
                interface: "acme:jobs/nightly".parse().unwrap(),
                name: "run".to_owned(),
            },
            missed,
            deadline: Duration::from_secs(30),
            overlap,
            at: Default::default(),
        },
    }
}

/// One who looks, with the record that all share.
struct One {
    trigger: Trigger,
    record: Option<CronRecord>,
    alive: BTreeSet<u64>,
}

impl One {
    fn new(schedule: &str, missed: Missed, overlap: Overlap) -> Self {
        Self {
            trigger: trigger(schedule, missed, overlap),
            record: None,
            alive: BTreeSet::new(),
        }
    }

    fn look_as(&mut self, me: &str, now: u64) -> Verdict {
        let here = Here {
            me,
            alive: &self.alive,
        };
        let verdict = look(&self.trigger, self.record.as_ref(), now, here);
        self.record = Some(verdict.record.clone());
        self.alive
            .extend(verdict.call.as_ref().map(|call| call.claim.tick));
        verdict
    }

    fn look(&mut self, now: u64) -> Verdict {
        self.look_as("me", now)
    }

    /// All looks that are due: the ticks that are called for, those for missed ones as negative numbers.
    fn calls(&mut self, now: u64) -> Vec<i64> {
        let mut found = Vec::new();
        loop {
            let verdict = self.look(now);
            if let Some(call) = &verdict.call {
                let tick = i64::try_from(call.claim.tick - DAY).unwrap();
                found.push(if call.late { -tick } else { tick });
            }
            assert!(found.len() < 100, "{verdict:?}");
            if verdict.next.is_none_or(|next| next > now) {
                return found;
            }
        }
    }

    fn end(&mut self, tick: u64, fired: &Fired, now: u64) {
        let record = self.record.clone().unwrap();
        let claim = record
            .claims
            .iter()
            .find(|claim| claim.tick == tick)
            .unwrap()
            .clone();
        self.record = Some(ended(
            &self.trigger,
            &record,
            &claim,
            fired,
            Duration::from_millis(5),
            now,
        ));
        self.alive.remove(&tick);
    }

    fn last(&self) -> (u64, CronOutcome) {
        let last = self.record.as_ref().unwrap().last.as_ref().unwrap();
        (last.tick - DAY, last.outcome)
    }
}

#[test]
fn nothing_is_called_for_from_before_a_trigger_was_seen() {
    let mut one = One::new("* * * * *", Missed::Once, Overlap::Skip);
    let verdict = one.look(DAY + 30);
    assert_eq!(
        (verdict.call, verdict.next, verdict.missed),
        (None, Some(DAY + 60), false)
    );
    assert_eq!(one.calls(DAY + 59), [0; 0]);
    assert_eq!(one.calls(DAY + 60), [60]);
    assert_eq!(one.calls(DAY + 61), [0; 0]);
    one.end(DAY + 60, &Fired::Ok, DAY + 61);
    assert_eq!(one.last(), (60, CronOutcome::Ok));
    assert_eq!(one.calls(DAY + 120), [120]);
}

#[test]
fn a_tick_that_is_late_for_seconds_is_on_time() {
    let mut one = One::new("* * * * * *", Missed::Skip, Overlap::Allow);
    one.look(DAY);
    assert_eq!(one.calls(DAY + 3), [1, 2, 3]);
    // Of these 11 are on time, and 3 calls still run.
    assert_eq!(one.calls(DAY + 20), (10..=20).collect::<Vec<i64>>());
}

#[test]
fn missed_ticks_are_left_out_or_called_for_once() {
    for (missed, expected) in [(Missed::Skip, vec![]), (Missed::Once, vec![-1_800])] {
        let mut one = One::new("*/10 * * * *", missed, Overlap::Skip);
        one.look(DAY);
        // Nobody looked at the ticks after 10, 20 and 30 minutes.
        assert_eq!(one.calls(DAY + 1_900), expected, "{missed:?}");
        assert_eq!(one.record.as_ref().unwrap().settled, DAY + 1_889);
        if missed == Missed::Skip {
            assert_eq!(one.last(), (1_800, CronOutcome::Missed));
        }
        // Of those from more than an hour ago nobody wants to know.
        let mut one = One::new("0 6 * * *", missed, Overlap::Skip);
        one.look(DAY);
        let verdict = one.look(DAY + 8 * 3_600);
        assert_eq!((verdict.call, verdict.missed), (None, true));
    }
}

#[test]
fn a_call_that_runs_makes_the_next_tick_wait_or_not() {
    let mut one = One::new("* * * * *", Missed::Skip, Overlap::Skip);
    one.look(DAY);
    assert_eq!(one.calls(DAY + 60), [60]);
    let verdict = one.look(DAY + 120);
    assert_eq!((verdict.call, verdict.skipped), (None, 1));
    assert_eq!(one.last(), (120, CronOutcome::Skipped));
    one.end(DAY + 60, &Fired::Failed("trap".to_owned()), DAY + 130);
    // The later tick is the last one that is told of.
    assert_eq!(one.last(), (120, CronOutcome::Skipped));
    assert_eq!(one.calls(DAY + 180), [180]);

    let mut one = One::new("* * * * *", Missed::Skip, Overlap::Allow);
    one.look(DAY);
    for minute in 1..=20 {
        let calls = one.calls(DAY + minute * 60);
        let expected = minute <= MAX_CLAIMS as u64;
        assert_eq!(!calls.is_empty(), expected, "minute {minute}");
    }
}

#[test]
fn a_component_that_does_not_run_is_called_when_it_does() {
    let mut one = One::new("0 * * * *", Missed::Once, Overlap::Skip);
    one.look(DAY);
    assert_eq!(one.calls(DAY + 3_600), [3_600]);
    one.end(DAY + 3_600, &Fired::NotRunning("nobody".to_owned()), DAY + 3_601);
    assert_eq!(one.last(), (3_600, CronOutcome::Missed));
    assert_eq!(one.look(DAY + 3_602).next, Some(DAY + 3_611));
    assert_eq!(one.calls(DAY + 3_611), [-3_600]);
    one.end(DAY + 3_600, &Fired::Ok, DAY + 3_612);
    assert_eq!(one.last(), (3_600, CronOutcome::Ok));
    assert_eq!(one.calls(DAY + 3_700), [0; 0]);

    // With `skip` that was all.
    let mut one = One::new("0 * * * *", Missed::Skip, Overlap::Skip);
    one.look(DAY);
    assert_eq!(one.calls(DAY + 3_600), [3_600]);
    one.end(DAY + 3_600, &Fired::NotRunning("nobody".to_owned()), DAY + 3_601);
    assert_eq!(one.calls(DAY + 3_700), [0; 0]);
}

#[test]
fn a_claim_of_somebody_who_is_gone_was_missed() {
    for (missed, expected) in [(Missed::Skip, vec![]), (Missed::Once, vec![-3_600])] {
        let mut one = One::new("0 * * * *", missed, Overlap::Skip);
        one.look_as("other", DAY);
        assert!(one.look_as("other", DAY + 3_600).call.is_some());
        one.alive.clear();
        // Its call may still run.
        let verdict = one.look(DAY + 3_620);
        assert_eq!(
            (verdict.call, verdict.missed, verdict.next),
            (None, false, Some(DAY + 3_642))
        );
        assert_eq!(one.calls(DAY + 3_642), expected);
    }
}

#[test]
fn a_clock_that_is_set_back_calls_for_nothing_twice() {
    let mut one = One::new("0 * * * *", Missed::Once, Overlap::Skip);
    one.look(DAY);
    assert_eq!(one.calls(DAY + 10 * 3_600), [36_000]);
    one.end(DAY + 36_000, &Fired::Ok, DAY + 36_000);
    for hour in 1..=10 {
        assert_eq!(one.calls(DAY + hour * 3_600), [0; 0], "hour {hour}");
    }
    assert_eq!(one.calls(DAY + 11 * 3_600), [39_600]);
    one.end(DAY + 39_600, &Fired::Ok, DAY + 39_601);
    // One that was a month ahead is not waited for.
    one.record.as_mut().unwrap().settled = DAY + 30 * 86_400;
    assert_eq!(one.calls(DAY + 12 * 3_600 + 1), [0; 0]);
    assert_eq!(one.calls(DAY + 13 * 3_600), [46_800]);
}

#[test]
fn keys_tell_triggers_apart() {
    let key = |schedule: &str| trigger(schedule, Missed::Skip, Overlap::Skip).key();
    assert_ne!(key("* * * * *"), key("0 * * * *"));
    assert_eq!(
        key("* * * * *"),
        trigger("* * * * *", Missed::Once, Overlap::Allow).key()
    );
    assert!(key("* * * * *").starts_with("CRON_shop."));
}

#[derive(Clone, Debug)]
enum Happens {
    /// Seconds pass.
    Pass(u64),
    /// The clock of all is set, by so many seconds.
    Jump(i64),
    /// A leader dies, with its calls, and another begins.
    Replace(usize),
    /// Nobody leads for so long.
    Nobody(u64),
}

fn happens(jumps: bool) -> impl Strategy<Value = Happens> {
    let jump = if jumps { 2 } else { 0 };
    prop_oneof![
        6 => (1..400u64).prop_map(Happens::Pass),
        jump => (-20_000..20_000i64).prop_map(Happens::Jump),
        2 => (0..2usize).prop_map(Happens::Replace),
        2 => (1..2_000u64).prop_map(Happens::Nobody),
    ]
}

/// One who leads: who it is, the calls it has under way with their ends, and when it looks again.
#[derive(Default)]
struct Leader {
    me: String,
    calls: BTreeMap<u64, (CronClaim, u64)>,
    next: Option<u64>,
}

impl Leader {
    fn new(number: usize) -> Self {
        Self {
            me: format!("l{number}"),
            next: Some(0),
            ..Self::default()
        }
    }
}

/// Two leaders at once, their shared record, and calls that take their time.
struct World {
    trigger: Trigger,
    record: Option<CronRecord>,
    now: u64,
    leaders: [Leader; 2],
    born: usize,
    call_takes: u64,
    /// Calls in order: tick and whether for missed ones.
    calls: Vec<(u64, bool)>,
    skipped: BTreeSet<u64>,
    /// Ticks whose caller died.
    died: BTreeSet<u64>,
    /// Since when ticks count.
    begun: u64,
}

impl World {
    fn new(trigger: Trigger, call_takes: u64) -> Self {
        Self {
            trigger,
            record: None,
            now: DAY + 17,
            leaders: [Leader::new(0), Leader::new(1)],
            born: 2,
            call_takes,
            calls: Vec::new(),
            skipped: BTreeSet::new(),
            died: BTreeSet::new(),
            begun: DAY + 17,
        }
    }

    fn second(&mut self) {
        self.now += 1;
        for at in 0..2 {
            self.end_calls(at);
            let mut looks = 0;
            while self.leaders[at].next.is_some_and(|next| next <= self.now) {
                let Leader { me, calls, .. } = &self.leaders[at];
                let alive = calls.keys().copied().collect();
                let here = Here { me, alive: &alive };
                let verdict = look(&self.trigger, self.record.as_ref(), self.now, here);
                self.leaders[at].next = verdict.next;
                // The invariant of `change`: a call needs a record that was written.
                assert!(verdict.call.is_none() || self.record.as_ref() != Some(&verdict.record));
                if verdict.skipped > 0 {
                    self.skipped.insert(verdict.record.settled);
                }
                self.record = Some(verdict.record);
                if let Some(Calling { claim, late }) = verdict.call {
                    self.calls.push((claim.tick, late));
                    let ends = self.now + self.call_takes;
                    self.leaders[at].calls.insert(claim.tick, (claim, ends));
                }
                looks += 1;
                assert!(
                    looks < 50,
                    "it looks without end at {}: {:?}",
                    self.now - DAY,
                    self.record
                );
            }
        }
    }

    fn end_calls(&mut self, at: usize) {
        let now = self.now;
        let over = |(_, (_, ends)): &(&u64, &(CronClaim, u64))| *ends <= now || *ends > now + 100;
        let over: Vec<CronClaim> = self.leaders[at]
            .calls
            .iter()
            .filter(over)
            .map(|(_, (claim, _))| claim.clone())
            .collect();
        for claim in over {
            let record = self.record.as_ref().unwrap();
            let took = Duration::from_secs(self.call_takes);
            self.record = Some(ended(&self.trigger, record, &claim, &Fired::Ok, took, now));
            self.leaders[at].calls.remove(&claim.tick);
            self.leaders[at].next = Some(0);
        }
    }

    fn happen(&mut self, what: &Happens) {
        match what {
            Happens::Pass(seconds) => (0..*seconds).for_each(|_| self.second()),
            Happens::Jump(by) => {
                self.now = self.now.saturating_add_signed(*by).max(DAY);
                // As the loop does.
                self.leaders.iter_mut().for_each(|leader| leader.next = Some(0));
            }
            Happens::Replace(at) => {
                self.died.extend(self.leaders[*at].calls.keys());
                self.leaders[*at] = Leader::new(self.born);
                self.born += 1;
            }
            Happens::Nobody(seconds) => {
                self.happen(&Happens::Replace(0));
                self.happen(&Happens::Replace(1));
                self.now += seconds;
            }
        }
    }

    fn no_tick_twice(&self) -> Result<(), TestCaseError> {
        let mut seen = BTreeSet::new();
        for (tick, _) in &self.calls {
            let again = self.trigger.cron.missed == Missed::Once && self.died.contains(tick);
            prop_assert!(
                seen.insert(*tick) || again,
                "{} twice: {:?}",
                tick - DAY,
                self.calls
            );
        }
        Ok(())
    }

    /// Every tick was called for, or one call later for it and others, or skipped in favour of a call that ran.
    fn none_lost(&self) -> Result<(), TestCaseError> {
        let mut tick = self.begun;
        while let Some(next) = self
            .trigger
            .cron
            .schedule
            .after(tick)
            .filter(|next| *next + 120 < self.now)
        {
            let covered = |(called, late): &(u64, bool)| *called == next || (*late && *called >= next);
            let told = self.calls.iter().any(covered) || self.skipped.contains(&next);
            prop_assert!(told, "{} is lost: {:?}", next - DAY, self.calls);
            tick = next;
        }
        Ok(())
    }
}

fn schedules() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("* * * * *"),
        Just("*/7 * * * * *"),
        Just("*/5 * * * *"),
        Just("30 * * * * *"),
        Just("0 * * * *"),
    ]
}

fn overlaps() -> impl Strategy<Value = Overlap> {
    prop_oneof![Just(Overlap::Skip), Just(Overlap::Allow)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_tick_is_called_for_twice(
        schedule in schedules(),
        overlap in overlaps(),
        once in any::<bool>(),
        call_takes in 0..30u64,
        history in proptest::collection::vec(happens(true), 1..12),
    ) {
        let missed = if once { Missed::Once } else { Missed::Skip };
        let mut world = World::new(trigger(schedule, missed, overlap), call_takes);
        world.second();
        history.iter().for_each(|what| world.happen(what));
        world.happen(&Happens::Pass(200));
        world.no_tick_twice()?;
    }

    #[test]
    fn no_tick_is_lost_with_once(
        schedule in schedules(),
        overlap in overlaps(),
        call_takes in 0..30u64,
        history in proptest::collection::vec(happens(false), 1..12),
    ) {
        let mut world = World::new(trigger(schedule, Missed::Once, overlap), call_takes);
        world.second();
        history.iter().for_each(|what| world.happen(what));
        world.happen(&Happens::Pass(300));
        world.no_tick_twice()?;
        world.none_lost()?;
    }
}
