//! What a capability is, seen from a component: the invocation it runs in, the state beside its instance, the links
//! that say who answers, and the life of a built-in provider.
//!
//! The life of a capability has three steps, each with its own type. *Configure*: a [`Provider`] starts with what the
//! operator wrote. *Bind*: a link gives it a component and yields an [`Endpoint`] in that component's [`LinkTable`].
//! *Instance*: a live instance finds its endpoint through [`InstanceState::link`] when it calls.
//!
//! This crate knows wasmtime because it defines the data of every store. It does not compile, instantiate or schedule
//! anything (that is `engine`), knows no interface (that is `cap-*`) and no lattice.

mod component;
mod invocation;
mod limiter;
mod links;
mod logs;
mod provider;
mod remote;
mod state;
mod traffic;

pub use component::{ComponentContext, ConfigMap};
pub use invocation::{Caller, Invocation, InvocationId};
pub use limiter::{LimitExceeded, MemoryLimiter};
pub use links::{BoundLink, Endpoint, LinkEntry, LinkTable, NoLink};
pub use provider::{Capability, Handle, Provider, ProviderError};
pub use remote::{Params, ProviderCall, RemoteProvider};
pub use state::InstanceState;
pub use traffic::{Counter, Flow, Traffic};
