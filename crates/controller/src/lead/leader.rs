//! The loop of whoever leads: what was seen makes a picture, the picture a plan, the plan requests and reports.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use wasmcloud_client::{Client, DEFAULT_TIMEOUT};
use wasmcloud_core::{AppName, HostId};
use wasmcloud_lattice::Lattice;
use wasmcloud_wire::control::Epoch;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::subject::Topic;

use super::carry::carry_out;
use super::hosts;
use super::rollouts::{Change, Rollouts, write_down};
use super::sighting::{Picture, Sighting};
use super::state::Buckets;
use super::{ControllerOptions, LeadError, Leading};
use crate::alone::Alone;
use crate::api::{Api, Sources, Told};
use crate::blocking::blocking;
use crate::lease::Guard;
use crate::planning::{
    self, Application, Autoscaler, Memory, Moment, Options, Plan, Scales, StatusKind, StepKey, plan,
    report_of,
};
use crate::store::{Catalogue, Snapshot, Store};
use crate::triggers::{Counts, LatticeTriggers, MayAct};

/// What was seen and waits to be looked at. Whoever sees more waits.
const SIGHTINGS: usize = 1_024;

/// Plans whose steps are carried out at the same time; a further one waits for the first of them.
const UNDER_WAY: usize = 8;

/// Shortest time between two plans, or as long as the last one took: what happens together is planned together, and
/// there is time for other things.
const BREATH: Duration = Duration::from_millis(2);

/// Longest time without a plan while something is under way or wrong.
const LOOK: Duration = Duration::from_secs(1);

/// Pause before it is tried again to call by the clock.
const TRIGGERS: Duration = Duration::from_secs(10);

/// Longest time without a plan at all.
const LOOK_ANYWAY: Duration = Duration::from_secs(30);

/// Leads in one epoch until it is dropped. Returns only what went wrong.
pub(super) async fn lead(leading: &Leading, epoch: Epoch, guard: &Guard) -> LeadError {
    match try_lead(leading, epoch, guard).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn try_lead(leading: &Leading, epoch: Epoch, guard: &Guard) -> Result<Infallible, LeadError> {
    let Leading {
        lattice,
        options,
        ticks,
        serving,
    } = leading;
    let store = Store::open_with(lattice, options.resolve.clone()).await?;
    let prefix: Topic = lattice.control_prefix.parse()?;
    let client = Client::new(
        lattice.control.clone(),
        lattice.name.clone(),
        &prefix,
        DEFAULT_TIMEOUT,
    );
    let catalogue = Catalogue::open(&store).await?;
    let mut snapshots = catalogue.snapshots();
    let buckets = Buckets::open(lattice).await?;
    let (out, sightings) = mpsc::channel(SIGHTINGS);
    let mut followers = JoinSet::new();
    let (closely, look_closely) = watch::channel(false);
    followers.spawn(follow_hosts(
        client.clone(),
        options.host.clone(),
        out.clone(),
        look_closely,
        options.alone.clone(),
    ));
    followers.spawn(follow_state(buckets, out));
    let (told, telling) = watch::channel(None);
    let sources = Sources {
        store: store.clone(),
        snapshots: catalogue.snapshots(),
        told: telling,
    };
    let connection = lattice.control.clone();
    let _api = Api::serve(connection, &lattice.name, options.host.clone(), sources).await?;
    serving.send_replace(true);
    let may_call = {
        let guard = guard.clone();
        Arc::new(move || guard.may_act(epoch)) as MayAct
    };
    let (deployed, counts) = (catalogue.snapshots(), Arc::clone(ticks));
    let mut by_the_clock = JoinSet::new();
    by_the_clock.spawn(call_by_the_clock(
        lattice.clone(),
        options.host.clone(),
        deployed,
        may_call,
        counts,
    ));
    let mut turn = Turn {
        options,
        store,
        guard,
        epoch,
        client: client.with_epoch(epoch),
        begun: Instant::now(),
        picture: Picture::default(),
        sightings,
        memory: Memory::default(),
        alive: BTreeSet::new(),
        under_way: JoinSet::new(),
        rollouts: Rollouts::default(),
        autoscaler: Autoscaler::default(),
        look: Instant::now(),
        closely,
        writing: JoinSet::new(),
        forgetting: JoinSet::new(),
        told,
        next: Instant::now(),
        rested: Instant::now(),
        due: true,
    };
    loop {
        tokio::select! {
            Some(ended) = followers.join_next() => {
                return Err(LeadError::Ended(ended.unwrap_or("lattice")));
            }
            changed = snapshots.changed() => {
                if changed.is_err() {
                    return Err(LeadError::Ended("applications"));
                }
                turn.due = true;
            }
            Some(sighting) = turn.sightings.recv() => turn.see(sighting),
            Some(_) = turn.writing.join_next() => {}
            Some(_) = turn.forgetting.join_next() => {}
            Some(done) = turn.under_way.join_next() => turn.done(done.unwrap_or_default()),
            () = sleep_until(turn.look) => {
                let snapshot = Arc::clone(&snapshots.borrow());
                turn.look_at_loads(&snapshot);
            }
            () = sleep_until(turn.next) => {
                let snapshot = Arc::clone(&snapshots.borrow_and_update());
                turn.tick(&snapshot).await;
            }
        }
        if turn.due {
            turn.next = turn.next.min(turn.rested);
        }
    }
}

async fn follow_hosts(
    client: Client,
    own: HostId,
    out: mpsc::Sender<Sighting>,
    closely: watch::Receiver<bool>,
    alone: Alone,
) -> &'static str {
    if let Err(error) = hosts::follow(client, &own, out, closely, &alone).await {
        tracing::warn!(error = chain(&error), "hosts cannot be followed");
    }
    "hosts"
}

async fn follow_state(buckets: Buckets, out: mpsc::Sender<Sighting>) -> &'static str {
    if let Err(error) = buckets.follow(out).await {
        tracing::warn!(error = chain(&error), "links and configs cannot be followed");
    }
    "links and configs"
}

/// Has triggers fired until it is dropped. That they cannot be keeps nothing else from being done, and is tried again.
async fn call_by_the_clock(
    lattice: Lattice,
    host: HostId,
    deployed: watch::Receiver<Arc<Snapshot>>,
    may_call: MayAct,
    counts: Arc<Counts>,
) {
    loop {
        let started = LatticeTriggers::start(
            &lattice,
            &host,
            deployed.clone(),
            Arc::clone(&may_call),
            Arc::clone(&counts),
        );
        match started.await {
            Ok(_triggers) => return std::future::pending().await,
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "nothing is called by the clock; trying again"
                );
            }
        }
        sleep(TRIGGERS).await;
    }
}

/// Steps that were not done, and why.
type Failures = Vec<(StepKey, String)>;

/// One turn of leading.
struct Turn<'l> {
    options: &'l ControllerOptions,
    store: Store,
    guard: &'l Guard,
    epoch: Epoch,
    client: Client,
    begun: Instant,
    picture: Picture,
    sightings: mpsc::Receiver<Sighting>,
    memory: Memory,
    /// The hosts that were there at the last plan.
    alive: BTreeSet<HostId>,
    /// Plans that are carried out; each answers what failed.
    under_way: JoinSet<Failures>,
    rollouts: Rollouts,
    autoscaler: Autoscaler,
    /// When the loads of hosts are looked at next.
    look: Instant,
    /// Whether hosts are asked each time how calls went and how much there is to do.
    closely: watch::Sender<bool>,
    /// Tells the store how rollouts go on.
    writing: JoinSet<()>,
    /// Has the store forget what is over.
    forgetting: JoinSet<()>,
    told: watch::Sender<Option<Arc<Told>>>,
    /// When the next plan is made at the latest.
    next: Instant,
    /// Before this moment no plan is made.
    rested: Instant,
    /// Whether something has changed since the last plan.
    due: bool,
}

impl Turn<'_> {
    fn now(&self) -> Moment {
        self.begun.elapsed()
    }

    fn see(&mut self, first: Sighting) {
        let now = self.now();
        let mut next = Some(first);
        while let Some(sighting) = next {
            let news = !self.picture.is_known(&sighting);
            self.picture.add(sighting, now);
            self.due |= news || self.alive(now) != self.alive;
            next = self.sightings.try_recv().ok();
        }
        for host in self.picture.take_restarted() {
            self.memory.reset_host(&host);
        }
        let failures = self.picture.take_failures();
        self.note(&failures);
    }

    fn done(&mut self, failures: Failures) {
        self.note(&failures);
        self.due = true;
    }

    fn note(&mut self, failures: &Failures) {
        let now = self.now();
        for (key, error) in failures {
            self.memory.failed(key, error, now);
        }
    }

    fn alive(&self, now: Moment) -> BTreeSet<HostId> {
        self.picture.alive(now, self.options.planning.lost_after)
    }

    /// Decides how many instances there shall be where that follows the load.
    fn look_at_loads(&mut self, snapshot: &Snapshot) {
        self.look = Instant::now() + LOOK;
        // Where hosts may be missing, less load than there is shows.
        if self.picture.is_partial() {
            return;
        }
        let now = self.now();
        let alive = self.picture.alive_hosts(now, self.options.planning.lost_after);
        self.due |= self.autoscaler.look(&snapshot.applications, alive, now);
    }

    async fn tick(&mut self, snapshot: &Arc<Snapshot>) {
        let now = self.now();
        // Without a lease somebody else may lead already, which it says soon. Too much under way is waited for.
        if !self.guard.may_act(self.epoch) || self.under_way.len() >= UNDER_WAY {
            self.due = false;
            self.rested = Instant::now() + BREATH;
            self.next = Instant::now() + LOOK;
            return;
        }
        self.alive = self.alive(now);
        // Also of what was deployed just now: without a number it would get its fewest.
        self.look_at_loads(snapshot);
        self.due = false;
        let began = Instant::now();
        let input = Input {
            snapshot: Arc::clone(snapshot),
            epoch: self.epoch,
            now,
            picture: mem::take(&mut self.picture),
            memory: mem::take(&mut self.memory),
            rollouts: mem::take(&mut self.rollouts),
            scales: Arc::clone(self.autoscaler.scales()),
            options: self.options.planning.clone(),
        };
        // Thousands of components take a while, in which others need the thread.
        let Output {
            planned,
            told,
            changes,
            input,
        } = blocking(|| input.plan()).await;
        (self.picture, self.memory, self.rollouts) = (input.picture, input.memory, input.rollouts);
        let mut pause = pause(&planned, &told, now);
        if told.held.is_none() {
            if self.writing.is_empty() && !changes.is_empty() {
                let store = self.store.clone();
                self.writing
                    .spawn(async move { write_down(&store, changes).await });
            }
            let closely = self.rollouts.count_calls() || !self.autoscaler.scales().is_empty();
            self.closely.send_replace(closely);
            if self.rollouts.are_under_way() {
                pause = pause.min(LOOK);
            }
            self.forget(snapshot, &planned);
        }
        let (ended, rest) = (Instant::now(), BREATH.max(began.elapsed()));
        self.rested = ended + rest;
        self.next = ended + pause.max(rest);
        self.told.send_replace(Some(Arc::new(told)));
        if !planned.steps.is_empty() {
            let client = self.client.clone();
            self.under_way
                .spawn(async move { carry_out(&client, planned.steps).await });
        }
    }

    /// Lets the store forget former revisions of which nothing is left, one application after the other.
    fn forget(&mut self, snapshot: &Snapshot, planned: &Plan) {
        if !self.forgetting.is_empty() {
            return;
        }
        let over = |application: &&Application| {
            let name = &application.name;
            let done = report_of(&planned.reports, name).is_some_and(|report| match application.deployed {
                None => report.scalers.is_empty(),
                Some(_) => report.status.kind == StatusKind::Deployed && !report.has_leftovers(),
            });
            let record = snapshot.records.get(name);
            let deleted = record.is_some_and(|record| record.versions.is_empty());
            done && (!application.former.is_empty() || deleted)
        };
        let over = snapshot.applications.iter().filter(over);
        let over: Vec<(AppName, u64)> = over.map(|app| (app.name.clone(), app.generation)).collect();
        if over.is_empty() {
            return;
        }
        let store = self.store.clone();
        self.forgetting.spawn(async move {
            for (name, generation) in over {
                if let Err(error) = store.forget_former(&name, generation).await {
                    tracing::debug!(app = %name, error = chain(&error), "former revisions are not forgotten yet");
                }
            }
        });
    }
}

/// All that a plan is made of.
struct Input {
    snapshot: Arc<Snapshot>,
    epoch: Epoch,
    now: Moment,
    picture: Picture,
    memory: Memory,
    rollouts: Rollouts,
    scales: Arc<Scales>,
    options: Options,
}

/// A plan, what is said of it, how rollouts go on, and what goes on to the next one.
struct Output {
    planned: Plan,
    told: Told,
    changes: Vec<Change>,
    input: Input,
}

impl Input {
    fn plan(mut self) -> Output {
        let snapshot = &self.snapshot;
        let lattice = planning::Lattice {
            epoch: self.epoch.get(),
            applications: snapshot.applications.clone(),
            scales: Arc::clone(&self.scales),
        };
        let observed = self.picture.observed(snapshot.health.clone());
        let planned = plan(&lattice, observed, self.now, &mut self.memory, &self.options);
        let told = Told::of(&planned, &lattice, observed.partial);
        let changes = match told.held {
            None => self.rollouts.look(snapshot, &planned.reports, observed, self.now),
            Some(_) => Vec::new(),
        };
        Output {
            planned,
            told,
            changes,
            input: self,
        }
    }
}

/// How long until there has to be another plan if nothing happens: until something is to be tried again, soon while
/// something is under way or held, and once in a while in any case.
fn pause(planned: &Plan, told: &Told, now: Moment) -> Duration {
    let parts = planned.reports.iter();
    let parts = parts.flat_map(|report| report.scalers.iter().chain(&report.prerequisites));
    let retry = parts.filter_map(|part| part.decision.next_retry()).min();
    match retry {
        Some(at) => at.saturating_sub(now).min(LOOK),
        None if planned.steps.is_empty() && told.held.is_none() => LOOK_ANYWAY,
        None => LOOK,
    }
}
