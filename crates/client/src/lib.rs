//! Asks the hosts of a lattice: the control interface (wire reference §3.1) from the side of who asks; and its
//! controller: the manifest API (§8.3).
//!
//! | to | use |
//! |---|---|
//! | have something done, and know that a host will | [`Client::send`] |
//! | have something done, and know that it *was* | [`Client::carry_out`] |
//! | know who is there and what runs | [`Client::hosts`], [`Client::inventory`], [`Client::inventories`] |
//! | find the host a person means | [`Client::find_host`] |
//! | know who could run something | [`Client::auction_component`], [`Client::auction_provider`] |
//! | read what the lattice shares | [`Client::links`], [`Client::claims`], [`Client::config`] |
//! | hear what happens | [`Client::events`] |
//! | work with applications | [`Client::apps`] |
//!
//! Every wait ends: with an answer, with "nobody listens" at once, or at a deadline with an error that says who was
//! asked for what. What hosts say is text of somebody else: it is limited in size by `wasmcloud-wire`, and control
//! characters are taken out of what gets into errors. This crate opens no connection and no file, knows nothing of
//! how hosts do what they are asked, and prints nothing.

mod apps;
mod asked;
mod client;
mod error;
mod events;
mod gather;
mod lookup;
mod wait;

pub use apps::{Apps, AppsError, Followed, PATIENCE, StatusFollower};
pub use asked::printable;
pub use client::{Client, DEFAULT_TIMEOUT};
pub use error::{ClientError, LookupError, WaitError};
pub use events::{Events, Told};
pub use gather::{Gathered, MAX_ANSWERS, QUIET};
pub use lookup::{FoundHost, find};
pub use wait::Done;
