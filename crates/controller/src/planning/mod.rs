//! From what should run and what does to the steps between: [`plan`] and what it is made of.
//!
//! Pure, and the only part of the crate that decides what runs where. Tables and simulations hold it without a lattice.

mod app;
mod autoscale;
mod backoff;
mod claims;
mod components;
mod configs;
mod daemon;
mod desk;
mod flow;
mod leftovers;
mod links;
pub mod marks;
mod model;
mod observed;
mod order;
mod plan;
mod providers;
mod rollout;
mod sample;
mod scaler;
mod share;
mod shared;
mod spread;
mod status;
mod step;
mod unmarked;
mod view;
mod why;

pub use autoscale::{Autoscaler, Scale, Scales};
pub use backoff::{AVOIDED_FOR, FAILED_AFTER, FIRST_PAUSE, MAX_PAUSE, Memory, SETTLED_FOR};
pub use model::{Application, Lattice, Moment, Options, Revision};
pub use observed::{
    Calls, Candidate, Health, Load, Observed, ObservedHost, RefusedLink, RunningComponent, RunningProvider,
    StoreHealth,
};
pub use order::Phase;
pub(crate) use plan::report_of;
pub use plan::{Orphan, Plan, plan};
pub use rollout::{ENOUGH_CALLS, REFUSED_FOR, Shares, Standing, Verdict, judge, shares, weight};
pub use sample::Sample;
pub use share::largest_remainder;
pub use status::{AppReport, PartKind, PartReport, Status, StatusKind};
pub use step::{Action, Step, StepKey};
pub use why::{Decision, OnHost, Share, Wait};
