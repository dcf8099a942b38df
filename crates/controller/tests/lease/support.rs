//! A lattice, candidates with a runtime of their own, and an onlooker who asks all of them whether they may act.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::sync::watch;
use wasmcloud_controller::Alone;
use wasmcloud_controller::lease::{Candidacy, Guard, Holder, Lease, LeaseState};
use wasmcloud_lattice::{Bucket, Connection, Lattice, State};
use wasmcloud_test_lattice::TestLattice;
use wasmcloud_wire::control::Epoch;

pub(crate) use wasmcloud_test_lattice::{SOON, Target, for_all_servers, soon};

pub(crate) async fn lattice(target: Target) -> Result<TestLattice> {
    match target {
        Target::Embedded => TestLattice::embedded().await,
        Target::Nats(version) => TestLattice::nats_with(jetstream(version)).await,
    }
}

fn jetstream(version: &str) -> wasmcloud_test_nats::NatsServer {
    wasmcloud_test_nats::NatsServer::version(version).jetstream()
}

pub(crate) fn around(server: &TestLattice, connection: Connection) -> Lattice {
    Lattice {
        name: server.name(),
        rpc: connection.clone(),
        control: connection,
        control_prefix: "wasmbus.ctl".to_owned(),
        jetstream_domain: None,
    }
}

/// The bucket of the leases.
pub(crate) async fn bucket(server: &TestLattice) -> Result<(Lattice, Box<dyn State>)> {
    let lattice = around(server, server.connect().await?);
    let state = lattice.open_state(Bucket::leases(&lattice.name)?).await?;
    Ok((lattice, state))
}

pub(crate) fn holder(name: &str) -> Holder {
    Holder {
        host: format!("N{}", name.to_uppercase()).parse().unwrap(),
        name: name.to_owned(),
    }
}

/// A candidate with a connection of its own.
pub(crate) struct Candidate {
    pub(crate) lease: Lease,
    pub(crate) state: watch::Receiver<LeaseState>,
    pub(crate) connection: Connection,
}

impl Candidate {
    pub(crate) async fn start(server: &TestLattice, name: &str, candidacy: Candidacy) -> Result<Self> {
        let connection = server.connect().await?;
        let lease = Lease::start(
            &around(server, connection.clone()),
            holder(name),
            candidacy,
            Alone::default(),
        );
        Ok(Self {
            state: lease.state(),
            lease,
            connection,
        })
    }

    /// Waits until it leads.
    pub(crate) async fn leads(&self) -> Result<Epoch> {
        leads(&self.state).await
    }

    /// Waits until it follows this holder, in this epoch.
    pub(crate) async fn follows(&self, name: &str, epoch: Epoch) -> Result<()> {
        let mut state = self.state.clone();
        let follows = state.wait_for(|state| match state {
            LeaseState::Follower { leader: Some(leader) } => {
                leader.name == name && leader.holder == holder(name).host && leader.epoch == Some(epoch.get())
            }
            _ => false,
        });
        soon(&format!("follower of {name}"), follows).await??;
        Ok(())
    }

    /// Ends it without a word.
    pub(crate) async fn die(self) {
        drop(self.lease);
        self.connection.close(tokio::time::Instant::now()).await;
    }
}

pub(crate) async fn leads(state: &watch::Receiver<LeaseState>) -> Result<Epoch> {
    let mut state = state.clone();
    let leads = state.wait_for(|state| state.epoch().is_some());
    let state = soon("leader", leads).await??;
    state.epoch().context("it was waited for")
}

/// Asks all candidates, again and again, in a thread of its own, whether they may act.
pub(crate) struct Onlooker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// How often it saw two of them.
    twice: Arc<AtomicU64>,
    looks: Arc<AtomicU64>,
}

/// What an onlooker looks at.
pub(crate) type Seen = Arc<Mutex<Vec<(Guard, watch::Receiver<LeaseState>)>>>;

impl Onlooker {
    pub(crate) fn start(seen: &Seen) -> Self {
        let (stop, twice, looks) = (Arc::default(), Arc::default(), Arc::default());
        let thread = {
            let (stop, twice, looks, seen) = (
                Arc::clone(&stop),
                Arc::clone(&twice),
                Arc::clone(&looks),
                Arc::clone(seen),
            );
            std::thread::spawn(move || look(&stop, &twice, &looks, &seen))
        };
        Self {
            stop,
            thread: Some(thread),
            twice,
            looks,
        }
    }

    /// Ends, and says whether there never were two.
    pub(crate) fn never_two(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("the onlooker panicked"))?;
        }
        let looks = self.looks.load(Ordering::Acquire);
        ensure!(looks > 100, "it has looked only {looks} times");
        let twice = self.twice.load(Ordering::Acquire);
        ensure!(twice == 0, "two might act at once, in {twice} of {looks} looks");
        Ok(())
    }
}

fn look(
    stop: &AtomicBool,
    twice: &AtomicU64,
    looks: &AtomicU64,
    seen: &Mutex<Vec<(Guard, watch::Receiver<LeaseState>)>>,
) {
    while !stop.load(Ordering::Acquire) {
        let may_act = |(guard, state): &(Guard, watch::Receiver<LeaseState>)| {
            let epoch = state.borrow().epoch();
            epoch.is_some_and(|epoch| guard.may_act(epoch))
        };
        {
            let seen = seen.lock().unwrap();
            let first = seen.iter().position(may_act);
            let second = seen.iter().rposition(may_act);
            // The first is asked once more, because it may have stopped before the second began.
            if let (Some(first), Some(second)) = (first, second)
                && first != second
                && seen.get(first).is_some_and(may_act)
            {
                twice.fetch_add(1, Ordering::Release);
            }
        }
        looks.fetch_add(1, Ordering::Release);
        // Nobody wakes it: this is how often it looks.
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// A candidate whose whole process can be frozen: its connection, its tasks and its timers run on one thread, which can
/// be held.
pub(crate) struct Freezable {
    pub(crate) state: watch::Receiver<LeaseState>,
    pub(crate) guard: Guard,
    runtime: tokio::runtime::Handle,
    _end: tokio::sync::oneshot::Sender<()>,
}

impl Freezable {
    pub(crate) async fn start(url: &str, name: &'static str, server: &TestLattice) -> Result<Self> {
        let (parts, started) = tokio::sync::oneshot::channel();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let (url, lattice) = (url.to_owned(), server.name());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let options = wasmcloud_lattice::NatsOptions::new(&url).unwrap();
                let connection = Connection::connect(&options).await.unwrap();
                let lattice = Lattice {
                    name: lattice,
                    rpc: connection.clone(),
                    control: connection,
                    control_prefix: "wasmbus.ctl".to_owned(),
                    jetstream_domain: None,
                };
                let lease = Lease::start(&lattice, holder(name), Candidacy::Always, Alone::default());
                let handle = tokio::runtime::Handle::current();
                parts.send((lease.state(), lease.guard(), handle)).ok();
                ended.await.ok();
                drop(lease);
            });
        });
        let (state, guard, runtime) = soon("candidate", started).await??;
        Ok(Self {
            state,
            guard,
            runtime,
            _end: end,
        })
    }

    /// Freezes it until what is returned is dropped.
    pub(crate) fn freeze(&self) -> mpsc::Sender<()> {
        let (thaw, frozen) = mpsc::channel::<()>();
        self.runtime.spawn(async move {
            frozen.recv().ok();
        });
        thaw
    }
}

/// How long something took, and what came of it.
pub(crate) async fn timed<T>(future: impl Future<Output = Result<T>>) -> Result<(T, Duration)> {
    let began = Instant::now();
    let outcome = future.await?;
    Ok((outcome, began.elapsed()))
}
