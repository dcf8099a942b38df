//! Calls over a lattice: the transport of wRPC 0.0.1 on NATS, as wasmCloud v1 spoke it (wire reference §4), with what
//! v1 lacked for calls that never hang. What the bytes mean is for those above; `wire` has their form.
//!
//! | file | is for |
//! |---|---|
//! | `inbox` | the one wildcard subscription of a client: all that belongs to its calls, handed to their mailboxes |
//! | `names` | the names of headers, ready to be looked for |
//! | `mailbox` | what has arrived for one call and was not read yet, within limits; waiting for more |
//! | `call` | the caller's side of a call |
//! | `caller` | a call to whoever serves a target, made again elsewhere as long as nothing has begun |
//! | `provider_link` | a link from a component to a provider elsewhere |
//! | `known` | who serves a target, as far as the answers to calls tell |
//! | `spare` | for which targets it is of no use to look for somebody with a free slot |
//! | `server` | the callee's side: a subscription of calls, each refused or accepted |
//! | `door` | calls that are for this client and not for the group |
//! | `stream` | bytes in either direction on a path of a call, with flow control |
//! | `tell` | small things that peers are told and nobody waits for |
//! | `pause` | whether this process stood still a moment ago |
//! | `error` | what can go wrong, and whether the callee may have begun |
//!
//! # What two peers of ours do more than v1
//!
//! All of it is in headers and on subjects that v1 peers ignore, and each side does it only once the other has said
//! that it speaks it (`wasmcloud-rpc`).
//!
//! - The callee accepts a call, or refuses it while nothing has begun. It says so as soon as anything about the call
//!   waits, and with the results if nothing does; those of a call without streams then need no headers, and neither do
//!   further requests to who answers so: what they say stands in the subject to reply to. A call that was
//!   refused, or that nobody accepted in time, can be made elsewhere: a callee that stood still refuses what it finds in
//!   its queue when it goes on.
//! - A call can say that it is not to wait for a free slot, because its caller serves the target too and has a line of
//!   its own; who is full refuses it at once.
//! - A call can be sent to one client of a group: it goes to that client's inbox, with the subject it is for behind it.
//! - The deadline and the depth of nested calls travel with the call.
//! - The last message of the results says whether they are the results: a trap is an error with its reason, where v1
//!   just closed.
//! - Streams have a window, given back as the receiver reads: a slow reader stops the writer, wherever it is.
//! - Who waits in silence asks after a second whether the other is still there, and ends the wait if it is not.
//! - Who loses interest says so, and the other stops.

mod call;
mod caller;
mod door;
mod error;
mod inbox;
mod known;
mod mailbox;
mod names;
mod pause;
mod provider_link;
mod server;
mod spare;
mod stream;
mod tell;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_nats::HeaderValue;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use wasmcloud_wire::rpc::{Returned, Terms};

use crate::connection::{CallError, Connection};

use self::door::Doors;
use self::mailbox::{Mailbox, Role};
use self::pause::Pause;
use self::tell::Teller;

pub use call::{Call, Outgoing};
pub use caller::{Caller, Request, Surroundings};
pub use error::RpcError;
pub use provider_link::ProviderLink;
pub use server::{Accepted, Incoming, Server};
pub use stream::{Receiver, Sender};

/// How calls travel. [`RpcOptions::new`] has the defaults; change the fields that differ.
#[derive(Clone, Debug)]
pub struct RpcOptions {
    /// Who we are, for the error messages of the other side: the public key of a host.
    pub host: String,
    /// How long a callee may take to accept a call. Default 1 s. A callee that stood still
    /// for half as long knows it.
    pub accept_timeout: Duration,
    /// How long a peer may be silent before it is asked whether it is there, and how often it is asked then. Default
    /// 1 s.
    pub silence: Duration,
    /// Bytes of one stream that may be under way or unread. Default 1 MiB.
    pub window: usize,
    /// Unread bytes of a stream from a peer that knows no windows; more end the stream. Default 16 MiB.
    pub max_unpaced: usize,
    /// Longest parameters or results, streams apart, in bytes. Default 64 MiB.
    pub max_message: usize,
    /// Unread bytes of all calls of a client together. Default 512 MiB.
    pub max_unread: usize,
    /// Calls under way, in both directions together. Default 65,536.
    pub max_calls: usize,
    /// Calls that may wait for somebody to accept them; further ones wait here. Default 1,024: as many as a callee
    /// surely accepts within [`RpcOptions::accept_timeout`], so that load does not look like a callee that is gone.
    pub max_unaccepted: usize,
}

impl RpcOptions {
    /// The defaults, for a host.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            accept_timeout: Duration::from_secs(1),
            silence: Duration::from_secs(1),
            window: 1 << 20,
            max_unpaced: 16 << 20,
            max_message: 64 << 20,
            max_unread: 512 << 20,
            max_calls: 65_536,
            max_unaccepted: 1_024,
        }
    }
}

/// Makes and takes calls over one connection. Clones share it.
#[derive(Clone)]
pub struct Rpc(Arc<Shared>);

pub(crate) struct Shared {
    connection: Connection,
    options: RpcOptions,
    /// What every acceptance of ours says.
    acceptance: HeaderValue,
    /// What stands behind the inboxes of callers in the subjects of results that are all there is of a call, the dot
    /// before it included.
    returned: String,
    /// What the subjects of all our calls begin with, the dot before the number of the call included.
    prefix: String,
    /// Those that others can send something for.
    calls: Mutex<HashMap<u64, Arc<Mailbox>>>,
    under_way: AtomicUsize,
    next: AtomicU64,
    doors: Doors,
    /// Unread bytes of all calls.
    unread: Arc<AtomicUsize>,
    /// Calls that may wait for somebody to accept them.
    unaccepted: Semaphore,
    pause: Arc<Pause>,
    teller: Teller,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.tasks.get_mut().drain(..).for_each(|task| task.abort());
    }
}

impl Rpc {
    /// Begins to hear what belongs to calls. When this returns, the server has confirmed the subscription.
    pub async fn start(connection: Connection, options: RpcOptions) -> Result<Self, CallError> {
        let inbox = connection.new_inbox();
        let subscription = connection.subscribe(&format!("{inbox}.>")).await?;
        connection.barrier(connection.default_deadline()).await?;
        let pause = Arc::new(Pause::default());
        let (teller, words) = Teller::new();
        let acceptance = Terms {
            window: u32::try_from(options.window).ok(),
            host: Some(options.host.as_str().into()),
            ..Terms::default()
        };
        let shared = Arc::new(Shared {
            acceptance: acceptance.to_string().into(),
            returned: format!(".{}", Returned::behind(&inbox, &options.host)),
            unaccepted: Semaphore::new(options.max_unaccepted),
            options,
            prefix: format!("{inbox}."),
            calls: Mutex::default(),
            under_way: AtomicUsize::new(0),
            next: AtomicU64::new(1),
            doors: Doors::default(),
            unread: Arc::default(),
            pause: Arc::clone(&pause),
            teller,
            tasks: Mutex::default(),
            connection: connection.clone(),
        });
        let inbox = tokio::spawn(inbox::run(Arc::downgrade(&shared), subscription));
        let watch = tokio::spawn(pause::watch(pause, connection.clone()));
        let tell = tokio::spawn(tell::run(connection, words));
        shared
            .tasks
            .lock()
            .extend([inbox, watch, tell].map(|task| task.abort_handle()));
        Ok(Self(shared))
    }

    /// The connection beneath.
    pub fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// The subject that others send to what is for this client and no other.
    fn inbox(&self) -> &str {
        self.0.prefix.trim_end_matches('.')
    }

    /// Calls under way, in both directions together.
    pub fn calls(&self) -> usize {
        self.0.under_way.load(Ordering::Relaxed)
    }

    /// Bytes that have arrived and were not read yet, of all calls.
    pub fn unread(&self) -> usize {
        self.0.unread.load(Ordering::Relaxed)
    }

    /// A place for what belongs to a new call, as of now.
    fn register(&self, role: Role, now: Instant, deadline: Instant) -> Result<Registered, RpcError> {
        let shared = &self.0;
        let limit = shared.options.max_calls;
        let place = Place(self.clone());
        if shared.under_way.fetch_add(1, Ordering::Relaxed) >= limit {
            return Err(RpcError::TooManyCalls { limit });
        }
        let unread = Arc::clone(&shared.unread);
        Ok(Registered {
            mailbox: Arc::new(Mailbox::new(role, &shared.options, unread, now, deadline)),
            inbox: OnceLock::new(),
            place,
        })
    }
}

/// One of the calls that may be under way.
struct Place(Rpc);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call under way, as long as somebody holds it.
pub(crate) struct Registered {
    pub(crate) mailbox: Arc<Mailbox>,
    /// Its number, and the subject that its peer answers to.
    inbox: OnceLock<(u64, String)>,
    place: Place,
}

impl Registered {
    pub(crate) fn options(&self) -> &RpcOptions {
        &self.shared().options
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.shared().connection
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.place.0.0
    }

    /// The subject that its peer answers to. What arrives there reaches the mailbox from the first use on: of many calls
    /// nobody else has to know.
    pub(crate) fn inbox(&self) -> &str {
        let (_, inbox) = self.inbox.get_or_init(|| {
            let shared = self.shared();
            let id = shared.next.fetch_add(1, Ordering::Relaxed);
            shared.calls.lock().insert(id, Arc::clone(&self.mailbox));
            (id, format!("{}{id:x}", shared.prefix))
        });
        inbox
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some((id, _)) = self.inbox.get() {
            self.shared().calls.lock().remove(id);
            self.mailbox.close();
        }
    }
}
