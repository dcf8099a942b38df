//! How many instances of a component its load needs, between the numbers that its `autoscaler` allows.
//!
//! The load of a host is the calls that it ran and had waiting, on average since it was last asked: time in calls and in
//! the queue, divided by the time that has passed. Calls that take longer than that show in none of the two until they
//! end, so what ran at both ends counts as well. More instances come as soon as they are needed; fewer, when fewer have
//! been enough for the whole cooldown. Who has just begun to look does not know that, and keeps what runs.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wasmcloud_core::{ComponentId, HostId};
use wasmcloud_manifest::{Autoscale, Scaler};

use crate::planning::model::{Application, Moment};
use crate::planning::observed::{Load, ObservedHost};

/// How many instances there shall be of components that have an `autoscaler`.
pub type Scales = BTreeMap<ComponentId, Scale>;

/// How many instances there shall be of one component, and what that was decided from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// How many.
    pub wanted: u32,
    /// How many the load of this moment needs.
    pub needed: u32,
    /// Calls that ran or waited, on average, in hundredths.
    pub load: u64,
    /// How long those waited on average that ended.
    pub queue_time: Duration,
}

/// Follows the load of all components that have an `autoscaler`.
#[derive(Debug, Default)]
pub struct Autoscaler {
    known: BTreeMap<ComponentId, History>,
    scales: Arc<Scales>,
}

/// What is known of the load of one component.
#[derive(Debug)]
struct History {
    begun: Moment,
    /// How many there were when it was first looked at.
    first: u32,
    hosts: BTreeMap<HostId, Seen>,
    /// What was needed when, for the time of the cooldown. Only what was not followed by more: the first is the most.
    needs: VecDeque<(Moment, u32)>,
}

/// What a host told last.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Moment,
    load: Load,
    since: Since,
}

/// What a component did on one host between two looks.
#[derive(Clone, Copy, Debug, Default)]
struct Since {
    /// Calls that ran or waited, in hundredths.
    load: u64,
    ended: u64,
    waited: Duration,
    refused: bool,
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            wanted,
            needed,
            load,
            queue_time,
        } = self;
        let (whole, part) = (load / 100, load % 100);
        write!(
            f,
            "{wanted} wanted, {needed} needed now: {whole}.{part:02} calls at once"
        )?;
        match queue_time.is_zero() {
            true => Ok(()),
            false => write!(f, ", which waited {queue_time:.0?} on average"),
        }
    }
}

impl Autoscaler {
    /// Looks at what hosts have told. Says whether other numbers came of it.
    pub fn look<'h>(
        &mut self,
        applications: &[Application],
        hosts: impl Iterator<Item = (&'h HostId, &'h ObservedHost)> + Clone,
        now: Moment,
    ) -> bool {
        let mut former = std::mem::take(&mut self.known);
        let mut scales = Scales::new();
        for application in applications {
            let Some(deployed) = &application.deployed else {
                continue;
            };
            for component in &deployed.desired.components {
                let Some((scaler, auto)) = scaled(component.scaler.as_ref()) else {
                    continue;
                };
                let id = &component.id;
                let mut history = former
                    .remove(id)
                    .unwrap_or_else(|| History::new(id, hosts.clone(), now));
                scales.insert(id.clone(), history.look(id, scaler, auto, hosts.clone(), now));
                self.known.insert(id.clone(), history);
            }
        }
        let changed = !scales.iter().map(wanted).eq(self.scales.iter().map(wanted));
        self.scales = Arc::new(scales);
        changed
    }

    /// The numbers that came of the last look; none where nothing follows its load.
    pub fn scales(&self) -> &Arc<Scales> {
        &self.scales
    }
}

fn wanted<'s>((id, scale): (&'s ComponentId, &'s Scale)) -> (&'s ComponentId, u32) {
    (id, scale.wanted)
}

fn scaled(scaler: Option<&Scaler>) -> Option<(&Scaler, &Autoscale)> {
    let scaler = scaler?;
    Some((scaler, scaler.auto.as_ref()?))
}

impl History {
    fn new<'h>(
        id: &ComponentId,
        hosts: impl Iterator<Item = (&'h HostId, &'h ObservedHost)>,
        now: Moment,
    ) -> Self {
        let runs = hosts.filter_map(|(_, host)| host.components.get(id));
        Self {
            begun: now,
            first: runs.fold(0, |sum, running| sum.saturating_add(running.count)),
            hosts: BTreeMap::new(),
            needs: VecDeque::new(),
        }
    }

    fn look<'h>(
        &mut self,
        id: &ComponentId,
        scaler: &Scaler,
        auto: &Autoscale,
        hosts: impl Iterator<Item = (&'h HostId, &'h ObservedHost)>,
        now: Moment,
    ) -> Scale {
        let mut former = std::mem::take(&mut self.hosts);
        let (mut sum, mut runs) = (Since::default(), 0_u32);
        for (host, observed) in hosts {
            let Some(running) = observed.components.get(id) else {
                continue;
            };
            runs = runs.saturating_add(running.count);
            let Some(load) = running.load else {
                // It does not say, so it keeps what it has.
                sum.load += u64::from(running.count) * u64::from(auto.utilization);
                continue;
            };
            let seen = Seen::next(former.remove(host), load, observed.told_at);
            sum.add(&seen.since);
            self.hosts.insert(host.clone(), seen);
        }
        let queue_time = match u32::try_from(sum.ended) {
            Ok(ended) if ended > 0 => sum.waited / ended,
            _ => Duration::ZERO,
        };
        let mut needed = sum.load.div_ceil(auto.utilization.max(1).into());
        let runs = u64::from(runs);
        if queue_time > auto.queue_time {
            needed = needed.max(runs + (runs / 4).max(1));
        }
        if sum.refused {
            needed = needed.max(runs * 2);
        }
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        let needed = needed.clamp(scaler.instances.min(auto.max), auto.max);
        Scale {
            wanted: self.wanted(needed, scaler, auto, now),
            needed,
            load: sum.load,
            queue_time,
        }
    }

    /// The most that was needed within the cooldown; what ran at first, until that has passed once.
    fn wanted(&mut self, needed: u32, scaler: &Scaler, auto: &Autoscale, now: Moment) -> u32 {
        while self.needs.back().is_some_and(|(_, before)| *before <= needed) {
            self.needs.pop_back();
        }
        self.needs.push_back((now, needed));
        let old = |at: Moment| now.saturating_sub(at) >= auto.cooldown;
        while self.needs.len() > 1 && self.needs.front().is_some_and(|(at, _)| old(*at)) {
            self.needs.pop_front();
        }
        let most = self.needs.front().map_or(needed, |(_, most)| *most);
        let most = match old(self.begun) {
            true => most,
            false => most.max(self.first),
        };
        // The numbers of the manifest may be others than they were.
        most.clamp(scaler.instances.min(auto.max), auto.max)
    }
}

impl Seen {
    fn next(former: Option<Self>, load: Load, at: Moment) -> Self {
        let nothing = Since {
            load: hundredths(load.running + load.waiting),
            ..Since::default()
        };
        let since = match former {
            // Nothing new was told.
            Some(former) if former.at == at => former.since,
            // The sums only get smaller where the host has begun anew.
            Some(former) if former.load.ended <= load.ended && former.at < at => {
                Since::between(&former.load, &load, at - former.at)
            }
            _ => nothing,
        };
        Self { at, load, since }
    }
}

fn hundredths(count: u32) -> u64 {
    u64::from(count) * 100
}

impl Since {
    fn between(former: &Load, now: &Load, time: Duration) -> Self {
        let waited = now.queued.saturating_sub(former.queued);
        let spent = now.busy.saturating_sub(former.busy) + waited;
        let average = spent.as_micros() * 100 / time.as_micros().max(1);
        let all_the_time = (former.running + former.waiting).min(now.running + now.waiting);
        Self {
            load: u64::try_from(average)
                .unwrap_or(u64::MAX)
                .max(hundredths(all_the_time)),
            ended: now.ended - former.ended,
            waited,
            refused: now.refused > former.refused,
        }
    }

    fn add(&mut self, more: &Self) {
        self.load = self.load.saturating_add(more.load);
        self.ended += more.ended;
        self.waited += more.waited;
        self.refused |= more.refused;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planning::observed::RunningComponent;

    /// One component between 2 and 20 instances, and the hosts that it is on.
    struct World {
        history: History,
        scaler: Scaler,
        hosts: BTreeMap<HostId, ObservedHost>,
        now: Moment,
    }

    fn id() -> ComponentId {
        "a".parse().unwrap()
    }

    impl World {
        fn new(runs: u32) -> Self {
            let mut world = Self {
                history: History {
                    begun: Moment::ZERO,
                    first: runs,
                    hosts: BTreeMap::new(),
                    needs: VecDeque::new(),
                },
                scaler: Scaler {
                    instances: 2,
                    auto: Some(Autoscale {
                        max: 20,
                        utilization: 50,
                        queue_time: Duration::from_millis(100),
                        cooldown: Duration::from_secs(10),
                    }),
                    ..Scaler::one_anywhere()
                },
                hosts: BTreeMap::new(),
                now: Moment::ZERO,
            };
            world.on("NA", Some(Load::default())).count = runs;
            world
        }

        fn on(&mut self, host: &str, load: Option<Load>) -> &mut RunningComponent {
            let host = self.hosts.entry(host.parse().unwrap()).or_default();
            let running = host.components.entry(id()).or_default();
            running.load = load;
            running
        }

        /// Looks after a second in which calls took `busy` and waited `queued` on the first host.
        fn second(&mut self, busy: f64, queued: f64, ended: u64) -> Scale {
            let before = self
                .history
                .hosts
                .get("NA")
                .map_or(Load::default(), |seen| seen.load);
            self.on("NA", None).load = Some(Load {
                ended: before.ended + ended,
                busy: before.busy + Duration::from_secs_f64(busy),
                queued: before.queued + Duration::from_secs_f64(queued),
                ..before
            });
            self.look()
        }

        fn look(&mut self) -> Scale {
            self.now += Duration::from_secs(1);
            self.hosts.values_mut().for_each(|host| host.told_at = self.now);
            let auto = self.scaler.auto.unwrap();
            let hosts = self.hosts.iter();
            self.history.look(&id(), &self.scaler, &auto, hosts, self.now)
        }
    }

    #[test]
    fn more_come_at_once_and_fewer_after_the_cooldown() {
        let mut world = World::new(2);
        world.second(0.0, 0.0, 0);
        let busy = world.second(3.0, 0.0, 30);
        assert_eq!(
            (busy.wanted, busy.needed, busy.load),
            (6, 6, 300),
            "half of them in use"
        );
        assert_eq!(world.second(100.0, 0.0, 10).wanted, 20, "no more than may be");
        for second in 1..=10 {
            let scale = world.second(1.5, 0.0, 10);
            assert_eq!(
                (scale.needed, scale.wanted),
                (3, if second < 10 { 20 } else { 3 }),
                "{second}"
            );
        }
        for _ in 0..20 {
            world.second(0.0, 0.0, 0);
        }
        assert_eq!(world.second(0.0, 0.0, 0).wanted, 2, "no fewer than must be");
    }

    #[test]
    fn what_waits_needs_more_than_what_runs() {
        let mut world = World::new(2);
        world.second(0.0, 0.0, 0);
        // Two slots are always in use, and three calls always wait.
        let scale = world.second(2.0, 3.0, 10);
        assert_eq!((scale.needed, scale.queue_time), (10, Duration::from_millis(300)));
        // A long wait asks for more than there are, also where little is in use.
        world.on("NA", None).count = 8;
        let scale = world.second(0.1, 0.5, 1);
        assert_eq!(scale.needed, 10);
        let mut world = World::new(4);
        world.second(0.0, 0.0, 0);
        world.on(
            "NA",
            Some(Load {
                refused: 1,
                ..Load::default()
            }),
        );
        assert_eq!(
            world.look().needed,
            8,
            "as many again where calls are turned away"
        );
    }

    #[test]
    fn calls_that_take_long_count_while_they_run() {
        let mut world = World::new(2);
        let long = Load {
            running: 4,
            waiting: 1,
            ..Load::default()
        };
        world.on("NA", Some(long));
        world.look();
        for _ in 0..20 {
            assert_eq!(world.look().needed, 10);
        }
        // Nothing new was told: what was told last stands.
        let hosts = world.hosts.clone();
        let auto = world.scaler.auto.unwrap();
        let now = world.now + Duration::from_secs(1);
        assert_eq!(
            world
                .history
                .look(&id(), &world.scaler, &auto, hosts.iter(), now)
                .needed,
            10
        );
    }

    #[test]
    fn who_begins_to_look_keeps_what_runs() {
        let mut world = World::new(15);
        for second in 1..=10 {
            let wanted = if second < 10 { 15 } else { 2 };
            assert_eq!(world.second(0.0, 0.0, 0).wanted, wanted, "{second}");
        }
    }

    #[test]
    fn a_host_that_does_not_say_keeps_what_it_has() {
        let mut world = World::new(2);
        world.on("NV", None).count = 7;
        for _ in 0..20 {
            assert_eq!(world.second(0.0, 0.0, 0).wanted, 7);
        }
    }

    #[test]
    fn a_host_that_begins_anew_has_no_past() {
        let mut world = World::new(2);
        world.second(500.0, 0.0, 10);
        world.on("NA", Some(Load::default()));
        assert_eq!(world.look().needed, 2);
    }
}
