//! HTTP between hosts: a request that arrives where its component does not run goes to where it does, and one of a
//! component goes to where its HTTP client runs, as `wrpc:http@0.1.0` of v1 (wire reference §4.6).
//!
//! | file | is for |
//! |---|---|
//! | `elsewhere` | the side of the host where the request arrives |
//! | `outgoing` | requests of a component here whose HTTP client runs elsewhere |
//! | `client` | what the built-in HTTP client answers components on other hosts |
//! | `serve` | the side of the host where the component runs |
//! | `head` | heads of requests and responses in the words of the wire, and back |
//! | `errors` | errors of requests in the words of the wire and in those of wasmtime |
//! | `bodies` | bodies and trailers as streams on the paths of a call, and back |

mod bodies;
mod client;
mod elsewhere;
mod errors;
mod head;
mod outgoing;
mod serve;

pub(crate) use bodies::{BrokenOff, LatticeBody};
pub(crate) use client::RemoteClient;
pub(crate) use elsewhere::{request, request_now};
pub(crate) use outgoing::send;
pub use serve::RemoteRequest;
pub use wasmcloud_wire::rpc::http::INCOMING_HANDLER;
