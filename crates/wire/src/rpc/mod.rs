//! Calls between components and providers, wRPC 0.0.1 over NATS (wire reference §4): where they are sent, what is
//! said beside them, and what the interfaces that v1 knows put into them. Who waits for whom, and for how long, is the
//! business of who sends and receives.
//!
//! | module | what |
//! |---|---|
//! | [`subject`] | `{lattice}.{id}.wrpc.0.0.1.[{instance}.]{function}` |
//! | [`path`] | the subjects of one call: `{inbox}`, `{inbox}.params.0.1`, `{inbox}.results` |
//! | [`header`] | what travels as headers, v1's and ours |
//! | [`Returned`] | who sent results that are all there is of a call, in a subject |
//! | [`Terms`] | what peers of ours say to each other of a call, in one of them or in a subject |
//! | [`error`] | why a call failed, in a header |
//! | [`stream`] | streams and futures, beside a value or in it |
//! | [`http`], [`keyvalue`], [`blobstore`], [`messaging`] | the interfaces of v1's own providers |
//!
//! Interfaces that are not known here carry [values](crate::value) whose types are those of the component. Those that
//! are known are structs: parameters are a [`Call`], which says where it is sent and what it returns.
//!
//! Peers read what they know and skip the headers they do not, so everything of ours is additive. One thing of v1
//! cannot be kept: a callee that traps closes its results like one that succeeds without any. Ours says in
//! [`header::STATUS`] how it ended, and a caller who was told by [`header::TERMS`] that the callee speaks ours takes a
//! close without that for an error.

pub mod blobstore;
pub mod error;
pub mod header;
pub mod http;
pub mod keyvalue;
mod macros;
pub mod messaging;
pub mod path;
mod payload;
mod returned;
pub mod stream;
pub mod subject;
mod terms;

pub use error::{RpcErrorBody, RpcErrorCode};
pub use path::{InboxPath, IndexPath, InvalidPath};
pub use payload::{Call, Payload};
pub use returned::Returned;
pub use subject::{
    DIRECTLY, FunctionName, InstanceName, InvalidSubject, InvocationSubject, Prefix, called, directly, exact,
};
pub use terms::Terms;
