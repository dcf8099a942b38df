//! A connection to a lattice, and the state that its hosts share.
//!
//! [`Connection`] is a NATS client that keeps three promises the bare client does not make: a subscription counts
//! only after a [`barrier`](Connection::barrier) behind it, also after every reconnect; every wait has a deadline and
//! says what it waited for; nothing is queued while there is no server. [`Lattice`] is the pair of connections that a
//! host has, one for control and one for calls, as in v1.
//!
//! [`State`] is the lattice's key-value state: on JetStream, in the buckets of v1, or on the embedded lattice.
//! [`open_state`] looks at the server and picks. Its [`Watch`] never makes deletions out of a store that was lost.
//!
//! What travels is described in `wasmcloud-wire`; what it means is for those above. Knows nothing of components.

mod connection;
mod handover;
mod options;
pub mod rpc;
mod server_url;
mod state;

pub use connection::{
    CallError, ConnectError, Connection, ConnectionState, Lattice, MIN_SERVER_VERSION, ServerVersion,
    Subscription,
};
pub use handover::Handover;
pub use options::{Auth, ClientCertificate, LatticeOptions, NatsOptions, OptionsError, Tls};
pub use server_url::{InvalidUrl, ServerUrl};
pub use state::{
    Bucket, Contended, EmbeddedState, Entry, Event, JetStreamState, MAX_ENTRIES, MIN_TTL, Retry, State,
    StateError, WATCH_QUEUE, Watch, find_state, open_state,
};

/// What callers of this crate need of the NATS client, so that they do not depend on a version of it themselves.
pub use async_nats::{HeaderMap, HeaderName, HeaderValue, Message, StatusCode, Subject};
