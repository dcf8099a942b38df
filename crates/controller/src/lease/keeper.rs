//! The task of one candidate: it watches the lease, takes it when it is free, writes it again while it has it, and gives
//! it back.
//!
//! What holds: it says that it leads only after the write that took the lease was answered, and lets go of the lead
//! before anybody else can have it, by its own clock ([`ACT`]). It takes the lease when the store says that it is gone,
//! when it saw nobody write it for longer than [`OVERDUE`], or when whoever runs the lattice says that nobody else is
//! connected ([`Alone`]); after a lost store, when a holder of the lost lease has stopped in any case.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, sleep_until};
use uuid::Uuid;
use wasmcloud_lattice::{Bucket, Entry, Event, Lattice, Subscription, Watch};
use wasmcloud_wire::Message as _;
use wasmcloud_wire::control::Epoch;
use wasmcloud_wire::message::chain;
use wasmcloud_wire::state::{CONTROLLER_LEASE, LeaseRecord};

use crate::alone::Alone;

use super::stored::{Reopen, Stored, Trouble, is_of_term};
use super::{ACT, Candidacy, Guard, Holder, LeaseState, RENEW, Term, rival};

/// After how long without a write a lease is over, whether or not the store says so: a little more than
/// [`TTL`](super::TTL). It may have been written without a time to live, or the watch has missed its end.
const OVERDUE: Duration = Duration::from_secs(6);

/// How long the first lease in a bucket that was just made has to last before it counts.
const NEW_BUCKET: Duration = Duration::from_secs(1);

/// Pause before what failed is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Pause before a bucket that cannot be opened is tried again.
const REOPEN: Duration = Duration::from_secs(2);

/// How long a controller of v1 that was heard keeps ours back before it is looked for again.
const RIVAL: Duration = Duration::from_secs(10);

/// What is in the place of the lease.
#[derive(Debug)]
enum Place {
    /// Nobody knows yet. Once it is known that nothing is, it may be taken from this moment on.
    Unknown(Instant),
    /// Nothing. It may be taken from this moment on.
    Free(Instant),
    /// Somebody's lease; perhaps our own from a lead that we have lost.
    Taken {
        revision: u64,
        /// That of the record: revisions alone may be those of another store.
        term: String,
        /// When to look whether it is over.
        due: Instant,
    },
    /// Our lease.
    Ours(Ours),
}

#[derive(Clone, Copy, Debug)]
struct Ours {
    epoch: Epoch,
    /// What tells it from all other times that somebody took the lease.
    term: Uuid,
    /// That of the last write.
    revision: u64,
    /// When to write again.
    renew: Instant,
    /// When to stop, if that has not succeeded by then.
    until: Instant,
}

pub(super) struct Keeper {
    lattice: Lattice,
    stored: Stored,
    candidacy: Candidacy,
    alone: Alone,
    told: watch::Sender<LeaseState>,
    guard: Guard,
    place: Place,
    /// Whether a rival was seen the last time, so that it is said once.
    rival: bool,
}

impl Keeper {
    pub(super) fn new(
        lattice: Lattice,
        holder: Holder,
        candidacy: Candidacy,
        alone: Alone,
        told: watch::Sender<LeaseState>,
        guard: Guard,
    ) -> Self {
        Self {
            lattice,
            stored: Stored::new(holder),
            candidacy,
            alone,
            told,
            guard,
            place: Place::Unknown(Instant::now()),
            rival: false,
        }
    }

    /// Goes on until it is told to stop, and gives back what it has.
    pub(super) async fn run(mut self, stop: oneshot::Receiver<()>) {
        tokio::select! {
            biased;
            _ = stop => {}
            () = self.keep() => {}
        }
        self.give_back().await;
    }

    async fn keep(&mut self) {
        let mut warned = false;
        loop {
            match self.open().await {
                Ok((watch, commands)) => {
                    warned = false;
                    self.follow(watch, commands).await;
                }
                Err(error) if !warned => {
                    warned = true;
                    tracing::warn!(error, "the lease of the controller cannot be read, trying again");
                }
                Err(error) => tracing::debug!(error, "the lease of the controller still cannot be read"),
            }
            sleep(REOPEN).await;
        }
    }

    /// Opens the bucket and follows it; and listens to a controller of v1, if one comes first.
    async fn open(&mut self) -> Result<(Watch, Option<Subscription>), String> {
        let commands = match self.candidacy {
            Candidacy::Always => None,
            Candidacy::UnlessRival => {
                let heard = rival::commands(&self.lattice.control, &self.lattice.name).await;
                Some(heard.map_err(|error| chain(&error))?)
            }
        };
        let bucket = Bucket::leases(&self.lattice.name).map_err(|error| chain(&error))?;
        let state = self.lattice.open_state(bucket).await;
        let state = state.map_err(|error| chain(&error))?;
        let watch = state.watch(CONTROLLER_LEASE).await;
        self.stored.open(state);
        Ok((watch.map_err(|error| chain(&error))?, commands))
    }

    /// Follows the lease until its bucket has to be opened again.
    async fn follow(&mut self, mut watch: Watch, mut commands: Option<Subscription>) {
        loop {
            let wake = match &self.place {
                Place::Unknown(_) => None,
                Place::Free(at) | Place::Taken { due: at, .. } => Some(*at),
                Place::Ours(ours) => Some(ours.renew.min(ours.until)),
            };
            tokio::select! {
                biased;
                event = watch.next() => match event {
                    Some(event) => self.hear(event),
                    None => return,
                },
                () = heard(&mut commands) => {
                    if matches!(self.place, Place::Ours(_)) {
                        tracing::warn!("a controller of v1 (wadm) is at work in this lattice; ours stands down");
                        self.give_back().await;
                        self.rival = true;
                        self.place = Place::Free(Instant::now() + RIVAL);
                    }
                }
                () = at(wake) => if let Err(Reopen) = self.act().await {
                    return self.store_lost();
                },
            }
        }
    }

    /// Takes in what the watch says.
    fn hear(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Put(entry) if entry.key == CONTROLLER_LEASE => self.found(&entry),
            Event::Delete { key, revision } if key == CONTROLLER_LEASE => match &self.place {
                // Of the time before we took it.
                Place::Ours(ours) if revision < ours.revision => {}
                // Who lets go of it has stopped before.
                _ => self.lost(Place::Free(now)),
            },
            Event::Put(_) | Event::Delete { .. } => {}
            Event::Reset => self.store_lost(),
            Event::Ready => {
                if let Place::Unknown(from) = self.place {
                    self.place = Place::Free(from);
                }
            }
        }
    }

    /// The store is another one, or not there.
    fn store_lost(&mut self) {
        let now = Instant::now();
        let ours = matches!(self.place, Place::Ours(_));
        // Another holder of the lease that was lost may not know it yet.
        self.lost(Place::Unknown(if ours { now } else { now + ACT }));
    }

    /// Takes in an entry that is there.
    fn found(&mut self, entry: &Entry) {
        let record = match LeaseRecord::decode(&entry.value) {
            Ok(record) => Some(record),
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "the lease of the controller cannot be read"
                );
                None
            }
        };
        let epoch = record.as_ref().and_then(|record| record.epoch(entry.revision));
        if let Place::Ours(ours) = &mut self.place {
            if entry.revision <= ours.revision {
                return;
            }
            let is_ours = record
                .as_ref()
                .is_some_and(|record| record.term == ours.term.to_string());
            if is_ours && epoch == Some(ours.epoch) {
                // A write whose answer was lost.
                ours.revision = entry.revision;
                return;
            }
        }
        let term = record
            .as_ref()
            .map(|record| record.term.clone())
            .unwrap_or_default();
        let leader = record.map(|record| LeaseRecord {
            epoch: epoch.map(Epoch::get),
            ..record
        });
        // Whoever has it is not connected, so that it is of no use to anybody; when it comes back, hosts refuse its epoch.
        let overdue = match self.alone.now() {
            true => Duration::ZERO,
            false => OVERDUE,
        };
        let taken = Place::Taken {
            revision: entry.revision,
            term,
            due: Instant::now() + overdue,
        };
        self.follow_leader(taken, leader);
    }

    /// Does not lead, or no longer, and knows of nobody who does.
    fn lost(&mut self, place: Place) {
        self.follow_leader(place, None);
    }

    fn follow_leader(&mut self, place: Place, leader: Option<LeaseRecord>) {
        self.guard.set(None);
        if let Place::Ours(ours) = &self.place {
            tracing::info!(epoch = %ours.epoch, "this host's controller does not lead any more");
        }
        self.place = place;
        self.tell(LeaseState::Follower { leader });
    }

    fn tell(&self, state: LeaseState) {
        self.told.send_if_modified(|told| {
            let news = *told != state;
            *told = state;
            news
        });
    }

    /// Does what is due.
    async fn act(&mut self) -> Result<(), Reopen> {
        match self.place {
            Place::Unknown(_) => Ok(()),
            Place::Free(_) => self.take(0).await,
            Place::Taken {
                revision, ref term, ..
            } => match self.stored.look().await? {
                Ok(None) => self.take(0).await,
                // Nobody has written it for longer than it lasts, and it is not one of another store.
                Ok(Some(entry)) if entry.revision == revision && is_of_term(&entry, term) => {
                    self.take(revision).await
                }
                Ok(Some(entry)) => {
                    self.found(&entry);
                    Ok(())
                }
                Err(_) => {
                    self.later(RETRY);
                    Ok(())
                }
            },
            Place::Ours(ours) => self.renew(ours).await,
        }
    }

    /// Tries again after a pause.
    fn later(&mut self, pause: Duration) {
        let then = Instant::now() + pause;
        match &mut self.place {
            Place::Unknown(at) | Place::Free(at) | Place::Taken { due: at, .. } => *at = then,
            Place::Ours(ours) => ours.renew = then,
        }
    }

    /// Takes the lease in place of the entry of this revision, or of none.
    async fn take(&mut self, revision: u64) -> Result<(), Reopen> {
        if self.candidacy == Candidacy::UnlessRival && self.kept_back().await {
            return Ok(());
        }
        let began = Instant::now();
        let term = Uuid::new_v4();
        match self.stored.write(None, term, revision).await? {
            Ok(revision) => {
                if revision == 1 && !self.lasts(term).await? {
                    return Ok(());
                }
                let until = began + ACT;
                if let Some(epoch) = Epoch::new(revision).filter(|_| Instant::now() < until) {
                    tracing::info!(%epoch, "this host's controller leads");
                    self.place = Place::Ours(Ours {
                        epoch,
                        term,
                        revision,
                        renew: began + RENEW,
                        until,
                    });
                    self.guard.set(Some(Term { epoch, until }));
                    self.tell(LeaseState::Leader { epoch });
                }
                Ok(())
            }
            Err(Trouble::Conflict) => {
                match self.stored.look().await? {
                    Ok(Some(entry)) => self.found(&entry),
                    Ok(None) | Err(_) => self.later(RETRY),
                }
                Ok(())
            }
            Err(Trouble::Failed(error)) => {
                tracing::debug!(error, "the lease could not be taken");
                self.later(RETRY);
                Ok(())
            }
        }
    }

    /// Whether the first write into a bucket is still there after a moment. A server that is asked twice at once to make
    /// the bucket may make it twice (seen with nats-server 2.12.8), and what was written to the first one is gone.
    async fn lasts(&mut self, term: Uuid) -> Result<bool, Reopen> {
        if self.lattice.control.is_embedded() {
            return Ok(true);
        }
        sleep(NEW_BUCKET).await;
        match self.stored.look().await? {
            Ok(Some(entry)) if is_of_term(&entry, &term.to_string()) => return Ok(true),
            Ok(Some(entry)) => self.found(&entry),
            Ok(None) | Err(_) => self.later(RETRY),
        }
        Ok(false)
    }

    /// Whether a controller of v1 is at work, or that cannot be said.
    async fn kept_back(&mut self) -> bool {
        match rival::answers(&self.lattice.control, &self.lattice.name).await {
            Ok(rival) => {
                if rival && !self.rival {
                    tracing::info!("a controller of v1 (wadm) is at work in this lattice; ours stays back");
                }
                self.rival = rival;
                if rival {
                    self.later(RIVAL);
                }
                rival
            }
            Err(error) => {
                tracing::debug!(
                    error = chain(&error),
                    "it is not known whether a controller of v1 is at work"
                );
                self.later(RETRY);
                true
            }
        }
    }

    /// Writes our lease again.
    async fn renew(&mut self, ours: Ours) -> Result<(), Reopen> {
        let began = Instant::now();
        if began >= ours.until {
            tracing::warn!("the lease could not be written again in time");
            // It is still ours if nobody else has taken it, and is taken anew then, with a new epoch.
            self.lost(Place::Taken {
                revision: ours.revision,
                term: ours.term.to_string(),
                due: began,
            });
            return Ok(());
        }
        // The revision alone may be that of another store, into which somebody else has written.
        if let Ok(Some(entry)) = self.stored.look().await?
            && !is_of_term(&entry, &ours.term.to_string())
        {
            self.follow_leader(Place::Unknown(began), None);
            self.found(&entry);
            return Ok(());
        }
        match self
            .stored
            .write(Some(ours.epoch), ours.term, ours.revision)
            .await?
        {
            Ok(revision) => {
                let until = began + ACT;
                self.place = Place::Ours(Ours {
                    revision,
                    renew: began + RENEW,
                    until,
                    ..ours
                });
                self.guard.set(Some(Term {
                    epoch: ours.epoch,
                    until,
                }));
            }
            // Somebody else has written, or our last write was stored without an answer.
            Err(Trouble::Conflict) => match self.stored.look().await? {
                Ok(Some(entry)) => {
                    self.found(&entry);
                    if matches!(self.place, Place::Ours(_)) {
                        self.later(Duration::ZERO);
                    }
                }
                Ok(None) => self.lost(Place::Free(Instant::now())),
                Err(_) => self.later(RETRY),
            },
            Err(Trouble::Failed(error)) => {
                tracing::debug!(error, "the lease could not be written again, trying once more");
                self.later(RETRY);
            }
        }
        Ok(())
    }

    /// Stops leading, and has the entry deleted, if it is ours.
    async fn give_back(&mut self) {
        let Place::Ours(ours) = self.place else { return };
        self.lost(Place::Unknown(Instant::now()));
        let deleted = self.stored.delete(ours.revision).await;
        if !matches!(deleted, Ok(Err(Trouble::Conflict))) {
            return;
        }
        // A write that was under way was stored after all, or somebody else has it.
        if let Ok(Ok(Some(entry))) = self.stored.look().await
            && self.stored.is_ours(&entry, ours.epoch)
        {
            self.stored.delete(entry.revision).await.ok();
        }
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// Waits for a command of v1's controller.
async fn heard(commands: &mut Option<Subscription>) {
    let command = match commands {
        Some(commands) => commands.next().await,
        None => None,
    };
    if command.is_none() {
        std::future::pending().await
    }
}
