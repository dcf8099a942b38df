//! HTTP between hosts: a request that arrives where its component does not run goes to where it does, as
//! `wrpc:http/incoming-handler@0.1.0` of v1 (wire reference §4.6).
//!
//! | file | is for |
//! |---|---|
//! | `elsewhere` | the side of the host where the request arrives |
//! | `serve` | the side of the host where the component runs |
//! | `head` | heads of requests and responses in the words of the wire, and back |
//! | `bodies` | bodies and trailers as streams on the paths of a call, and back |

mod bodies;
mod elsewhere;
mod head;
mod serve;

pub(crate) use bodies::{BrokenOff, LatticeBody};
pub(crate) use elsewhere::request;
pub use serve::RemoteRequest;
pub use wasmcloud_wire::rpc::http::INCOMING_HANDLER;
