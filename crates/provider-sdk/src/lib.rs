//! What an external capability provider links.
//!
//! A *capability provider* gives components what they cannot do themselves: talk to a database, listen on a port, send
//! mail. Most are built into hosts; an *external* one is a program of its own that a host starts and looks after. This
//! crate is everything such a program needs besides what it is for.
//!
//! # A provider in an hour
//!
//! ```no_run
//! use std::collections::HashMap;
//! use std::process::ExitCode;
//! use std::sync::{Arc, Mutex};
//!
//! use wasmcloud_provider_sdk::rpc::keyvalue::{Error, Get, Set};
//! use wasmcloud_provider_sdk::{BoxError, CallContext, Functions, Provider, Start, async_trait};
//!
//! /// Keeps values in memory.
//! struct Memory {
//!     values: Mutex<HashMap<(String, String), Vec<u8>>>,
//! }
//!
//! #[async_trait]
//! impl Provider for Memory {
//!     // `start` has config and secrets; an error here ends the process and is in the host's log.
//!     async fn init(_start: Start) -> Result<Self, BoxError> {
//!         Ok(Self { values: Mutex::default() })
//!     }
//!
//!     // What components can call. The last parameter of each method says which function it answers.
//!     fn functions(functions: Functions<Self>) -> Functions<Self> {
//!         functions.on(Self::get).on(Self::set)
//!     }
//! }
//!
//! impl Memory {
//!     async fn get(self: Arc<Self>, context: CallContext, call: Get) -> Result<Option<Vec<u8>>, Error> {
//!         // Only for components that are linked to us: their config is `link.config`.
//!         let _link = context.link().map_err(|_| Error::AccessDenied)?;
//!         let values = self.values.lock().map_err(|error| Error::Other(error.to_string()))?;
//!         Ok(values.get(&(call.bucket, call.key)).cloned())
//!     }
//!
//!     async fn set(self: Arc<Self>, context: CallContext, call: Set) -> Result<(), Error> {
//!         let _link = context.link().map_err(|_| Error::AccessDenied)?;
//!         let mut values = self.values.lock().map_err(|error| Error::Other(error.to_string()))?;
//!         values.insert((call.bucket, call.key), call.value);
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     wasmcloud_provider_sdk::main::<Memory>()
//! }
//! ```
//!
//! In `Cargo.toml` that needs `wasmcloud-provider-sdk`, and `tokio` once the provider waits for something of its own. Then:
//!
//! 1. `cargo build --release`, and pack the program with `wash par create --vendor me --name Memory --binary
//!    target/release/memory`. A provider is started from such an archive only.
//! 2. Name the archive as the `image` of a `type: capability` in a manifest, link a component to it, and `wash up` the
//!    manifest. `examples/provider-keyvalue-file` is a whole project to copy.
//! 3. Have the program tested by `wasmcloud-provider-compliance`, as the example does: whether it starts, answers, takes
//!    links, survives nonsense, and stops.
//!
//! # Which way calls go
//!
//! - A component that *imports* what the provider does calls it: the provider is the [`Target`](Side::Target) of the
//!   link, and has [`functions`](Provider::functions). For the interfaces of v1 the types are in [`rpc`]:
//!   [`Functions::on`], or [`on_streams`](Functions::on_streams) where bodies or blobs travel beside the call. For an
//!   interface of your own, [`on_bytes`](Functions::on_bytes) with the codec in [`value`].
//! - A provider that hears of something and tells a component is the [`Source`](Side::Source): it calls
//!   [`Sdk::component`] for the [`component`](Link::component) of each link that [`link_put`](Provider::link_put) brings.
//!
//! ```no_run
//! # use wasmcloud_provider_sdk::rpc::messaging::{BrokerMessage, HandleMessage};
//! # use wasmcloud_provider_sdk::{BoxError, Link, Sdk};
//! async fn tell(sdk: &Sdk, link: &Link, msg: BrokerMessage) -> Result<(), BoxError> {
//!     let component = sdk.component(link.component()).over(&link.name);
//!     component.call(&HandleMessage { msg }).await?.map_err(BoxError::from)
//! }
//! ```
//!
//! # What is taken care of
//!
//! - **Start.** Host data comes on standard input; logs go to standard error as it says. The process counts as healthy
//!   when `init` has returned, all links were told, and the server has confirmed that it hears calls.
//! - **Links.** Each is told once, again when its config or secrets changed, and its end is told. Secrets arrive sealed
//!   for this process and are opened here. Several links to one component are kept apart.
//! - **Calls.** As many at a time as [`Options::max_calls`]; more are refused, and their callers go elsewhere. Each has a
//!   deadline, at which its handler is dropped. A panic, bytes that cannot be read, a caller that is gone: each ends that
//!   one call, with an error that says why, and nothing else.
//! - **The lattice.** A lost connection is logged and tried again for ever; calls of components then wait until their
//!   deadline.
//! - **The end.** When the host, a SIGTERM or a SIGINT asks for it: no more calls, those under way finish,
//!   [`Provider::shutdown`], out. A second signal ends it at once.
//!
//! Traces travel with calls ([`CallContext::trace`], [`Component::traced`]); nothing is exported over OTLP from here, so
//! `otel_config` in the host data is not looked at.
//!
//! Build providers with `panic = "unwind"`, the default: with `abort` a panic in one call ends them all.
//!
//! | file | is for |
//! |---|---|
//! | `provider` | the trait that a provider implements, and its options |
//! | `process` | standard input, logs, signals, exit codes |
//! | `session` | the life of a process on the lattice, from connection to end |
//! | `settings` | host data, checked |
//! | `state` | what the tasks of a process share; health |
//! | `questions` | the host asks whether it is well, and to stop |
//! | `changes` | the host tells of links and config |
//! | `link`, `links` | a link and its secrets; all of them |
//! | `functions`, `serving` | which functions there are; calls of them |
//! | `context`, `failure`, `streams` | what a call says of itself, why it has no results, what travels beside it |
//! | `sdk`, `component` | the provider's handle; calls to components |
//!
//! Must never know: the host, wasmtime, manifests.

mod changes;
mod component;
mod context;
mod failure;
mod functions;
mod link;
mod links;
mod process;
mod provider;
mod questions;
mod sdk;
mod serving;
mod session;
mod settings;
mod state;
mod streams;

pub use component::{CallError, Component};
pub use context::{CallContext, Trace};
pub use failure::Failure;
pub use functions::{Functions, Streams};
pub use link::{Config, Link, Secrets, Side};
pub use process::{RunError, main, run};
pub use provider::{BoxError, Health, Options, Provider, Start};
pub use sdk::Sdk;
pub use session::{SessionError, run_with};
pub use settings::InvalidHostData;
pub use streams::{ByteReader, ByteWriter, StreamError, receive_value, send_value};

/// For `impl Provider`.
pub use async_trait::async_trait;
/// The bytes of calls and streams.
pub use bytes::Bytes;
/// Names that were checked.
pub use wasmcloud_core::{ComponentId, HostId, InvalidName, LatticeName, LinkName};
/// Calls and streams of the transport beneath.
pub use wasmcloud_lattice::rpc::{Call as BegunCall, Receiver, RpcError, Sender};
/// Host data and secrets, as a host tells them.
pub use wasmcloud_wire::provider::{HostData, SecretValue};
/// The interfaces of v1 with their types, and the traits for more of them.
pub use wasmcloud_wire::rpc;
/// The codec for values of interfaces that are not in [`rpc`].
pub use wasmcloud_wire::value;
