//! End to end: the real `wash` binary, real components, real connections. Nothing here waits for a time; each test
//! waits for what it wants to see, with a deadline.
//!
//! One binary for all of it, because linking is what costs.

mod apps;
mod calls;
mod cli;
mod control;
mod control_reach;
mod control_real;
mod disk;
mod examples;
mod guests;
mod lifecycle;
mod observed;
mod refused;
mod registry;
mod resources;
mod scripted;
mod server;
mod sign;
mod spied;
mod support;
mod telemetry;
mod up;
mod walkthrough;
mod watch;
mod wire;
