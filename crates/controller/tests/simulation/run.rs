//! One history: some time of disturbances, then calm, with everything that has to hold checked on the way.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use wasmcloud_controller::{
    AVOIDED_FOR, Lattice, Memory, Options, Plan, SETTLED_FOR, Scales, StepKey, StoreHealth, Wait, marks, plan,
};

use crate::apps::scaled;
use crate::bus::{Bus, Message};
use crate::chaos::Store;
use crate::leader::{Controller, LEASE, Lease, REMEMBERED, time};
use crate::oracle;
use crate::rng::Rng;
use crate::serving;
use crate::truth::{Checked, Truth, Worked};

/// How long one look at everything takes, in milliseconds.
const TICK: u64 = 500;
/// How long the disturbances last.
const DISTURBED: u64 = 50_000;
/// How long the lattice may take after that to become what it should be.
const SETTLED: u64 = 240_000;
/// How often one step may be sent meanwhile: as often as the pauses allow.
const REPEATS: usize = 9;
/// Time between two heartbeats of a host, and between two plans.
const HEARTBEAT: u64 = 1_000;
const PLANS: u64 = 1_000;

/// What is done wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    None,
    /// The planner sees everything as its own.
    AllIsOurs,
    /// The planner is told that every store can be believed, and sees no generations.
    BelieveAll,
    /// The planner remembers nothing.
    Forget,
    /// Hosts listen to whomever.
    NoFence,
    /// What the planner wants gone stays.
    NeverStop,
}

pub(crate) struct World<'t> {
    pub(crate) now: u64,
    pub(crate) rng: Rng,
    pub(crate) truth: Truth,
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    pub(crate) lease: Lease,
    pub(crate) controllers: Vec<Controller>,
    sabotage: Sabotage,
    trace: Option<&'t mut Vec<String>>,
    /// How often each step was sent since the disturbances ended.
    sent: BTreeMap<StepKey, usize>,
    calm: bool,
    /// Whether revisions have their links at each moment, and not only as far as whoever plans can see.
    strict: bool,
    /// When something was under way.
    busy_at: u64,
    last: Option<Plan>,
    /// How many there shall be of what follows its load, which has a chance of its own.
    pub(crate) scales: Arc<Scales>,
    pub(crate) loads: Rng,
}

/// Runs the history of a seed; an error says what did not hold.
pub(crate) fn run(seed: u64, sabotage: Sabotage, trace: Option<&mut Vec<String>>) -> Checked {
    let mut world = World::new(seed, sabotage, trace);
    world.begin();
    while world.now < DISTURBED {
        world.disturb();
        world.tick()?;
    }
    world.settles()?;
    world.stays_quiet()
}

/// Rollouts that nothing disturbs.
pub(crate) fn run_rollouts(seed: u64, trace: Option<&mut Vec<String>>) -> Checked {
    let mut world = World::new(seed, Sabotage::None, trace);
    (world.bus.disturbed, world.truth.disturbed, world.strict) = (false, false, true);
    world.begin();
    while world.now < DISTURBED {
        world.roll_out();
        world.tick()?;
    }
    world.settles()
}

impl<'t> World<'t> {
    fn new(seed: u64, sabotage: Sabotage, trace: Option<&'t mut Vec<String>>) -> Self {
        let mut rng = Rng::new(seed);
        let controllers = (0..rng.between(1, 3)).map(|_| Controller::default()).collect();
        Self {
            now: 0,
            rng,
            truth: Truth {
                disturbed: true,
                fences: sabotage != Sabotage::NoFence,
                ..Truth::default()
            },
            bus: Bus::new(),
            store: Store::default(),
            lease: Lease::default(),
            controllers,
            sabotage,
            trace,
            sent: BTreeMap::new(),
            calm: false,
            strict: false,
            busy_at: 0,
            last: None,
            scales: Arc::default(),
            loads: Rng::new(!seed),
        }
    }

    /// The disturbances end, and the lattice becomes what the store says.
    fn settles(&mut self) -> Checked {
        self.calm();
        self.calm = true;
        while !self.is_settled() {
            if self.now > DISTURBED + SETTLED {
                return Err(self.unsettled());
            }
            self.tick()?;
        }
        self.say(|| "nothing is under way any more".to_owned());
        let Some(last) = self.last.take() else {
            return Err("nobody led".to_owned());
        };
        let applications = scaled(&self.store.applications, &self.scales);
        oracle::check(&self.truth, &applications, &last).map_err(|what| {
            let decisions = last
                .reports
                .iter()
                .flat_map(|report| report.scalers.iter().chain(&report.prerequisites));
            let decisions: Vec<String> = decisions
                .map(|part| format!("{} is {}\n{}", part.name, part.status, part.decision))
                .collect();
            format!("{what}\n{}", decisions.join("\n"))
        })
    }
}

impl World<'_> {
    pub(crate) fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!(
                "{:>6.2} {}",
                std::time::Duration::from_millis(self.now).as_secs_f64(),
                what()
            ));
        }
    }

    fn tick(&mut self) -> Checked {
        self.now += TICK;
        let now = self.now;
        self.truth.wake(now, self.lease.epoch);
        if self.store.restore(now) {
            self.say(|| "somebody puts back what the store has lost".to_owned());
        }
        for message in self.bus.arrived(now) {
            self.deliver(message)?;
        }
        let Worked { failed, changed } = self.truth.work(now, &mut self.rng)?;
        for (key, error) in failed {
            self.say(|| format!("fails: {key}: {error}"));
            for to in 0..self.controllers.len() {
                let error = Some(error.clone());
                self.bus.send(
                    Message::Answer {
                        to,
                        key: key.clone(),
                        error,
                    },
                    now,
                    &mut self.rng,
                );
            }
        }
        let beat = now.is_multiple_of(HEARTBEAT);
        let hosts: Vec<_> = self
            .truth
            .hosts
            .keys()
            .filter(|id| beat || changed.contains(id))
            .cloned()
            .collect();
        for id in hosts {
            let Some(host) = self
                .truth
                .hosts
                .get_mut(&id)
                .filter(|host| host.up && !host.paused)
            else {
                continue;
            };
            host.heartbeats += 1;
            let (number, inventory) = (host.heartbeats, Rc::new(host.runs.clone()));
            for to in 0..self.controllers.len() {
                let inventory = Rc::clone(&inventory);
                self.bus.send(
                    Message::Heartbeat {
                        to,
                        host: id.clone(),
                        number,
                        inventory,
                    },
                    now,
                    &mut self.rng,
                );
            }
        }
        if self.strict {
            self.store.own_links.are_there(&self.truth)?;
        }
        (0..self.controllers.len()).try_for_each(|at| self.control(at))?;
        let waiting = self
            .controllers
            .iter()
            .any(|controller| !controller.outbox.is_empty());
        if waiting || !self.bus.is_empty() || self.truth.is_busy() {
            self.busy_at = now;
        }
        Ok(())
    }

    fn deliver(&mut self, message: Message) -> Checked {
        let now = self.now;
        match message {
            Message::Command { from, epoch, action } => {
                let said = self.truth.command(&action, epoch, now, &mut self.rng)?;
                let key = action.key();
                self.say(|| match &said {
                    Some(None) => format!("arrives: {key}"),
                    Some(Some(error)) => format!("refused: {key}: {error}"),
                    None => format!("nobody hears: {key}"),
                });
                if let Some(error) = said {
                    self.bus
                        .send(Message::Answer { to: from, key, error }, now, &mut self.rng);
                }
            }
            Message::Answer { to, key, error } => self.controllers[to].answer(&key, error, now),
            Message::Heartbeat {
                to,
                host,
                number,
                inventory,
            } => {
                self.controllers[to].hear(host, number, inventory, now);
            }
        }
        Ok(())
    }

    /// What a controller does at a moment. One that stood still goes on where it was, and only then looks at the lease.
    fn control(&mut self, at: usize) -> Checked {
        let now = self.now;
        let controller = &mut self.controllers[at];
        if controller.paused_until > now {
            return Ok(());
        }
        controller.awake(now, TICK);
        controller.give_up(now);
        while let Some((epoch, step)) = self.controllers[at].next(&self.lease, now) {
            if self.sabotage == Sabotage::NeverStop && !step.action.is_additive() {
                continue;
            }
            self.say(|| format!("controller {at} sends in epoch {epoch}: {step}"));
            if self.calm {
                let sent = self.sent.entry(step.action.key()).or_default();
                *sent += 1;
                if *sent > REPEATS {
                    return Err(format!("{step} was sent {sent} times while nothing happened"));
                }
            }
            let action = Rc::new(step.action);
            self.bus.send(
                Message::Command {
                    from: at,
                    epoch,
                    action,
                },
                now,
                &mut self.rng,
            );
        }
        let was = self.controllers[at].leads;
        let mut controller = std::mem::take(&mut self.controllers[at]);
        self.lease.keep(at, &mut controller, now);
        if controller.leads != was {
            self.say(|| format!("controller {at} leads: {:?}", controller.leads));
        }
        if self.calm || self.rng.chance(700) {
            controller.look(&self.truth);
        }
        let planned = match controller.leads {
            Some(epoch) if now >= controller.planned_at + PLANS => self.plan(epoch, &mut controller),
            _ => Ok(()),
        };
        self.controllers[at] = controller;
        planned
    }

    fn plan(&mut self, epoch: u64, controller: &mut Controller) -> Checked {
        controller.planned_at = self.now;
        let mut lattice = Lattice {
            epoch,
            applications: self.store.applications.clone(),
            scales: Arc::clone(&self.scales),
        };
        let mut observed = controller.observed(self.store.health.clone(), self.now);
        match self.sabotage {
            Sabotage::AllIsOurs => claim_all(&mut observed),
            Sabotage::BelieveAll => {
                observed.store = StoreHealth::Trusted;
                lattice
                    .applications
                    .iter_mut()
                    .for_each(|app| app.generation = u64::MAX);
            }
            Sabotage::Forget => controller.memory = Default::default(),
            _ => {}
        }
        let plan = plan(
            &lattice,
            &observed,
            time(self.now),
            &mut controller.memory,
            &Options::default(),
        );
        if plan.epoch != epoch {
            return Err(format!("a plan of epoch {epoch} says {}", plan.epoch));
        }
        if self.store.lost.is_some() {
            let stops = plan.steps.iter().find(|step| !step.action.is_additive());
            let any = plan
                .steps
                .first()
                .filter(|_| self.store.health != StoreHealth::Trusted);
            if let Some(step) = stops.or(any) {
                return Err(format!("a store that is set back leads to: {step}"));
            }
        }
        let lattice = Lattice {
            applications: scaled(&lattice.applications, &self.scales),
            ..lattice
        };
        serving::check(&lattice, &observed, &plan, self.now)?;
        controller
            .outbox
            .extend(plan.steps.iter().map(|step| (epoch, step.clone())));
        self.last = Some(plan);
        Ok(())
    }

    /// Whether nothing is under way and nothing is going to be.
    fn is_settled(&self) -> bool {
        let waits = |wait: &Wait| {
            matches!(
                wait,
                Wait::Sent(_) | Wait::Effect { .. } | Wait::Word { .. } | Wait::Room | Wait::Partial
            )
        };
        let Some(last) = &self.last else { return false };
        let mut parts = last
            .reports
            .iter()
            .flat_map(|report| report.scalers.iter().chain(&report.prerequisites));
        // Long enough for everybody to have heard of everything, and for a plan after that.
        self.now > self.busy_at.max(DISTURBED + REMEMBERED) + LEASE + 2 * HEARTBEAT + PLANS
            && last.steps.is_empty()
            && !parts.any(|part| part.decision.waits.iter().any(waits))
    }

    fn unsettled(&self) -> String {
        let reports = self.last.iter().flat_map(|last| &last.reports);
        let texts: Vec<String> = reports
            .map(|report| format!("{}: {}", report.app, report.status))
            .collect();
        format!(
            "the lattice does not become what it should be: {}",
            texts.join("\n")
        )
    }

    /// Nothing is done any more, not when what is remembered runs out, and not when somebody else begins to lead.
    fn stays_quiet(&mut self) -> Checked {
        let leader = self
            .controllers
            .iter()
            .position(|controller| controller.leads == Some(self.lease.epoch));
        let Some(leader) = leader else {
            return Err("nobody leads".to_owned());
        };
        let mut leader = std::mem::take(&mut self.controllers[leader]);
        for (after, forget) in [(SETTLED_FOR, false), (AVOIDED_FOR, false), (AVOIDED_FOR, true)] {
            self.now += u64::try_from(after.as_millis()).unwrap() + 1;
            for (id, host) in &self.truth.hosts {
                leader.hear(
                    id.clone(),
                    host.heartbeats + 1,
                    Rc::new(host.runs.clone()),
                    self.now,
                );
            }
            leader.look(&self.truth);
            if forget {
                leader.memory = Memory::default();
            }
            self.plan(self.lease.epoch, &mut leader)?;
            if let Some(step) = self.last.iter().flat_map(|last| &last.steps).next() {
                return Err(format!("nothing happened, and still: {step}"));
            }
        }
        Ok(())
    }
}

/// Every component and provider looks as if its application had started it.
fn claim_all(observed: &mut wasmcloud_controller::Observed) {
    let claim = |id: &wasmcloud_core::ComponentId, annotations: &mut BTreeMap<String, String>| {
        let app = id.as_str().split('-').next().unwrap_or_default();
        annotations.insert(marks::MANAGED_BY.to_owned(), marks::MANAGER.to_owned());
        annotations.insert(marks::APPSPEC.to_owned(), app.to_owned());
    };
    for host in observed.hosts.values_mut() {
        host.components
            .iter_mut()
            .for_each(|(id, running)| claim(id, &mut running.annotations));
        host.providers
            .iter_mut()
            .for_each(|(id, running)| claim(id, &mut running.annotations));
    }
}
