//! The application controller: [`lease`] says who leads a lattice, [`plan`] what its leader is to do: from what should
//! run ([`Lattice`]) and what does ([`Observed`]) to the [`Step`]s between, and to what can be said of each application
//! and why.
//!
//! The plan is pure: no input or output, no clock (time is handed in), no chance. Whoever leads a lattice observes it, plans,
//! carries out the steps under the epoch of the plan, tells [`Memory`] what failed, and begins again. What wakes it
//! carries no instructions, so a restart and an event take the same way.
//!
//! # What holds
//!
//! - What is not annotated as ours, or is another application's, is never changed or stopped; a link or config is only
//!   removed if a revision of its application names it.
//! - What goes, goes when what comes was seen to run: within a component, and for what a new revision does not have.
//!   What cannot be placed keeps what it replaces running.
//! - Nothing at all is changed while the store cannot be believed ([`StoreHealth`]), not even added: an older revision
//!   would be started beside a newer one. What runs shows by its generation that a store was set back, even to somebody
//!   who leads for the first time. An application that the store does not know is left alone ([`Orphan`]).
//! - Nothing is changed either while hosts may be missing among those that were heard of ([`Observed::partial`]).
//! - A host that is lost, is asked for nothing, and what it ran does not count. What runs on too many hosts when it
//!   comes back is cut.
//! - What runs stays where it is as far as the totals allow. Nothing moves for balance alone.
//! - A plan that was carried out is followed by an empty one. What does not succeed is tried again after pauses that
//!   double up to a minute, and said to have failed.
//!
//! [`Triggers`] is apart from all that: while a host leads, it calls functions by the clock, on the lattice itself.
//!
//! [`store`] keeps the applications of a lattice, [`api`] answers for them, [`lease`] says who leads, and [`Controller`]
//! is one of those who may: while it leads it observes the lattice, plans, and has the steps carried out.

mod alone;
pub mod api;
mod blocking;
mod lead;
pub mod lease;
mod planning;
pub mod store;
mod triggers;

pub use alone::Alone;
pub use lead::{Controller, ControllerOptions};
pub use lease::Candidacy;
pub use planning::*;
pub use triggers::*;
