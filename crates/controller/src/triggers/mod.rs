//! Functions that are called by the clock (trait `cron`): once per tick in the whole lattice, by whoever leads it.
//!
//! | file | is for |
//! |---|---|
//! | `trigger` | one trigger of one application, and how it is known |
//! | `due` | which tick is to be called for now: a decision without input or output |
//! | `ledger` | the records of triggers, read and written by compare-and-set |
//! | `fire` | one call over the lattice |
//! | `lead` | the triggers of what is deployed, while a host leads |
//! | `clock` | the loop: looks when something is due, and keeps within limits |
//! | `counts` | how many calls there were, for metrics |
//!
//! A tick is *claimed* before it is called for: its record is written as settled by compare-and-set, and only who has
//! written it calls. So two who think they lead never call for one tick, and a tick is called for **at most once**: a
//! trap, a refusal or a deadline that passed is an outcome and is not tried again. With `missed: once` a tick counts as
//! missed when it was claimed and whoever claimed it is gone without a word; whether the call had begun nobody knows
//! then, so in that case alone the function can see the same tick twice.
//!
//! Nothing is called for from before a trigger was first seen. What the functions return is not looked at.

mod clock;
mod counts;
mod due;
mod fire;
mod lead;
mod ledger;
mod trigger;

pub use clock::{MayAct, Triggers};
pub use counts::{Counted, Counts};
pub use due::{MISSED_FOR, ON_TIME};
pub use fire::{Fire, FireError, Fired, LatticeFire};
pub use lead::{LatticeTriggers, TriggersError};
pub use ledger::Ledger;
pub use trigger::{MAX_TRIGGERS, Trigger};
