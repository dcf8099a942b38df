//! The client side of the NATS protocol: what clients send, and what of it is wrong. Knows no sockets.

mod connect;
mod parser;
mod subject;

pub use connect::Connect;
pub use parser::{Op, Parser, ProtocolError, Publish};
pub(crate) use subject::tokens;
pub use subject::{MAX_TOKENS, is_publishable, is_subscribable};
