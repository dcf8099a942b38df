//! Which hosts there are and what runs on them: asked each second who is there, and what runs only of hosts where it
//! has changed. Events say at once that something has changed; what, is then asked, so an event that is lost, late or
//! told twice does no harm.
//!
//! All hosts count as heard of when two rounds in a row have ended and every host that answered has said what runs on
//! it; at the beginning also when whoever runs the lattice says that nobody else is connected ([`Alone`]), who would not
//! be heard in any round. A failed round, a gap in the events or a standstill of this process begins that anew: what was not heard of
//! meanwhile may be there all the same.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::{BoxFuture, FutureExt as _, OptionFuture};
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use wasmcloud_client::{Client, ClientError, Events, Gathered, Told};
use wasmcloud_core::HostId;
use wasmcloud_wire::control::{Host, HostInventory};
use wasmcloud_wire::event::{CloudEvent, Event};
use wasmcloud_wire::message::chain;

use super::sighting::Sighting;
use crate::alone::Alone;
use crate::planning::{Moment, ObservedHost, StepKey};

/// How often all hosts are asked whether they are there. With [`Options::lost_after`](crate::Options) of 5 s, a host
/// has five chances.
const PING: Duration = Duration::from_secs(1);
/// The same until all were heard of, so that whoever begins to lead can soon act.
const FIRST_PING: Duration = Duration::from_millis(250);
/// Who could not look around for so long does not know what it has missed.
const STANDSTILL: Duration = Duration::from_millis(2_500);
/// Rounds after which all hosts count as heard of.
const ROUNDS: u32 = 2;
/// A host that is there and does not say for so long what runs on it is not waited for any more.
const PATIENCE: Duration = Duration::from_secs(5);
/// Shortest time between two questions to one host what runs there: starting many things tells of many.
const COLLECT: Duration = Duration::from_millis(20);
/// Hosts that do not number their inventories (v1) are asked for them each so many rounds.
const UNNUMBERED: u64 = 5;

type Inventory = (HostId, Result<HostInventory, ClientError>);
type Round = BoxFuture<'static, Result<Gathered<Host>, ClientError>>;

/// What is known of one host.
#[derive(Default)]
struct Known {
    /// The number of its last inventory; `None` if there was none, or it has no number.
    revision: Option<u64>,
    /// Whether there was an inventory.
    heard: bool,
    /// Whether it is being asked, and whether something has happened since.
    asking: bool,
    again: bool,
    /// When it was asked last.
    asked: Option<Instant>,
}

/// Follows the hosts of a lattice until nobody listens or the connection is closed. With `closely`, all hosts are asked
/// each time what runs on them: how calls went does not count as a change. `own` is the host of this process.
pub(crate) async fn follow(
    client: Client,
    own: &HostId,
    out: mpsc::Sender<Sighting>,
    closely: watch::Receiver<bool>,
    alone: &Alone,
) -> Result<(), ClientError> {
    let mut events = client.events().await?;
    let mut hosts = Hosts {
        client,
        out,
        closely,
        known: BTreeMap::new(),
        inventories: FuturesUnordered::new(),
        round: None,
        rounds: 0,
        good_rounds: 0,
        since: Instant::now(),
        all_heard: false,
    };
    // After the events are heard: who comes later says so.
    if alone.now() {
        hosts.good_rounds = ROUNDS;
        hosts.ask(own);
    }
    hosts.run(&mut events).await;
    Ok(())
}

struct Hosts {
    client: Client,
    out: mpsc::Sender<Sighting>,
    closely: watch::Receiver<bool>,
    known: BTreeMap<HostId, Known>,
    inventories: FuturesUnordered<BoxFuture<'static, Inventory>>,
    /// The round of questions that is under way.
    round: Option<Round>,
    rounds: u64,
    good_rounds: u32,
    /// Since when hosts are heard of anew.
    since: Instant,
    all_heard: bool,
}

impl Hosts {
    async fn run(&mut self, events: &mut Events) {
        let mut ticks = interval(FIRST_PING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_round = Instant::now();
        let mut last_tick = Instant::now();
        loop {
            let open = tokio::select! {
                _ = ticks.tick() => {
                    if last_tick.elapsed() > STANDSTILL {
                        self.begin_anew("this process stood still").await;
                    }
                    last_tick = Instant::now();
                    let due = !self.all_heard || last_round.elapsed() >= PING;
                    if due && self.round.is_none() {
                        last_round = last_tick;
                        self.ask_all();
                    }
                    true
                }
                Some(round) = OptionFuture::from(self.round.as_mut()) => {
                    self.round = None;
                    self.round_ended(round).await
                }
                told = events.next() => match told {
                    Some(told) => self.told(told).await,
                    None => false,
                },
                Some((id, inventory)) = self.inventories.next() => self.inventory(id, inventory).await,
            };
            if !open || !self.judge().await {
                return;
            }
        }
    }

    fn ask_all(&mut self) {
        let client = self.client.clone();
        self.round = Some(async move { client.hosts().await }.boxed());
    }

    /// Asks a host what runs there, at once if it was not asked a moment ago.
    fn ask(&mut self, id: &HostId) {
        let known = self.known.entry(id.clone()).or_default();
        if known.asking {
            known.again = true;
            return;
        }
        known.asking = true;
        let since = known.asked.map_or(COLLECT, |asked| asked.elapsed());
        let after = COLLECT.saturating_sub(since);
        known.asked = Some(Instant::now() + after);
        let (client, id) = (self.client.clone(), id.clone());
        let asked = async move {
            sleep(after).await;
            let inventory = client.inventory(&id).await;
            (id, inventory)
        };
        self.inventories.push(asked.boxed());
    }

    /// What was not heard of from here on is not known to be gone.
    async fn begin_anew(&mut self, why: &str) {
        tracing::info!(why, "the hosts are looked at anew");
        self.good_rounds = 0;
        self.since = Instant::now();
        self.known.values_mut().for_each(|known| known.heard = false);
        self.all_heard = false;
        let _ = self.out.send(Sighting::AllHeard(false)).await;
    }

    async fn round_ended(&mut self, round: Result<Gathered<Host>, ClientError>) -> bool {
        self.rounds += 1;
        let hosts = match round {
            Ok(hosts) => hosts,
            Err(error) => {
                tracing::debug!(error = chain(&error), "asking who is there failed");
                self.begin_anew("nobody could be asked").await;
                return true;
            }
        };
        self.good_rounds = self.good_rounds.saturating_add(1);
        let closely = *self.closely.borrow();
        let mut seen = Vec::with_capacity(hosts.answers.len());
        for host in hosts.answers {
            let Ok(id) = host.id.parse::<HostId>() else {
                continue;
            };
            let known = self.known.entry(id.clone()).or_default();
            let due = match host.inventory_revision {
                Some(now) => known.revision != Some(now),
                None => self.rounds.is_multiple_of(UNNUMBERED),
            };
            if due || closely || !known.heard {
                self.ask(&id);
            }
            seen.push(id);
        }
        // Who does not answer any more does not hold up those who do.
        self.known.retain(|id, known| known.asking || seen.contains(id));
        self.out.send(Sighting::Seen(seen)).await.is_ok()
    }

    async fn inventory(&mut self, id: HostId, inventory: Result<HostInventory, ClientError>) -> bool {
        let known = self.known.entry(id.clone()).or_default();
        known.asking = false;
        let mut open = true;
        match inventory {
            Ok(inventory) => {
                known.heard = true;
                known.revision = inventory.inventory_revision;
                open = self.tell(&inventory).await;
            }
            // The next round shows whether it is still there.
            Err(error) => {
                known.revision = None;
                tracing::debug!(host = %id, error = chain(&error), "no inventory");
            }
        }
        if let Some(known) = self.known.get_mut(&id)
            && std::mem::take(&mut known.again)
        {
            self.ask(&id);
        }
        open
    }

    async fn tell(&mut self, inventory: &HostInventory) -> bool {
        // The moment is that of the arrival; the picture adds it.
        let Some((id, host)) = ObservedHost::read(inventory, Moment::ZERO) else {
            return true;
        };
        self.out.send(Sighting::Host(id, host)).await.is_ok()
    }

    async fn told(&mut self, told: Told) -> bool {
        match told {
            Told::Event(event) => self.event(*event).await,
            Told::Other { .. } => true,
            Told::Gap => {
                self.begin_anew("events may have been missed").await;
                true
            }
        }
    }

    async fn event(&mut self, event: CloudEvent) -> bool {
        let CloudEvent { source, event, .. } = event;
        let Ok(source) = source.parse::<HostId>() else {
            return true;
        };
        let sighting = match event {
            Event::HostStarted(_) => {
                self.known.remove(&source);
                self.ask(&source);
                Some(Sighting::Started(source))
            }
            Event::HostStopped(_) => {
                self.known.remove(&source);
                Some(Sighting::Left(source))
            }
            Event::HostHeartbeat(inventory) => return self.tell(&inventory).await,
            Event::ComponentScaleFailed(failed) => {
                let id = failed.component_id.parse();
                id.ok()
                    .map(|id| Sighting::Failed(StepKey::Component(id, source), failed.error))
            }
            Event::ProviderStartFailed(failed) => {
                let id = failed.provider_id.parse();
                id.ok()
                    .map(|id| Sighting::Failed(StepKey::StartProvider(id, source), failed.error))
            }
            Event::ComponentScaled(_)
            | Event::ProviderStarted(_)
            | Event::ProviderStopped(_)
            | Event::HealthCheckPassed(_)
            | Event::HealthCheckFailed(_)
            | Event::HealthCheckStatus(_)
            | Event::LabelsChanged(_)
            | Event::LinkdefSetFailed(_) => {
                self.ask(&source);
                None
            }
            // Links and configs are followed where they are kept.
            _ => None,
        };
        match sighting {
            Some(sighting) => self.out.send(sighting).await.is_ok(),
            None => true,
        }
    }

    /// Whether all were heard of, told when it becomes so.
    async fn judge(&mut self) -> bool {
        let late = self.since.elapsed() > PATIENCE;
        let heard = self.good_rounds >= ROUNDS && (late || self.known.values().all(|known| known.heard));
        if heard && !self.all_heard {
            self.all_heard = true;
            return self.out.send(Sighting::AllHeard(true)).await.is_ok();
        }
        true
    }
}
