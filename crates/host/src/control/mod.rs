//! A host as a part of a lattice: it does what the control interface asks, follows the shared state, and tells what
//! happens (wire reference §2 and §3).
//!
//! | file | is for |
//! |---|---|
//! | `requests` | messages of the control interface: read, decide at once, answer |
//! | `operations` | what is then done, with the record and the event that belong to it; also for callers in this process |
//! | `commands` | the order of what takes long |
//! | `records` | the shared state, written |
//! | `notes` | what it says of what was started |
//! | `mirror` | the shared state, applied to this host |
//! | `events`, `describe` | what is told, and in whose words |
//! | `fence` | commands of a controller that does not lead any more |
//! | `linkdefs` | links, told to providers of v1 by their id |
//!
//! Nothing here waits for a compile or a pull before it reads the next request: those are commands, which have an
//! order for each component and no lock in common.

mod commands;
mod describe;
mod error;
mod events;
mod fence;
mod linkdefs;
mod mirror;
mod mirrored;
mod notes;
mod operations;
mod options;
mod records;
mod requests;
mod restore;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use wasmcloud_core::{ConfigName, HostId, LatticeName, Limits, Link};
use wasmcloud_lattice::{CallError, ConnectError, Connection, ConnectionState, Handover, Lattice};
use wasmcloud_wire::config_service::{ConfigServiceReply, ConfigServiceRequest};
use wasmcloud_wire::control::{CtlResponse, HostInventory, RegistryCredential};
use wasmcloud_wire::event::{Event, HostStarted, HostStopped};
use wasmcloud_wire::message::chain;
use wasmcloud_wire::subject::{self, ControlInterface, Operation};
use wasmcloud_wire::{Message as _, subject::Topic};

use crate::external::{self, ProviderOptions};
use crate::host::Host;
use crate::identity::Identity;
use crate::policy::Policy;
use crate::rpc::Calls;

use self::commands::Commands;
use self::events::Events;
use self::fence::Fence;
use self::mirror::Mirror;
use self::mirrored::Mirrored;
use self::records::Records;

pub use self::error::ControlError;
pub use self::options::{JoinError, JoinOptions};
pub use self::records::RecordError;

/// How long a host of the same key may take to say that it is there.
const DUPLICATE_CHECK: Duration = Duration::from_millis(500);

/// The pause before the first heartbeat. Each that follows is twice as long, up to the one that was chosen.
const FIRST_BEAT: Duration = Duration::from_secs(1);

/// Records of what was started that may wait to be written; whoever starts one more waits.
const NOTES: usize = 1_024;

/// A host that is part of a lattice. Cheap to clone; all clones are the same host.
#[derive(Clone)]
pub struct LatticeHost(Arc<Inner>);

struct Inner {
    host: Host,
    identity: Arc<Identity>,
    lattice: Lattice,
    prefix: Topic,
    interface: ControlInterface,
    records: Arc<Records>,
    events: Events,
    mirrored: Arc<Mirrored>,
    commands: Commands,
    fence: Arc<Fence>,
    policy: Option<Arc<Policy>>,
    builtin_providers: bool,
    limits: Limits,
    /// What was started, on the way into its records.
    notes: mpsc::Sender<notes::Note>,
    /// Set when the control interface asks this host to stop, to the time that calls under way may take.
    stop: watch::Sender<Option<StopRequest>>,
    leaving: AtomicBool,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Inner {
    fn inventory(&self) -> HostInventory {
        let draining = self.leaving.load(Ordering::Acquire) || self.stop.borrow().is_some();
        let refused = self.mirrored.refused_links();
        describe::inventory(&self.identity, &self.host, &self.limits, refused, draining)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tasks.get_mut().drain(..).for_each(|task| task.abort());
    }
}

/// Somebody asked the host to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopRequest {
    /// How long calls under way may take; the host's own drain time where nobody said.
    pub timeout: Option<Duration>,
}

impl LatticeHost {
    /// Makes a host a part of a lattice. When this returns, the host has applied the state of the lattice, knows
    /// who leads, and the server has confirmed that it hears control requests.
    pub async fn join(host: Host, options: JoinOptions) -> Result<Self, JoinError> {
        let rpc = options.lattice.rpc.as_ref().unwrap_or(&options.lattice.control);
        let (handover, rpc_timeout) = (rpc.handover().await, rpc.request_timeout);
        let handover = handover.map_err(ConnectError::from)?;
        let lattice = Lattice::connect(&options.lattice).await?;
        let identity = Arc::new(Identity::new(&options.key, options.labels));
        let prefix: Topic = lattice.control_prefix.parse()?;
        let interface = ControlInterface::new(&prefix, &lattice.name);
        refuse_duplicate(&lattice, &interface, &identity).await?;
        let calls = Calls::start(lattice.rpc.clone(), lattice.name.clone(), identity.id.clone()).await?;
        let policy = match options.policy {
            Some(policy) => {
                let connection = lattice.control.clone();
                Some(Policy::start(connection, policy, lattice.name.clone(), Arc::clone(&identity)).await?)
            }
            None => None,
        };
        host.connect(calls, policy.clone());
        let records = Arc::new(Records::open(&lattice).await?);
        if options.config_service {
            ask_config_service(&host, &lattice, &identity).await;
        }
        let events = Events::start(lattice.control.clone(), lattice.name.clone(), identity.id.clone());
        let mirror = Mirror::start(host.clone(), Arc::clone(&records), events.clone()).await?;
        let (fence, leases) = Fence::start(&lattice).await;
        let (notes, waiting) = mpsc::channel(NOTES);
        tokio::spawn(notes::write_notes(Arc::clone(&records), waiting));
        let joined = Self(Arc::new(Inner {
            host,
            notes,
            identity,
            prefix,
            interface,
            records,
            events,
            mirrored: mirror.shared(),
            commands: Commands::default(),
            fence,
            policy,
            builtin_providers: options.builtin_providers,
            limits: options.limits,
            stop: watch::Sender::new(None),
            leaving: AtomicBool::new(false),
            tasks: Mutex::default(),
            lattice,
        }));
        joined.allow_external_providers(handover, rpc_timeout, options.providers);
        joined.keep(tokio::spawn(mirror.run()).abort_handle());
        joined.keep(tokio::spawn(leases).abort_handle());
        joined.listen(options.auctions).await?;
        joined.0.events.tell(Event::HostStarted(HostStarted {
            friendly_name: joined.0.identity.friendly_name.clone(),
            labels: joined.0.identity.labels(),
            uptime_seconds: 0,
            version: joined.0.identity.version.to_owned(),
        }));
        let beats = tokio::spawn(heartbeats(Arc::downgrade(&joined.0), options.heartbeat));
        joined.keep(beats.abort_handle());
        Ok(joined)
    }

    /// The host's public key.
    pub fn id(&self) -> &HostId {
        &self.0.identity.id
    }

    /// Who the host is.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// The lattice it is part of.
    pub fn lattice(&self) -> &LatticeName {
        &self.0.lattice.name
    }

    /// What subjects of the lattice's control interface begin with.
    pub fn control_prefix(&self) -> &Topic {
        &self.0.prefix
    }

    /// The host itself. What is changed there directly is not told to the lattice.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// Both connections, for who shares the state of the lattice.
    pub fn lattice_connections(&self) -> &Lattice {
        &self.0.lattice
    }

    /// The connection for control, for who wants to ask or hear more of the lattice.
    pub fn connection(&self) -> &Connection {
        &self.0.lattice.control
    }

    /// What runs here, in the words of the wire.
    pub fn inventory(&self) -> HostInventory {
        self.0.inventory()
    }

    /// Links that are in the state of the lattice and not in effect on this host.
    pub fn refused_links(&self) -> usize {
        self.0.mirrored.refused()
    }

    /// Whether the host takes work: it is connected, the server has confirmed its subscriptions since the last
    /// reconnect, and it is not stopping. Else, why not.
    pub fn ready(&self) -> Result<(), String> {
        if self.0.leaving.load(Ordering::Acquire) {
            return Err("the host is stopping".to_owned());
        }
        for (what, connection) in [("control", &self.0.lattice.control), ("rpc", &self.0.lattice.rpc)] {
            match *connection.state().borrow() {
                ConnectionState::Connected { .. } => {}
                ConnectionState::Reconnecting { since } => {
                    return Err(format!(
                        "the {what} connection to {} is lost since {:.0?}",
                        connection.address(),
                        since.elapsed()
                    ));
                }
                ConnectionState::Closed => return Err(format!("the {what} connection is closed")),
            }
        }
        Ok(())
    }

    /// Waits until the control interface asks this host to stop.
    pub async fn stop_requested(&self) -> StopRequest {
        let mut stop = self.0.stop.subscribe();
        match stop.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(request)) => *request,
            // The sender lives as long as this handle.
            _ => std::future::pending().await,
        }
    }

    /// Leaves the lattice: takes no further request, says so, stops what runs within the drain time, removes from the
    /// state what was put there only for this host's sake, and closes the connections.
    pub async fn leave(&self, links: &[Link], configs: &[ConfigName]) {
        self.0.leaving.store(true, Ordering::Release);
        // Without subscriptions others answer for the lattice, and nobody sends us commands any more.
        self.0.tasks.lock().drain(..).for_each(|task| task.abort());
        let labels = self.0.identity.labels();
        self.0.events.tell(Event::HostStopped(HostStopped { labels }));
        if self.connected() {
            self.0.events.flush().await;
        }
        self.0.host.stop().await;
        self.withdraw(links, configs).await;
        // Without a server there is nobody to say goodbye to, and no reason to wait for one.
        let mut deadline = Instant::now();
        if self.connected() {
            self.0.events.flush().await;
            deadline = self.0.lattice.control.default_deadline();
        }
        tokio::join!(
            self.0.lattice.control.close(deadline),
            self.0.lattice.rpc.close(deadline)
        );
    }

    /// From now on the host can start providers that are processes of their own.
    fn allow_external_providers(&self, handover: Handover, rpc_timeout: Duration, options: ProviderOptions) {
        // What a provider does must not keep the host alive.
        let host = Arc::downgrade(&self.0);
        self.0.host.set_external(external::Context {
            host_id: self.id().clone(),
            lattice: self.0.lattice.name.clone(),
            rpc: self.0.lattice.rpc.clone(),
            handover,
            rpc_timeout,
            host_xkey: nkeys::XKey::new().public_key(),
            options,
            tell: Arc::new(move |event| {
                if let Some(host) = host.upgrade() {
                    Self(host).tell(event);
                }
            }),
        });
    }

    /// Its connections, by what they are for.
    pub(crate) fn connections(&self) -> [(&'static str, &Connection); 2] {
        [("control", &self.0.lattice.control), ("rpc", &self.0.lattice.rpc)]
    }

    /// The same host, without keeping it.
    pub(crate) fn downgrade(&self) -> impl Fn() -> Option<Self> + Send + Sync + 'static {
        let weak = Arc::downgrade(&self.0);
        move || weak.upgrade().map(Self)
    }

    fn connected(&self) -> bool {
        let state = self.0.lattice.control.state();
        let state = *state.borrow();
        matches!(state, ConnectionState::Connected { .. })
    }

    fn keep(&self, task: AbortHandle) {
        self.0.tasks.lock().push(task);
    }
}

/// Two hosts with one key would each get half of the commands for both.
async fn refuse_duplicate(
    lattice: &Lattice,
    interface: &ControlInterface,
    identity: &Identity,
) -> Result<(), JoinError> {
    let subject = interface.subject(&Operation::HostGet(identity.id.clone()));
    let deadline = Instant::now() + DUPLICATE_CHECK;
    let answer = lattice
        .control
        .request(&subject, None, Vec::new().into(), deadline)
        .await;
    match answer {
        Err(CallError::NoResponders { .. }) => Ok(()),
        Ok(message) => {
            let reply = CtlResponse::<HostInventory>::decode(&message.payload).ok();
            let other = reply.and_then(|reply| reply.response).unwrap_or_default();
            Err(JoinError::Duplicate {
                id: identity.id.clone(),
                lattice: lattice.name.to_string(),
                name: other.friendly_name,
                uptime: other.uptime_human,
            })
        }
        // Somebody listens and says nothing: perhaps one that was killed a moment ago.
        Err(error @ CallError::TimedOut { .. }) => {
            tracing::warn!(
                error = chain(&error),
                "somebody listens to the commands of this host and does not answer; joining anyway"
            );
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks for credentials of registries. No answer means none, as in v1 (wire reference §2.2).
async fn ask_config_service(host: &Host, lattice: &Lattice, identity: &Identity) {
    let subject = subject::config_service(&lattice.name);
    let request = ConfigServiceRequest {
        labels: identity.labels(),
    };
    let deadline = lattice.control.default_deadline();
    let answer = lattice
        .control
        .request(&subject, None, request.encode().into(), deadline)
        .await;
    let reply = match answer {
        Ok(message) => ConfigServiceReply::decode(&message.payload).map_err(|error| chain(&error)),
        Err(error) => Err(chain(&error)),
    };
    match reply {
        Ok(reply) => put_registries(host, &reply.registry_credentials),
        Err(error) => tracing::warn!(error, "no settings from the config service; going on without"),
    }
}

fn put_registries(host: &Host, registries: &BTreeMap<String, RegistryCredential>) {
    let credentials = registries.iter().filter_map(|(registry, credential)| {
        let text = |text: &Option<wasmcloud_wire::Hidden>| text.as_ref().map(|text| text.reveal().to_owned());
        let usable = match (
            &credential.username,
            text(&credential.password),
            text(&credential.token),
        ) {
            (Some(user), Some(password), _) => wasmcloud_artifacts::Credentials::basic(user, password),
            (_, _, Some(token)) => {
                wasmcloud_artifacts::Credentials::Token(wasmcloud_artifacts::Secret::new(token))
            }
            _ => {
                tracing::warn!(
                    registry,
                    "credentials without user and password, and without token, are of no use"
                );
                return None;
            }
        };
        Some((registry.clone(), usable))
    });
    host.set_registry_credentials(&credentials.collect());
}

/// Tells again and again what runs here, and at once after a reconnect: whoever listens may have missed events. After
/// both it does so more often at first, because whoever has just begun to listen has missed some: v1's wadm begins with
/// the start of a host, and knows of that host only from the next thing that it tells.
async fn heartbeats(host: std::sync::Weak<Inner>, every: Duration) {
    let Some(mut state) = host.upgrade().map(|inner| inner.lattice.control.state()) else {
        return;
    };
    let mut pause = FIRST_BEAT.min(every);
    loop {
        let reconnected = async {
            while state.changed().await.is_ok() {
                if matches!(*state.borrow_and_update(), ConnectionState::Connected { .. }) {
                    return;
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(every),
            () = reconnected => pause = FIRST_BEAT.min(every),
        }
        let Some(inner) = host.upgrade() else { return };
        inner.events.tell(Event::HostHeartbeat(inner.inventory()));
    }
}
