//! The loop: looks at a trigger when something is due, has the call made that it may make, and keeps within limits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;
use wasmcloud_lattice::StateError;
use wasmcloud_wire::app::CronClaim;
use wasmcloud_wire::message::chain;

use super::counts::{Counts, add};
use super::due::{self, Calling, Here, Verdict};
use super::fire::{Fire, Fired};
use super::ledger::Ledger;
use super::trigger::{MAX_TRIGGERS, Trigger};

/// Most calls under way. While there are so many nothing is looked at; a tick can wait as long as it is on time.
const MAX_CALLS: usize = 64;

/// Longest sleep: after it a clock that was set shows.
const NAP: Duration = Duration::from_secs(1);

/// Seconds by which the clock may be behind itself; beyond, it was set back and all is looked at anew.
const SET_BACK: u64 = 2;

/// How long a call may be late to end at its deadline before it is given up.
const OVERTIME: Duration = Duration::from_secs(1);

/// Seconds before a trigger is looked at again whose record could not be read or written.
const PAUSE: u64 = 2;

/// Says whether we may still act: asked before each claim, so it should be quick.
pub type MayAct = Arc<dyn Fn() -> bool + Send + Sync>;

/// Calls functions by the clock as long as it lives. Dropped, it claims nothing more; calls that are under way end, and
/// what became of them is written.
pub struct Triggers(JoinHandle<()>);

impl Triggers {
    /// Begins to call for the triggers of a list, which may change at any time; the record of one that leaves the list is
    /// forgotten, so a list that is not known yet must not be taken for an empty one. Ends with the sender of the list.
    ///
    /// Several may run in one lattice at the same time: together they call once per tick.
    pub fn start(
        ledger: Ledger,
        triggers: watch::Receiver<Arc<Vec<Trigger>>>,
        fire: Arc<dyn Fire>,
        may_act: MayAct,
        counts: Arc<Counts>,
    ) -> Self {
        let (news, told) = mpsc::channel(MAX_CALLS);
        let clock = Clock {
            shared: Arc::new(Shared {
                me: Uuid::new_v4().simple().to_string(),
                ledger,
                fire,
                counts,
                news,
            }),
            may_act,
            slots: BTreeMap::new(),
            calls: Arc::new(Semaphore::new(MAX_CALLS)),
            last: 0,
            failing: false,
        };
        Self(tokio::spawn(clock.run(triggers, told)))
    }
}

impl Drop for Triggers {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for Triggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Triggers").finish_non_exhaustive()
    }
}

/// A trigger and when it is looked at.
struct Slot {
    trigger: Arc<Trigger>,
    /// When, in seconds since 1970; `None` if no tick is to come.
    next: Option<u64>,
    /// Whether somebody looks already.
    looking: bool,
    /// The ticks of calls that are under way.
    alive: BTreeSet<u64>,
}

/// What looks and calls need.
struct Shared {
    me: String,
    ledger: Ledger,
    fire: Arc<dyn Fire>,
    counts: Arc<Counts>,
    news: mpsc::Sender<News>,
}

/// What the loop is told.
enum News {
    /// A trigger was looked at: what came of it, and the tick that is called for now.
    Looked {
        key: String,
        trigger: Arc<Trigger>,
        next: Result<Option<u64>, StateError>,
        calling: Option<u64>,
    },
    /// The call for a tick has ended, and what became of it is written.
    Ended { key: String, tick: u64 },
}

struct Clock {
    shared: Arc<Shared>,
    may_act: MayAct,
    slots: BTreeMap<String, Slot>,
    calls: Arc<Semaphore>,
    /// The time at the last turn.
    last: u64,
    /// Whether records could not be read or written lately.
    failing: bool,
}

impl Clock {
    async fn run(mut self, mut triggers: watch::Receiver<Arc<Vec<Trigger>>>, mut told: mpsc::Receiver<News>) {
        let list = Arc::clone(&triggers.borrow_and_update());
        self.take(&list);
        loop {
            let nap = self.turn();
            tokio::select! {
                changed = triggers.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let list = Arc::clone(&triggers.borrow_and_update());
                    self.take(&list);
                }
                Some(news) = told.recv() => self.hear(news),
                () = sleep(nap) => {}
            }
        }
    }

    /// Takes a new list of triggers.
    fn take(&mut self, list: &[Trigger]) {
        if list.len() > MAX_TRIGGERS {
            let count = list.len();
            tracing::warn!("{count} triggers are deployed, those beyond {MAX_TRIGGERS} are not called for");
        }
        let mut before = std::mem::take(&mut self.slots);
        for trigger in list.iter().take(MAX_TRIGGERS) {
            let key = trigger.key();
            let mut slot = before.remove(&key).unwrap_or_else(|| Slot {
                trigger: Arc::new(trigger.clone()),
                next: Some(0),
                looking: false,
                alive: BTreeSet::new(),
            });
            if *slot.trigger != *trigger {
                slot.trigger = Arc::new(trigger.clone());
                slot.next = Some(0);
            }
            self.slots.insert(key, slot);
        }
        if before.is_empty() || !(self.may_act)() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            for key in before.into_keys() {
                if let Err(error) = shared.ledger.forget(&key).await {
                    tracing::debug!(
                        key,
                        error = chain(&error),
                        "the record of a trigger is left behind"
                    );
                }
            }
        });
    }

    /// Begins to look at what is due. Answers how long there is nothing to do.
    fn turn(&mut self) -> Duration {
        let moment = moment();
        let now = moment.as_secs();
        if now.saturating_add(SET_BACK) < self.last {
            tracing::warn!("the clock was set back by {} s", self.last - now);
            self.slots.values_mut().for_each(|slot| slot.next = Some(0));
        }
        self.last = now;
        if !(self.may_act)() {
            return NAP;
        }
        let mut next: Option<u64> = None;
        for (key, slot) in self.slots.iter_mut().filter(|(_, slot)| !slot.looking) {
            let Some(at) = slot.next else { continue };
            if at > now {
                next = Some(next.map_or(at, |next| next.min(at)));
                continue;
            }
            let Ok(permit) = Arc::clone(&self.calls).try_acquire_owned() else {
                tracing::debug!("{MAX_CALLS} calls by the clock are under way, others wait");
                return NAP;
            };
            slot.looking = true;
            let (shared, key, trigger) = (Arc::clone(&self.shared), key.clone(), Arc::clone(&slot.trigger));
            let alive = slot.alive.clone();
            tokio::spawn(look(shared, key, trigger, alive, permit));
        }
        let until = |next: u64| Duration::from_secs(next).saturating_sub(moment);
        next.map_or(NAP, |next| until(next).min(NAP))
    }

    fn hear(&mut self, news: News) {
        let (key, trigger, next, calling) = match news {
            News::Ended { key, tick } => {
                if let Some(slot) = self.slots.get_mut(&key) {
                    slot.alive.remove(&tick);
                    slot.next = Some(0);
                }
                return;
            }
            News::Looked {
                key,
                trigger,
                next,
                calling,
            } => (key, trigger, next, calling),
        };
        let next = match next {
            Ok(next) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the records of triggers are read and written again");
                }
                next
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(
                        key,
                        error = chain(&error),
                        "the record of a trigger is not available"
                    );
                }
                Some(self.last.saturating_add(PAUSE))
            }
        };
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.looking = false;
            slot.alive.extend(calling);
            // What was changed meanwhile is looked at anew.
            if *slot.trigger == *trigger {
                slot.next = next;
            }
        }
    }
}

/// Looks at a trigger, and makes the call that it may make. Once a tick is claimed nothing but itself ends it.
async fn look(
    shared: Arc<Shared>,
    key: String,
    trigger: Arc<Trigger>,
    alive: BTreeSet<u64>,
    permit: OwnedSemaphorePermit,
) {
    let here = Here {
        me: &shared.me,
        alive: &alive,
    };
    let changed = shared.ledger.change(&key, |record| {
        let verdict = due::look(&trigger, record, moment().as_secs(), here);
        (verdict.record.clone(), verdict)
    });
    let (next, call) = match changed.await {
        Ok(Some(verdict)) => {
            tell_uncalled(&shared.counts, &trigger, &verdict);
            (Ok(verdict.next), verdict.call)
        }
        // Somebody else is busy with it.
        Ok(None) => (Ok(Some(0)), None),
        Err(error) => (Err(error), None),
    };
    let news = News::Looked {
        key: key.clone(),
        trigger: Arc::clone(&trigger),
        next,
        calling: call.as_ref().map(|call| call.claim.tick),
    };
    // Nobody may listen any more, which changes nothing for a call that is claimed.
    let _ = shared.news.send(news).await;
    if let Some(calling) = call {
        call_and_settle(shared, key, trigger, calling, permit).await;
    }
}

/// Makes a call that was claimed, and writes what became of it.
async fn call_and_settle(
    shared: Arc<Shared>,
    key: String,
    trigger: Arc<Trigger>,
    calling: Calling,
    permit: OwnedSemaphorePermit,
) {
    let Calling { claim, late } = calling;
    let began = Instant::now();
    let deadline = trigger.cron.deadline + OVERTIME;
    let fired = timeout(deadline, shared.fire.fire(&trigger)).await;
    let fired = fired.unwrap_or_else(|_| Fired::Failed(format!("it did not end within {deadline:?}")));
    drop(permit);
    let took = began.elapsed();
    tell_call(&shared.counts, &trigger, &claim, late, &fired, took);
    let settled = shared.ledger.settle(&key, |record| {
        due::ended(&trigger, record, &claim, &fired, took, moment().as_secs())
    });
    settled.await;
    let tick = claim.tick;
    let _ = shared.news.send(News::Ended { key, tick }).await;
}

/// Counts and logs what is not called for.
fn tell_uncalled(counts: &Counts, trigger: &Trigger, verdict: &Verdict) {
    add(&counts.skipped, verdict.skipped.into());
    add(&counts.missed, verdict.missed.into());
    if verdict.skipped == 0 && !verdict.missed {
        return;
    }
    let why = verdict
        .record
        .last
        .as_ref()
        .map(|last| last.error.as_str())
        .unwrap_or_default();
    let what = if verdict.missed { "missed" } else { "skipped" };
    let Trigger { app, component, cron } = trigger;
    tracing::warn!(%app, %component, function = %cron.function, schedule = %cron.schedule, why, "a tick was {what}");
}

fn tell_call(
    counts: &Counts,
    trigger: &Trigger,
    claim: &CronClaim,
    late: bool,
    fired: &Fired,
    took: Duration,
) {
    let Trigger { app, component, cron } = trigger;
    let (function, tick) = (&cron.function, cron.schedule.shown(claim.tick));
    match fired {
        Fired::Ok => {
            add(&counts.fired, 1);
            tracing::info!(%app, %component, %function, tick, late, ?took, "called by the clock");
        }
        Fired::Failed(error) => {
            add(&counts.fired, 1);
            add(&counts.failed, 1);
            tracing::warn!(%app, %component, %function, tick, late, ?took, error, "a call by the clock failed");
        }
        Fired::NotRunning(error) => {
            add(&counts.missed, 1);
            tracing::warn!(%app, %component, %function, tick, late, error, "a tick was missed: nobody runs the component");
        }
    }
}

/// The time since 1970, by the clock of this machine.
fn moment() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
