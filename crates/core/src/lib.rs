//! Validated names and values that every other room speaks in.
//!
//! A value of one of these types has been checked once, when it was parsed, and is trusted after that. This
//! crate opens nothing, waits for nothing and knows no wire format: how these values look in JSON or in a
//! manifest is the business of the crates that read and write those.

mod builtin;
mod ids;
mod image;
mod interface;
mod limits;
mod link;
mod suggest;

pub use builtin::builtin_for;
pub use ids::{
    AppName, ComponentId, ConfigName, HostId, InvalidName, LatticeName, LinkName, LinkSuffix, PublicKey,
};
pub use image::{ImageRef, InvalidImageRef};
pub use interface::{InterfaceName, InvalidInterface};
pub use limits::{InstanceMode, InvalidLimit, Limits, parse_bytes, parse_duration};
pub use link::{Link, LinkKey, Route};
pub use suggest::nearest;
