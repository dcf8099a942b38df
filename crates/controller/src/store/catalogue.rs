//! Follows the applications of a lattice and has them ready for planning: what is deployed is read and resolved once
//! for each revision.
//!
//! A store that was lost or set back ([`Event::Reset`]) is not believed: what was known stays known, is written back,
//! and until that is done the snapshot says [`StoreHealth::Suspect`], so that nothing in the lattice is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, Stream, StreamExt as _};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::sleep;
use wasmcloud_core::AppName;
use wasmcloud_lattice::Event;
use wasmcloud_wire::Message as _;
use wasmcloud_wire::app::{APP_PREFIX, AppRecord};
use wasmcloud_wire::message::chain;

use super::error::StoreError;
use super::restore::lacks;
use super::revision::Loaded;
use super::snapshot::Snapshot;
use super::{Store, app_of};
use crate::planning::{Application, Revision, StoreHealth, weight};

/// Applications whose revisions are read at the same time.
const AT_ONCE: usize = 32;

/// Pause before what could not be read or written is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Names that a message has at most.
const NAMED: usize = 10;

/// All applications of a lattice, followed. Ends when it is dropped.
#[derive(Debug)]
pub struct Catalogue {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    task: AbortHandle,
}

impl Drop for Catalogue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Catalogue {
    /// Begins to follow. When this returns, all present applications were read.
    pub async fn open(store: &Store) -> Result<Self, StoreError> {
        let events = store.0.state.watch(APP_PREFIX).await?;
        Ok(Self::follow(store, events).await)
    }

    /// Follows these events in place of those of the store itself, from which revisions are read. When this returns,
    /// all that was there at the beginning was read.
    pub async fn follow(
        store: &Store,
        mut events: impl Stream<Item = Event> + Send + Unpin + 'static,
    ) -> Self {
        let mut follower = Follower::new(store.clone());
        while follower.look.is_some() {
            match events.next().await {
                Some(event) => follower.hear(event),
                None => break,
            }
        }
        follower.settle().await;
        let (sender, snapshots) = watch::channel(Arc::new(follower.snapshot()));
        let task = tokio::spawn(follower.follow(events, sender));
        Self {
            snapshots,
            task: task.abort_handle(),
        }
    }

    /// The applications as they are, and when that changes.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }
}

struct Row {
    record: Arc<AppRecord>,
    made: Made,
}

/// What could be made of a record.
enum Made {
    /// Nothing yet, or there is nothing to plan.
    Nothing,
    /// What planning needs, with the revisions so that they are read only once.
    Planned(Application, Vec<Arc<Loaded>>),
    /// It cannot be planned.
    Broken(String),
}

struct Follower {
    store: Store,
    rows: BTreeMap<AppName, Row>,
    /// Records that cannot be read.
    unreadable: BTreeMap<AppName, String>,
    /// What is not yet made of its record.
    dirty: BTreeSet<AppName>,
    /// While all is looked at: what was found.
    look: Option<BTreeSet<AppName>>,
    /// Whether the store was lost or set back since it was believed last.
    reset: bool,
    /// What the store lost.
    lacking: BTreeSet<AppName>,
}

impl Follower {
    fn new(store: Store) -> Self {
        Self {
            store,
            rows: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            dirty: BTreeSet::new(),
            look: Some(BTreeSet::new()),
            reset: false,
            lacking: BTreeSet::new(),
        }
    }

    async fn follow(
        mut self,
        mut events: impl Stream<Item = Event> + Unpin,
        snapshots: watch::Sender<Arc<Snapshot>>,
    ) {
        loop {
            let unfinished = !self.dirty.is_empty() || !self.lacking.is_empty();
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.hear(event),
                    None => return,
                },
                () = sleep(PAUSE), if unfinished => {}
            }
            // One snapshot for what came together.
            while let Some(Some(event)) = events.next().now_or_never() {
                self.hear(event);
            }
            if self.reset {
                // What is written back may take a while, and nothing is to be changed meanwhile.
                snapshots.send_replace(Arc::new(self.snapshot()));
            }
            if self.look.is_none() {
                self.settle().await;
            }
            snapshots.send_replace(Arc::new(self.snapshot()));
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Reset => {
                self.reset = true;
                self.look = Some(BTreeSet::new());
            }
            Event::Ready => {
                let found = self.look.take().unwrap_or_default();
                if self.reset {
                    let lost = self.rows.keys().filter(|app| !found.contains(*app));
                    self.lacking.extend(lost.cloned());
                }
                self.believe();
            }
            Event::Put(entry) => {
                let Some(app) = app_of(&entry.key) else { return };
                match AppRecord::decode(&entry.value) {
                    Ok(record) => self.put(app, record),
                    Err(error) => {
                        self.unreadable.insert(app, chain(&error));
                    }
                }
            }
            Event::Delete { key, .. } => {
                let Some(app) = app_of(&key) else { return };
                self.rows.remove(&app);
                self.unreadable.remove(&app);
                self.dirty.remove(&app);
                self.lacking.remove(&app);
                self.believe();
            }
        }
    }

    fn put(&mut self, app: AppName, record: AppRecord) {
        self.unreadable.remove(&app);
        let known = self.rows.get(&app);
        if self.reset && known.is_some_and(|known| lacks(&record, &known.record)) {
            self.lacking.insert(app);
            return;
        }
        self.lacking.remove(&app);
        if let Some(found) = &mut self.look {
            found.insert(app.clone());
        }
        self.dirty.insert(app.clone());
        let record = Arc::new(record);
        match self.rows.get_mut(&app) {
            Some(row) => row.record = record,
            None => {
                let made = Made::Nothing;
                self.rows.insert(app, Row { record, made });
            }
        }
        self.believe();
    }

    /// Believes the store again when nothing is lacking any more.
    fn believe(&mut self) {
        if self.look.is_none() && self.lacking.is_empty() {
            self.reset = false;
        }
    }

    /// Writes back what the store lost, and makes of records what planning needs. What does not succeed stays to be
    /// done.
    async fn settle(&mut self) {
        let lacking: Vec<AppName> = self.lacking.iter().cloned().collect();
        for app in lacking {
            let Some(row) = self.rows.get(&app) else { continue };
            let revisions = match &row.made {
                Made::Planned(_, loaded) => loaded.as_slice(),
                Made::Nothing | Made::Broken(_) => &[],
            };
            match self.store.put_back(&app, &row.record, revisions).await {
                Ok(true) => {
                    tracing::warn!(%app, "the store had lost this application or a part of it; it was written back");
                    self.lacking.remove(&app);
                }
                Ok(false) => {
                    tracing::warn!(%app, "the store has lost this application; it was not deployed, and nobody has its text");
                    self.rows.remove(&app);
                    self.lacking.remove(&app);
                }
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(%app, error, "the store has lost this application, and it was not written back");
                }
            }
        }
        self.believe();
        let dirty = std::mem::take(&mut self.dirty).into_iter();
        let dirty: Vec<(AppName, Arc<AppRecord>)> = dirty
            .filter_map(|app| {
                let record = Arc::clone(&self.rows.get(&app)?.record);
                Some((app, record))
            })
            .collect();
        let store = self.store.clone();
        let makes = futures::stream::iter(dirty).map(move |(app, record)| {
            let store = store.clone();
            async move {
                let made = make(&store, &app, &record).await;
                (app, made)
            }
        });
        let made: Vec<_> = makes.buffer_unordered(AT_ONCE).collect().await;
        for (app, made) in made {
            match made {
                Ok(made) => {
                    if let Some(row) = self.rows.get_mut(&app) {
                        row.made = made;
                    }
                }
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(%app, error, "what is deployed could not be read, and is tried again");
                    self.dirty.insert(app);
                }
            }
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            health: self.health(),
            broken: self.unreadable.clone(),
            ..Snapshot::default()
        };
        for (app, row) in &self.rows {
            snapshot.records.insert(app.clone(), Arc::clone(&row.record));
            match &row.made {
                Made::Planned(application, _) => snapshot.applications.push(application.clone()),
                Made::Broken(why) => {
                    snapshot.broken.insert(app.clone(), why.clone());
                }
                Made::Nothing => {}
            }
        }
        snapshot
    }

    fn health(&self) -> StoreHealth {
        if !self.reset {
            return StoreHealth::Trusted;
        }
        if self.look.is_some() {
            return StoreHealth::Suspect(
                "the store of applications was lost or set back, and is being looked at".to_owned(),
            );
        }
        let mut names: Vec<&str> = self.lacking.iter().map(AppName::as_str).take(NAMED).collect();
        if self.lacking.len() > NAMED {
            names.push("and others");
        }
        let names = names.join(", ");
        StoreHealth::Suspect(format!(
            "the store of applications was lost or set back, and these could not be written back yet: {names}"
        ))
    }
}

/// What planning needs of an application. The error is that of a store that could not be asked.
async fn make(store: &Store, app: &AppName, record: &AppRecord) -> Result<Made, StoreError> {
    // What was never deployed is not ours to stop: what runs under its name came from a store that was lost.
    if record.generation == 0 {
        return Ok(Made::Nothing);
    }
    let mut loaded = Vec::new();
    let mut revision = async |id: &str| -> Result<Revision, StoreError> {
        let read = store.loaded(app, id).await?;
        let desired = Arc::clone(&read.desired);
        loaded.push(read);
        let id = id.to_owned();
        Ok(Revision { id, desired })
    };
    let mut application = Application {
        weight: None,
        paused: record.paused,
        name: app.clone(),
        generation: record.generation,
        deployed: None,
        former: Vec::new(),
    };
    if let Some(id) = &record.deployed {
        match revision(id).await {
            Ok(deployed) => {
                let rollout = record.rollout.as_ref();
                let policy = &deployed.desired.rollout;
                application.weight = rollout.and_then(|rollout| weight(policy, rollout.step));
                application.deployed = Some(deployed);
            }
            Err(error @ StoreError::State(_)) => return Err(error),
            Err(error) => return Ok(Made::Broken(chain(&error))),
        }
    }
    for id in &record.former {
        match revision(id).await {
            Ok(former) => application.former.push(former),
            Err(error @ StoreError::State(_)) => return Err(error),
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(%app, revision = id, error, "what a former revision has left cannot be found out");
            }
        }
    }
    Ok(Made::Planned(application, loaded))
}
